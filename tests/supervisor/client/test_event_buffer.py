"""The buffer between a producer and a slow consumer: bounded, by three policies."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.events import BookSnapshot, Trade
from foxtrot_supervisor.client.event_buffer import EventBuffer, event_bytes, event_filter

TRADE = Trade("OKX", "BTC-USDT", 1, 2, 100.0, 0.5, "buy", "7")


def filled(overflow: Any, limit: int = 3, events: int = 5) -> EventBuffer:
    buffer = EventBuffer(limit, 1000, overflow)
    for number in range(events):
        buffer.put(number, 10)
    return buffer


def content(buffer: EventBuffer) -> list[Any]:
    return [buffer.pop() for _ in range(len(buffer))]


def test_the_oldest_are_dropped_and_counted() -> None:
    buffer = filled("drop_oldest")
    assert buffer.dropped_total == 2
    assert content(buffer) == [2, 3, 4]


def test_with_block_the_producer_asks_for_room() -> None:
    buffer = filled("block", events=3)
    assert not buffer.has_room(1)
    buffer.put(9, 1)
    assert buffer.dropped_total == 1, "it did not wait"
    assert buffer.pop() == 0
    assert buffer.has_room(1)


def test_with_error_nothing_follows_what_was_dropped() -> None:
    buffer = filled("error")
    assert (buffer.overflowed, buffer.dropped_total) == (True, 2)
    assert content(buffer) == [0, 1, 2]
    buffer.put(9, 1)
    assert len(buffer) == 0, "or the consumer would not see the hole"


def test_bytes_are_bounded_but_one_event_always_fits() -> None:
    buffer = EventBuffer(100, 25)
    for number in range(4):
        buffer.put(number, 10)
    assert content(buffer) == [2, 3]
    buffer.put("large", 1000)
    assert len(buffer) == 1


@pytest.mark.parametrize(("limit", "overflow"), [(0, "block"), (1, "wait")])
def test_nonsense_is_refused(limit: int, overflow: Any) -> None:
    with pytest.raises(ValueError, match="is"):
        EventBuffer(limit, 1, overflow)


def test_filters() -> None:
    assert event_filter("trade", None).types == {"eMarketTrade."}
    assert event_filter(["trade", "eBook."], None).types == {"eMarketTrade.", "eBook."}
    with pytest.raises(ValueError, match="not an event type"):
        event_filter("trades?", None)
    for symbol, accepted in (
        (None, True),
        ("BTC-USDT", True),
        (["X", "BTC-USDT.OKX"], True),
        ("BTC-USDT.KRAKEN", False),
    ):
        assert event_filter("trade", symbol).accepts(TRADE) is accepted


def test_books_are_larger_than_trades() -> None:
    book = BookSnapshot("OKX", "X", 1, 2, [("1", "2")] * 100, [], None, None, None)
    assert event_bytes(book) > 10 * event_bytes(TRADE)
