"""Hold back, then drop and announce, then flow again."""

from __future__ import annotations

import msgspec

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, BookDelta, Gap, Quote, Ticker, Trade
from foxtrot_workers.feed.backpressure import TOO_LARGE, Backpressure, DroppedEvents, Pressure


def trade(number: int, receive_ns: int) -> Trade[str]:
    return Trade("SIM", "BTCUSDT", 0, receive_ns, "1", "1", "buy", str(number))


def test_holds_when_something_waits_drops_after_the_wait_and_flows_below_half() -> None:
    pressure = Backpressure(ring_bytes=100, full_wait_s=5.0)
    assert pressure.judge(100, 0, 0.0) is Pressure.FLOWING, "full, but nothing waits for room"
    assert pressure.judge(90, 20, 1.0) is Pressure.HOLDING
    assert pressure.judge(60, 0, 5.9) is Pressure.HOLDING, "above half: still held"
    assert pressure.judge(60, 0, 6.0) is Pressure.DROPPING
    assert pressure.judge(51, 0, 7.0) is Pressure.DROPPING
    assert pressure.judge(10, 20, 7.5) is Pressure.DROPPING, "what waits comes first"
    assert pressure.judge(50, 0, 8.0) is Pressure.FLOWING
    assert pressure.judge(100, 1, 100.0) is Pressure.HOLDING, "the wait starts afresh"
    assert pressure.judge(100, 1, 104.9) is Pressure.HOLDING


def test_a_hold_that_ends_in_time_drops_nothing() -> None:
    pressure = Backpressure(ring_bytes=100, full_wait_s=5.0)
    pressure.judge(100, 100, 0.0)
    assert pressure.judge(10, 0, 1.0) is Pressure.FLOWING


def test_a_gap_has_the_cause_of_its_first_event() -> None:
    dropped = DroppedEvents()
    dropped.add([trade(1, 1)], TOO_LARGE)
    dropped.add([trade(2, 2)])
    (gap,) = dropped.take_gaps(3)
    assert isinstance(gap, Gap)
    assert gap.cause == TOO_LARGE


def test_dropped_events_become_one_gap_for_each_symbol_and_stream_with_exact_bounds() -> None:
    dropped = DroppedEvents()
    dropped.add([trade(7, 10), trade(8, 20), BookDelta("SIM", "BTCUSDT", 0, 30, [], [], "5", "6", None)])
    dropped.add([trade(9, 40), BookDelta("SIM", "BTCUSDT", 0, 50, [], [], "7", "9", None)])
    gaps = {gap.stream: gap for gap in dropped.take_gaps(99) if isinstance(gap, Gap)}
    assert (gaps[EVENT_MARKET_TRADE].first_id, gaps[EVENT_MARKET_TRADE].last_id) == ("7", "9")
    assert (gaps[EVENT_BOOK].first_id, gaps[EVENT_BOOK].last_id) == ("5", "9")
    assert (gaps[EVENT_MARKET_TRADE].start_ns, gaps[EVENT_MARKET_TRADE].end_ns) == (10, 40)
    assert dropped.total == 5
    assert dropped.take_gaps(100) == [], "each hole is announced once"


def test_events_without_identifiers_give_a_gap_without_bounds() -> None:
    dropped = DroppedEvents()
    dropped.add(
        [Ticker("SIM", "A", 0, 1, "1", None, None, None, None, None), Quote("SIM", "B", 0, 1, "1", "1", "2", "1", "")]
    )
    assert all(isinstance(gap, Gap) and gap.first_id is None for gap in dropped.take_gaps(2))


def test_a_gap_that_finds_no_room_is_kept_and_grows_until_it_is_committed() -> None:
    dropped = DroppedEvents()
    dropped.add([trade(7, 10), trade(8, 20)], TOO_LARGE)
    dropped.give_back(dropped.take_gaps(30))
    assert dropped.pending == 2
    dropped.add([trade(9, 40)])
    (gap,) = dropped.take_gaps(50)
    assert isinstance(gap, Gap)
    assert (gap.stream, gap.first_id, gap.last_id) == (EVENT_MARKET_TRADE, "7", "9")
    assert (gap.start_ns, gap.end_ns, gap.cause) == (10, 40, TOO_LARGE)
    assert (dropped.total, dropped.pending) == (3, 3)
    dropped.announced()
    assert (dropped.total, dropped.pending, dropped.take_gaps(60)) == (3, 0, [])


def test_a_dropped_gap_is_coalesced_into_the_gap_of_its_stream() -> None:
    dropped = DroppedEvents()
    book = Gap("SIM", "BTCUSDT", 0, 20, EVENT_BOOK, "7", "9", 15, 20, "the book is broken")
    dropped.add([BookDelta("SIM", "BTCUSDT", 0, 10, [], [], "5", "6", None), book])
    dropped.add([Gap("SIM", "BTCUSDT", 0, 30, EVENT_BOOK, "7", "9", 15, 20, "", filled=True)])
    (gap,) = dropped.take_gaps(99)
    assert isinstance(gap, Gap)
    assert (gap.stream, gap.first_id, gap.last_id, gap.start_ns, gap.end_ns) == (EVENT_BOOK, "5", "9", 10, 20)
    assert not gap.filled
    assert dropped.total == 3


def test_a_gap_fits_into_the_smallest_ring_whatever_the_exchange_sent() -> None:
    dropped = DroppedEvents()
    long = "9" * 5000
    dropped.add([Gap("SIM", "BTCUSDT", 0, 20, EVENT_BOOK, long, long, 15, 20, long)])
    (gap,) = dropped.take_gaps(1)
    assert isinstance(gap, Gap)
    assert (gap.first_id, gap.last_id) == (None, None)
    assert len(msgspec.msgpack.encode(gap)) < 1000
