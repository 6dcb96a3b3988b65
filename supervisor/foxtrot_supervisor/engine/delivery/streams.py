"""A stream and its position: one event type of one symbol, and what handlers have received of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

__all__ = [
    "APPLY",
    "COPY",
    "DROP",
    "EQUAL_MAX",
    "HOLES_MAX",
    "NOBODY",
    "NUMBER_MAX",
    "REMEMBERED_MAX",
    "SUPERSEDED",
    "UNKNOWN",
    "WAIT",
    "Hole",
    "LowRun",
    "Sequence",
    "Side",
    "Stream",
    "StreamKey",
    "StreamState",
    "Window",
    "parse_number",
]

HOLES_MAX = 16
"""Announced holes remembered of one stream; the oldest is evicted first."""

REMEMBERED_MAX = 4096
"""Events remembered of a stream without order: the largest lag of a twin."""

EQUAL_MAX = 64
"""Different contents remembered of one state identifier or time."""

NUMBER_MAX: Final = 1 << 62
"""Identifiers are numbers below this; anything else has no order."""

UNKNOWN: Final = NUMBER_MAX
"""Stands for an unknown identifier."""

APPLY, COPY, WAIT, DROP, SUPERSEDED = range(5)
"""Verdicts on an event: hand it to handlers; drop it as a copy; wait with its batch for another side; drop it as
announced; do not hand it over because the next snapshot contains it."""

Side: TypeAlias = tuple[str, int]
"""A worker: the name of its side of the connection, and its incarnation."""

NOBODY: Final[Side] = ("", 0)
"""Stands for no worker."""


class StreamKey(Struct, frozen=True):
    """Identifies a stream; `part` is the interval of bars, else ""."""

    kind: str
    symbol: str
    part: str = ""


class Hole(Struct, frozen=True, array_like=True):
    """Identifiers `first` to `last` that no side has brought, and the receive times (ns) around them."""

    first: int
    last: int
    start_ns: int
    end_ns: int


class LowRun(Struct, frozen=True):
    """Consecutive identifiers of one side that rise from below its own last one: a sequence reset, if they go on.

    `position` and `batch`: the stream's position and the batch at the last of them. `may_lag`: it began with a new
    connection, soon after the position was reached.
    """

    first: int
    last: int
    count: int
    position: int
    batch: int
    may_lag: bool = False


class Sequence(Struct, frozen=True):
    """What is known of the way in which a stream's identifiers rise; kept in memory only."""

    low: Mapping[str, LowRun] = {}
    """By side."""
    behind: frozenset[str] = frozenset()
    """Sides that may still bring identifiers from before the last sequence reset."""
    old_last: int = 0
    """The position before that reset."""
    leap_at: int = 0
    """The identifier behind the last hole."""
    leaps: int = 0
    """Holes in a row with fewer than `trades.LEAP_RUN` events between them."""
    merged: bool = False
    """Whether trades that stand for several fills have come."""
    evidence: int = 0
    """Evidence of which fill the identifiers of such trades name (`fills.weigh`)."""


class StreamState(Struct, array_like=True):
    """State of a stream besides its last identifier and times; changes rarely."""

    valid: bool = True
    """Books: handlers can follow the book."""
    sides: tuple[Side, ...] = ()
    """Workers that have brought something of the stream in their present incarnation."""
    holes: tuple[Hole, ...] = ()
    fill: tuple[int, int] | None = None
    """First and last identifier filled by backfill whose `filled` gap has not come yet."""
    equal: tuple[int, ...] = ()
    """Checksums of the contents seen with the last identifier."""
    leader: str = ""
    """Rule `one_side`: the side whose events are applied."""
    lost: tuple[str, str] | None = None
    """Books: bounds announced as missing, "" where unknown, until a snapshot completes the book."""
    demoted: bool = False
    """Rule `sequence`: identifiers leap, so only their order counts from here on."""
    unseen: bool = False
    """Books: a previous engine handed it over, this one has had no snapshot of it yet."""
    superseded: tuple[str, int] | None = None
    """Books: first update since the death of an engine that the next snapshot contains, "" if it has no identifier, and
    the receive time of the last update before it."""
    repeat_to: int = 0
    """Books: updates up to this identifier were handed over before the snapshot that they follow."""


class Window:
    """The last events of a stream without order, by hash; bounded by `REMEMBERED_MAX`."""

    def __init__(self, hashes: Iterable[int] = ()) -> None:
        """`hashes`: those of the previous engine, oldest first."""
        self._hashes = dict.fromkeys(hashes)
        self.fresh: list[int] = []
        """Added since the last `settle`."""
        self.unsaved: list[int] = []
        """Settled and not yet written to the position file, which empties it."""

    def add(self, value: int) -> bool:
        """Remember `value`; False if it was known."""
        if value in self._hashes:
            return False
        self._hashes[value] = None
        self.fresh.append(value)
        return True

    def undo(self) -> None:
        """Forget what was added since the last `settle`."""
        for value in self.fresh:
            del self._hashes[value]
        self.fresh.clear()

    def settle(self) -> None:
        """Keep what was added; evict the oldest."""
        self.unsaved.extend(self.fresh)
        del self.unsaved[:-REMEMBERED_MAX]
        self.fresh.clear()
        while len(self._hashes) > REMEMBERED_MAX:
            del self._hashes[next(iter(self._hashes))]


class Stream:
    """One stream's position; `known` is False until something of it was applied."""

    __slots__ = (
        "batch",
        "before",
        "brings",
        "calm",
        "calm_sequence",
        "ceiling_ns",
        "copies",
        "decide",
        "dense",
        "exchange",
        "exchange_ns",
        "fills",
        "first",
        "floor_ns",
        "fresh",
        "heads",
        "key",
        "known",
        "last",
        "late",
        "new_own",
        "newest",
        "own",
        "plain",
        "quick",
        "receive_ns",
        "rejoins",
        "rising",
        "rule",
        "seen",
        "sequence",
        "side",
        "slot",
        "state",
        "step",
        "was_unseen",
        "window",
    )

    def __init__(self, key: StreamKey, rule: str, exchange: str) -> None:
        """`rule` must fit the kind of event (`rules.table.fitting_rule`)."""
        self.key = key
        self.rule = rule
        self.exchange = exchange
        self.dense = False
        """Identifiers rise by exactly one: holes are known."""
        self.rising = False
        """An identifier above the last is all that a new event needs."""
        self.step = -1
        """Books with identifiers: what an update's `first_id` exceeds the position by; else -1."""
        self.decide: Any = None
        """The rule's function; set by the merge."""
        self.known = False
        self.last = -NUMBER_MAX
        self.fills = 0
        """Fills that the last trade before the batch stands for; 0: unknown."""
        self.exchange_ns = 0
        self.receive_ns = 0
        self.state = StreamState()
        self.sequence = Sequence()
        self.window = Window() if rule in ("unique", "content") else None
        self.slot: Any = None
        """Where the position file keeps the stream; not used here."""
        self.heads: dict[str, int] = {}
        """First identifier in the waiting batch of a side: the side brings nothing before it."""
        self.own: dict[str, int] = {}
        """Last identifier that each side has brought, copies included."""
        self.was_unseen = False
        """Books: `state.unseen` of the previous engine."""
        self.calm: StreamState | None = None
        """With this state and `calm_sequence`, a batch of a side that has brought the stream needs no preparation."""
        self.calm_sequence: Sequence | None = None
        self.side: Side = NOBODY
        """Side of the last batch, while it was calm; `seen` and `ceiling_ns` are up to date for that side."""
        # of the current batch
        self.batch = -1
        self.fresh = False
        """Its side has brought nothing of this stream before."""
        self.first = False
        """The next event is the first that its side brings, or the first since its side dropped some."""
        self.brings = False
        """Its side has brought something from the exchange, not only by backfill."""
        self.rejoins = False
        """Its side has dropped events, and brought nothing since."""
        self.quick = False
        """An identifier above the last is applied without asking the rule."""
        self.floor_ns = 0
        """Exchange time that a new event must have to be applied without asking the rule."""
        self.ceiling_ns = NUMBER_MAX
        """Exchange time up to which an event can be a copy; later ones may follow a sequence reset."""
        self.seen = UNKNOWN
        """Last identifier that its side has brought, before any that was applied."""
        self.copies = False
        """An identifier from `seen` to the position is a copy without asking the rule, until one was applied."""
        self.plain = False
        """Books: an update that continues the book is applied without asking the rule."""
        self.new_own: dict[str, int] | None = None
        """Changes of `own` that a sequence reset brings."""
        self.newest: Any = None
        """Last event applied."""
        self.late: tuple[int, int, Any] | None = None
        """Identifiers of an announced hole that a worker brought late, first and last, and the last event of them."""
        self.before: tuple[bool, int, StreamState, Sequence] = (False, 0, self.state, self.sequence)
        """Known, last identifier, state and sequence before the batch."""

    def undo(self) -> None:
        """Return to the position before the batch."""
        self.known, self.last, self.state, self.sequence = self.before
        self.newest = self.late = self.new_own = None
        self.side = NOBODY
        if self.window is not None:
            self.window.undo()

    def last_fills(self) -> int:
        """Fills that the last trade stands for; 1 where that is unknown."""
        return self.fills or 1 if self.newest is None else int(self.newest.count)

    def own_last(self) -> int | None:
        """Return the last identifier that the side of the current batch has brought; None if unknown."""
        if self.newest is not None:
            return self.last
        return None if self.seen == UNKNOWN else self.seen

    def times(self) -> tuple[int, int]:
        """Exchange time (0 if unknown) and receive time of the last applied event, in ns."""
        if self.newest is None:
            return self.exchange_ns, self.receive_ns
        return self.newest.exchange_ns or self.exchange_ns, self.newest.receive_ns

    def change(self, **fields: Any) -> None:
        """Replace some fields of `state`."""
        self.state = msgspec.structs.replace(self.state, **fields)


def parse_number(text: str | None) -> int | None:
    """Return an identifier as a number; None if it has no order."""
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if 0 <= number < NUMBER_MAX else None
