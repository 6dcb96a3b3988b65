from __future__ import annotations

import pytest

from foxtrot_protocol.events import (
    Bar,
    BookSnapshot,
    Funding,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_workers.exchanges.hyperliquid.adapter import Hyperliquid
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.hyperliquid.samples import BBO, BOOK, CANDLE, CONTEXT, SPOT_CONTEXT, TRADES

BOOK_NS = 1710131872708_000_000
HEAD = ("HYPERLIQUID", "BTC")


def subscribed(*channels: str) -> Driven[Hyperliquid]:
    return Driven(Hyperliquid, channels, ["BTC"])


@pytest.mark.parametrize(("side", "taker"), [("A", "sell"), ("B", "buy")])
def test_a_trade_has_the_side_of_its_taker(side: str, taker: str) -> None:
    (trade,) = subscribed("trade").parse(TRADES.replace('"A"', f'"{side}"'))
    assert isinstance(trade, Trade)
    assert (trade.side, trade.price, trade.size, trade.trade_id) == (taker, "68517.0", "0.005", "981894269203506")
    assert trade.exchange_ns == 1710125266669_000_000


def test_an_identifier_past_64_bits_stays_whole() -> None:
    (trade,) = subscribed("trade").parse(TRADES.replace("981894269203506", "9" * 30))
    assert isinstance(trade, Trade)
    assert trade.trade_id == "9" * 30


def test_an_empty_side_of_a_quote() -> None:
    assert subscribed("quote").parse(BBO) == [Quote(*HEAD, BOOK_NS, RECEIVE_NS, "68674.0", "0.97139", None, None, "")]


def test_every_message_is_a_full_book() -> None:
    assert subscribed("book").parse(BOOK) == [
        BookSnapshot(*HEAD, BOOK_NS, RECEIVE_NS, [("68674.0", "0.97139")], [("68675.0", "0.04396")], None, None, None)
    ]


def test_the_context_of_a_perpetual() -> None:
    assert subscribed("ticker", "funding", "mark_price", "open_interest").parse(CONTEXT) == [
        Ticker(*HEAD, 0, RECEIVE_NS, None, "15.322", None, None, None, "1169046.29406"),
        Funding(*HEAD, 0, RECEIVE_NS, "0.0000125", 0),
        MarkPrice(*HEAD, 0, RECEIVE_NS, "14.3161"),
        OpenInterest(*HEAD, 0, RECEIVE_NS, "688.11"),
    ]


def test_the_context_of_a_spot_coin_has_no_funding() -> None:
    wire = Driven(Hyperliquid, ["ticker", "funding", "mark_price", "open_interest"], ["PURR/USDC"])
    for _ in range(2):
        assert [type(event) for event in wire.parse(SPOT_CONTEXT)] == [Ticker, MarkPrice]
    assert len(wire.adapter.last_data_ns) == 4


def test_the_next_bar_closes_the_one_before() -> None:
    wire = subscribed("bar_1m")
    minute_ns = 60_000_000_000
    start_ns = 1681923600000_000_000

    def bar(start: int, close: str, received_ns: int, *, closed: bool) -> Bar[str]:
        return Bar(*HEAD, 0, received_ns, "1m", start, "29195.0", "29196.0", "29190.0", close, "4.5", closed=closed)

    later = CANDLE.replace("1681923600000", "1681923660000").replace("29192.0", "29193.0")
    assert wire.parse(CANDLE) == [bar(start_ns, "29192.0", RECEIVE_NS, closed=False)]
    assert wire.parse(CANDLE) == [bar(start_ns, "29192.0", RECEIVE_NS, closed=False)]
    assert wire.parse(later, RECEIVE_NS + 1) == [
        bar(start_ns, "29192.0", RECEIVE_NS + 1, closed=True),
        bar(start_ns + minute_ns, "29193.0", RECEIVE_NS + 1, closed=False),
    ]
    assert wire.parse(CANDLE) == [bar(start_ns, "29192.0", RECEIVE_NS, closed=False)], "an older bar closes nothing"
    assert len(wire.parse(later)) == 1
