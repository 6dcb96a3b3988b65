"""Backfills: which worker fetches which missing interval, and when. Times are seconds on the monotonic clock.

The engine reports holes. Each is assigned to a serving worker of its connection, one at a time per worker, and assigned
again, to the other side if there is one, when that worker dies, fails or does not answer. Failed attempts are retried
with growing delays until the hole is filled, cannot be filled, or has had too many attempts: then it stays announced as
a gap, and is given up here.

A restarted engine reports its holes again: a hole within a known one is that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from foxtrot_protocol.commands import Backfill, Backfilled, HoleFound
from foxtrot_protocol.events import EVENT_MARKET_TRADE

__all__ = [
    "AGE_S_MAX",
    "ANSWER_S_MAX",
    "ATTEMPTS_MAX",
    "HOLES_MAX",
    "RETRY_FIRST_S",
    "RETRY_S_MAX",
    "BackfillFigures",
    "Backfills",
    "Given",
    "GivenUp",
    "Worker",
]

HOLES_MAX = 256
"""Holes of one connection, waiting or in flight; beyond it the oldest waiting one is given up."""

AGE_S_MAX = 3600.0
"""Seconds after which a hole that is still waiting is given up."""

ATTEMPTS_MAX = 12
"""Attempts without progress for one hole; with the delays between them some six minutes."""

RETRY_FIRST_S = 0.5
"""Seconds before the second attempt; doubled for each further one, up to `RETRY_S_MAX`."""

RETRY_S_MAX = 60.0

ANSWER_S_MAX = 120.0
"""Seconds after which an attempt without an answer counts as failed."""

_ID_CHARS_MAX = 40


class Worker(Struct, frozen=True):
    """A serving worker and its incarnation."""

    name: str
    incarnation: int


class Given(Struct, frozen=True):
    """A command to be sent to a worker; call `Backfills.refused` if it cannot be sent."""

    worker: Worker
    command: Backfill


class GivenUp(Struct, frozen=True):
    """A hole, or the rest of one, that stays announced as a gap."""

    connection: str
    symbol: str
    stream: str
    first_id: str
    last_id: str
    reason: str


class BackfillFigures(Struct):
    """Figures of one connection. `holes_total` = filled + given up + waiting + in flight."""

    holes_total: int = 0
    filled_total: int = 0
    given_up_total: int = 0
    events_total: int = 0
    """Events that workers fetched and committed."""
    attempts_total: int = 0
    waiting: int = 0
    in_hand: int = 0
    last_problem: str = ""


class _Hole:
    __slots__ = (
        "attempts",
        "connection",
        "deadline",
        "due_at",
        "end_ns",
        "first",
        "found_at",
        "given_to",
        "last",
        "request_id",
        "start_ns",
        "stream",
        "symbol",
        "tried_by",
    )

    def __init__(self, message: HoleFound, first: int, last: int, request_id: int, now: float) -> None:
        self.connection = message.connection
        self.symbol = message.symbol
        self.stream = message.stream
        self.first = first
        self.last = last
        self.start_ns = message.start_ns
        self.end_ns = message.end_ns
        self.request_id = request_id
        self.found_at = now
        self.due_at = now
        self.attempts = 0
        self.given_to: Worker | None = None
        self.deadline = 0.0
        self.tried_by = ""


class Backfills:
    """All holes of all connections; bounded by `HOLES_MAX` each."""

    def __init__(self, connections: Iterable[str]) -> None:
        """`connections`: those with ``backfill = true``."""
        self._holes: dict[int, _Hole] = {}
        """By request id, oldest first."""
        self._figures: dict[str, BackfillFigures] = {name: BackfillFigures() for name in connections}
        self._given_up: list[GivenUp] = []
        self._last_id = 0

    def configure(self, connections: Iterable[str]) -> None:
        """Take over which connections have ``backfill = true``; holes of others are dropped."""
        wanted = set(connections)
        for hole in [hole for hole in self._holes.values() if hole.connection not in wanted]:
            del self._holes[hole.request_id]
        self._figures = {name: self._figures.get(name) or BackfillFigures() for name in sorted(wanted)}

    def figures(self) -> Mapping[str, BackfillFigures]:
        """Return the figures of each connection by its name."""
        for figures in self._figures.values():
            figures.waiting = figures.in_hand = 0
        for hole in self._holes.values():
            figures = self._figures[hole.connection]
            if hole.given_to is None:
                figures.waiting += 1
            else:
                figures.in_hand += 1
        return self._figures

    # ---- inputs

    def found(self, message: HoleFound, now: float) -> None:
        """Take a hole that the engine reports, possibly repeatedly.

        Holes of other streams than trades are ignored: a snapshot or the next quote replaces what was missed.
        """
        figures = self._figures.get(message.connection)
        if figures is None or message.stream != EVENT_MARKET_TRADE:
            return
        bounds = _bounds(message.first_id, message.last_id)
        if bounds is None:
            figures.holes_total += 1
            reason = "its bounds are no numbers"
            self._tell_given_up(figures, message, message.first_id, message.last_id, reason)
            return
        first, last = bounds
        same_stream = [hole for hole in self._of(message.connection) if _stream(hole) == _stream(message)]
        if any(hole.first <= first and last <= hole.last for hole in same_stream):
            return
        for hole in same_stream:
            if first <= hole.first and hole.last <= last and hole.given_to is None:
                del self._holes[hole.request_id]  # it was only a part of this one
                figures.holes_total -= 1
        figures.holes_total += 1
        self._make_room(message.connection)
        self._last_id += 1
        self._holes[self._last_id] = _Hole(message, first, last, self._last_id, now)

    def answered(self, worker: Worker, message: Backfilled, now: float) -> None:
        """Take a worker's answer to its command; any other answer is ignored."""
        hole = self._holes.get(message.request_id)
        if hole is None or hole.given_to != worker:
            return
        figures = self._figures[hole.connection]
        figures.events_total += message.events
        if not message.left:
            del self._holes[hole.request_id]
            figures.filled_total += 1
            return
        figures.last_problem = message.left
        bounds = _bounds(message.first_id, message.last_id)
        if bounds is not None and hole.first <= bounds[0] and bounds[1] <= hole.last:
            if bounds != (hole.first, hole.last):
                hole.attempts = 0  # it makes headway, and there is only so much of it
            hole.first, hole.last = bounds
        if message.retry:
            self._failed(hole, message.left, now)
        else:
            self._give_up(hole, message.left)

    def refused(self, worker: Worker, request_id: int, now: float) -> None:
        """Take that a `Given` command could not be sent."""
        hole = self._holes.get(request_id)
        if hole is not None and hole.given_to == worker:
            self._failed(hole, f"{worker.name} could not be reached", now)

    def ended(self, name: str, incarnation: int, now: float) -> None:
        """Take the death of a worker: what it had in flight is assigned again."""
        worker = Worker(name, incarnation)
        for hole in [hole for hole in self._holes.values() if hole.given_to == worker]:
            self._failed(hole, f"{name} ended before it had fetched it", now)

    # ---- outputs

    def due(self, serving: Callable[[str], Sequence[Worker]], now: float) -> list[Given]:
        """Return the commands to send now; `serving(connection)` returns the workers that can be asked."""
        self._look_at_the_clock(now)
        busy = {hole.given_to for hole in self._holes.values() if hole.given_to is not None}
        asked: dict[str, Sequence[Worker]] = {}
        given: list[Given] = []
        for hole in self._holes.values():
            if hole.given_to is not None or hole.due_at > now:
                continue
            if hole.connection not in asked:
                asked[hole.connection] = serving(hole.connection)
            free = [worker for worker in asked[hole.connection] if worker not in busy]
            if not free:
                continue
            worker = next((worker for worker in free if worker.name != hole.tried_by), free[0])
            busy.add(worker)
            given.append(Given(worker, self._give(hole, worker, now)))
        return given

    def next_deadline(self, now: float) -> float | None:
        """Return when `due` has to be called again if no input comes and no further worker begins to serve."""
        return min((_deadline(hole, now) for hole in self._holes.values()), default=None)

    def take_given_up(self) -> list[GivenUp]:
        """Return the holes given up since the last call."""
        taken, self._given_up = self._given_up, []
        return taken

    # ---- inside

    def _of(self, connection: str) -> list[_Hole]:
        return [hole for hole in self._holes.values() if hole.connection == connection]

    def _give(self, hole: _Hole, worker: Worker, now: float) -> Backfill:
        hole.given_to = worker
        hole.tried_by = worker.name
        hole.attempts += 1
        hole.deadline = now + ANSWER_S_MAX
        self._figures[hole.connection].attempts_total += 1
        return Backfill(
            hole.request_id,
            hole.symbol,
            hole.stream,
            str(hole.first),
            str(hole.last),
            hole.start_ns,
            hole.end_ns,
        )

    def _look_at_the_clock(self, now: float) -> None:
        for hole in list(self._holes.values()):
            if hole.given_to is not None:
                if now >= hole.deadline:
                    self._failed(hole, f"{hole.given_to.name} did not answer within {ANSWER_S_MAX:g} s", now)
            elif now - hole.found_at >= AGE_S_MAX:
                self._give_up(hole, f"it was found {AGE_S_MAX:g} s ago")

    def _failed(self, hole: _Hole, reason: str, now: float) -> None:
        self._figures[hole.connection].last_problem = reason
        hole.given_to = None
        if hole.attempts >= ATTEMPTS_MAX:
            self._give_up(hole, f"{ATTEMPTS_MAX} attempts in a row brought nothing, the last: {reason}")
            return
        # after headway there is no attempt to count yet, and the next one comes soonest
        hole.due_at = now + min(RETRY_FIRST_S * 2.0 ** max(0, hole.attempts - 1), RETRY_S_MAX)

    def _give_up(self, hole: _Hole, reason: str) -> None:
        del self._holes[hole.request_id]
        self._tell_given_up(self._figures[hole.connection], hole, str(hole.first), str(hole.last), reason)

    def _tell_given_up(
        self, figures: BackfillFigures, hole: _Hole | HoleFound, first_id: str, last_id: str, reason: str
    ) -> None:
        figures.given_up_total += 1
        figures.last_problem = reason
        first_id, last_id = first_id[:_ID_CHARS_MAX], last_id[:_ID_CHARS_MAX]
        self._given_up.append(GivenUp(hole.connection, hole.symbol, hole.stream, first_id, last_id, reason))

    def _make_room(self, connection: str) -> None:
        holes = self._of(connection)
        waiting = [hole for hole in holes if hole.given_to is None]
        if len(holes) >= HOLES_MAX and waiting:
            self._give_up(waiting[0], f"more than {HOLES_MAX} holes of one connection wait")


def _deadline(hole: _Hole, now: float) -> float:
    if hole.given_to is not None:
        return hole.deadline
    # one that is due waits for a worker, and whoever knows that one serves asks anyway
    return hole.due_at if hole.due_at > now else hole.found_at + AGE_S_MAX


def _stream(hole: _Hole | HoleFound) -> tuple[str, str]:
    return hole.symbol, hole.stream


def _bounds(first_id: str, last_id: str) -> tuple[int, int] | None:
    """Return both as numbers, in order; None if they are not two such numbers."""
    if not all(text.isascii() and text.isdigit() and len(text) <= _ID_CHARS_MAX for text in (first_id, last_id)):
        return None
    first, last = int(first_id), int(last_id)
    return (first, last) if first <= last else None
