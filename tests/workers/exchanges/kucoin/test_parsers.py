from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import Bar, BookSnapshot, Funding, MarketEvent, MarkPrice, Quote, Ticker, Trade
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.exchanges.kucoin.adapter import Kucoin
from foxtrot_workers.exchanges.kucoin.variants import KucoinFutures
from tests.workers.exchanges.driven import RECEIVE_NS as NS
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.kucoin.samples import (
    CANDLES,
    CONTRACT_TICKER,
    DEPTH5,
    EXECUTION,
    FUNDING,
    FUTURES_DEPTH5,
    FUTURES_MARK,
    LEVEL1,
    LIMIT_CANDLE,
    MARK,
    MATCH,
    QUOTE_V2,
    TICKER,
)

NONE = (None, None, None, None, None)


@pytest.mark.parametrize(
    ("adapter_class", "frame", "event"),
    [
        (
            Kucoin,
            MATCH,
            Trade(
                "KUCOIN",
                "DAPPT-BTC",
                1619378327739050725,
                NS,
                "0.0000001117",
                "81.8814",
                "buy",
                "6085c09769bc506996295e36",
            ),
        ),
        (
            Kucoin,
            LEVEL1,
            Quote("KUCOIN", "BTC-USDT", 1729816058766_000000, NS, "68145.7", "1.29267802", "68145.8", "0.51987471", ""),
        ),
        (
            Kucoin,
            DEPTH5,
            BookSnapshot(
                "KUCOIN",
                "BTC-USDT",
                1729822226746_000000,
                NS,
                [("67996.6", "0.37969491")],
                [("67996.7", "1.14213262"), ("67996.8", "0.21748212")],
                None,
                None,
                None,
            ),
        ),
        (
            Kucoin,
            TICKER,
            Ticker(
                "KUCOIN",
                "SNX-BTC",
                1619378326323_000000,
                NS,
                "0.00028676",
                *NONE,
                "0.00028678",
                "3.70422021",
                "0.00028717",
                "14.04274325",
            ),
        ),
        (
            Kucoin,
            CANDLES,
            Bar(
                "KUCOIN",
                "DAPPT-BTC",
                1619378332805085744,
                NS,
                "1m",
                1619378280_000000000,
                "0.0000001117",
                "0.0000001126",
                "0.0000001117",
                "0.0000001126",
                "3799.1984",
                False,
            ),
        ),
        (Kucoin, MARK, MarkPrice("KUCOIN", "USDT-BTC", 1551770400000_000000, NS, "1.61E-5")),
        (
            KucoinFutures,
            EXECUTION,
            Trade("KUCOIN_FUTURES", "COMPUSDTM", 1705708799996000000, NS, "57.75", "102", "buy", "1694749771273"),
        ),
        (
            KucoinFutures,
            QUOTE_V2,
            Quote(
                "KUCOIN_FUTURES",
                "BCHUSDTM",
                1705708800078000000,
                NS,
                "236.76",
                "480",
                "236.77",
                "126",
                "1695158749093",
            ),
        ),
        (
            KucoinFutures,
            CONTRACT_TICKER,
            Ticker(
                "KUCOIN_FUTURES",
                "XBTUSDTM",
                1729163001780000000,
                NS,
                "67969.8",
                *NONE,
                "67969.7",
                "1283",
                "67969.8",
                "4",
            ),
        ),
        (
            KucoinFutures,
            LIMIT_CANDLE,
            Bar(
                "KUCOIN_FUTURES",
                "XBTUSDTM",
                1729842192785_000000,
                NS,
                "1m",
                1729839600_000000000,
                "67644.9",
                "67724.8",
                "67243.8",
                "67437.6",
                "44849",
                False,
            ),
        ),
        (
            KucoinFutures,
            FUTURES_DEPTH5,
            BookSnapshot(
                "KUCOIN_FUTURES",
                "XBTUSDTM",
                1731680019100_000000,
                NS,
                [("89720.9", "513")],
                [("89721", "906")],
                None,
                "1709294490099",
                None,
            ),
        ),
        (KucoinFutures, FUTURES_MARK, MarkPrice("KUCOIN_FUTURES", "XAIUSDTM", 1705881600000_000000, NS, "0.80694")),
        (KucoinFutures, FUNDING, Funding("KUCOIN_FUTURES", "BAKEUSDTM", 1705982400000_000000, NS, "0.000105", 0)),
    ],
)
def test_each_message(adapter_class: type[Adapter], frame: str, event: MarketEvent[str]) -> None:
    wire = Driven(adapter_class, adopt=True)
    assert wire.parse(frame) == [event]
    assert wire.parse(msgspec.json.format(frame, indent=-1)) == [event], "without white space"


def test_empty_sides_of_a_quote_are_none() -> None:
    wire = Driven(Kucoin, adopt=True)
    (quote,) = wire.parse(LEVEL1.replace('"asks":["68145.8","0.51987471"]', '"asks":[]'))
    assert isinstance(quote, Quote)
    assert (quote.ask, quote.ask_size) == (None, None)
    (quote,) = wire.parse(LEVEL1.replace('["68145.7","1.29267802"]', '["0","0"]'))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size) == (None, None)
    futures = Driven(KucoinFutures, adopt=True)
    (quote,) = futures.parse(QUOTE_V2.replace('"236.76"', '"0"').replace('"236.77"', "0"))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (None, None, None, None)


def test_a_ticker_of_all_symbols_names_its_own() -> None:
    frame = TICKER.replace("ticker:SNX-BTC", "ticker:all").replace("trade.ticker", "SNX-BTC")
    (ticker,) = Driven(Kucoin, adopt=True).parse(frame)
    assert ticker.symbol == "SNX-BTC"


@pytest.mark.parametrize(
    "candles",
    [
        "[]",
        '["1","2","3","4","5"]',
        '["x","1","1","1","1","1"]',
        '["99999999999","1","1","1","1","1"]',
        "[1,2,3,4,5,{}]",
    ],
)
def test_an_invalid_bar_is_refused(candles: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        Driven(Kucoin, adopt=True).parse(
            b'{"topic":"/market/candles:A-B_1min","data":{"candles":%b}}' % candles.encode()
        )
    late = '{"topic":"/contractMarket/limitCandle:A_1min","data":{"candles":["1","1","1","1","1","1"],"time":%d}}'
    with pytest.raises(msgspec.ValidationError):
        Driven(KucoinFutures, adopt=True).parse(late % (2**62))


def test_a_topic_with_two_channels_publishes_what_was_subscribed() -> None:
    wire = Driven(KucoinFutures, ["mark_price"], ["XAIUSDTM"])
    funding = FUNDING.replace("BAKEUSDTM", "XAIUSDTM")
    assert [type(event) for event in wire.parse(FUTURES_MARK)] == [MarkPrice]
    assert wire.parse(funding) == []
    wire.adapter.subscribe(wire.adapter.topics(["funding"], ["XAIUSDTM"]))
    assert [type(event) for event in wire.parse(funding)] == [Funding]
    assert [type(event) for event in wire.parse(FUTURES_MARK)] == [MarkPrice]
    assert wire.adapter.last_data_ns.keys() == {
        "/contract/instrument:XAIUSDTM",
        "/contract/instrument:XAIUSDTM#funding",
    }
    assert wire.adapter.unsubscribe(wire.topics) == [], "the other channel needs the topic"
    assert wire.parse(FUTURES_MARK) == []
    assert [type(event) for event in wire.parse(funding)] == [Funding]
