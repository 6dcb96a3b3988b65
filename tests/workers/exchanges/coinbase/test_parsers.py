from __future__ import annotations

import pytest

from foxtrot_protocol.events import Ticker, Trade
from tests.workers.exchanges.coinbase.samples import PRODUCT, TIME_NS, connection, ticker, trade


def test_the_side_of_a_trade_is_the_takers() -> None:
    wire = connection("trade")
    (event,) = wire.parse(trade())
    assert event == Trade("COINBASE", PRODUCT, TIME_NS, 7, "400.23", "5.23512", "buy", "10")
    (event,) = wire.parse(trade(kind="last_match", side="buy"))
    assert isinstance(event, Trade)
    assert event.side == "sell"
    assert wire.adapter.last_data_ns == {"matches:BTC-USD": 7}


def test_a_ticker() -> None:
    (event,) = connection("ticker").parse(ticker())
    assert event == Ticker(
        *("COINBASE", PRODUCT, TIME_NS, 7, "1285.22", "1310.79", "1313.8", "1280.52", "245532.79269678", None),
        *("1285.04", "0.46688654", "1285.27", "1.5663"),
    )


@pytest.mark.parametrize("price", ["", "0", "0.00", None])
def test_an_empty_side_of_a_ticker(price: str | None) -> None:
    (event,) = connection("ticker").parse(ticker(best_bid=price))
    assert isinstance(event, Ticker)
    assert (event.bid, event.ask) == (None, "1285.27")


def test_a_ticker_of_a_product_that_has_not_traded() -> None:
    message = ticker()
    for key in ("time", "trade_id", "last_size", "side"):
        del message[key]
    (event,) = connection("ticker").parse(message)
    assert event.exchange_ns == 0
