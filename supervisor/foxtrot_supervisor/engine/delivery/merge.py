"""One stream of events out of what the workers of a connection bring: each event once, in order, holes named. Pure.

Workers of one connection (twins, the old and the new one of a rotation, both parts of a shard that is split) bring the
same events. The first to bring
an event wins, its copies are dropped. A *stream* is one event type of one symbol; what tells a copy from a new event is
its *rule* (`foxtrot_protocol.identity`). A stream's *position* is what handlers have received of it.

Whatever a side brings beyond the position is handed over once and in order. While another side may still bring what
precedes it, the batch waits (`admit` returns None): it stays in its ring and is decided again. When no side can bring
that any more, or after `HOLE_WAIT_S`, the hole is announced and the event applied. Events of an announced hole that
come later, from a slow worker or by backfill, are applied and marked `backfilled`.

Handlers of a new engine have no book. Updates before its next snapshot are superseded by it, or handed over
(`deliver_updates`). `unknown_books` returns the books that need a snapshot.

`admit` decides; `settle` makes the decision final. In between the caller hands the events to handlers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from foxtrot_protocol import compiled
from foxtrot_protocol.events import EVENT_BAR, EVENT_BOOK, EVENT_TYPES, Bar, BookDelta, FeedStatus, Gap, Trade
from foxtrot_protocol.stream_ranges import StreamRange
from foxtrot_supervisor.engine.delivery.fills import EVIDENCE_ENOUGH
from foxtrot_supervisor.engine.delivery.ranges import BatchTimes, ends_of, kept_places, take_range
from foxtrot_supervisor.engine.delivery.rules.resets import RESET_MARGIN_NS, forget_low_run
from foxtrot_supervisor.engine.delivery.rules.table import adopt_rule, first_number, fitting_rule
from foxtrot_supervisor.engine.delivery.rules.trades import filled_late, note_fills
from foxtrot_supervisor.engine.delivery.rules.turn import Turn
from foxtrot_supervisor.engine.delivery.rules.worker_gaps import worker_gap
from foxtrot_supervisor.engine.delivery.streams import (
    APPLY,
    COPY,
    DROP,
    NOBODY,
    NUMBER_MAX,
    SUPERSEDED,
    UNKNOWN,
    WAIT,
    Hole,
    Side,
    Stream,
    StreamKey,
)
from foxtrot_supervisor.engine.delivery.waiting import OpenSides

_compiled: Any = compiled.load("foxtrot_supervisor.engine.delivery._merge")

__all__ = ["STREAMS_MAX", "Admission", "StreamMerge"]

STREAMS_MAX = 20_000
"""Streams of one connection that are told apart; events of further ones are passed on as they come."""

_CLASSES: Final = {
    name: [kind for kind, each in EVENT_TYPES.items() if each == name and kind is not Bar]
    for name in EVENT_TYPES.values()
}
"""Event classes by event type."""


_NO_STREAMS: Final[dict[str, Stream]] = {}

_NO_HOLES: Final[Sequence[tuple[StreamKey, Hole]]] = ()

_ENDS: Final = frozenset(("unsubscribed", "delisted"))
"""States of a topic after which its side brings it no longer."""

_MOVES: Final = frozenset((APPLY, SUPERSEDED))
"""Verdicts that advance the position."""


class Admission(Struct):
    """What becomes of a batch. `events`: for the handlers, in this order, announced gaps among them."""

    events: Sequence[Any]
    kept: list[int] | None
    """Which of the batch's events are among them, by place; None: all of them and nothing else."""
    applied: int
    deduplicated: int
    lost: int
    holes: Sequence[tuple[StreamKey, Hole]]
    """Announced with this batch."""
    gaps: int = 0
    """Gaps among `events` that are not `filled`."""
    superseded: int = 0
    """Updates of books that are not handed over, since the next snapshot contains them."""


class StreamMerge:
    """The streams of one connection.

    More than 400 lines, because `admit` is one loop with a quick path for each kind of stream: a call for each event
    would cost more than the decision (docs/benchmarks.md).
    """

    def __init__(self, rules: Mapping[str, str], *, deliver_updates: bool = False) -> None:
        """`rules` by event type; `deliver_updates`: hand over updates of books that handlers have no snapshot of."""
        self._rules = {kind: fitting_rule(kind, rule) for kind, rule in rules.items()}
        self._streams: dict[tuple[type, str], Stream] = {}
        """The streams of `_by_key` except bars, found with one look-up."""
        self._by_kind: dict[type, dict[str, Stream]] = {}
        self._by_key: dict[StreamKey, Stream] = {}
        self._intervals: set[str] = set()
        """Of bars."""
        self._books: dict[str, Stream] = {}
        """Books whose updates build on a snapshot, by symbol."""
        self._sides = OpenSides()
        self._turn = Turn(self._sides, deliver_updates=deliver_updates)
        self._batch = 0
        self._events: Sequence[Any] = ()
        self._touched: list[Stream] = []
        self._in_compiled = False
        """Whether the last batch was decided by the compiled form."""
        self.unmerged_total = 0
        """Events of streams beyond `STREAMS_MAX`."""
        self.demoted: list[Stream] = []
        """Streams whose identifiers were found to leap; the caller may empty it."""

    def follow(self, rules: Mapping[str, str]) -> None:
        """Adopt the rules of a new worker; streams whose rule has changed start again."""
        self._rules = {kind: fitting_rule(kind, rule) for kind, rule in rules.items()}
        changed = [stream for stream in self._by_key.values() if self._rules.get(stream.key.kind) != stream.rule]
        for stream in changed:
            key = stream.key
            del self._by_key[key]
            if self._books.get(key.symbol) is stream:
                del self._books[key.symbol]
            for kind in _CLASSES[key.kind]:
                self._streams.pop((kind, key.symbol), None)
                self._by_kind.get(kind, {}).pop(key.symbol, None)

    # ---- which workers there are

    @property
    def sides_open(self) -> int:
        """Number of sides that may still bring something."""
        return len(self._sides)

    def opened(self, side: Side) -> None:
        """Record that events of this worker may come from now on."""
        self._sides.opened(side)

    def closed(self, side: Side) -> list[Stream]:
        """Record that nothing more comes of this worker; return the streams whose state has changed."""
        self._sides.closed(side)
        changed = []
        for stream in self._by_key.values():
            stream.heads.pop(side[0], None)
            stream.own.pop(side[0], None)
            if side in stream.state.sides:
                stream.change(sides=tuple(each for each in stream.state.sides if each != side))
                changed.append(stream)
        return changed

    def absent(self) -> list[Side]:
        """Return sides that streams remember from the previous engine and that are not open."""
        known = {side for stream in self._by_key.values() for side in stream.state.sides}
        return sorted(side for side in known if not self._sides.has(side))

    def give_up(self, side: str) -> None:
        """Stop the wait of `side`: it waits for no other side until that has brought something."""
        self._sides.give_up(side)

    def can_go_on(self, side: str) -> bool:
        """Whether deciding again on a batch that had to wait may give another result."""
        return self._sides.can_go_on(side)

    # ---- state of the previous engine

    def restore(self, stream: Stream) -> None:
        """Continue from this position, if the rule is still the same."""
        if self._rules.get(stream.key.kind) != stream.rule:
            return
        stream.known = True
        self._enter(stream)
        if len(stream.state.sides) == 1:
            stream.own[stream.state.sides[0][0]] = stream.last
        if self._books.get(stream.key.symbol) is stream:
            stream.was_unseen = stream.state.unseen
            stream.change(unseen=True)

    def open_holes(self) -> list[tuple[StreamKey, Hole]]:
        """Return the announced holes that can still be filled."""
        return [(key, hole) for key, stream in self._by_key.items() for hole in stream.state.holes]

    def unknown_books(self) -> list[str]:
        """Return the symbols of books that handlers do not have until a snapshot comes."""
        return [symbol for symbol, stream in self._books.items() if stream.state.unseen or not stream.state.valid]

    def note(self, side: Side, events: Sequence[Any]) -> tuple[Admission | None, list[Stream]]:
        """Repeat the decisions on a batch that the previous engine has handled, and settle them.

        Returns the admission and the streams whose position has changed.
        """
        unseen = [stream for stream in self._books.values() if stream.state.unseen]
        for stream in unseen:
            stream.change(unseen=stream.was_unseen)
        known = set(self._books)
        admission = self.admit(side, events, may_wait=False)
        changed = self.settle()
        unseen += [stream for symbol, stream in self._books.items() if symbol not in known]
        for stream in unseen:
            stream.was_unseen = stream.state.unseen
            stream.change(unseen=stream.known)
        return admission, changed

    # ---- the decision

    def admit(
        self,
        side: Side,
        events: Sequence[Any],
        *,
        may_wait: bool,
        streams: Sequence[StreamRange] | None = None,
        order: bytes | None = None,
    ) -> Admission | None:
        """Decide on a batch of `side`; None: it has to wait. The hot path.

        `streams`, `order`: what the worker says of its streams (`framing.Batch`).
        """
        turn = self._turn
        turn.side, turn.name, turn.may_wait = side, side[0], may_wait
        if turn.before or turn.holes or turn.late or turn.demoted or turn.marked:
            turn.clear()
        self._events = events
        self._in_compiled = False
        if _compiled is not None:
            decided = _compiled.admit(self._streams, side, events, self._batch + 1)
            if decided is not None:
                self._batch += 1
                self._in_compiled = True
                self._touched, places = decided
                if places is None:
                    return Admission(events, None, len(events), 0, 0, _NO_HOLES)
                shown = [events[place] for place in places]
                return Admission(shown, places, len(places), len(events) - len(places), 0, _NO_HOLES)
        if streams:
            admission = self._admit_ranges(events, streams, order)
            if admission is not None:
                return admission
        self._batch = batch = self._batch + 1
        self._touched = touched = []
        before = turn.before
        by_kind = self._by_kind
        kind = None
        out: list[Any] | None = None
        kept: list[int] = []
        copies = lost = superseded = gaps = 0
        for index, event in enumerate(events):
            if type(event) is not kind:
                kind = type(event)
                get = by_kind.get(kind, _NO_STREAMS).get
            stream = get(event.symbol) or self._find(event)
            if stream is None:
                verdict = APPLY
                if event.__class__ is Gap:
                    verdict = self._worker_gap(event)
                    gaps += verdict == APPLY and not event.filled
                elif event.__class__ is FeedStatus and event.state in _ENDS:
                    verdict = self._topic_ended(event)
            else:
                if stream.batch != batch:
                    state, sequence = stream.state, stream.sequence
                    if (
                        stream.calm is state
                        and stream.calm_sequence is sequence
                        and stream.side is side
                        and not stream.rising
                    ):
                        stream.batch = batch
                        stream.before = (True, stream.last, state, sequence)
                        stream.newest = None
                        touched.append(stream)
                    else:
                        self._touch(stream)
                if event.backfilled:
                    pass
                elif stream.dense:
                    # nearly all trades go this way
                    try:
                        number = int(event.trade_id)
                    except ValueError:
                        number = -1
                    last = stream.last
                    if number == last + 1:
                        stream.last = number
                        stream.newest = event
                        if out is not None:
                            out.append(event)
                            kept.append(index)
                        continue
                    if (
                        stream.copies
                        and stream.newest is None
                        and stream.seen <= number <= last
                        and event.exchange_ns <= stream.ceiling_ns
                    ):
                        stream.seen = number
                        copies += 1
                        if out is None:
                            out, kept = list(events[:index]), list(range(index))
                        continue
                elif stream.quick:
                    # nearly all quotes, and trades whose identifiers leap, go this way
                    text = event.update_id if stream.rule == "latest" else event.trade_id
                    try:
                        number = int(text)
                    except ValueError:
                        number = NUMBER_MAX  # neither new nor a copy: the rule decides
                    if stream.last < number < NUMBER_MAX:
                        at = event.exchange_ns
                        if not at or at >= stream.floor_ns:
                            stream.last = number
                            stream.newest = event
                            stream.floor_ns = (at or stream.exchange_ns) - RESET_MARGIN_NS
                            if out is not None:
                                out.append(event)
                                kept.append(index)
                            continue
                    elif (
                        stream.copies
                        and stream.newest is None
                        and stream.seen <= number <= stream.last
                        and event.exchange_ns <= stream.ceiling_ns
                    ):
                        stream.seen = number
                        copies += 1
                        if out is None:
                            out, kept = list(events[:index]), list(range(index))
                        continue
                elif stream.plain and event.__class__ is BookDelta:
                    # nearly all updates of books go this way
                    try:
                        first, number = int(event.first_id or ""), int(event.last_id or "")
                    except ValueError:
                        first = number = -1
                    last = stream.last
                    if first == last + stream.step and last < number < NUMBER_MAX:
                        stream.last = number
                        stream.newest = event
                        if out is not None:
                            out.append(event)
                            kept.append(index)
                        continue
                    if (
                        stream.copies
                        and stream.newest is None
                        and stream.seen <= number <= last
                        and event.exchange_ns <= stream.ceiling_ns
                    ):
                        stream.seen = number
                        copies += 1
                        if out is None:
                            out, kept = list(events[:index]), list(range(index))
                        continue
                verdict = stream.decide(turn, stream, event)
                if turn.demoted and stream.dense and stream.state.demoted:
                    adopt_rule(stream)
                if not event.backfilled and verdict != WAIT:
                    stream.brings = True
                    stream.first = stream.rejoins = False
                    if verdict in _MOVES:
                        stream.newest = event
                        stream.known = True
                if stream.rising:
                    stream.quick = _is_quick(stream)
                    stream.floor_ns = stream.times()[0] - RESET_MARGIN_NS
                elif stream.step >= 0:
                    stream.plain = _is_plain(stream)
            if verdict == WAIT:
                self._hold(events)
                return None
            if out is None:
                if verdict == APPLY and not before:
                    continue
                out = list(events[:index])
                kept = list(range(index))
            if before:
                out.extend(before)
                gaps += sum(each.__class__ is Gap and not each.filled for each in before)
                before.clear()
            if verdict == APPLY:
                out.append(event)
                kept.append(index)
            elif verdict == COPY:
                copies += 1
            elif verdict == DROP:
                lost += 1
            else:
                superseded += 1
        if turn.late:
            if out is None:
                out, kept = list(events), list(range(len(events)))
            out.extend(map(filled_late, turn.late))
        holes = turn.holes or _NO_HOLES
        if out is None:
            return Admission(events, None, len(events), 0, 0, holes, gaps)
        return Admission(out, kept, len(kept), copies, lost, holes, gaps, superseded)

    def _admit_ranges(
        self, events: Sequence[Any], streams: Sequence[StreamRange], order: bytes | None
    ) -> Admission | None:
        """Decide on the streams of a batch instead of its events; None, nothing changed: that is not possible."""
        self._batch = batch = self._batch + 1
        self._touched = []
        count = len(events)
        if (len(streams) != 1) if order is None else (len(order) != count):
            return None
        times = BatchTimes(events)
        copies: list[int] = []
        for place, claimed in enumerate(streams):
            ends = ends_of(events, claimed, place, order)
            stream = None if ends is None else self._streams.get((ends[0].__class__, ends[0].symbol))
            if ends is None or stream is None or stream.batch == batch:
                break
            self._touch(stream)
            dropped = take_range(stream, claimed, *ends, times)
            if dropped is None:
                break
            copies.append(dropped)
        else:
            if sum(each.count for each in streams) == count:
                deduplicated = sum(copies)
                if not deduplicated:
                    return Admission(events, None, count, 0, 0, _NO_HOLES)
                kept = [] if deduplicated == count else kept_places(copies, order, count)
                return Admission([events[place] for place in kept], kept, len(kept), deduplicated, 0, _NO_HOLES)
        for stream in self._touched:
            stream.undo()
        return None

    def settle(self) -> list[Stream]:
        """Settle the last decision of `admit`: handlers have had its events. Return the streams that changed."""
        turn = self._turn
        side, name = turn.side, turn.name
        sides = self._sides
        if self._events:
            sides.reached_ns[name] = self._events[-1].receive_ns
        if sides.attention:
            sides.progressed(name)
        changed = self._touched
        if self._in_compiled:
            _compiled.settle(changed, side)
            return changed
        for stream in changed:
            newest = stream.newest
            if stream.calm is stream.state and stream.calm_sequence is stream.sequence and stream.window is None:
                if newest is not None:
                    stream.receive_ns = newest.receive_ns
                    at = newest.exchange_ns
                    if at:
                        stream.exchange_ns = at
                        stream.ceiling_ns = at + RESET_MARGIN_NS
                    stream.own[name] = stream.seen = stream.last
                elif stream.seen != UNKNOWN:
                    stream.own[name] = stream.seen
                stream.side = side
                if stream.heads:
                    stream.heads.pop(name, None)
                continue
            if stream.new_own is not None:
                stream.own.update(stream.new_own)
                stream.new_own = None
            if newest is not None:
                stream.receive_ns = newest.receive_ns
                stream.exchange_ns = newest.exchange_ns or stream.exchange_ns
                stream.own[name] = stream.last
                if stream.sequence.low:
                    forget_low_run(stream, name)
            elif stream.seen != UNKNOWN:
                stream.own[name] = stream.seen
            if stream.rejoins:
                stream.change(sides=tuple(each for each in stream.state.sides if each[0] != name))
            elif stream.fresh and (stream.brings or newest is not None):
                others = tuple(each for each in stream.state.sides if each[0] != name)
                stream.change(sides=(*others, side))
            if stream.heads:
                stream.heads.pop(name, None)
            if stream.window is not None:
                stream.window.settle()
            if stream.known:
                _calm(stream)
            else:
                changed = [each for each in self._touched if each.known]
            stream.side = NOBODY
        if turn.demoted:
            self.demoted.extend(turn.demoted)
            turn.demoted.clear()
        return changed

    # ---- streams

    def _enter(self, stream: Stream) -> None:
        key = stream.key
        adopt_rule(stream)
        self._by_key[key] = stream
        if key.part:
            self._intervals.add(key.part)
        if key.kind == EVENT_BOOK and stream.rule in ("update_ids", "chained", "one_side"):
            self._books[key.symbol] = stream
        for kind in _CLASSES[key.kind]:
            self._streams[kind, key.symbol] = stream
            self._by_kind.setdefault(kind, {})[key.symbol] = stream

    def _find(self, event: Any) -> Stream | None:
        """Return the stream of `event`; None if it is not merged."""
        kind = EVENT_TYPES[event.__class__]
        rule = self._rules.get(kind)
        if rule is None:
            return None
        key = StreamKey(kind, event.symbol, event.interval if kind == EVENT_BAR else "")
        stream = self._by_key.get(key)
        if stream is None:
            if len(self._by_key) >= STREAMS_MAX:
                self.unmerged_total += 1
                return None
            stream = Stream(key, rule, event.exchange)
            self._enter(stream)
        return stream

    def _touch(self, stream: Stream) -> None:
        """Prepare `stream` for its first event in this batch; remember its position for `Stream.undo`."""
        side = self._turn.side
        if stream.rising:
            if stream.newest.__class__ is Trade:
                note_fills(stream)
            stream.floor_ns = stream.exchange_ns - RESET_MARGIN_NS
        state, sequence = stream.state, stream.sequence
        exchange_ns = stream.exchange_ns
        stream.batch = self._batch
        stream.before = (stream.known, stream.last, state, sequence)
        stream.newest = None
        stream.ceiling_ns = exchange_ns + RESET_MARGIN_NS if exchange_ns else NUMBER_MAX
        stream.side = side
        self._touched.append(stream)
        fresh = side not in state.sides
        stream.seen = UNKNOWN if fresh else stream.own.get(side[0], UNKNOWN)
        if stream.calm is state and stream.calm_sequence is sequence and not fresh:
            return
        stream.calm = stream.late = None
        stream.brings = stream.rejoins = False
        stream.fresh = stream.first = fresh
        stream.copies = not (state.holes or sequence.behind or sequence.low)
        if not stream.dense:
            if stream.step >= 0:
                stream.plain = _is_plain(stream)
            elif stream.rising:
                stream.quick = _is_quick(stream)

    def _worker_gap(self, gap: Gap) -> int:
        stream = self._by_key.get(StreamKey(gap.stream, gap.symbol))
        if stream is None or not stream.known:
            return APPLY
        if stream.batch != self._batch:
            self._touch(stream)
        stream.calm = None
        return worker_gap(self._turn, stream, gap)

    def _topic_ended(self, status: FeedStatus) -> int:
        """The side brings nothing more of a symbol; worth reporting only if no other side does."""
        turn = self._turn
        others = False
        for stream in self._streams_of(status.symbol):
            if stream.batch != self._batch:
                self._touch(stream)
            stream.calm = None
            # what it may bring later is like the first of a side
            stream.rejoins = stream.first = True
            stream.quick = stream.copies = False
            if turn.names_of(stream):
                others = True
                if stream.state.leader == turn.name:
                    stream.change(leader="")
        return COPY if others else APPLY

    def _streams_of(self, symbol: str) -> list[Stream]:
        keys = [StreamKey(kind, symbol) for kind in self._rules]
        keys += [StreamKey(EVENT_BAR, symbol, part) for part in self._intervals]
        return [stream for key in keys if (stream := self._by_key.get(key)) is not None]

    def _hold(self, events: Sequence[Any]) -> None:
        """Undo the decisions on this batch; keep where it begins, for sides that wait for this one."""
        turn = self._turn
        for stream in self._touched:
            stream.undo()
            adopt_rule(stream)
        turn.undo()
        name = turn.name
        for event in events:
            if event.__class__ is Gap:
                held = self._by_key.get(StreamKey(event.stream, event.symbol))
            else:
                held = self._streams.get((event.__class__, event.symbol))
            if held is not None and name not in held.heads:
                number = first_number(held, event)
                if number is not None:
                    held.heads[name] = number
        wait = turn.wait
        assert wait is not None
        if wait.reset:
            wait.stream.heads[name] = NUMBER_MAX  # it brings nothing from before the reset any more
        self._sides.hold(name, wait)


def _calm(stream: Stream) -> None:
    """Remember, after a batch, if the next one of a known side needs no preparation while the state is the same."""
    sequence = stream.sequence
    if stream.window is not None or sequence.low or sequence.behind or stream.rejoins:
        stream.calm = None
        return
    stream.calm, stream.calm_sequence = stream.state, sequence
    stream.first = stream.fresh = False
    stream.late = None
    stream.copies = not stream.state.holes
    if stream.step >= 0:
        stream.plain = _is_plain(stream)
    elif stream.rising:
        stream.quick = _is_quick(stream)


def _is_quick(stream: Stream) -> bool:
    """Whether a number above the position, of this side, is all that a new event needs.

    There is no position, though the stream is known, while its identifiers are no numbers.
    """
    sequence = stream.sequence
    learning = sequence.merged and abs(sequence.evidence) < EVIDENCE_ENOUGH
    if stream.last < 0 or not stream.known:
        return False
    return not (stream.first or stream.state.equal or sequence.behind or sequence.low or learning)


def _is_plain(stream: Stream) -> bool:
    """Whether an update of this side that continues the book is handed over without further conditions."""
    state = stream.state
    return stream.known and state.valid and not (state.unseen or state.repeat_to or stream.sequence.behind)
