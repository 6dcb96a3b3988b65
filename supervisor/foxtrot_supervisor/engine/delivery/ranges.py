"""Decides on all events of a stream in a batch at once. Pure.

The worker has to claim that their identifiers follow each other. The result is that of deciding on each event
(`merge`). What a claim does not show, and streams of which more than the position matters, are left to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foxtrot_protocol.events import BookDelta, Quote, Trade
from foxtrot_protocol.stream_ranges import StreamRange
from foxtrot_supervisor.engine.delivery.rules.resets import RESET_MARGIN_NS
from foxtrot_supervisor.engine.delivery.streams import NUMBER_MAX, Stream

__all__ = ["BatchTimes", "ends_of", "kept_places", "take_range"]


class BatchTimes:
    """Least and greatest exchange time of a batch in ns, 0 if no event has one; computed at first use."""

    def __init__(self, events: Sequence[Any]) -> None:
        self._events = events
        self._bounds: tuple[int, int] | None = None

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest."""
        if self._bounds is None:
            times = [event.exchange_ns for event in self._events if event.exchange_ns]
            self._bounds = (min(times), max(times)) if times else (0, 0)
        return self._bounds


def ends_of(events: Sequence[Any], claimed: StreamRange, place: int, order: bytes | None) -> tuple[Any, Any] | None:
    """Return the first and the last event of a range; None if the batch contradicts its description."""
    count = claimed.count
    if order is None:
        return (events[0], events[-1]) if 0 < count == len(events) else None
    if not count or order.count(place) != count:
        return None
    return events[order.find(place)], events[order.rfind(place)]


def take_range(stream: Stream, claimed: StreamRange, first: Any, last: Any, times: BatchTimes) -> int | None:
    """Advance `stream`, prepared for the batch, by a range; return how many of its first events are copies.

    None: its events have to be decided one by one, and the stream is unchanged. `first` and `last`: its first and last
    event. `times`: of the whole batch.
    """
    low, high = claimed.first, claimed.last
    if low is None or high is None or stream.calm is None or not 0 <= low <= high < NUMBER_MAX:
        return None
    if _numbers_of(first, last) != (low, high):
        return None
    position = stream.last
    if stream.dense:
        if high - low + 1 != claimed.count:
            return None
        if low == position + 1:
            return _apply(stream, high, last)
        copies = min(high, position) - low + 1
    elif stream.quick:
        if position < low:
            least, greatest = times.bounds
            if greatest and (least < stream.floor_ns or greatest - least > RESET_MARGIN_NS):
                return None
            return _apply(stream, high, last)
        copies = claimed.count if high <= position else 0
    elif stream.plain and first.__class__ is BookDelta:
        if low == position + stream.step and position < high and (claimed.count == 1 or claimed.step == stream.step):
            return _apply(stream, high, last) if position < int(first.last_id or "") else None
        low = int(first.last_id or "")
        copies = claimed.count if high <= position else 0
    else:
        return None
    if copies <= 0 or not stream.copies or stream.seen > low or times.bounds[1] > stream.ceiling_ns:
        return None
    if high > position:
        _apply(stream, high, last)
    else:
        stream.seen = high
    return copies


def kept_places(copies: Sequence[int], order: bytes | None, count: int) -> list[int]:
    """Return which of `count` events are applied if the first `copies` of each range are not."""
    if order is None:
        return list(range(copies[0], count))
    left = list(copies)
    kept = []
    for index, place in enumerate(order):
        if left[place]:
            left[place] -= 1
        else:
            kept.append(index)
    return kept


def _apply(stream: Stream, high: int, last: Any) -> int:
    stream.last = high
    stream.newest = last
    return 0


def _numbers_of(first: Any, last: Any) -> tuple[int, int] | None:
    """Return the identifiers with which a range begins and ends; None if it has none."""
    kind = first.__class__
    try:
        if kind is Trade:
            return int(first.trade_id), int(last.trade_id)
        if kind is Quote:
            return int(first.update_id), int(last.update_id)
        if kind is BookDelta:
            return int(first.first_id or ""), int(last.last_id or "")
    except (ValueError, AttributeError):
        pass
    return None
