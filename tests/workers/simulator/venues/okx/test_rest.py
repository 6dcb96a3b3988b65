from __future__ import annotations

import json
from typing import Any

import pytest

from foxtrot_workers.simulator.venues.okx.venue import OkxVenue
from tests.support.simulated_market import SimulatedMarket, rest


@pytest.fixture
def one() -> SimulatedMarket:
    made = SimulatedMarket(OkxVenue())
    made.drive(2_000)
    return made


def ok(one: SimulatedMarket, path: str, **query: str) -> Any:
    body = rest(one, path, query)
    assert body["code"] == "0", body
    return body["data"]


def test_past_trades_run_backward_from_an_identifier(one: SimulatedMarket) -> None:
    newest = ok(one, "/api/v5/market/history-trades", instId="BTC-USDT", type="1")
    ids = [int(row["tradeId"]) for row in newest]
    assert len(ids) == 100
    assert ids == list(range(ids[0], ids[0] - 100, -1))
    assert ids[0] == one.state().trade_id
    older = ok(one, "/api/v5/market/history-trades", instId="BTC-USDT", type="1", after=str(ids[-1]), limit="3")
    assert [int(row["tradeId"]) for row in older] == [ids[-1] - 1, ids[-1] - 2, ids[-1] - 3]
    assert ok(one, "/api/v5/market/history-trades", instId="BTC-USDT", after="1") == []


def test_books_tickers_and_instruments(one: SimulatedMarket) -> None:
    (book,) = ok(one, "/api/v5/market/books", instId="BTC-USDT", sz="5")
    assert (len(book["bids"]), book["seqId"]) == (5, one.state().book.update_id)
    (ticker,) = ok(one, "/api/v5/market/ticker", instId="BTC-USDT")
    assert ticker["bidPx"] == book["bids"][0][0]
    assert len(ok(one, "/api/v5/market/trades", instId="BTC-USDT", limit="7")) == 7
    assert [row["instId"] for row in ok(one, "/api/v5/public/instruments", instType="SPOT")] == ["BTC-USDT", "ETH-USDT"]
    (row,) = ok(one, "/api/v5/public/instruments", instType="SPOT", instId="ETH-USDT")
    assert (row["baseCcy"], row["quoteCcy"], row["state"]) == ("ETH", "USDT", "live")
    assert ok(one, "/api/v5/public/instruments", instType="SWAP") == []
    assert ok(one, "/api/v5/public/time") == [{"ts": str(one.now_ms)}]


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("market/history-trades", {"instId": "NO-USDT"}, "51001"),
        ("market/history-trades", {"instId": "BTCUSDT"}, "51001"),
        ("market/history-trades", {"instId": "BTC-USDT", "after": "x"}, "51000"),
        ("market/history-trades", {"instId": "BTC-USDT", "type": "2"}, "51000"),
        ("public/instruments", {}, "51000"),
        ("public/instruments", {"instType": "SPOT", "instId": "X"}, "51001"),
    ],
)
def test_a_wrong_request_is_answered_with_a_code(
    one: SimulatedMarket, path: str, query: dict[str, str], code: str
) -> None:
    body = rest(one, f"/api/v5/{path}", query)
    assert (body["code"], body["data"]) == (code, [])


def test_an_unknown_path_is_not_found(one: SimulatedMarket) -> None:
    answer = one.venue.answer(one.market, "/api/v5/nothing", {}, one.now_ms)
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "404")
