from __future__ import annotations

from foxtrot_protocol.events import Bar, Funding, Liquidation, MarkPrice, OpenInterest, Trade
from foxtrot_workers.exchanges.dydx.adapter import Dydx
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.dydx.samples import (
    CANDLE,
    MARKETS,
    ORACLE_PRICES,
    PAST_TRADES,
    TRADES,
    TRADING,
    numbered,
)

HEAD = ("DYDX", "BTC-USD")
TRADE_NS = 1724371257_627_000_000
MINUTE_NS = 60_000_000_000
BAR_NS = 1704067260_000_000_000


def subscribed(*channels: str, symbol: str = "BTC-USD") -> Driven[Dydx]:
    return Driven(Dydx, channels, [symbol])


def test_a_trade() -> None:
    assert subscribed("trade").parse(TRADES) == [
        Trade(*HEAD, TRADE_NS, RECEIVE_NS, "60392", "0.0001", "buy", "0165e6170000000200000002")
    ]


def test_trades_may_come_in_batches() -> None:
    head, _, contents = TRADES.partition('"contents":')
    batch = f'{head.replace("channel_data", "channel_batch_data")}"contents":[{contents[:-1]},{contents[:-1]}]}}'
    assert len(subscribed("trade").parse(batch)) == 2


def test_past_trades_come_in_their_order() -> None:
    assert [getattr(event, "trade_id", "") for event in subscribed("trade").parse(PAST_TRADES)] == ["a", "b"]


def test_a_liquidation_is_a_trade_of_its_type() -> None:
    frame = TRADES.replace("LIMIT", "LIQUIDATED")
    liquidation = Liquidation(*HEAD, TRADE_NS, RECEIVE_NS, "buy", "60392", "0.0001")
    assert subscribed("liquidation").parse(frame) == [liquidation]
    assert [type(event) for event in subscribed("trade", "liquidation").parse(frame)] == [Trade, Liquidation]
    wire = subscribed("liquidation")
    for kind in ("LIMIT", "DELEVERAGED", "MARKET", "NEW"):
        assert wire.parse(TRADES.replace("LIMIT", kind)) == []
    assert wire.adapter.last_data_ns == {"v4_trades:BTC-USD#liquidation": RECEIVE_NS}


def test_trades_of_version_3_have_no_identifier() -> None:
    frame = TRADES.replace("v4_trades", "v3_trades").replace('"id":"0165e6170000000200000002",', "")
    wire = Driven(Dydx, adopt=True)
    assert wire.parse(frame) == [Trade(*HEAD, TRADE_NS, RECEIVE_NS, "60392", "0.0001", "buy", "")]
    liquidated = numbered(frame, 5).replace('"type":"LIMIT"', '"liquidation":true')
    assert [type(event) for event in wire.parse(liquidated)] == [Trade, Liquidation]


def test_figures_of_the_markets_that_were_subscribed() -> None:
    wire = subscribed("funding", "mark_price", "open_interest")
    assert wire.parse(MARKETS) == [
        Funding(*HEAD, 0, RECEIVE_NS, "0.0001", 0),
        MarkPrice(*HEAD, 0, RECEIVE_NS, "43250.00"),
        OpenInterest(*HEAD, 0, RECEIVE_NS, "987654321.0"),
    ]
    assert wire.parse(numbered(ORACLE_PRICES, 2)) == [MarkPrice(*HEAD, BAR_NS, RECEIVE_NS, "43300.00")]
    assert wire.parse(numbered(TRADING, 3)) == []
    for number, frame in enumerate((MARKETS, ORACLE_PRICES), 4):
        assert wire.parse(numbered(frame, number).replace('"BTC-USD"', '"B/C"')) == [], "no symbol"
    other = subscribed("funding", "open_interest", symbol="ETH-USD")
    assert other.parse(TRADING) == [
        Funding("DYDX", "ETH-USD", 0, RECEIVE_NS, "0.00008", 0),
        OpenInterest("DYDX", "ETH-USD", 0, RECEIVE_NS, "123.4"),
    ]
    assert set(other.adapter.last_data_ns) == {"v4_markets#funding/ETH-USD", "v4_markets#open_interest/ETH-USD"}


def test_markets_of_version_3_change_without_a_name_around_them() -> None:
    frame = TRADING.replace("v4_markets", "v3_markets").replace('{"trading":', "").replace("}}}}", "}}}")
    row = '"nextFundingRate":"0.00008","nextFundingAt":"2024-01-01T00:01:00.000Z"'
    frame = frame.replace('"nextFundingRate":"0.00008"', row)
    assert Driven(Dydx, adopt=True).parse(frame) == [
        Funding("DYDX", "ETH-USD", 0, RECEIVE_NS, "0.00008", BAR_NS),
        OpenInterest("DYDX", "ETH-USD", 0, RECEIVE_NS, "123.4"),
    ]


def bar(start_ns: int, close: str = "43550.0", *, closed: bool) -> Bar[str]:
    return Bar(*HEAD, 0, RECEIVE_NS, "1m", start_ns, "43400.0", "43600.0", "43350.0", close, "8.765", closed=closed)


def test_the_next_bar_closes_the_one_before() -> None:
    wire = subscribed("bar_1m")
    assert wire.parse(CANDLE) == [bar(BAR_NS, closed=False)]
    later = numbered(CANDLE, 8).replace("T00:01:00", "T00:02:00")
    assert wire.parse(later) == [bar(BAR_NS, closed=True), bar(BAR_NS + MINUTE_NS, closed=False)]
    assert wire.parse(numbered(CANDLE, 9)) == [bar(BAR_NS, closed=False)], "an older bar closes nothing"


def test_past_bars_come_in_their_order() -> None:
    head, _, contents = CANDLE.partition('"contents":')
    row = contents[:-1]
    rows = ",".join([row.replace("T00:01:00", "T00:02:00"), row])
    frame = f'{head.replace("channel_data", "subscribed")}"contents":{{"candles":[{rows}]}}}}'
    assert subscribed("bar_1m").parse(frame) == [
        bar(BAR_NS, closed=False),
        bar(BAR_NS, closed=True),
        bar(BAR_NS + MINUTE_NS, closed=False),
    ]
