from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol import event_lines
from foxtrot_protocol.event_lines import BookView, event_line, live_line, plain_number
from foxtrot_protocol.events import (
    EVENT_BBO,
    EVENT_BOOK,
    Bar,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Funding,
    Gap,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)

HEAD = ("BINANCE", "BTCUSDT", 1_000, 2_000)
COMMON = {"exchange": "BINANCE", "symbol": "BTCUSDT", "instrument": "BTC-USDT", "ts": 1_000}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("0.10", "0.1"),
        ("0.1", "0.1"),
        ("100", "100"),
        ("100.00", "100"),
        ("1.", "1"),
        ("0", "0"),
        ("0.000", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("-1.50", "-1.5"),
        ("00.5", "0.5"),
        (".5", "0.5"),
        ("+1", "1"),
        ("9.121E-7", "0.0000009121"),
        ("1e3", "1000"),
        ("1.50e0", "1.5"),
        ("0e9", "0"),
        ("12345678901234567890123456789012345.10", "12345678901234567890123456789012345.1"),
        ("", ""),
        ("abc", "abc"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("1e999999999", "1e999999999"),
        ("1e-999999999", "1e-999999999"),
        ("0" * 200, "0" * 200),
    ],
)
def test_plain_number(text: str, plain: str) -> None:
    assert plain_number(text) == plain


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**9), max_value=10**9))
def test_equal_numbers_are_equal_text(number: Decimal) -> None:
    ways = {
        plain_number(str(number)),
        plain_number(f"{number:f}"),
        plain_number(f"{number:E}"),
        plain_number(f"{number:f}0"),
    }
    assert len(ways) == 1
    assert Decimal(ways.pop()) == number


CASES: list[tuple[MarketEvent[str], dict[str, Any]]] = [
    (
        Trade(*HEAD, "1.50", "2.0", "buy", "77"),
        {"kind": "trade", "price": "1.5", "amount": "2", "side": "buy", "id": "77"},
    ),
    (
        Quote(*HEAD, "1.50", "2.0", None, None, "9"),
        {"kind": "quote", "bid": "1.5", "bid_size": "2", "ask": None, "ask_size": None},
    ),
    (
        BookSnapshot(*HEAD, [("1.0", "2.0")], [("3", "4")], None, "9", 7),
        {"kind": "book", "type": "snapshot", "seq": "9", "checksum": 7, "bids": [["1", "2"]], "asks": [["3", "4"]]},
    ),
    (
        BookDelta(*HEAD, [("1.0", "0.00")], [], "8", "9", None),
        {"kind": "book", "type": "delta", "seq": "9", "checksum": None, "bids": [["1", "0"]], "asks": []},
    ),
    (
        Ticker(*HEAD, "1.0", "2", None, "4", "5", "6"),
        {"kind": "ticker", "last": "1", "open": "2", "high": None, "low": "4", "volume": "5", "turnover": "6"},
    ),
    (
        Ticker(*HEAD, "1.0", "2", "3", "4", "5", "6", None, "0", "7", "8.0"),
        {"kind": "ticker", "last": "1", "open": "2", "high": "3", "low": "4", "volume": "5", "turnover": "6"}
        | {"bid": None, "bid_size": "0", "ask": "7", "ask_size": "8"},
    ),
    (
        Bar(*HEAD, "1m", 60, "1", "4.0", "0.5", "2", "9.0", True),
        {"kind": "candle", "start": 60, "interval": "1m", "open": "1", "high": "4", "low": "0.5", "close": "2"}
        | {"volume": "9", "closed": True},
    ),
    (Funding(*HEAD, "0.00010", 5), {"kind": "funding", "rate": "0.0001", "next": 5}),
    (Funding(*HEAD, "-1E-4", 0), {"kind": "funding", "rate": "-0.0001", "next": None}),
    (MarkPrice(*HEAD, "1.0"), {"kind": "mark_price", "price": "1"}),
    (OpenInterest(*HEAD, "12.0"), {"kind": "open_interest", "amount": "12"}),
    (
        Liquidation(*HEAD, "sell", "1.0", "2.0"),
        {"kind": "liquidation", "side": "sell", "price": "1", "amount": "2"},
    ),
    (
        FeedStatus(*HEAD, "btcusdt@trade", "stale", 1.5),
        {"kind": "status", "topic": "btcusdt@trade", "state": "stale", "age_s": 1.5},
    ),
    (
        Gap(*HEAD, EVENT_BOOK, "3", None, 10, 20, "missing"),
        {"kind": "gap", "stream": "eBook.", "first_id": "3", "last_id": None, "start_ns": 10, "end_ns": 20}
        | {"cause": "missing", "filled": False},
    ),
]


@pytest.mark.parametrize(("event", "fields"), CASES, ids=lambda value: type(value).__name__)
def test_the_line_of_each_event(event: MarketEvent[str], fields: dict[str, Any]) -> None:
    line = event_line(event, "BTC-USDT")
    assert line == {**COMMON, **fields}
    assert json.loads(json.dumps(line)) == line


def test_a_time_that_the_exchange_does_not_give_is_null() -> None:
    assert event_line(Quote("BINANCE", "BTCUSDT", 0, 5, "1", "1", "2", "1", ""), "BTC-USDT")["ts"] is None


@pytest.mark.parametrize(("event", "fields"), CASES, ids=lambda value: type(value).__name__)
def test_a_live_line_adds_what_only_a_running_system_knows(event: MarketEvent[str], fields: dict[str, Any]) -> None:
    line = live_line(event, "BTC-USDT")
    added = {key: line.pop(key) for key in ("event", "receive_ns", "publish_ns", "redelivered", "backfilled")}
    assert line == {**COMMON, **fields}
    assert added["event"].startswith("e")
    assert (added["receive_ns"], added["publish_ns"], added["redelivered"], added["backfilled"]) == (
        2_000,
        0,
        False,
        False,
    )


def snapshot(symbol: str = "BTCUSDT", *, exchange: str = "BINANCE", bid: str = "1") -> BookSnapshot[str]:
    return BookSnapshot(exchange, symbol, 1, 2, [(bid, "5"), ("0.5", "5")], [("2", "5")], None, "1", None)


def delta(bids: list[tuple[str, str]], symbol: str = "BTCUSDT", *, exchange: str = "BINANCE") -> BookDelta[str]:
    return BookDelta(exchange, symbol, 1, 2, bids, [], "2", "2", None)


def test_with_a_view_the_best_levels_after_the_event_are_shown() -> None:
    view = BookView(2)
    assert event_line(snapshot(), "", view)["bids"] == [["1", "5"], ["0.5", "5"]]
    line = event_line(delta([("1.10", "7.0")]), "", view)
    assert (line["bids"], line["asks"]) == ([["1.1", "7"], ["1", "5"]], [["2", "5"]])
    assert event_line(snapshot(), "", view)["bids"] == [["1", "5"], ["0.5", "5"]]


def test_books_of_one_symbol_at_two_exchanges_are_kept_apart() -> None:
    view = BookView(1)
    event_line(snapshot(bid="1"), "", view)
    event_line(snapshot(bid="1.5", exchange="OKX"), "", view)
    event_line(snapshot("ETHUSDT", bid="1.7"), "", view)
    assert event_line(delta([]), "", view)["bids"] == [["1", "5"]]
    assert event_line(delta([], exchange="OKX"), "", view)["bids"] == [["1.5", "5"]]


def test_an_unknown_book_shows_null_not_a_delta_as_if_it_were_the_book() -> None:
    view = BookView(2)
    assert event_line(delta([("1", "1")]), "", view)["bids"] is None
    event_line(snapshot(), "", view)
    event_line(Gap("BINANCE", "BTCUSDT", 1, 2, EVENT_BBO, None, None, 1, 2, "quotes"), "", view)
    assert event_line(delta([]), "", view)["bids"] is not None
    event_line(Gap("BINANCE", "BTCUSDT", 1, 2, EVENT_BOOK, None, None, 1, 2, "book"), "", view)
    line = event_line(delta([]), "", view)
    assert (line["bids"], line["asks"]) == (None, None)


def test_a_book_event_without_numbers_loses_the_book_only() -> None:
    view = BookView(2)
    event_line(snapshot(), "", view)
    assert event_line(delta([("abc", "1")]), "", view)["bids"] is None
    assert event_line(delta([]), "", view)["bids"] is None
    assert event_line(snapshot(bid="abc"), "", view)["bids"] is None
    assert event_line(snapshot(), "", view)["bids"] == [["1", "5"], ["0.5", "5"]]


def test_a_view_forgets_the_first_book_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_lines, "BOOKS_MAX", 2)
    view = BookView(1)
    for symbol in ("A", "B", "C"):
        event_line(snapshot(symbol), "", view)
    assert event_line(delta([], "A"), "", view)["bids"] is None
    assert event_line(delta([], "C"), "", view)["bids"] == [["1", "5"]]


def test_a_view_needs_a_depth() -> None:
    with pytest.raises(ValueError, match="depth"):
        BookView(0)


def test_a_trade_of_several_fills_says_how_many() -> None:
    fills = Trade(*HEAD, "1.5", "2", "buy", "77", count=3)
    assert event_line(fills, "BTC-USDT")["count"] == 3
    assert "count" not in event_line(Trade(*HEAD, "1.5", "2", "buy", "77"), "BTC-USDT")
