from __future__ import annotations

from typing import Any

import pytest

from foxtrot_workers.simulator.venues.bybit.venue import BybitVenue
from tests.support.simulated_market import SimulatedMarket, json_of, rest


@pytest.fixture
def one() -> SimulatedMarket:
    made = SimulatedMarket(BybitVenue(), ["BTCUSDT", "BTCUSD"])
    made.drive(4_000)
    return made


def ok(one: SimulatedMarket, path: str, **query: str) -> Any:
    body = rest(one, f"/v5/market/{path}", query)
    assert (body["retCode"], body["retMsg"]) == (0, "OK"), body
    return body["result"]


def test_the_newest_trades_come_first(one: SimulatedMarket) -> None:
    rows = ok(one, "recent-trade", category="spot", symbol="BTCUSDT", limit="1000")["list"]
    ids = [int(row["execId"]) for row in rows]
    assert len(ids) == 60
    assert ids == list(range(ids[0], ids[0] - 60, -1))
    linear = ok(one, "recent-trade", category="linear", symbol="BTCUSDT", limit="1000")["list"]
    assert len(linear) > 300
    assert "-" in linear[0]["execId"]


def test_a_book_has_the_number_of_the_stream_of_1000_levels(one: SimulatedMarket) -> None:
    (first,) = one.subscribe("linear/orderbook.1000.BTCUSDT")
    book = ok(one, "orderbook", category="linear", symbol="BTCUSDT", limit="3")
    assert (len(book["b"]), len(book["a"])) == (3, 3)
    assert book["u"] == json_of(first)["data"]["u"]


def test_tickers_and_instruments(one: SimulatedMarket) -> None:
    for category, symbols in (("spot", ["BTCUSDT", "BTCUSD"]), ("linear", ["BTCUSDT"]), ("inverse", ["BTCUSD"])):
        listed = ok(one, "instruments-info", category=category)
        assert [row["symbol"] for row in listed["list"]] == symbols
        assert listed["nextPageCursor"] == ""
        assert [row["symbol"] for row in ok(one, "tickers", category=category)["list"]] == symbols
    (row,) = ok(one, "tickers", category="spot", symbol="BTCUSDT")["list"]
    assert "lastPrice" in row
    assert ok(one, "time")["timeSecond"] == str(one.now_ms // 1000)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("recent-trade", {"category": "option", "symbol": "BTCUSDT"}),
        ("recent-trade", {"category": "inverse", "symbol": "BTCUSDT"}),
        ("recent-trade", {"category": "spot", "symbol": "NO"}),
        ("recent-trade", {"category": "spot", "symbol": "BTCUSDT", "limit": "x"}),
        ("recent-trade", {"category": "spot", "symbol": "BTCUSDT", "limit": "0"}),
        ("instruments-info", {}),
    ],
)
def test_a_wrong_request_is_answered_with_a_code(one: SimulatedMarket, path: str, query: dict[str, str]) -> None:
    assert rest(one, f"/v5/market/{path}", query)["retCode"] == 10001


def test_an_unknown_path_is_not_found(one: SimulatedMarket) -> None:
    assert one.venue.answer(one.market, "/v5/nothing", {}, 0).status == 404
