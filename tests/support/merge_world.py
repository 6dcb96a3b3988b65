"""Streams, events and sides for the tests of merging."""

from __future__ import annotations

from typing import Any

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, BookDelta, BookSnapshot, Gap, Quote, Trade
from foxtrot_supervisor.engine.delivery.merge import Admission, StreamMerge
from foxtrot_supervisor.engine.delivery.streams import Hole, Stream, StreamKey

__all__ = [
    "BOOKS",
    "CHAINED",
    "TRADES",
    "A",
    "B",
    "Merge",
    "as_kept",
    "delta",
    "gap",
    "mends_a_book",
    "position",
    "quote",
    "snapshot",
    "successor",
    "told",
    "trade",
    "trades",
]

TRADES = {EVENT_MARKET_TRADE: "sequence"}

A, B = ("a", 1), ("b", 1)


def trade(number: int | str, *, ns: int = 0, symbol: str = "X", backfilled: bool = False) -> Trade[str]:
    at = ns or (int(number) * 1000 if len(str(number)) < 9 and str(number).isdigit() else 1)
    return Trade("SIM", symbol, at, at + 1, "1", "1", "buy", str(number), backfilled=backfilled)


def trades(*numbers: int) -> list[Any]:
    return [trade(number) for number in numbers]


class Merge:
    """A merge of which everything that it admits is handled at once; `seen` as texts."""

    def __init__(
        self, rules: dict[str, Any] | None = None, *sides: tuple[str, int], deliver_updates: bool = False
    ) -> None:
        self.merge = StreamMerge(TRADES if rules is None else rules, deliver_updates=deliver_updates)
        for side in sides or (A, B):
            self.merge.opened(side)
        self.seen: list[str] = []
        self.holes: list[tuple[StreamKey, Hole]] = []

    def take(self, side: tuple[str, int], events: list[Any], *, may_wait: bool = True) -> Admission | None:
        admission = self.merge.admit(side, events, may_wait=may_wait)
        if admission is None:
            return None
        done = admission.applied + admission.deduplicated + admission.superseded + admission.lost
        assert done == len(events)
        self.merge.settle()
        # that a snapshot fills the hole before it: test_healing
        self.seen.extend(told(event) for event in admission.events if not mends_a_book(event))
        self.holes.extend(admission.holes)
        return admission


def mends_a_book(event: Any) -> bool:
    return isinstance(event, Gap) and event.filled and event.stream == EVENT_BOOK


def told(event: Any) -> str:
    if isinstance(event, Gap):
        return f"gap {event.first_id}..{event.last_id}" + (" filled" if event.filled else "")
    late = "+" if event.backfilled else ""
    if isinstance(event, Trade):
        return event.trade_id + late
    if isinstance(event, Quote):
        return f"quote {event.update_id}"
    if isinstance(event, BookSnapshot):
        return f"s{event.last_id}"
    if isinstance(event, BookDelta):
        return f"d{event.first_id}-{event.last_id}"
    return type(event).__name__


BOOKS: dict[str, Any] = {EVENT_BOOK: "update_ids"}

CHAINED: dict[str, Any] = {EVENT_BOOK: "chained"}


def as_kept(stream: Stream) -> Stream:
    """What the next engine finds of it in the file of positions."""
    kept = Stream(stream.key, stream.rule, stream.exchange)
    kept.last, kept.exchange_ns, kept.receive_ns = stream.last, stream.exchange_ns, stream.receive_ns
    kept.state = stream.state
    return kept


def successor(
    *streams: Stream,
    rules: dict[str, Any] = BOOKS,
    sides: tuple[tuple[str, int], ...] = (A, B),
    deliver_updates: bool = False,
) -> Merge:
    """The merge of the next engine."""
    after = Merge(rules, *sides, deliver_updates=deliver_updates)
    for stream in streams:
        after.merge.restore(stream)
    return after


def position(*events: Any, rules: dict[str, Any] = BOOKS, sides: tuple[tuple[str, int], ...] = (A, B)) -> Stream:
    """Where a book stands after `events`, brought by each of the sides."""
    before = StreamMerge(rules)
    kept: dict[StreamKey, Stream] = {}
    for side in sides:
        before.opened(side)
    for side in sides:
        assert before.admit(side, list(events), may_wait=True) is not None
        kept.update({stream.key: stream for stream in before.settle()})
    (stream,) = kept.values()
    return as_kept(stream)


def gap(first: str | None, last: str | None, *, stream: str = EVENT_MARKET_TRADE, filled: bool = False) -> Gap:
    return Gap("SIM", "X", 0, 1, stream, first, last, 1, 2, "told", filled=filled)


def quote(number: int, *, receive_ns: int = 1, ns: int = 0) -> Quote[str]:
    return Quote("SIM", "X", ns, receive_ns, "1", "1", "2", "1", str(number))


def snapshot(number: int | None) -> BookSnapshot[str]:
    return BookSnapshot("SIM", "X", 0, 1, [], [], None, None if number is None else str(number), None)


def delta(first: int | None, last: int | None, *, ns: int = 0, first_known: bool = True) -> BookDelta[str]:
    first_id = str(first) if first is not None and first_known else None
    return BookDelta("SIM", "X", ns, 1, [], [], first_id, None if last is None else str(last), None)
