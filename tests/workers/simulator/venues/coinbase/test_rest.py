from __future__ import annotations

import json

import pytest

from foxtrot_workers.simulator.venues.coinbase.venue import CoinbaseVenue
from tests.support.simulated_market import SimulatedMarket, rest


@pytest.fixture
def one() -> SimulatedMarket:
    made = SimulatedMarket(CoinbaseVenue())
    made.drive(4_000)
    return made


def test_past_trades_run_backward(one: SimulatedMarket) -> None:
    path = "/products/BTC-USDT/trades"
    answer = one.venue.answer(one.market, path, {"limit": "5"}, one.now_ms)
    ids = [row["trade_id"] for row in json.loads(answer.body)]
    newest = one.state().trade_id
    assert ids == list(range(newest, newest - 5, -1))
    assert answer.headers == {"CB-BEFORE": str(ids[0]), "CB-AFTER": str(ids[-1])}
    older = [row["trade_id"] for row in rest(one, path, {"after": str(ids[-1]), "limit": "2"})]
    assert older == [ids[-1] - 1, ids[-1] - 2]
    assert [row["trade_id"] for row in rest(one, path, {"before": str(newest - 2)})] == [newest, newest - 1]
    assert len(rest(one, path, {"limit": "5000"})) == 1_000
    assert rest(one, path, {"after": "1"}) == []


def test_products_books_tickers_and_the_time(one: SimulatedMarket) -> None:
    assert [row["id"] for row in rest(one, "/products")] == ["BTC-USDT", "ETH-USDT"]
    assert rest(one, "/products/ETH-USDT")["base_currency"] == "ETH"
    assert len(rest(one, "/products/BTC-USDT/book")["bids"]) == 1
    book = rest(one, "/products/BTC-USDT/book", {"level": "2"})
    assert len(book["bids"]) == len(one.state().book.bids)
    assert rest(one, "/products/BTC-USDT/ticker")["trade_id"] == one.state().trade_id
    assert rest(one, "/time")["epoch"]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/products/NO-USD/trades", {}, 404),
        ("/products/BTCUSDT", {}, 404),
        ("/nothing", {}, 404),
        ("/products/BTC-USDT/dance", {}, 404),
        ("/products/BTC-USDT/trades", {"after": "x"}, 400),
        ("/products/BTC-USDT/book", {"level": "3"}, 400),
    ],
)
def test_a_wrong_request_has_a_status_and_a_message(
    one: SimulatedMarket, path: str, query: dict[str, str], status: int
) -> None:
    answer = one.venue.answer(one.market, path, query, one.now_ms)
    assert answer.status == status
    assert json.loads(answer.body)["message"]


def test_a_product_without_trades_has_no_ticker() -> None:
    quiet = SimulatedMarket(CoinbaseVenue())
    assert quiet.venue.answer(quiet.market, "/products/BTC-USDT/ticker", {}, 0).status == 404
