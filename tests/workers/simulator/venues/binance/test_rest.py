"""The REST side: snapshots, history, lists, errors."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from foxtrot_workers.simulator.market.market import Market, MarketOptions
from foxtrot_workers.simulator.venues.binance.publisher import BinancePublisher
from foxtrot_workers.simulator.venues.binance.rest import answer, error

_NOW = 1_700_000_000_000


@pytest.fixture(scope="module")
def market() -> Market:
    made = Market(["BTCUSDT", "ETHUSDT"], 3, _NOW, BinancePublisher(), MarketOptions(history_max=300))
    for step in range(2_000):
        made.act(_NOW + step)
    return made


def _get(market: Market, path: str, **query: str) -> Any:
    found = answer(market, path, query, _NOW)
    assert found.status == 200, found.body
    return json.loads(found.body)


def test_ping_and_time(market: Market) -> None:
    assert _get(market, "/api/v3/ping") == {}
    assert _get(market, "/api/v3/time") == {"serverTime": _NOW}


def test_depth_is_the_current_book(market: Market) -> None:
    book = market.states["ETHUSDT"].book
    found = _get(market, "/api/v3/depth", symbol="ETHUSDT", limit="7")
    assert found["lastUpdateId"] == book.update_id
    assert len(found["bids"]) == len(found["asks"]) == 7
    whole = _get(market, "/api/v1/depth", symbol="ETHUSDT", limit="5000")
    assert (len(whole["bids"]), len(whole["asks"])) == (len(book.bids), len(book.asks))
    assert [Decimal(p) for p, _ in whole["bids"]] == sorted((Decimal(p) for p, _ in whole["bids"]), reverse=True)


@pytest.mark.parametrize(("limit", "weight"), [("5", 5), ("100", 5), ("101", 25), ("1000", 50), ("9999", 250)])
def test_depth_weights(market: Market, limit: str, weight: int) -> None:
    assert answer(market, "/api/v3/depth", {"symbol": "BTCUSDT", "limit": limit}, _NOW).weight == weight


def test_trades_by_id(market: Market) -> None:
    state = market.states["BTCUSDT"]
    latest = _get(market, "/api/v3/trades", symbol="BTCUSDT", limit="10")
    assert [row["id"] for row in latest] == list(range(state.trade_id - 9, state.trade_id + 1))
    first = state.trades[5].trade_id
    found = _get(market, "/api/v3/historicalTrades", symbol="BTCUSDT", fromId=str(first), limit="4")
    assert [row["id"] for row in found] == list(range(first, first + 4))
    trade, row = state.trades[5], found[0]
    scale = state.instrument
    assert Decimal(row["price"]) * 10**scale.price_decimals == trade.price
    assert Decimal(row["qty"]) * 10**scale.size_decimals == trade.lots
    assert Decimal(row["quoteQty"]) == Decimal(row["price"]) * Decimal(row["qty"])
    assert (row["time"], row["isBuyerMaker"]) == (trade.time_ms, trade.buyer_is_maker)
    beyond = _get(market, "/api/v3/historicalTrades", symbol="BTCUSDT", fromId=str(state.trade_id + 1))
    assert beyond == []


def test_history_begins_with_the_oldest_trade_in_memory(market: Market) -> None:
    state = market.states["BTCUSDT"]
    assert len(state.trades) == 300
    found = _get(market, "/api/v3/historicalTrades", symbol="BTCUSDT", fromId="1", limit="2")
    assert found[0]["id"] == state.trades[0].trade_id


def test_aggregates_by_id_and_by_time(market: Market) -> None:
    state = market.states["BTCUSDT"]
    agg = state.aggs[20]
    found = _get(market, "/api/v3/aggTrades", symbol="BTCUSDT", fromId=str(agg.agg_id), limit="3")
    assert [row["a"] for row in found] == [agg.agg_id, agg.agg_id + 1, agg.agg_id + 2]
    assert (found[0]["f"], found[0]["l"], found[0]["T"], found[0]["m"]) == (
        agg.first_id,
        agg.last_id,
        agg.time_ms,
        agg.buyer_is_maker,
    )
    span = {"startTime": str(agg.time_ms), "endTime": str(agg.time_ms + 50)}
    timed = _get(market, "/api/v3/aggTrades", symbol="BTCUSDT", **span)
    assert {row["a"] for row in timed} == {a.agg_id for a in state.aggs if agg.time_ms <= a.time_ms <= agg.time_ms + 50}
    latest = _get(market, "/api/v3/aggTrades", symbol="BTCUSDT", limit="2")
    assert [row["a"] for row in latest] == [state.agg_id - 1, state.agg_id]


def test_a_market_without_trades_has_no_history() -> None:
    quiet = Market(["BTCUSDT"], 1, _NOW, BinancePublisher())
    assert _get(quiet, "/api/v3/trades", symbol="BTCUSDT") == []
    assert _get(quiet, "/api/v3/aggTrades", symbol="BTCUSDT", fromId="5") == []


def test_exchange_info(market: Market) -> None:
    everything = _get(market, "/api/v3/exchangeInfo")
    assert [row["symbol"] for row in everything["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    row = everything["symbols"][0]
    assert (row["baseAsset"], row["quoteAsset"], row["status"]) == ("BTC", "USDT", "TRADING")
    one = _get(market, "/api/v3/exchangeInfo", symbol="ETHUSDT")
    assert [row["symbol"] for row in one["symbols"]] == ["ETHUSDT"]
    some = _get(market, "/api/v3/exchangeInfo", symbols='["ETHUSDT"]')
    assert some["symbols"] == one["symbols"]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/api/v3/depth", {}, 400, -1102),
        ("/api/v3/depth", {"symbol": "NOPE"}, 400, -1121),
        ("/api/v3/depth", {"symbol": "btcusdt"}, 400, -1121),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "x"}, 400, -1100),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "-1"}, 400, -1100),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "0"}, 400, -1130),
        ("/api/v3/aggTrades", {"symbol": "BTCUSDT", "startTime": "0", "endTime": "9999999"}, 400, -1127),
        ("/api/v3/exchangeInfo", {"symbols": "BTCUSDT"}, 400, -1100),
        ("/api/v3/exchangeInfo", {"symbols": '["NOPE"]'}, 400, -1121),
        ("/api/v9/depth", {"symbol": "BTCUSDT"}, 404, -1100),
    ],
)
def test_errors(market: Market, path: str, query: dict[str, str], status: int, code: int) -> None:
    found = answer(market, path, query, _NOW)
    assert found.status == status
    assert json.loads(found.body)["code"] == code


def test_retry_after_is_in_whole_seconds() -> None:
    assert error(429, -1003, "slow down", 2.4).headers == {"Retry-After": "2"}
    assert error(418, -1003, "banned", 0.01).headers == {"Retry-After": "1"}
    assert error(400, -1, "no").headers == {}
