"""One stream of events out of what the workers of a connection bring: each event once, in order, holes named. Pure.

Workers of one connection (twins, or the old and the new one of a rotation) bring the same events. The first to bring
one wins, the copy is dropped. A *stream* is one event type of one symbol; what tells a copy from a new event is its
*rule* (`foxtrot_protocol.identity`). A stream's *position* is what handlers have had of it.

Where an event lies beyond the next one that is due, there is a hole. While another worker may still bring what lies in
it, the batch has to wait (`admit` gives None): it stays in its ring and is asked about again. When nobody can bring
it, or it has waited for long enough, the hole is announced and the event applied. What comes of an announced hole
later, of a slow worker or by backfill, is applied all the same, marked `backfilled`.

Handlers of an engine that has taken over know no book: what its workers bring of it is not shown until a snapshot is
there, which holds it all. `unknown_books` tells for which one has to be asked.

`admit` decides and remembers; `settled` makes it last: between the two the caller hands the events to the handlers.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    EVENT_TYPES,
    Bar,
    BookDelta,
    BookSnapshot,
    Gap,
    Quote,
)

__all__ = [
    "EQUAL_MAX",
    "HOLES_MAX",
    "HOLE_WAIT_S",
    "REMEMBERED_MAX",
    "RESET_MARGIN_NS",
    "RESET_QUIET_NS",
    "STREAMS_MAX",
    "Admission",
    "FoundHole",
    "Hole",
    "Side",
    "Stream",
    "StreamKey",
    "StreamMerge",
    "StreamState",
    "Window",
    "fitting_rule",
]

HOLE_WAIT_S = 1.0
"""How long a batch waits at most for another worker to bring what lies before it."""

STREAMS_MAX = 20_000
"""Streams of one connection that are told apart; events of more than these are passed on as they come."""

HOLES_MAX = 16
"""Announced holes of one stream that are still open to be filled; the oldest is given up first."""

REMEMBERED_MAX = 4096
"""Events remembered of a stream whose events have no order: the twin may be so far behind."""

EQUAL_MAX = 64
"""Different contents remembered of one state identifier or time."""

RESET_MARGIN_NS = 500_000_000
"""An identifier that was had already, with an exchange time so much newer: the exchange counts anew."""

RESET_QUIET_NS = 10_000_000_000
"""The same by receive time, where the exchange gives none: nothing newer has come for so long."""

_NUMBER_MAX: Final = 1 << 62

_stamp = msgspec.structs.force_setattr
_encode = msgspec.msgpack.Encoder().encode
Side: TypeAlias = tuple[str, int]
"""Which worker: the side of its connection, and its incarnation."""


class StreamKey(Struct, frozen=True):
    """Which stream; `part`: the interval of bars, else ""."""

    kind: str
    symbol: str
    part: str = ""


class Hole(Struct, frozen=True, array_like=True):
    """Identifiers `first` to `last` that nobody has brought, and the receive times around them."""

    first: int
    last: int
    start_ns: int
    end_ns: int


class FoundHole(Struct, frozen=True):
    """A hole that was announced, from the first to the last identifier missing; where identifiers leap, of those that
    may be missing."""

    symbol: str
    stream: str
    first_id: str
    last_id: str
    start_ns: int
    end_ns: int


class StreamState(Struct, array_like=True):
    """What is remembered of a stream beside its last identifier and times: changes seldom."""

    valid: bool = True
    """Books: handlers know the book."""
    sides: tuple[Side, ...] = ()
    """Workers that have brought something of it in their present incarnation."""
    holes: tuple[Hole, ...] = ()
    fill: tuple[int, int] | None = None
    """Identifiers filled by backfill and not yet announced as filled, from and to."""
    equal: tuple[int, ...] = ()
    """Checksums of the contents seen under the last identifier."""
    leader: str = ""
    """The side that is taken, where only one is."""
    lost: tuple[str, str] | None = None
    """Books: bounds of what was announced as missing, "" where unknown, until a snapshot makes the book whole."""


class Window:
    """The last events of a stream without order, by hash; bounded by `REMEMBERED_MAX`."""

    def __init__(self, hashes: Sequence[int] = ()) -> None:
        self._hashes = dict.fromkeys(hashes)
        self.fresh: list[int] = []
        """Added since the last `settle`."""
        self.unsaved: list[int] = []
        """Settled and not taken by whoever keeps it; emptied there."""

    def add(self, value: int) -> bool:
        """Remember it; False if it was known."""
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
        """What was added stays; the oldest go."""
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
        "decide",
        "dense",
        "exchange",
        "exchange_ns",
        "first",
        "fresh",
        "heads",
        "key",
        "known",
        "last",
        "late",
        "newest",
        "quotes",
        "receive_ns",
        "rule",
        "slot",
        "state",
        "unseen",
        "window",
    )

    def __init__(self, key: StreamKey, rule: str, exchange: str) -> None:
        """`rule` one that fits the kind of event (`fitting_rule`)."""
        self.key = key
        self.rule = rule
        self.exchange = exchange
        self.dense = rule == "sequence"
        self.quotes = rule == "latest" and key.kind == EVENT_BBO
        self.decide = _DECISIONS[rule]
        self.known = False
        self.last = -_NUMBER_MAX
        self.exchange_ns = 0
        self.receive_ns = 0
        self.state = StreamState()
        self.window = Window() if rule in ("unique", "content") else None
        self.slot: Any = None
        """Where the caller keeps it; not ours."""
        self.heads: dict[str, int] = {}
        """Identifier at which a waiting side stands: it brings nothing before."""
        self.batch = -1
        self.fresh = False
        """The side in hand has not brought anything of this stream before."""
        self.first = False
        """The event in hand is the first that this side brings."""
        self.brings = False
        """The side in hand has brought something from the exchange, not only by backfill."""
        self.newest: Any = None
        self.late: tuple[int, int, Any] | None = None
        """Identifiers that a worker brought late, from and to, and the last event of them."""
        self.unseen = False
        """Books: an engine before has shown it, its successor has had no snapshot of it yet."""
        self.before: tuple[bool, int, StreamState, bool] = (False, 0, self.state, False)
        """Known, last identifier, state and unseen before this batch."""

    def times(self) -> tuple[int, int]:
        """Exchange time, 0 if unknown, and receive time of the last event."""
        if self.newest is None:
            return self.exchange_ns, self.receive_ns
        return self.newest.exchange_ns or self.exchange_ns, self.newest.receive_ns

    def undo(self) -> None:
        """As it was."""
        self.known, self.last, self.state, self.unseen = self.before
        self.newest = self.late = None
        if self.window is not None:
            self.window.undo()

    def change(self, **fields: Any) -> None:
        """Replace some of `state`."""
        self.state = msgspec.structs.replace(self.state, **fields)


class Admission(Struct):
    """What becomes of a batch. `events`: for the handlers, in this order, gaps announced among them."""

    events: Sequence[Any]
    kept: list[int] | None
    """Which of the batch's events are among them, by place; None: all of them and nothing else."""
    applied: int
    deduplicated: int
    lost: int
    holes: list[FoundHole]
    touched: list[Stream]


_APPLY, _COPY, _WAIT, _DROP = range(4)


class StreamMerge:
    """The streams of one connection; `rules` by event type."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = {kind: fitting_rule(kind, rule) for kind, rule in rules.items()}
        self._streams: dict[tuple[type, str], Stream] = {}
        self._by_key: dict[StreamKey, Stream] = {}
        self._books: dict[str, Stream] = {}
        """Those whose updates build on a snapshot, by symbol."""
        self._open: dict[str, set[int]] = {}
        self._batch = 0
        self.unmerged_total = 0
        """Events of more streams than `STREAMS_MAX`."""
        self._side: Side = ("", 0)
        self._may_wait = False
        self._touched: list[Stream] = []
        self._before: list[Gap] = []
        self._holes: list[FoundHole] = []
        self._stamped: list[Any] = []
        self._waited: tuple[Stream, int] | None = None
        self._waiting: dict[str, tuple[Stream, int, int]] = {}
        self._slow: set[str] = set()
        """Sides that were waited for in vain, and have brought nothing since."""
        self._changes = 0
        """Whenever another worker comes, goes, or tells where it stands."""

    def follow(self, rules: Mapping[str, str]) -> None:
        """The rules of a worker that has come: streams whose rule is another now begin anew."""
        self._rules = {kind: fitting_rule(kind, rule) for kind, rule in rules.items()}
        for stream in list(self._by_key.values()):
            if self._rules.get(stream.key.kind) != stream.rule:
                del self._by_key[stream.key]
                if self._books.get(stream.key.symbol) is stream:
                    del self._books[stream.key.symbol]
                self._streams = {pair: each for pair, each in self._streams.items() if each is not stream}

    # ---- which workers there are

    @property
    def sides_open(self) -> int:
        """How many sides may bring something."""
        return len(self._open)

    def opened(self, side: Side) -> None:
        """Something of this worker may come from now on."""
        self._open.setdefault(side[0], set()).add(side[1])
        self._changes += 1

    def closed(self, side: Side) -> list[Stream]:
        """Nothing will come of it any more; the streams that this changes."""
        incarnations = self._open.get(side[0], set())
        incarnations.discard(side[1])
        if not incarnations:
            self._open.pop(side[0], None)
            self._slow.discard(side[0])
        changed = []
        for stream in self._by_key.values():
            stream.heads.pop(side[0], None)
            if side in stream.state.sides:
                stream.change(sides=tuple(each for each in stream.state.sides if each != side))
                changed.append(stream)
        self._changes += 1
        return changed

    def absent(self) -> list[Side]:
        """Sides that streams remember (of an engine before) and that are not open."""
        known = {side for stream in self._by_key.values() for side in stream.state.sides}
        return sorted(side for side in known if side[1] not in self._open.get(side[0], ()))

    # ---- what an engine before has had

    def restore(self, stream: Stream) -> None:
        """Go on from this position, if the rule is still the same."""
        if self._rules.get(stream.key.kind) == stream.rule:
            stream.known = True
            self._enter(stream)
            stream.unseen = self._books.get(stream.key.symbol) is stream

    def open_holes(self) -> list[FoundHole]:
        """Holes that are still to be filled."""
        return [
            FoundHole(stream.key.symbol, stream.key.kind, str(hole.first), str(hole.last), hole.start_ns, hole.end_ns)
            for stream in self._by_key.values()
            for hole in stream.state.holes
        ]

    def unknown_books(self) -> list[str]:
        """Symbols of books that handlers cannot know before a snapshot comes."""
        return [symbol for symbol, stream in self._books.items() if stream.unseen or not stream.state.valid]

    def note(self, side: Side, events: Sequence[Any]) -> tuple[Admission | None, list[Stream]]:
        """A batch that handlers of an engine before have had: the same decisions again, settled; with the streams whose
        position has changed."""
        unseen = [stream for stream in self._books.values() if stream.unseen]
        for stream in unseen:
            stream.unseen = False
        known = set(self._books)
        admission = self.admit(side, events, may_wait=False)
        changed = self.settle()
        unseen += [stream for symbol, stream in self._books.items() if symbol not in known]
        for stream in unseen:
            stream.unseen = stream.known
        return admission, changed

    # ---- the decision

    def admit(self, side: Side, events: Sequence[Any], *, may_wait: bool) -> Admission | None:
        """What to do with a batch of `side`; None: it has to wait. The hot path."""
        self._batch = batch = self._batch + 1
        self._side = side
        self._may_wait = may_wait and len(self._open) > 1
        touched: list[Stream] = []
        self._touched = touched
        self._before = []
        self._holes = []
        self._stamped.clear()
        get = self._streams.get
        out: list[Any] | None = None
        kept: list[int] = []
        copies = lost = 0
        for index, event in enumerate(events):
            stream = get((event.__class__, event.symbol)) or self._find(event)
            if stream is None:
                verdict = self._worker_gap(event) if event.__class__ is Gap else _APPLY
            else:
                if stream.batch != batch:
                    self._touch(stream)
                if stream.dense and not event.backfilled:
                    # nearly all trades go this way
                    try:
                        following = int(event.trade_id) == stream.last + 1
                    except ValueError:
                        following = False
                    if following:
                        stream.last += 1
                        stream.newest = event
                        if out is not None:
                            out.append(event)
                            kept.append(index)
                        continue
                elif stream.quotes:
                    # and nearly all quotes this
                    number = _next_quote(stream, event)
                    if number > stream.last:
                        stream.last = number
                        stream.newest = event
                        if out is not None:
                            out.append(event)
                            kept.append(index)
                        continue
                verdict = stream.decide(self, stream, event)
                if not event.backfilled:
                    stream.brings = True
                    stream.first = False
                    if verdict == _APPLY:
                        stream.newest = event
                        stream.known = True
            if verdict == _WAIT:
                self._hold(events)
                return None
            if out is None:
                if verdict == _APPLY and not self._before:
                    continue
                out = list(events[:index])
                kept = list(range(index))
            if self._before:
                out.extend(self._before)
                self._before.clear()
            if verdict == _APPLY:
                out.append(event)
                kept.append(index)
            elif verdict == _COPY:
                copies += 1
            else:
                lost += 1
        filled = [self._filled(stream) for stream in touched if stream.late is not None]
        if filled:
            if out is None:
                out, kept = list(events), list(range(len(events)))
            out.extend(filled)
        if out is None:
            return Admission(events, None, len(events), 0, 0, self._holes, touched)
        return Admission(out, kept, len(kept), copies, lost, self._holes, touched)

    def settle(self) -> list[Stream]:
        """The handlers have had what `admit` gave last: it stays. The streams whose position has changed."""
        side = self._side
        self._waiting.pop(side[0], None)
        self._slow.discard(side[0])
        changed = []
        for stream in self._touched:
            newest = stream.newest
            if newest is not None:
                stream.receive_ns = newest.receive_ns
                stream.exchange_ns = newest.exchange_ns or stream.exchange_ns
                stream.brings = True
            if stream.fresh and stream.brings:
                others = tuple(each for each in stream.state.sides if each[0] != side[0])
                stream.change(sides=(*others, side))
            if stream.heads:
                stream.heads.pop(side[0], None)
            if stream.window is not None:
                stream.window.settle()
            if stream.known:
                changed.append(stream)
        return changed

    def give_up(self, side: str) -> None:
        """`side` has waited for long enough: the others are not waited for again until they have brought something."""
        self._slow.update(other for other in self._open if other != side)

    def can_go_on(self, side: str) -> bool:
        """Whether asking again for a batch that had to wait may give another answer."""
        waiting = self._waiting.get(side)
        if waiting is None:
            return True
        stream, number, changes = waiting
        return stream.last >= number - 1 or stream.window is not None or changes != self._changes

    # ---- streams

    def _enter(self, stream: Stream) -> None:
        key = stream.key
        self._by_key[key] = stream
        if key.kind == EVENT_BOOK and stream.rule in ("update_ids", "chained", "one_side"):
            self._books[key.symbol] = stream
        for kind, name in EVENT_TYPES.items():
            if name == key.kind and kind is not Bar:
                self._streams[kind, key.symbol] = stream

    def _find(self, event: Any) -> Stream | None:
        """The stream of `event`; None where nothing is merged."""
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
        """Something of a stream, for the first time in this batch: remember how it is, for `Stream.undo`."""
        stream.batch = self._batch
        stream.before = (stream.known, stream.last, stream.state, stream.unseen)
        stream.newest = stream.late = None
        stream.brings = False
        stream.fresh = stream.first = self._side not in stream.state.sides
        self._touched.append(stream)

    def _hold(self, events: Sequence[Any]) -> None:
        """Nothing of this batch now: as it was, but that others know where it stands."""
        for stream in self._touched:
            stream.undo()
        for event in self._stamped:
            _stamp(event, "backfilled", False)
        side = self._side[0]
        for event in events:
            if event.__class__ is Gap:
                held = self._by_key.get(StreamKey(event.stream, event.symbol))
            else:
                held = self._streams.get((event.__class__, event.symbol))
            number = _head_of(held, event) if held is not None and side not in held.heads else None
            if held is not None and number is not None:
                held.heads[side] = number
                self._changes += 1
        assert self._waited is not None
        self._waiting[side] = (*self._waited, self._changes)

    def _others(self, stream: Stream) -> bool:
        """Whether another worker brings this stream too."""
        side = self._side[0]
        return any(each[0] != side for each in stream.state.sides)

    def _may_come(self, stream: Stream, number: int, *, flowing: bool = False) -> bool:
        """Whether another worker may still bring something before `number`; `flowing`: one that brings this stream."""
        if not self._may_wait:
            return False
        mine = self._side[0]
        sides = {each[0] for each in stream.state.sides} if flowing else self._open
        if any(
            side != mine and side in self._open and side not in self._slow and stream.heads.get(side, -1) < number
            for side in sides
        ):
            self._waited = (stream, number)
            return True
        return False

    # ---- announcing

    def _announce(
        self, stream: Stream, first: str | None, last: str | None, event: Any, cause: str, *, filled: bool = False
    ) -> None:
        """A gap, before `event`."""
        start_ns = stream.times()[1]
        key = stream.key
        self._before.append(
            Gap(
                exchange=stream.exchange,
                symbol=key.symbol,
                exchange_ns=0,
                receive_ns=event.receive_ns,
                stream=key.kind,
                first_id=first,
                last_id=last,
                start_ns=start_ns,
                end_ns=event.receive_ns,
                cause=cause,
                filled=filled,
                redelivered=event.redelivered,
            )
        )

    def _hole(self, stream: Stream, first: int, last: int, event: Any, cause: str) -> None:
        """Identifiers that nobody has brought: announced, and open to be filled."""
        self._announce(stream, str(first), str(last), event, cause)
        gap = self._before[-1]
        self._open_hole(stream, first, last, gap.start_ns, gap.end_ns)

    def _open_hole(self, stream: Stream, first: int, last: int, start_ns: int, end_ns: int) -> None:
        key = stream.key
        self._holes.append(FoundHole(key.symbol, key.kind, str(first), str(last), start_ns, end_ns))
        if all((each.first, each.last) != (first, last) for each in stream.state.holes):
            hole = Hole(first, last, start_ns, end_ns)
            stream.change(holes=(*stream.state.holes, hole)[-HOLES_MAX:])

    def _missed(self, stream: Stream, event: Any) -> None:
        """Say that there may be a hole, where the stream itself does not tell: nobody has listened for a time."""
        if self._alone_again(stream):
            self._announce(stream, None, None, event, "nobody was connected")

    def _alone_again(self, stream: Stream) -> bool:
        """Whether this is the first event of a worker, and no worker goes on with this stream from before.

        If its first event is a copy, it has listened since before the last one: then nothing was missed.
        """
        return stream.first and stream.known and not stream.state.sides

    def _reset(self, stream: Stream, event: Any) -> bool:
        """Whether an identifier that was had already is a new one, for the exchange counts anew."""
        exchange_ns, receive_ns = stream.times()
        if event.exchange_ns and exchange_ns:
            newer_ns: int = event.exchange_ns - exchange_ns
            return newer_ns > RESET_MARGIN_NS
        quiet_ns: int = event.receive_ns - receive_ns
        return quiet_ns > RESET_QUIET_NS

    def _older(self, stream: Stream, event: Any) -> bool:
        """Whether a higher identifier is of a count that the exchange has given up."""
        return bool(0 < event.exchange_ns < stream.times()[0] - RESET_MARGIN_NS)

    def _count_anew(self, stream: Stream, event: Any, number: int) -> int:
        self._announce(stream, None, None, event, f"identifiers went back from {stream.last} to {number}")
        stream.last = number
        stream.change(holes=(), fill=None)
        return _APPLY

    # ---- trades that are counted

    def _sequence(self, stream: Stream, event: Any) -> int:
        number = _number(event.trade_id)
        if number is None:
            return self._content(stream, event)
        last = stream.last
        if event.backfilled:
            return self._fill(stream, event, number)
        if number == last + 1 or not stream.known:
            stream.last = number
            return _APPLY
        if number <= last:
            if self._fill(stream, event, number) == _APPLY:
                return _APPLY
            return self._count_anew(stream, event, number) if self._reset(stream, event) else _COPY
        if self._older(stream, event):
            return _COPY
        if self._may_come(stream, number):
            return _WAIT
        self._hole(stream, last + 1, number - 1, event, "nobody received them")
        stream.last = number
        return _APPLY

    def _fill(self, stream: Stream, event: Any, number: int) -> int:
        """An event of before the position: of an open hole, or a copy."""
        for hole in stream.state.holes:
            if hole.first <= number <= hole.last:
                break
        else:
            return _COPY
        left = [each for each in stream.state.holes if each is not hole]
        if hole.first < number and stream.dense:  # where identifiers leap, there was nothing between the last and this
            left.append(msgspec.structs.replace(hole, last=number - 1))
        if number < hole.last:
            left.append(msgspec.structs.replace(hole, first=number + 1))
        stream.change(holes=tuple(left[-HOLES_MAX:]))
        if event.backfilled:
            first, last = stream.state.fill or (number, number)
            stream.change(fill=(min(first, number), max(last, number)))
        else:
            first, last, _ = stream.late or (number, number, None)
            stream.late = (min(first, number), max(last, number), event)
            _stamp(event, "backfilled", True)
            self._stamped.append(event)
        return _APPLY

    def _filled(self, stream: Stream) -> Gap:
        """Says that a worker has brought, late, what was announced as missing."""
        assert stream.late is not None
        first, last, event = stream.late
        key = stream.key
        return Gap(
            exchange=stream.exchange,
            symbol=key.symbol,
            exchange_ns=0,
            receive_ns=event.receive_ns,
            stream=key.kind,
            first_id=str(first),
            last_id=str(last),
            start_ns=event.receive_ns,
            end_ns=event.receive_ns,
            cause="a worker brought them late",
            filled=True,
            redelivered=event.redelivered,
        )

    # ---- identifiers that only grow, or have no order

    def _increasing(self, stream: Stream, event: Any) -> int:
        number = _number(event.trade_id)
        if number is None:
            return self._content(stream, event)
        if event.backfilled:
            return self._fill(stream, event, number)
        if not stream.known:
            stream.last = number
            return _APPLY
        if number <= stream.last:
            return self._count_anew(stream, event, number) if self._reset(stream, event) else _COPY
        if self._older(stream, event):
            return _COPY
        if stream.first and self._may_come(stream, number, flowing=True):
            return _WAIT  # what lies between is on its way by the other
        if self._alone_again(stream) and number > stream.last + 1:
            self._hole(stream, stream.last + 1, number - 1, event, "nobody was connected: what lies between is missing")
        stream.last = number
        return _APPLY

    def _unique(self, stream: Stream, event: Any) -> int:
        return self._remembered(stream, event, event.trade_id.encode() if event.trade_id else _content_of(event))

    def _content(self, stream: Stream, event: Any) -> int:
        return self._remembered(stream, event, _content_of(event))

    def _remembered(self, stream: Stream, event: Any, content: bytes) -> int:
        window = stream.window
        if window is None:
            window = stream.window = Window()
        if not window.add(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())):
            return _COPY
        if stream.first and self._may_come(stream, 0, flowing=True):
            return _WAIT  # the other is about to bring it, in its order
        self._missed(stream, event)
        return _APPLY

    # ---- states

    def _latest(self, stream: Stream, event: Any) -> int:
        order, own = _order_of(event)
        if not stream.known or order > stream.last:
            if stream.known and self._older(stream, event):
                return _COPY
            self._missed(stream, event)
            stream.last = order
            if not own or stream.state.equal:
                stream.change(equal=() if own else (_checksum(event),))
            return _APPLY
        if order == stream.last and not own:
            checksum = _checksum(event)
            if checksum in stream.state.equal:
                return _COPY
            self._missed(stream, event)
            stream.change(equal=(*stream.state.equal, checksum)[-EQUAL_MAX:])
            return _APPLY
        if order < stream.last and self._reset(stream, event):
            return self._count_anew(stream, event, order)
        return _COPY

    # ---- books

    def _book(self, stream: Stream, event: Any) -> int:
        last_id = _number(event.last_id)
        if last_id is None:
            return self._one_side(stream, event)
        if event.__class__ is BookSnapshot:
            return self._snapshot(stream, event, last_id)
        first_id = _number(event.first_id)
        if not stream.known and stream.state.valid:
            return self._lose_book(stream, event, None, event.last_id, "an update came before any snapshot")
        last = stream.last
        if stream.unseen and stream.state.valid:
            stream.last = max(last, last_id)
            return _COPY  # of what the snapshot will hold
        chained = stream.rule == "chained"
        if not stream.state.valid:
            return _COPY if last_id <= last and not self._reset(stream, event) else _DROP
        if (chained and first_id == last) or last_id == last:
            verdict = _COPY if last_id == last else _APPLY
            stream.last = last_id
            return verdict
        if last_id < last:
            if not self._reset(stream, event):
                return _COPY
            return self._lose_book(stream, event, None, None, f"identifiers went back from {last} to {last_id}")
        if first_id is None or first_id <= last + (0 if chained else 1):
            # sizes are absolute: what it repeats does no harm
            stream.last = last_id
            return _APPLY
        if self._older(stream, event):
            return _COPY
        if self._may_come(stream, first_id):
            return _WAIT
        cause = f"updates after {last} are missing"
        if chained:
            return self._lose_book(stream, event, None, str(first_id), cause)
        return self._lose_book(stream, event, str(last + 1), str(first_id - 1), cause)

    def _lose_book(self, stream: Stream, event: Any, first: str | None, last: str | None, cause: str) -> int:
        """The book is unknown from here on, until a snapshot comes."""
        self._announce(stream, first, last, event, cause)
        stream.change(valid=False, lost=(first or "", last or ""))
        return _DROP

    def _mend(self, stream: Stream, event: Any) -> None:
        """The book is whole again with the snapshot `event`: what was missing is in it."""
        if stream.state.lost is not None:
            first, last = stream.state.lost
            self._announce(stream, first or None, last or None, event, "the snapshot that follows has it", filled=True)
            stream.change(lost=None)
        if not stream.state.valid:
            stream.change(valid=True)

    def _snapshot(self, stream: Stream, event: Any, number: int) -> int:
        last = stream.last
        if stream.unseen:
            # an older one too: what this worker brings next continues it, though the other has brought that already
            stream.unseen = False
            if number > last and self._alone_again(stream):
                self._take_up_again(stream, event, number)
        elif stream.known and stream.state.valid:
            if self._others(stream):
                if number <= last:
                    return _COPY
                if self._may_come(stream, number, flowing=True):
                    return _WAIT  # the other is about to reach it
            if number > last:
                self._take_up_again(stream, event, number)
        self._mend(stream, event)
        stream.last = number
        return _APPLY

    def _take_up_again(self, stream: Stream, event: Any, number: int) -> None:
        """What lies before the snapshot `event` was not shown."""
        first = "" if stream.rule == "chained" else str(stream.last + 1)
        self._announce(stream, first or None, str(number), event, "the book was taken up again by a snapshot")
        stream.change(lost=(first, str(number)))

    # ---- from one side only

    def _one_side(self, stream: Stream, event: Any) -> int:
        side = self._side[0]
        leader = stream.state.leader
        begins = stream.unseen and event.__class__ is BookSnapshot
        if leader != side:
            if leader in self._open and leader and not begins:
                return _COPY
            stream.change(leader=side)
            if stream.known and not begins:
                self._announce(stream, None, None, event, "taken over from another worker")
                if stream.key.kind == EVENT_BOOK:
                    stream.change(valid=False, lost=("", ""))  # what a delta builds on was not shown
        else:
            self._missed(stream, event)
        if event.__class__ is BookSnapshot:
            self._mend(stream, event)
            stream.unseen = False
        elif stream.unseen and stream.state.valid:
            return _COPY
        return _APPLY if stream.state.valid else _DROP

    # ---- gaps that a worker itself announces

    def _worker_gap(self, gap: Gap) -> int:
        rule = self._rules.get(gap.stream)
        stream = self._by_key.get(StreamKey(gap.stream, gap.symbol))
        if rule is None or stream is None or not stream.known:
            return _APPLY
        if stream.batch != self._batch:
            self._touch(stream)
        if gap.filled:
            return self._worker_filled(stream, gap)
        last = _number(gap.last_id)
        if stream.dense and last is not None:
            if last <= stream.last:
                return _COPY
            if self._may_come(stream, last + 1):
                return _WAIT
            return self._take_hole(stream, gap, last)
        if self._others(stream):
            return _COPY  # the other goes on; if it does not, what comes next shows it
        if stream.rule == "increasing" and last is not None and last > stream.last:
            return self._take_hole(stream, gap, last)
        if gap.stream == EVENT_BOOK and stream.rule in ("update_ids", "chained", "one_side"):
            began = gap.first_id if stream.state.lost is None else stream.state.lost[0]
            stream.change(valid=False, lost=(began or "", gap.last_id or ""))
        return _APPLY

    def _take_hole(self, stream: Stream, gap: Gap, last: int) -> int:
        """What a worker had to drop, up to `last`, is missing from where handlers are."""
        first = stream.last + 1
        _stamp(gap, "first_id", str(first))
        self._open_hole(stream, first, last, gap.start_ns, gap.end_ns)
        stream.last = last
        return _APPLY

    def _worker_filled(self, stream: Stream, gap: Gap) -> int:
        first, last = _number(gap.first_id), _number(gap.last_id)
        if stream.rule not in ("sequence", "increasing") or first is None or last is None:
            return _APPLY
        fill = stream.state.fill
        told = fill is None or fill[1] < first or last < fill[0]
        if told and (stream.dense or all(hole.last < first or last < hole.first for hole in stream.state.holes)):
            return _COPY  # by another; but where identifiers leap, it may have been filled by nothing
        left: list[Hole] = []
        for hole in stream.state.holes:
            if hole.last < first or last < hole.first:
                left.append(hole)
                continue
            if hole.first < first:
                left.append(msgspec.structs.replace(hole, last=first - 1))
            if last < hole.last:
                left.append(msgspec.structs.replace(hole, first=last + 1))
        stream.change(fill=None, holes=tuple(left[-HOLES_MAX:]))
        return _APPLY


def _next_quote(stream: Stream, event: Any) -> int:
    """Its identifier, if that is all there is to decide; else the last one: it has to be looked at."""
    if stream.first or event.exchange_ns or stream.state.equal:
        return stream.last
    return _number(event.update_id) or stream.last


_DECISIONS: Final[Mapping[str, Callable[[StreamMerge, Stream, Any], int]]] = {
    "sequence": StreamMerge._sequence,
    "increasing": StreamMerge._increasing,
    "unique": StreamMerge._unique,
    "update_ids": StreamMerge._book,
    "chained": StreamMerge._book,
    "latest": StreamMerge._latest,
    "content": StreamMerge._content,
    "one_side": StreamMerge._one_side,
}


def fitting_rule(kind: str, rule: str) -> str:
    """`rule`, or what comes next to it where events of this kind have not the identifiers that it needs."""
    if rule in ("sequence", "increasing", "unique") and kind != EVENT_MARKET_TRADE:
        return "latest" if kind == EVENT_BBO else "content"
    if rule in ("update_ids", "chained") and kind != EVENT_BOOK:
        return "content"
    return rule


def _number(text: str | None) -> int | None:
    """An identifier as a number; None if it is none that can be counted with."""
    if not text:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if 0 <= number < _NUMBER_MAX else None


def _head_of(stream: Stream, event: Any) -> int | None:
    """The first identifier that a waiting batch brings of this stream."""
    if event.backfilled:
        return None
    if event.__class__ is Gap:
        last = _number(event.last_id) if stream.dense and not event.filled else None
        return None if last is None else last + 1
    if stream.rule in ("sequence", "increasing"):
        return _number(event.trade_id)
    if event.__class__ in (BookDelta, BookSnapshot):
        return _number(event.first_id if event.first_id is not None else event.last_id)
    return None


def _order_of(event: Any) -> tuple[int, bool]:
    """What is newer, and whether that alone says what is equal."""
    kind = event.__class__
    number = None
    if kind is Quote:
        number = _number(event.update_id) if event.update_id else None
    elif kind is BookSnapshot:
        number = _number(event.last_id)
    elif kind is Bar and not event.exchange_ns:
        return event.start_ns, False
    return (event.exchange_ns, False) if number is None else (number, True)


def _content_of(event: Any) -> bytes:
    """All that the exchange has said, without what we have added."""
    exchange, symbol, exchange_ns, _, *fields = msgspec.structs.astuple(event)
    return _encode((exchange, symbol, exchange_ns, *fields[:-3]))


def _checksum(event: Any) -> int:
    return zlib.crc32(_content_of(event))
