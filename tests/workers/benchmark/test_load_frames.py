"""Frames for load: what an adapter makes of them, over many repetitions, is a market without a hole."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent, Quote, Trade
from foxtrot_workers.adapter.notices import RestRequest
from foxtrot_workers.benchmark.load_frames import Kind, LoadBlock, PacedTrades, depth_snapshot, primer
from foxtrot_workers.exchanges.binance.adapter import Binance

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
CHANNELS = ["agg_trade", "quote", "book"]


def payloads(data: bytes) -> list[bytes]:
    """The text frames in `data`, by RFC 6455; they must fill it exactly."""
    found = []
    start = 0
    while start < len(data):
        assert data[start] == 0x81, "final, text"
        length, head = data[start + 1], 2
        assert length <= 126, "unmasked, at most 64 KiB"
        if length == 126:
            length, head = int.from_bytes(data[start + 2 : start + 4]), 4
        found.append(data[start + head : start + head + length])
        start += head + length
    assert start == len(data)
    return found


def adapter() -> Binance:
    binance = Binance()
    binance.subscribe(binance.topics(CHANNELS, SYMBOLS))
    return binance


def test_mixed_load_has_its_shares_of_each_kind() -> None:
    block = LoadBlock("mixed", SYMBOLS, 1)
    frames = payloads(bytes(block.repetition(0)))
    assert len(frames) == block.frames_count
    kinds = Counter(frame.split(b"@")[1].split(b'"')[0] for frame in frames)
    assert kinds[b"aggTrade"] == kinds[b"bookTicker"] == 2 * kinds[b"depth"] == 0.4 * len(frames)


def test_frames_are_as_long_as_real_ones() -> None:
    frames = payloads(bytes(LoadBlock("mixed", SYMBOLS, 1).repetition(0)))

    def mean(stream: bytes) -> float:
        sizes = [len(frame) for frame in frames if stream in frame]
        return sum(sizes) / len(sizes)

    assert 180 < mean(b"@aggTrade") < 215
    assert 130 < mean(b"@bookTicker") < 150
    assert 400 < mean(b"@depth") < 500


def test_an_adapter_finds_no_gap_over_repetitions() -> None:
    binance = adapter()
    events: list[MarketEvent[str]] = []
    for symbol in SYMBOLS:
        binance.parse(payloads(primer(symbol))[0], 1, events)
    requests = [notice for notice in binance.notices if isinstance(notice, RestRequest)]
    assert len(requests) == len(SYMBOLS)
    binance.notices.clear()
    for request in requests:
        binance.on_rest(request.path, 200, depth_snapshot(1), 1, events)
    assert [type(event) for event in events] == [BookSnapshot] * len(SYMBOLS), "what primes is published once a symbol"
    events.clear()
    block = LoadBlock("mixed", SYMBOLS, 1)
    for index in range(3):
        for frame in payloads(bytes(block.repetition(index))):
            binance.parse(frame, 1, events)
    assert binance.notices == []
    assert len(events) == 3 * block.frames_count
    for symbol in SYMBOLS:
        trades = [int(e.trade_id) for e in events if isinstance(e, Trade) and e.symbol == symbol]
        assert trades == list(range(trades[0], trades[0] + len(trades)))
        quotes = [int(e.update_id) for e in events if isinstance(e, Quote) and e.symbol == symbol]
        assert quotes == list(range(quotes[0], quotes[0] + len(quotes)))
        deltas = [e for e in events if isinstance(e, BookDelta) and e.symbol == symbol]
        for before, after in itertools.pairwise(deltas):
            assert int(after.first_id or 0) == int(before.last_id or 0) + 1


@pytest.mark.parametrize("kind", ["trades", "mixed"])
def test_the_same_seed_gives_the_same_bytes(kind: Kind) -> None:
    first, same, other = (bytes(LoadBlock(kind, SYMBOLS, seed).repetition(2)) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_a_partial_repetition_ends_with_a_whole_frame() -> None:
    block = LoadBlock("trades", SYMBOLS, 1)
    whole = payloads(bytes(block.repetition(1)))
    assert payloads(bytes(block.repetition(1, 0))) == []
    assert payloads(bytes(block.repetition(1, 7))) == whole[:7]
    assert payloads(bytes(block.repetition(1, block.frames_count))) == whole


def test_a_paced_trade_carries_its_send_time_and_symbols_alternate() -> None:
    binance = Binance()
    binance.address("ws://127.0.0.1/stream?timeUnit=MICROSECOND")
    binance.subscribe(binance.topics(CHANNELS, SYMBOLS))
    trades = PacedTrades(SYMBOLS, 1)
    events: list[MarketEvent[str]] = []
    sent_us = 1_700_000_000_123_456
    for number in range(4):
        (payload,) = payloads(trades.frame(number, sent_us + number))
        binance.parse(payload, 1, events)
    made = [event for event in events if isinstance(event, Trade)]
    assert [trade.symbol for trade in made] == ["BTCUSDT", "ETHUSDT"] * 2
    assert [trade.exchange_ns for trade in made] == [(sent_us + number) * 1000 for number in range(4)]
    assert int(made[2].trade_id) == int(made[0].trade_id) + 1
