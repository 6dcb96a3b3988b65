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
from foxtrot_workers.adapter import Acknowledged
from foxtrot_workers.exchanges.bitget.adapter import Bitget
from foxtrot_workers.exchanges.bitget.variants import BitgetFutures
from tests.workers.exchanges.bitget.samples import (
    BOOK1,
    CANDLE,
    OLD_CANDLE,
    OLD_MIX_TICKER,
    OLD_TICKER,
    OLD_TRADE,
    TICKER,
    TRADE,
    U_BOOK,
    U_CANDLE,
    U_LIQUIDATION,
    U_TICKER,
    U_TRADE,
)
from tests.workers.exchanges.driven import RECEIVE_NS as NS
from tests.workers.exchanges.driven import Driven

X = "BITGET"
TICKER_NS = 1730332823217_000000
MIX_NS = 1649290077309_000000
U_NS = 1755937421337_000000
MIX = "DASHUSDT_UMCBL"


@pytest.mark.parametrize(
    ("frame", "events"),
    [
        (TRADE, [Trade(X, "OPUSDT", 1730332800983_000000, NS, "1.717", "56.16", "buy", "1235670816495050754")]),
        (
            U_TRADE,
            [Trade(X, "BTCUSDT", 1755937421270_000000, NS, "117000.5", "0.01", "buy", "1235670816495050754")],
        ),
        (OLD_TRADE, [Trade(X, "HOTUSDT", 1649290077777_000000, NS, "0.005613", "890.8", "buy", "")]),
        (
            BOOK1,
            [Quote(X, "BTCUSDT", 1695716059516_000000, NS, "27000.0", "2.710", "27000.5", "8.760", "123")],
        ),
        (
            U_BOOK.replace('"books"', '"books50"'),
            [
                BookSnapshot(
                    X,
                    "BTCUSDT",
                    1755937421270_000000,
                    NS,
                    [("117000.0", "2.710")],
                    [("117000.5", "8.760")],
                    None,
                    "1343064377779269632",
                    None,
                )
            ],
        ),
        (
            CANDLE,
            [
                Bar(
                    X,
                    "BTCUSDT",
                    1695715462250_000000,
                    NS,
                    "1m",
                    1695685500000_000000,
                    "27000",
                    "27000.5",
                    "26999",
                    "27000.4",
                    "0.057",
                    False,
                )
            ],
        ),
        (
            U_CANDLE,
            [
                Bar(
                    X,
                    "BTCUSDT",
                    U_NS,
                    NS,
                    "1m",
                    1755937380000_000000,
                    "117000",
                    "117001",
                    "116999",
                    "117000.5",
                    "0.5",
                    False,
                )
            ],
        ),
        (
            OLD_CANDLE,
            [
                Bar(
                    X,
                    "HOTUSDT",
                    0,
                    NS,
                    "1m",
                    1649290020000_000000,
                    "0.00562",
                    "0.005623",
                    "0.005613",
                    "0.005613",
                    "8587.44",
                    False,
                )
            ],
        ),
        (
            TICKER,
            [
                Ticker(
                    X,
                    "BTCUSD",
                    TICKER_NS,
                    NS,
                    "72331.5",
                    "72047.8",
                    "72934.8",
                    "71422.8",
                    "7543.376",
                    "544799876.924",
                    "72331.5",
                    "7.296",
                    "72331.8",
                    "0.02",
                ),
                Funding(X, "BTCUSD", TICKER_NS, NS, "0.000116", 1730361600000_000000),
                MarkPrice(X, "BTCUSD", TICKER_NS, NS, "72330.1"),
                OpenInterest(X, "BTCUSD", TICKER_NS, NS, "2100.5"),
            ],
        ),
        (
            U_TICKER,
            [
                Ticker(
                    X,
                    "BTCUSDT",
                    U_NS,
                    NS,
                    "117000.5",
                    "116000",
                    "118000",
                    "115000",
                    "1000",
                    "117000000",
                    "117000.4",
                    "1.5",
                    "117000.5",
                    "2.5",
                ),
                Funding(X, "BTCUSDT", U_NS, NS, "0.0001", 1755964800000_000000),
                MarkPrice(X, "BTCUSDT", U_NS, NS, "117001"),
                OpenInterest(X, "BTCUSDT", U_NS, NS, "30000"),
            ],
        ),
        (
            OLD_TICKER,
            [
                Ticker(
                    X,
                    "CULTUSDT",
                    1649290076193_000000,
                    NS,
                    "0.00003511",
                    "0.00004340",
                    "0.00004397",
                    "0.00003500",
                    "13526500963",
                    "557426",
                    "0.000036",
                    None,
                    "0.000036",
                    None,
                )
            ],
        ),
        (
            OLD_MIX_TICKER,
            [
                Ticker(X, MIX, MIX_NS, NS, "113.370", None, None, None, None, None, "113.36", None, "113.41", None),
                Funding(X, MIX, MIX_NS, NS, "-0.000100", 1649314800000_000000),
                MarkPrice(X, MIX, MIX_NS, NS, "113.381"),
                OpenInterest(X, MIX, MIX_NS, NS, "21957.17"),
            ],
        ),
        (U_LIQUIDATION, [Liquidation(X, "BTCUSDT", 1755937421270_000000, NS, "sell", "117000.5", "0.5")]),
    ],
)
def test_each_message(frame: str, events: list[MarketEvent[str]]) -> None:
    wire = Driven(Bitget, adopt=True)
    assert wire.parse(frame) == events
    assert wire.parse(msgspec.json.format(frame, indent=-1)) == events, "without white space"
    document = msgspec.json.decode(frame)
    turned = {key: document[key] for key in reversed(document)}
    turned["arg"] = {key: turned["arg"][key] for key in reversed(turned["arg"])}
    assert wire.parse(msgspec.json.encode(turned)) == events, "in another order"


@pytest.mark.parametrize("frame", [TRADE, U_TRADE, OLD_TRADE, CANDLE, U_CANDLE])
def test_history_before_the_subscription_makes_no_events(frame: str) -> None:
    wire = Driven(Bitget, adopt=True)
    assert wire.parse(frame.replace('"update"', '"snapshot"')) == []
    assert len(wire.adapter.last_data_ns) == 1, "the topic is alive"


def test_trades_of_one_frame_are_published_in_their_order() -> None:
    document = msgspec.json.decode(TRADE)
    (row,) = document["data"]
    document["data"] = [{**row, "tradeId": str(number)} for number in (9, 8, 10)]
    trades = Driven(Bitget, ["trade"], ["OPUSDT"]).parse(document)
    assert [trade.trade_id for trade in trades if isinstance(trade, Trade)] == ["8", "9", "10"]


@pytest.mark.parametrize("bids", ["[]", '[["0","0"]]', '[["27000.0","0.000"]]'])
def test_empty_sides_of_a_quote_are_none(bids: str) -> None:
    (quote,) = Driven(Bitget, adopt=True).parse(BOOK1.replace('[["27000.0","2.710"]]', bids))
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, "27000.5")


def test_an_old_ticker_without_best_prices_makes_no_event() -> None:
    wire = Driven(Bitget, adopt=True)
    assert wire.parse(OLD_TICKER.replace("bestBid", "x").replace("bestAsk", "y")) == []
    assert wire.adapter.last_data_ns == {"SP:ticker:CULTUSDT": NS}


def test_a_ticker_of_v3_keeps_what_an_update_leaves_out() -> None:
    wire = Driven(BitgetFutures, ["ticker"], ["BTCUSDT"])
    wire.parse(U_TICKER)
    document = msgspec.json.decode(U_TICKER)
    (ticker,) = wire.parse({**document, "action": "update", "data": [{"lastPrice": "117002", "bid1Price": "117001"}]})
    assert isinstance(ticker, Ticker)
    assert (ticker.last, ticker.bid, ticker.ask, ticker.open) == ("117002", "117001", "117000.5", "116000")
    (ticker,) = wire.parse({**document, "data": [{"lastPrice": "117003"}]})
    assert isinstance(ticker, Ticker)
    assert (ticker.last, ticker.bid) == ("117003", None), "a snapshot starts from nothing"


def test_a_ticker_publishes_the_channels_that_were_subscribed() -> None:
    wire = Driven(BitgetFutures, ["mark_price"], ["BTCUSDT"])
    assert [type(event) for event in wire.parse(U_TICKER)] == [MarkPrice]
    assert wire.adapter.last_data_ns == {"USDT-FUTURES:ticker:BTCUSDT#mark_price": NS}
    wire.adapter.subscribe(wire.adapter.topics(["ticker", "funding"], ["BTCUSDT"]))
    assert [type(event) for event in wire.parse(U_TICKER)] == [Ticker, Funding, MarkPrice]
    assert wire.adapter.unsubscribe(wire.topics) == []
    assert wire.take_notices() == [Acknowledged(("USDT-FUTURES:ticker:BTCUSDT#mark_price",), subscribed=False)]
    assert [type(event) for event in wire.parse(U_TICKER)] == [Ticker, Funding]


def test_liquidations_of_all_symbols_come_together() -> None:
    wire = Driven(BitgetFutures, ["liquidation"], ["BTCUSDT"])
    assert len(wire.parse(U_LIQUIDATION)) == 1
    assert wire.parse(U_LIQUIDATION.replace("BTCUSDT", "ETHUSDT")) == []
    wire.adapter.subscribe(wire.adapter.topics(["liquidation"], ["ETHUSDT"]))
    assert len(wire.parse(U_LIQUIDATION.replace("BTCUSDT", "ETHUSDT"))) == 1
    assert wire.adapter.last_data_ns.keys() == {
        "USDT-FUTURES:liquidation:#BTCUSDT",
        "USDT-FUTURES:liquidation:#ETHUSDT",
    }
