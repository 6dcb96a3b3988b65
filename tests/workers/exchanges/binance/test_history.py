from __future__ import annotations

import msgspec
import pytest

from foxtrot_protocol.events import (
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    Trade,
)
from foxtrot_workers.exchanges.binance.adapter import Binance
from tests.workers.exchanges.binance.subscribed import Subscribed
from tests.workers.exchanges.samples import (
    MS,
    binance_past_agg_trade,
    binance_past_trade,
)


@pytest.mark.parametrize(
    ("channel", "first", "last", "path", "weight"),
    [
        ("trade", 7, 7, "/api/v3/historicalTrades?symbol=BNBBTC&fromId=7&limit=2", 25),
        ("trade", 7, 9_999, "/api/v3/historicalTrades?symbol=BNBBTC&fromId=7&limit=1000", 25),
        ("agg_trade", 7, 9, "/api/v3/aggTrades?symbol=BNBBTC&fromId=7&limit=4", 4),
    ],
)
def test_past_trades_are_requested_by_id(channel: str, first: int, last: int, path: str, weight: int) -> None:
    adapter = Subscribed(channel).adapter
    request = adapter.backfill_request("BNBBTC", EVENT_MARKET_TRADE, first, last)
    assert request is not None
    assert (request.path, request.weight) == (path, weight)
    assert adapter.backfill_request("BNBBTC", EVENT_BOOK, first, last) is None
    assert adapter.backfill_request("ETHBTC", EVENT_MARKET_TRADE, first, last) is None


def test_past_trades_equal_those_of_the_stream() -> None:
    body = msgspec.json.encode([binance_past_trade(5), binance_past_trade(6, isBuyerMaker=False)])
    path = "/api/v3/historicalTrades?symbol=BNBBTC&fromId=5&limit=2"
    assert Binance().on_backfill(path, body, 7) == [
        Trade("BINANCE", "BNBBTC", MS * 1_000_000, 7, "4.00000100", "12.00000000", side, str(number))
        for side, number in (("sell", 5), ("buy", 6))
    ]
    body = msgspec.json.encode([binance_past_agg_trade(5)])
    assert Binance().on_backfill("/api/v3/aggTrades?symbol=BNBBTC&fromId=5&limit=2", body, 7) == [
        Trade("BINANCE", "BNBBTC", MS * 1_000_000, 7, "0.01633102", "4.70443515", "buy", "5")
    ]


def test_past_trades_are_in_milliseconds_whatever_unit_the_stream_has() -> None:
    adapter = Binance()
    adapter.address("wss://stream.binance.com:9443/stream?timeUnit=MICROSECOND")
    (trade,) = adapter.on_backfill("/historicalTrades?symbol=A", msgspec.json.encode([binance_past_trade(5)]), 7)
    assert trade.exchange_ns == MS * 1_000_000


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[" * 100_000, b'[{"id":-1}]', b'"\xff"', msgspec.json.encode([binance_past_trade(2**63)])]
)
@pytest.mark.parametrize("name", ["historicalTrades", "aggTrades"])
def test_an_unreadable_page_of_past_trades_is_a_decode_error(name: str, body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        Binance().on_backfill(f"/api/v3/{name}?symbol=BNBBTC", body, 7)
