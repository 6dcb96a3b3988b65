from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import Funding, Liquidation, MarkPrice, OpenInterest, Ticker, Trade
from tests.workers.exchanges.kraken_futures.samples import (
    NS,
    PRODUCT,
    connection,
    ticker,
    ticker_lite,
    trade,
    trade_row,
    trades,
)

EXCHANGE = "KRAKEN_FUTURES"


def test_a_trade_is_named_by_its_uid() -> None:
    wire = connection("trade")
    (event,) = wire.parse(trade())
    assert event == Trade(EXCHANGE, PRODUCT, NS, 7, "34969.50", "15000", "sell", "05af78ac")
    assert wire.adapter.last_data_ns == {"trade:PI_XBTUSD": 7}
    with pytest.raises(msgspec.ValidationError):
        wire.parse(trade().replace(b'"side":"sell",', b""))


def test_past_trades_are_published_oldest_first() -> None:
    events = connection("trade").parse(trades(trade_row(2, "b"), trade_row(1, "a")))
    assert [event.trade_id for event in events if isinstance(event, Trade)] == ["a", "b"]
    assert connection("trade").parse(trades()) == []


def test_a_liquidation_is_a_trade_too() -> None:
    wire = connection("trade", "liquidation")
    traded, liquidated = wire.parse(trade("liquidation"))
    assert isinstance(traded, Trade)
    assert liquidated == Liquidation(EXCHANGE, PRODUCT, NS, 7, "sell", "34969.50", "15000")
    assert len(wire.parse(trade())) == 1
    assert connection("liquidation").parse(trade()) == []


def test_a_ticker_and_what_it_carries() -> None:
    wire = connection("ticker", "funding", "mark_price", "open_interest")
    events = wire.parse(ticker())
    assert events == [
        Ticker(
            *(EXCHANGE, PRODUCT, NS, 7, "21983.5", "21968.5", "22123.0", "21456.0", "31403908.0", "31403909.0"),
            *("21978.5", "2536.0", "21987.0", "13948.0"),
        ),
        Funding(EXCHANGE, PRODUCT, NS, 7, "-1.380384722222e-6", 1_676_394_000_000_000_000),
        MarkPrice(EXCHANGE, PRODUCT, NS, 7, "21979.68641534714"),
        OpenInterest(EXCHANGE, PRODUCT, NS, 7, "30072580.0"),
    ]


def test_a_dated_contract_has_no_funding() -> None:
    wire = connection("funding")
    assert wire.parse(ticker(funding_rate="", relative_funding_rate="", next_funding_rate_time="0")) == []
    assert wire.adapter.last_data_ns == {}
    (event,) = wire.parse(ticker(relative_funding_rate="null", next_funding_rate_time=""))
    assert isinstance(event, Funding)
    assert (event.rate, event.next_ns) == ("-6.2604214e-11", 0)


@pytest.mark.parametrize("missing", ["null", "0.0", ""])
def test_an_empty_side_of_a_ticker(missing: str) -> None:
    (event,) = connection("ticker").parse(ticker(bid=missing, bid_size=missing))
    assert isinstance(event, Ticker)
    assert (event.bid, event.ask) == (None, "21987.0")


def test_a_small_ticker_has_neither_sizes_nor_time() -> None:
    (event,) = connection("ticker_lite").parse(ticker_lite())
    assert isinstance(event, Ticker)
    assert (event.exchange_ns, event.bid, event.bid_size, event.ask, event.volume) == (
        0,
        "439.3",
        None,
        "439.60",
        "3413476.0",
    )
