"""Backfills: which worker fetches which missing interval, and when. Times are seconds on the monotonic clock.

The engine reports holes. Each is assigned to a serving worker of its connection, one at a time per worker, and assigned
again, to the other side if there is one, when that worker dies, fails or does not answer. Failed attempts are retried
with growing delays until the hole is filled, cannot be filled, or has had too many attempts: then it stays announced as
a gap, and is given up here.

A restarted engine reports its holes again: a hole within a known one is that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct, structs

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


class _Task:
    """A hole to be filled: what the engine reported, and what of it is still missing."""

    def __init__(self, hole: HoleFound, first: int, last: int, request_id: int, now: float) -> None:
        self.hole = hole
        self.first = first
        self.last = last
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
        self._tasks: dict[int, _Task] = {}
        """By request id, oldest first."""
        self._figures: dict[str, BackfillFigures] = {name: BackfillFigures() for name in connections}
        self._given_up: list[tuple[HoleFound, str]] = []
        self._last_id = 0

    def configure(self, connections: Iterable[str]) -> None:
        """Take over which connections have ``backfill = true``; holes of others are dropped."""
        wanted = set(connections)
        for task in [task for task in self._tasks.values() if task.hole.connection not in wanted]:
            del self._tasks[task.request_id]
        self._figures = {name: self._figures.get(name) or BackfillFigures() for name in sorted(wanted)}

    def figures(self) -> Mapping[str, BackfillFigures]:
        """Return the figures of each connection by its name."""
        for figures in self._figures.values():
            figures.waiting = figures.in_hand = 0
        for task in self._tasks.values():
            figures = self._figures[task.hole.connection]
            if task.given_to is None:
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
            self._report_given_up(figures, message, message.first_id, message.last_id, reason)
            return
        first, last = bounds
        same_stream = [
            task
            for task in self._of(message.connection)
            if (task.hole.symbol, task.hole.stream) == (message.symbol, message.stream)
        ]
        if any(task.first <= first and last <= task.last for task in same_stream):
            return
        for task in same_stream:
            if first <= task.first and task.last <= last and task.given_to is None:
                del self._tasks[task.request_id]  # it was only a part of this one
                figures.holes_total -= 1
        figures.holes_total += 1
        self._make_room(message.connection)
        self._last_id += 1
        self._tasks[self._last_id] = _Task(message, first, last, self._last_id, now)

    def answered(self, worker: Worker, message: Backfilled, now: float) -> None:
        """Take a worker's answer to its command; any other answer is ignored."""
        task = self._tasks.get(message.request_id)
        if task is None or task.given_to != worker:
            return
        figures = self._figures[task.hole.connection]
        figures.events_total += message.events
        if not message.left:
            del self._tasks[task.request_id]
            figures.filled_total += 1
            return
        figures.last_problem = message.left
        bounds = _bounds(message.first_id, message.last_id)
        if bounds is not None and task.first <= bounds[0] and bounds[1] <= task.last:
            if bounds != (task.first, task.last):
                task.attempts = 0  # it makes headway, and there is only so much of it
            task.first, task.last = bounds
        if message.retry:
            self._failed(task, message.left, now)
        else:
            self._give_up(task, message.left)

    def refused(self, worker: Worker, request_id: int, now: float) -> None:
        """Take that a `Given` command could not be sent."""
        task = self._tasks.get(request_id)
        if task is not None and task.given_to == worker:
            self._failed(task, f"{worker.name} could not be reached", now)

    def ended(self, name: str, incarnation: int, now: float) -> None:
        """Take the death of a worker: what it had in flight is assigned again."""
        worker = Worker(name, incarnation)
        for task in [task for task in self._tasks.values() if task.given_to == worker]:
            self._failed(task, f"{name} ended before it had fetched it", now)

    # ---- outputs

    def due(self, serving: Callable[[str, str], Sequence[Worker]], now: float) -> list[Given]:
        """Return the commands to send now; `serving(connection, symbol)` returns the workers that can be asked."""
        self._look_at_the_clock(now)
        busy = {task.given_to for task in self._tasks.values() if task.given_to is not None}
        asked: dict[tuple[str, str], Sequence[Worker]] = {}
        given: list[Given] = []
        for task in self._tasks.values():
            if task.given_to is not None or task.due_at > now:
                continue
            where = (task.hole.connection, task.hole.symbol)
            if where not in asked:
                asked[where] = serving(*where)
            free = [worker for worker in asked[where] if worker not in busy]
            if not free:
                continue
            worker = next((worker for worker in free if worker.name != task.tried_by), free[0])
            busy.add(worker)
            given.append(Given(worker, self._give(task, worker, now)))
        return given

    def next_deadline(self, now: float) -> float | None:
        """Return when `due` has to be called again if no input comes and no further worker begins to serve."""
        return min((_deadline(task, now) for task in self._tasks.values()), default=None)

    def take_given_up(self) -> list[tuple[HoleFound, str]]:
        """Return the holes, or what is left of them, given up since the last call, and why. They stay announced."""
        taken, self._given_up = self._given_up, []
        return taken

    # ---- inside

    def _of(self, connection: str) -> list[_Task]:
        return [task for task in self._tasks.values() if task.hole.connection == connection]

    def _give(self, task: _Task, worker: Worker, now: float) -> Backfill:
        task.given_to = worker
        task.tried_by = worker.name
        task.attempts += 1
        task.deadline = now + ANSWER_S_MAX
        self._figures[task.hole.connection].attempts_total += 1
        return Backfill(
            task.request_id,
            task.hole.symbol,
            task.hole.stream,
            str(task.first),
            str(task.last),
            task.hole.start_ns,
            task.hole.end_ns,
        )

    def _look_at_the_clock(self, now: float) -> None:
        for task in list(self._tasks.values()):
            if task.given_to is not None:
                if now >= task.deadline:
                    self._failed(task, f"{task.given_to.name} did not answer within {ANSWER_S_MAX:g} s", now)
            elif now - task.found_at >= AGE_S_MAX:
                self._give_up(task, f"it was found {AGE_S_MAX:g} s ago")

    def _failed(self, task: _Task, reason: str, now: float) -> None:
        self._figures[task.hole.connection].last_problem = reason
        task.given_to = None
        if task.attempts >= ATTEMPTS_MAX:
            self._give_up(task, f"{ATTEMPTS_MAX} attempts in a row brought nothing, the last: {reason}")
            return
        # after headway there is no attempt to count yet, and the next one comes soonest
        task.due_at = now + min(RETRY_FIRST_S * 2.0 ** max(0, task.attempts - 1), RETRY_S_MAX)

    def _give_up(self, task: _Task, reason: str) -> None:
        del self._tasks[task.request_id]
        self._report_given_up(self._figures[task.hole.connection], task.hole, str(task.first), str(task.last), reason)

    def _report_given_up(
        self, figures: BackfillFigures, hole: HoleFound, first_id: str, last_id: str, reason: str
    ) -> None:
        figures.given_up_total += 1
        figures.last_problem = reason
        left = structs.replace(hole, first_id=first_id[:_ID_CHARS_MAX], last_id=last_id[:_ID_CHARS_MAX])
        self._given_up.append((left, reason))

    def _make_room(self, connection: str) -> None:
        holes = self._of(connection)
        waiting = [task for task in holes if task.given_to is None]
        if len(holes) >= HOLES_MAX and waiting:
            self._give_up(waiting[0], f"more than {HOLES_MAX} holes of one connection wait")


def _deadline(task: _Task, now: float) -> float:
    if task.given_to is not None:
        return task.deadline
    # a due one waits for a worker; `due` is called anyway when one begins to serve
    return task.due_at if task.due_at > now else task.found_at + AGE_S_MAX


def _bounds(first_id: str, last_id: str) -> tuple[int, int] | None:
    """Return both as numbers, in order; None if they are not two such numbers."""
    if not all(text.isascii() and text.isdigit() and len(text) <= _ID_CHARS_MAX for text in (first_id, last_id)):
        return None
    first, last = int(first_id), int(last_id)
    return (first, last) if first <= last else None
