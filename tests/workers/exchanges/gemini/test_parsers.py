from __future__ import annotations

import pytest

from foxtrot_protocol.events import Quote, Trade
from tests.workers.exchanges.gemini.samples import NS, SYMBOL, connection, quote, trade


def test_a_trade() -> None:
    wire = connection("trade")
    (event,) = wire.parse(trade())
    assert event == Trade("GEMINI", SYMBOL, NS, 7, "45000.50", "0.10000000", "buy", "123456789")
    (event,) = wire.parse(trade(m=True))
    assert isinstance(event, Trade)
    assert event.side == "sell"
    assert wire.adapter.last_data_ns == {"btcusd@trade": 7}


def test_a_quote() -> None:
    (event,) = connection("quote").parse(quote())
    assert event == Quote("GEMINI", SYMBOL, NS, 7, "45000.50", "1.25000000", "45001.00", "0.75000000", "1751505576085")


@pytest.mark.parametrize(("bid", "size"), [("", ""), ("0", "0"), ("1", "0.000")])
def test_an_empty_side_of_a_quote(bid: str, size: str) -> None:
    (event,) = connection("quote").parse(quote(b=bid, B=size))
    assert isinstance(event, Quote)
    assert (event.bid, event.bid_size, event.ask) == (None, None, "45001.00")
