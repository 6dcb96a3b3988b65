"""What every exchange's publisher keeps: the market decides, subscriptions change nothing."""

from __future__ import annotations

import pytest

from foxtrot_workers.simulator.market.publisher import EVERY_STREAM, Message
from foxtrot_workers.simulator.venues.catalog import make_venue
from foxtrot_workers.simulator.venues.options import ExchangeName
from tests.support.simulated_market import SimulatedMarket

NAMES: list[ExchangeName] = ["binance", "okx", "bybit", "coinbase", "kraken"]


def simulated(name: ExchangeName, seed: int = 3) -> SimulatedMarket:
    venue = make_venue(name)
    if name == "bybit":
        venue.session("/v5/public/spot", "")
        venue.session("/v5/public/linear", "")
    return SimulatedMarket(venue, seed=seed)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_messages(name: ExchangeName) -> None:
    runs = []
    for seed in (3, 3, 4):
        one = simulated(name, seed)
        first = one.subscribe(*one.venue.publisher.streams())
        runs.append(first + one.drive(300))
    assert runs[0] == runs[1] != runs[2]
    assert {type(message) for message in runs[0]} == {Message}


@pytest.mark.parametrize("name", NAMES)
def test_every_stream_that_is_offered_is_published(name: ExchangeName) -> None:
    one = simulated(name)
    streams = [stream for stream in one.venue.publisher.streams() if not stream.startswith("inverse/")]
    welcomed = {message.stream.removesuffix(" snapshot") for message in one.subscribe(*streams)}
    sent = {message.stream for message in one.drive(2_000, step_ms=70) if message.payload}
    running = {stream for stream in streams if stream.endswith(("_1w", "_1M")) or "D." in stream or "utc" in stream}
    assert set(streams) - welcomed - sent - running == set()


@pytest.mark.parametrize("name", NAMES)
def test_who_listens_changes_neither_the_market_nor_the_trades(name: ExchangeName) -> None:
    everything, nothing = simulated(name), simulated(name)
    everything.subscribe(*everything.venue.publisher.streams())
    nothing.venue.publisher.wanted = frozenset()
    for _ in range(500):
        everything.now_ms += 7
        nothing.now_ms += 7
        both = [one.market.advance(one.now_ms) + one.market.act(one.now_ms) for one in (everything, nothing)]
        numbered = [[m for m in messages if m.stream in trade_streams(name)] for messages in both]
        assert [(m.stream, m.first_id, m.last_id) for m in numbered[0]] == [
            (m.stream, m.first_id, m.last_id) for m in numbered[1]
        ]
        assert all(m.payload for m in numbered[0])
        assert not any(m.payload for m in both[1])
    assert everything.state().book.bid_sizes == nothing.state().book.bid_sizes


def trade_streams(name: ExchangeName) -> set[str]:
    return {
        "binance": {"btcusdt@trade", "ethusdt@trade"},
        "okx": {"channel=trades/instId=BTC-USDT"},
        "bybit": {"spot/publicTrade.BTCUSDT", "linear/publicTrade.ETHUSDT"},
        "coinbase": {"matches:BTC-USDT"},
        "kraken": {"trade/BTC/USDT"},
    }[name]


def test_everything_is_wanted_at_first() -> None:
    assert "anything" in EVERY_STREAM
    assert make_venue("okx").publisher.wanted is EVERY_STREAM
