from __future__ import annotations

from foxtrot_protocol.events import Funding, Trade
from foxtrot_workers.exchanges.bitstamp.adapter import Bitstamp
from foxtrot_workers.exchanges.bitstamp.parsers import channel_of
from tests.workers.exchanges.bitstamp.samples import FUNDING, TRADE
from tests.workers.exchanges.driven import RECEIVE_NS, Driven


def test_a_trade_has_the_digits_of_its_texts() -> None:
    time_ns = 1641343699596000_000
    trade = Trade("BITSTAMP", "ethusd", time_ns, RECEIVE_NS, "3805.44", "0.07920000", "buy", "216000477")
    wire = Driven(Bitstamp, ["trade"], ["ethusd"])
    assert wire.parse(TRADE) == [trade]
    [sell] = wire.parse(TRADE.replace('"type": 0', '"type": 1'))
    assert isinstance(sell, Trade)
    assert sell.side == "sell"


def test_an_older_trade_has_numbers_and_seconds_only() -> None:
    older = TRADE.replace('"amount_str"', '"x"').replace('"price_str"', '"y"').replace('"microtimestamp"', '"z"')
    [trade] = Driven(Bitstamp, ["trade"], ["ethusd"]).parse(older)
    assert isinstance(trade, Trade)
    assert (trade.price, trade.size, trade.exchange_ns) == ("3805.44", "0.0792", 1641343699_000_000_000)


def test_funding_has_its_due_time() -> None:
    funding = Funding("BITSTAMP", "btcusd-perp", 1644406050_000_000_000, RECEIVE_NS, "0.0024", 1644409650_000_000_000)
    assert Driven(Bitstamp, ["funding"], ["btcusd-perp"]).parse(FUNDING) == [funding]


def test_a_wire_name_is_a_channel_and_a_market() -> None:
    assert channel_of("diff_order_book_btcusd") == ("book", "btcusd")
    assert channel_of("order_book_btcusd-perp") == ("book100", "btcusd-perp")
    assert channel_of("detail_order_book_btcusd") == ("", "")
    assert channel_of("live_trades_") == ("", "")
