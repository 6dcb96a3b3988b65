"""What a batch says of its streams, so that its reader checks each stream and not each event. Pure.

A *stream* of a batch is all events of one tag, exchange and symbol; a *range* says what a batch has of one stream.
Where identifiers follow each other, the range *claims* so and gives the first and the last: a reader that knows the
position of the stream then decides on all of them at once. See docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from foxtrot_protocol.events import EVENT_BOOK, BookDelta, Quote, Trade

__all__ = [
    "EVENTS_PER_RANGE_MIN",
    "IDENTIFIER_MAX",
    "RANGES_MAX",
    "StreamRange",
    "StreamRanges",
    "book_step",
    "bounds_of",
]

IDENTIFIER_MAX: Final = 1 << 62
"""Identifiers are numbers below this; anything else has no order."""

RANGES_MAX: Final = 255
"""Streams of one batch that are described: their places fit into one byte each."""

EVENTS_PER_RANGE_MIN: Final = 8
"""Events for each stream, on average, from which a batch is described: fewer are decided sooner one by one."""

_BOOK_STEPS: Final[Mapping[str, int]] = {"update_ids": 1, "chained": 0}


class StreamRange(Struct, array_like=True, frozen=True, gc=False):
    """What a batch has of one stream."""

    count: int
    """Events, at least 1."""
    first: int | None
    """Claim: identifier of the first event (of a delta: its `first_id`); None without a claim."""
    last: int | None
    """Claim: identifier of the last event (of a delta: its `last_id`)."""
    step: int = 0
    """Claim of deltas: what each `first_id` exceeds the `last_id` before it by, 0 or 1."""


class _Open:
    """A stream and its range in the current batch."""

    __slots__ = ("batch", "first", "last", "place", "step")

    def __init__(self, step: int) -> None:
        self.step = step
        """What a `first_id` exceeds the `last_id` before it by; -1: deltas have no claim."""
        self.batch = 0
        self.place = 0
        self.first = 0
        self.last = IDENTIFIER_MAX
        """Identifier of the last event; `IDENTIFIER_MAX`: there is no claim, and no identifier exceeds it."""


class StreamRanges:
    """Describes the batches of one incarnation."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        """`rules`: identity rules by event type; without one for books, no delta has a claim."""
        self._book_step = book_step(rules)
        self._streams: dict[tuple[type, str, str], _Open] = {}
        self._batch = 0

    def describe(self, events: Sequence[Any]) -> tuple[list[StreamRange], bytes | None] | None:
        """Return the ranges of a batch, and for each event the place of its range; None: it is not described.

        The places are None if there is one range only.
        """
        self._batch = batch = self._batch + 1
        get = self._streams.get
        present: list[_Open] = []
        order: list[int] = []
        add = order.append
        for event in events:
            stream = get((event.__class__, event.exchange, event.symbol))
            if stream is None or stream.batch != batch:
                stream = self._begin(stream, event, len(present))
                present.append(stream)
            elif stream.last < IDENTIFIER_MAX:
                number = -1 if event.backfilled else _continued(event, stream.last + stream.step)
                stream.last = number if stream.last < number else IDENTIFIER_MAX
            add(stream.place)
        if len(present) > RANGES_MAX or len(order) < EVENTS_PER_RANGE_MIN * len(present):
            return None
        places = bytes(order)
        return [_range_of(each, places.count(each.place)) for each in present], places if len(present) > 1 else None

    def _begin(self, stream: _Open | None, event: Any, place: int) -> _Open:
        """Begin the range of a stream with its first event."""
        if stream is None:
            step = self._book_step if event.__class__ is BookDelta else 0
            stream = self._streams[event.__class__, event.exchange, event.symbol] = _Open(step)
        stream.batch = self._batch
        stream.place = place
        first, last = bounds_of(event) if stream.step >= 0 and not event.backfilled else (-1, -1)
        stream.first, stream.last = (first, last) if 0 <= first <= last else (0, IDENTIFIER_MAX)
        return stream


def _range_of(stream: _Open, count: int) -> StreamRange:
    if stream.last < IDENTIFIER_MAX:
        return StreamRange(count, stream.first, stream.last, stream.step)
    return StreamRange(count, None, None)


def book_step(rules: Mapping[str, str]) -> int:
    """Return what a delta's `first_id` exceeds the `last_id` before it by; -1 where deltas have no claim."""
    return _BOOK_STEPS.get(rules.get(EVENT_BOOK, ""), -1)


def bounds_of(event: Any) -> tuple[int, int]:
    """Return the first and the last identifier of an event; -1 if it has none."""
    try:
        if event.__class__ is Trade:
            number = int(event.trade_id)
            return number, number
        if event.__class__ is Quote:
            number = int(event.update_id)
            return number, number
        if event.__class__ is BookDelta:
            return int(event.first_id or ""), int(event.last_id or "")
    except ValueError:
        pass
    return -1, -1


def _continued(event: Any, expected: int) -> int:
    """Return the last identifier of an event of a stream with a claim; -1 if a delta does not begin as `expected`."""
    first, last = bounds_of(event)
    return -1 if event.__class__ is BookDelta and first != expected else last
