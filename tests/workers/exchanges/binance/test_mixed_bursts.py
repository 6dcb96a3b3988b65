"""Frames of several kinds, parsed in loops, give what the parsers of their streams give (`test_adapter` has more)."""

from __future__ import annotations

import contextlib
import random

import msgspec
import pytest

from foxtrot_protocol.events import Gap, MarketEvent, Quote
from foxtrot_workers.adapter import RestRequest, UnrecognizedFrame
from foxtrot_workers.benchmark.load_frames import depth_snapshot, payloads, primer_payload
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceUsdm
from tests.workers.exchanges.samples import binance_frame

SYMBOLS = ["BTCUSDT", "ETHUSDT"]


def subscribed(*channels: str, adapter: Binance | None = None) -> Binance:
    made = Binance() if adapter is None else adapter
    made.subscribe(made.topics(channels, SYMBOLS))
    return made


def frames_of(seed: int, count: int = 100) -> list[bytes]:
    chance = random.Random(seed)
    frames = [text.encode() for symbol in SYMBOLS for text in payloads("mixed", symbol, chance)[:count]]
    return [primer_payload(symbol) for symbol in SYMBOLS] + frames


def answer(adapter: Binance, out: list[MarketEvent[str]]) -> None:
    for notice in list(adapter.notices):
        if isinstance(notice, RestRequest):
            adapter.on_rest(notice.path, 200, depth_snapshot(1), 5, out)
    adapter.notices.clear()


def parsed_singly(adapter: Binance, frames: list[bytes]) -> list[MarketEvent[str]]:
    out: list[MarketEvent[str]] = []
    for frame in frames:
        with contextlib.suppress(msgspec.MsgspecError, ValueError, UnrecognizedFrame):
            adapter.parse(frame, 7, out)
        answer(adapter, out)
    return out


@pytest.mark.parametrize("channels", [("agg_trade", "quote", "book"), ("trade", "quote", "ticker", "bar_1m", "book")])
def test_a_burst_of_known_streams_is_parsed_up_to_the_first_notice(channels: tuple[str, ...]) -> None:
    frames = frames_of(1)
    single, bursts = subscribed(*channels), subscribed(*channels)
    expected = parsed_singly(single, frames)
    assert bursts._mixed_bursts.parse(frames, 7, []) == 0, "no beginning of a frame is known"
    out: list[MarketEvent[str]] = []
    index = 0
    while index < len(frames):
        index = bursts.parse_burst(frames, index, len(frames), 7, out)
        if index < len(frames) and not bursts.notices:
            with contextlib.suppress(UnrecognizedFrame):
                bursts.parse(frames[index], 7, out)
            index += 1
        answer(bursts, out)
    assert out == expected
    assert bursts.last_data_ns == single.last_data_ns
    assert bursts.held_ns == single.held_ns


SECOND = 1_000_000_000


def troubled(chance: random.Random) -> list[bytes]:
    """Frames of one book that misses updates and gets some twice, and of one that is crossed; their streams change."""
    frames: list[bytes] = []
    for frame in frames_of(chance.randrange(1000), 2500):
        if b"ethusdt@depth" in frame:
            times = chance.choice([0, 2]) if chance.random() < 0.04 else 1
        else:
            times = 1
            if chance.random() < 0.1:
                frame = frame.replace(b'"b":[[', b'"b":[["9999.00000000","1.00000000"],[')
        if chance.random() < 0.05:
            frame = frame.replace(b"@depth@100ms", b"@depth")
        frames += [frame] * times
    return frames


def test_runs_of_updates_end_where_a_book_must_decide() -> None:
    causes: list[str] = []
    for seed in range(6):
        chance = random.Random(seed)
        frames = troubled(chance)
        single, bursts = (subscribed("agg_trade", "quote", "book") for _ in range(2))
        single.adopt = bursts.adopt = True
        expected: list[MarketEvent[str]] = []
        out: list[MarketEvent[str]] = []
        now, start = 0, 0
        while start < len(frames):
            now += chance.choice([1, 1, SECOND // 3])
            burst = frames[start : start + chance.choice([1, 7, 60, 200])]
            start += len(burst)
            for frame in burst:
                single.parse(frame, now, expected)
                answer(single, expected)
            index = 0
            while index < len(burst):
                index = bursts.parse_burst(burst, index, len(burst), now, out)
                if index < len(burst) and not bursts.notices:
                    bursts.parse(burst[index], now, out)
                    index += 1
                answer(bursts, out)
        assert out == expected
        assert bursts.last_data_ns == single.last_data_ns
        assert bursts.held_ns == single.held_ns
        causes += [event.cause for event in out if isinstance(event, Gap)]
    assert sum("missing" in cause for cause in causes) > 4
    assert sum(cause.startswith("crossed") for cause in causes) > 4


def test_a_frame_that_cannot_be_decoded_leaves_all_to_the_parsers() -> None:
    adapter = subscribed("agg_trade", "quote")
    frames = [frame for frame in frames_of(2) if b"@depth" not in frame]
    parsed_singly(adapter, frames)
    out: list[MarketEvent[str]] = []
    assert adapter._mixed_bursts.parse(frames, 7, out) == len(frames)
    assert len(out) == len(frames)
    for wrong in (frames[5][:-9], frames[5].replace(b"usdt@", b"xxxx@"), b""):
        out.clear()
        assert adapter._mixed_bursts.parse([*frames[:5], wrong, *frames[5:]], 7, out) == 0
        assert out == []
        assert adapter.parse_burst([*frames[:5], wrong, *frames[5:]], 0, 9, 7, out) == 5
        assert len(out) == 5


def test_a_stream_that_comes_late_in_a_burst_is_noted_too() -> None:
    adapter = subscribed("agg_trade", "quote")
    frames = [frame for frame in frames_of(5) if b"@depth" not in frame]
    parsed_singly(adapter, frames)
    first, late = (
        next(f for f in frames if b'"%s"' % wire in f) for wire in (b"btcusdt@aggTrade", b"ethusdt@bookTicker")
    )
    before = dict(adapter.last_data_ns)
    assert adapter._mixed_bursts.parse([first] * 50 + [late], 9, []) == 51
    assert adapter.last_data_ns == before | {"btcusdt@aggTrade": 9, "ethusdt@bookTicker": 9}


def test_frames_behind_one_whose_parser_raises_are_not_noted() -> None:
    adapter = subscribed("agg_trade", "quote", "ticker")
    frames = [frame for frame in frames_of(6) if b"@depth" not in frame]
    ticker = binance_frame("btcusdt@ticker", {"e": "24hrTicker"})
    parsed_singly(adapter, [*frames, ticker])
    first, behind = (
        next(f for f in frames if b'"%s"' % wire in f) for wire in (b"btcusdt@aggTrade", b"ethusdt@bookTicker")
    )
    before = dict(adapter.last_data_ns)
    assert adapter._mixed_bursts.parse([first, ticker, behind], 9, []) == 1
    assert adapter.last_data_ns == before | {"btcusdt@aggTrade": 9}


def test_parsers_that_raise_end_the_burst_before_their_frame() -> None:
    adapter = subscribed("agg_trade", "ticker")
    trade = next(frame for frame in frames_of(3) if b"@aggTrade" in frame)
    ticker = binance_frame("btcusdt@ticker", {"e": "24hrTicker"})
    parsed_singly(adapter, [trade, ticker])
    out: list[MarketEvent[str]] = []
    assert adapter._mixed_bursts.parse([trade, trade, ticker, trade], 7, out) == 2
    assert len(out) == 2


def test_sides_of_quotes_without_a_price_or_size_are_none() -> None:
    adapter = subscribed("agg_trade", "quote")
    sides = [("0.00000000", "1"), ("2", "0"), ("0.5", "0.1"), ("", ""), ("2", "")]
    frames = [
        binance_frame("btcusdt@bookTicker", {"u": 7, "s": "BTCUSDT", "b": b, "B": size_b, "a": a, "A": size_a})
        for b, size_b in sides
        for a, size_a in sides
    ]
    expected = parsed_singly(adapter, frames)
    out: list[MarketEvent[str]] = []
    assert adapter._mixed_bursts.parse(frames, 7, out) == len(frames)
    assert out == expected
    assert [(quote.bid, quote.ask) for quote in out[:3] if isinstance(quote, Quote)] == [
        (None, None),
        (None, None),
        (None, "0.5"),
    ]


def test_quotes_and_books_of_futures_are_left_to_their_parsers() -> None:
    adapter = subscribed("quote", adapter=BinanceUsdm())
    quote = {"e": "bookTicker", "u": 1, "E": 5, "T": 5, "s": "BTCUSDT", "b": "1", "B": "2", "a": "3", "A": "4"}
    frame = binance_frame("btcusdt@bookTicker", quote)
    first = parsed_singly(adapter, [frame])
    out: list[MarketEvent[str]] = []
    assert adapter._mixed_bursts.parse([frame], 7, out) == 1
    assert out == first
    assert first[0].exchange_ns == 5_000_000


def test_a_stream_that_is_closed_is_unknown() -> None:
    adapter = subscribed("agg_trade", "quote")
    frame = next(frame for frame in frames_of(4) if b"@bookTicker" in frame)
    parsed_singly(adapter, [frame])
    assert adapter._mixed_bursts.parse([frame], 7, []) == 1
    adapter._close(frame.partition(b'"stream":"')[2].partition(b'"')[0].decode())
    assert adapter._mixed_bursts.parse([frame], 7, []) == 0
