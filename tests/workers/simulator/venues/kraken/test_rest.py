from __future__ import annotations

from typing import Any

import pytest

from foxtrot_workers.simulator.venues.kraken.venue import KrakenVenue
from tests.support.simulated_market import START_MS, SimulatedMarket, rest


@pytest.fixture
def one() -> SimulatedMarket:
    made = SimulatedMarket(KrakenVenue(), ["BTCUSD", "SOLUSDT"])
    made.drive(6_000, step_ms=3)
    return made


def ok(one: SimulatedMarket, path: str, **query: str) -> Any:
    body = rest(one, f"/0/public/{path}", query)
    assert body["error"] == []
    return body["result"]


def test_past_trades_are_fetched_page_by_page_without_a_hole(one: SimulatedMarket) -> None:
    ids: list[int] = []
    since = str(START_MS * 1_000_000 - 1)
    while True:
        result = ok(one, "Trades", pair="BTC/USD", since=since, count="100")
        rows = result["XXBTZUSD"]
        if not rows:
            break
        ids += [row[6] for row in rows]
        since = result["last"]
    assert ids == [trade.trade_id for trade in one.state("BTCUSD").trades]
    assert len(ids) > 1_000
    newest = ok(one, "Trades", pair="XBTUSD", count="3")["XXBTZUSD"]
    assert [row[6] for row in newest] == ids[-3:]
    assert newest[-1][3] in ("b", "s")
    seconds = ok(one, "Trades", pair="XXBTZUSD", since=str(START_MS // 1000 - 1), count="1")
    assert seconds["XXBTZUSD"][0][6] == ids[0]


def test_pairs_books_tickers_and_the_time(one: SimulatedMarket) -> None:
    pairs = ok(one, "AssetPairs")
    assert set(pairs) == {"XXBTZUSD", "SOLUSDT"}
    assert (pairs["XXBTZUSD"]["wsname"], pairs["XXBTZUSD"]["altname"]) == ("XBT/USD", "XBTUSD")
    assert set(ok(one, "AssetPairs", pair="SOLUSDT")) == {"SOLUSDT"}
    book = ok(one, "Depth", pair="XBTUSD", count="4")["XXBTZUSD"]
    assert (len(book["asks"]), len(book["bids"])) == (4, 4)
    assert ok(one, "Ticker", pair="XBTUSD")["XXBTZUSD"]["b"][0] == book["bids"][0][0]
    assert set(ok(one, "Ticker")) == {"XXBTZUSD", "SOLUSDT"}
    assert ok(one, "Time")["unixtime"] == one.now_ms // 1000


@pytest.mark.parametrize(
    ("path", "query", "error"),
    [
        ("Trades", {"pair": "NOUSD"}, "EQuery:Unknown asset pair"),
        ("Trades", {}, "EGeneral:Invalid arguments"),
        ("Trades", {"pair": "XBTUSD", "since": "x"}, "EGeneral:Invalid arguments"),
        ("Dance", {}, "EGeneral:Unknown method"),
    ],
)
def test_a_wrong_request_is_answered_with_an_error(
    one: SimulatedMarket, path: str, query: dict[str, str], error: str
) -> None:
    assert rest(one, f"/0/public/{path}", query)["error"] == [error]
