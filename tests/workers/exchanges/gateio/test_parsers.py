from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import (
    Bar,
    BookSnapshot,
    Funding,
    Liquidation,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.adapter import Acknowledged, Adapter
from foxtrot_workers.exchanges.gateio.adapter import Gateio
from foxtrot_workers.exchanges.gateio.variants import GateioFutures
from tests.workers.exchanges.driven import RECEIVE_NS as NS
from tests.workers.exchanges.driven import Driven
from tests.workers.exchanges.gateio.samples import (
    CANDLE,
    FUTURES_CANDLE,
    FUTURES_QUOTE,
    FUTURES_TICKER,
    FUTURES_TRADE,
    LIQUIDATION,
    OBU,
    PARTIAL,
    QUOTE,
    TICKER,
    TRADE,
)

FUTURES = "GATEIO_FUTURES"
TICKER_NS = 1648771200123_000000


@pytest.mark.parametrize(
    ("adapter_class", "frame", "events"),
    [
        (
            Gateio,
            TRADE,
            [Trade("GATEIO", "NEO_BTC", 1619093546958116000, NS, "0.0018735000", "0.5000000000", "buy", "816995970")],
        ),
        (
            Gateio,
            QUOTE,
            [
                Quote(
                    "GATEIO",
                    "BTC_USDT",
                    1606293275123_000000,
                    NS,
                    "19177.79",
                    "0.0003341504",
                    "19179.38",
                    "0.09",
                    "48733182",
                )
            ],
        ),
        (
            Gateio,
            TICKER,
            [
                Ticker(
                    "GATEIO",
                    "NEO_BTC",
                    1619093533_000000000,
                    NS,
                    "0.0018716",
                    None,
                    "0.0018754",
                    "0.0017148",
                    "1138.01640718",
                    "2.048263365803126",
                    "0.0018697",
                    None,
                    "0.0018734",
                    None,
                )
            ],
        ),
        (
            Gateio,
            CANDLE,
            [
                Bar(
                    "GATEIO",
                    "NEO_BTC",
                    1619093534_000000000,
                    NS,
                    "1m",
                    1619093520_000000000,
                    "0.0018714",
                    "0.0018717",
                    "0.0018715",
                    "0.0018716",
                    "0",
                    False,
                )
            ],
        ),
        (
            Gateio,
            PARTIAL,
            [
                BookSnapshot(
                    "GATEIO",
                    "BTC_USDT",
                    1606295412123_000000,
                    NS,
                    [("19079.55", "0.0195")],
                    [("19080.24", "0.1638")],
                    None,
                    "48791820",
                    None,
                )
            ],
        ),
        (
            Gateio,
            OBU,
            [
                BookSnapshot(
                    "GATEIO",
                    "XRP_USDT",
                    1777275365213_000000,
                    NS,
                    [("1.414", "1397.899")],
                    [("1.415", "17344.926")],
                    None,
                    "9649549324",
                    None,
                )
            ],
        ),
        (
            GateioFutures,
            FUTURES_TRADE,
            [Trade(FUTURES, "BTC_USD", 1545136464123_000000, NS, "96.4", "108", "sell", "27753479")],
        ),
        (
            GateioFutures,
            FUTURES_QUOTE,
            [Quote(FUTURES, "RDNT_USDT", 1684930165960_000000, NS, "0.2972", "5383", "0.2976", "8456", "203083200")],
        ),
        (
            GateioFutures,
            FUTURES_TICKER,
            [
                Ticker(FUTURES, "BTC_USDT", TICKER_NS, NS, "118.4", None, None, None, None, None),
                Funding(FUTURES, "BTC_USDT", TICKER_NS, NS, "-0.000114", 0),
                MarkPrice(FUTURES, "BTC_USDT", TICKER_NS, NS, "118.35"),
                OpenInterest(FUTURES, "BTC_USDT", TICKER_NS, NS, "73648"),
            ],
        ),
        (
            GateioFutures,
            FUTURES_CANDLE,
            [
                Bar(
                    FUTURES,
                    "BTC_USD",
                    1542162490123_000000,
                    NS,
                    "1m",
                    1545129300_000000000,
                    "94.3",
                    "96.9",
                    "89.5",
                    "95.4",
                    "27525555",
                    False,
                ),
                Bar(
                    FUTURES,
                    "BTC_USD",
                    1542162490123_000000,
                    NS,
                    "1m",
                    1545129240_000000000,
                    "94",
                    "96",
                    "89",
                    "95",
                    "7",
                    True,
                ),
            ],
        ),
        (
            GateioFutures,
            LIQUIDATION,
            [Liquidation(FUTURES, "BTC_USD", 1541486601123_000000, NS, "sell", "215.1", "124")],
        ),
    ],
)
def test_each_message(adapter_class: type[Adapter], frame: str, events: list[MarketEvent[str]]) -> None:
    wire = Driven(adapter_class, adopt=True)
    assert wire.parse(frame) == events
    assert wire.parse(msgspec.json.format(frame, indent=-1)) == events, "without white space"
    head, _, tail = msgspec.json.format(frame, indent=-1).partition('"event":"update",')
    if tail:
        assert wire.parse(f'{head[:1]}"event":"update",{head[1:]}{tail}') == events, "in another order"


def test_bars_of_spot_have_volumes_in_base_units_where_they_are_sent() -> None:
    frame = CANDLE.replace('"v": "0"', '"v": "12.3", "a": "4.5", "w": true')
    (bar,) = Driven(Gateio, adopt=True).parse(frame)
    assert isinstance(bar, Bar)
    assert (bar.volume, bar.closed) == ("4.5", True)


@pytest.mark.parametrize(("price", "size"), [('""', "0"), ('"0"', '"0"'), ('"0.2972"', "0"), ("null", "null")])
def test_empty_sides_of_a_quote_are_none(price: str, size: str) -> None:
    frame = FUTURES_QUOTE.replace('"b": "0.2972", "B": 5383', f'"b": {price}, "B": {size}')
    (quote,) = Driven(GateioFutures, adopt=True).parse(frame)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, "0.2976")


def test_a_frame_with_one_bad_row_makes_no_events() -> None:
    wire = Driven(GateioFutures, ["trade"], ["BTC_USD"])
    good = FUTURES_TRADE.partition('"result": [')[2].removesuffix("]}")
    out: list[MarketEvent[str]] = []
    frame = FUTURES_TRADE.replace(good, f"{good}, {good.replace('1545136464123', '[]')}")
    with pytest.raises(msgspec.ValidationError):
        wire.adapter.parse(frame.encode(), NS, out)
    assert out == []
    assert wire.adapter.last_data_ns == {}


@pytest.mark.parametrize(("adapter_class", "frame"), [(Gateio, TRADE), (GateioFutures, FUTURES_TRADE)])
def test_trades_of_one_frame_are_published_in_their_order(adapter_class: type[Adapter], frame: str) -> None:
    document = msgspec.json.decode(frame)
    row = document["result"] if adapter_class is Gateio else document["result"][0]
    document["result"] = [{**row, "id": number} for number in (9, 8, 10)]
    trades = Driven(adapter_class, adopt=True).parse(document)
    assert [trade.trade_id for trade in trades if isinstance(trade, Trade)] == ["8", "9", "10"]


def test_a_ticker_publishes_the_channels_that_were_subscribed() -> None:
    wire = Driven(GateioFutures, ["mark_price"], ["BTC_USDT"])
    assert [type(event) for event in wire.parse(FUTURES_TICKER)] == [MarkPrice]
    assert wire.adapter.last_data_ns == {"futures.tickers:BTC_USDT#mark_price": NS}
    wire.adapter.subscribe(wire.adapter.topics(["ticker", "open_interest"], ["BTC_USDT"]))
    assert [type(event) for event in wire.parse(FUTURES_TICKER)] == [Ticker, MarkPrice, OpenInterest]
    assert wire.adapter.unsubscribe(wire.topics) == []
    assert wire.take_notices() == [Acknowledged(("futures.tickers:BTC_USDT#mark_price",), subscribed=False)]
    assert [type(event) for event in wire.parse(FUTURES_TICKER)] == [Ticker, OpenInterest]
