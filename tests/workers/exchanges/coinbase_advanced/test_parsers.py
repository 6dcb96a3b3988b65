from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import Bar, Ticker, Trade
from tests.workers.exchanges.coinbase_advanced.samples import (
    NS,
    PRODUCT,
    candles,
    connection,
    frame,
    ticker,
    trade,
    trades,
)

EXCHANGE = "COINBASE_ADVANCED"


@pytest.mark.parametrize("number", ["x", "", "-1", "1.5", "\u0661"])
def test_a_trade_whose_identifier_is_no_number_is_refused_and_changes_nothing(number: str) -> None:
    wire = connection("trade")
    with pytest.raises(msgspec.ValidationError, match="trade_id"):
        wire.parse(trades(5, trade(), {**trade(), "trade_id": number}))
    assert wire.adapter.last_data_ns == {}


def test_trades_are_published_oldest_first() -> None:
    wire = connection("trade")
    first, second = wire.parse(trades(0, trade(995098701, side="SELL"), trade()))
    assert first == Trade(EXCHANGE, PRODUCT, NS, 7, "68900.50", "0.00150000", "buy", "995098700")
    assert isinstance(second, Trade)
    assert (second.trade_id, second.side) == ("995098701", "sell")
    assert wire.adapter.last_data_ns == {"market_trades:BTC-USD": 7}
    assert wire.parse(frame("market_trades", 1)) == []


def test_a_ticker() -> None:
    (event,) = connection("ticker").parse(ticker())
    assert event == Ticker(
        *(EXCHANGE, PRODUCT, NS, 7, "68900.50", None, "69200.00", "67500.00", "15328.12345678", None),
        *("68900.00", "1.5", "68901.00", "0.5"),
    )


@pytest.mark.parametrize("missing", ["", "0", None])
def test_an_empty_side_of_a_ticker(missing: str | None) -> None:
    (event,) = connection("ticker").parse(ticker(best_bid=missing, best_bid_quantity=missing))
    assert isinstance(event, Ticker)
    assert (event.bid, event.ask) == (None, "68901.00")


def test_a_bar_before_a_later_one_is_closed() -> None:
    wire = connection("bar_5m")
    closed, running = wire.parse(candles(0, 1775522100, 1775521800))
    assert closed == Bar(
        *(EXCHANGE, PRODUCT, NS, 7, "5m", 1_775_521_800_000_000_000, "68900.00", "68950.00", "68850.00", "68920.50"),
        *("42.15000000", True),
    )
    assert isinstance(running, Bar)
    assert (running.start_ns, running.closed) == (1_775_522_100_000_000_000, False)
    for start in ("-5", "x", str(2**33)):
        message = msgspec.json.encode(candles(1)).replace(b"1775521800", start.encode())
        with pytest.raises(msgspec.ValidationError):
            wire.parse(message)
