"""Trades parsed in bursts are those that the parsers of their streams give, and only on connections of trades."""

from __future__ import annotations

import contextlib
import random

import msgspec
import pytest

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter import Acknowledged, UnrecognizedFrame
from foxtrot_workers.benchmark.load_frames import payloads
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.binance.variants import BinanceUsdm
from tests.support.fuzzing import mutate
from tests.workers.exchanges.samples import binance_frame, binance_trade

SYMBOLS = ["BTCUSDT", "ETHUSDT"]


def subscribed(*channels: str, adapter: Binance | None = None) -> Binance:
    made = Binance() if adapter is None else adapter
    made.subscribe(made.topics(channels, SYMBOLS))
    return made


def frames_of(seed: int, count: int = 60) -> list[bytes]:
    chance = random.Random(seed)
    frames = [text.encode() for symbol in SYMBOLS for text in payloads("trades", symbol, chance)[:count]]
    chance.shuffle(frames)
    return frames


def parsed_singly(adapter: Binance, frames: list[bytes]) -> list[MarketEvent[str]]:
    out: list[MarketEvent[str]] = []
    for frame in frames:
        with contextlib.suppress(msgspec.MsgspecError, ValueError, UnrecognizedFrame):
            adapter.parse(frame, 7, out)
    return out


def test_a_burst_of_known_streams_is_parsed_at_once() -> None:
    frames = frames_of(1)
    single, bursts = subscribed("agg_trade"), subscribed("agg_trade")
    out: list[MarketEvent[str]] = []
    assert bursts.parse_burst(frames, 0, len(frames), 7, out) == len(frames)
    assert out == parsed_singly(single, frames)
    assert bursts.last_data_ns == single.last_data_ns == {f"{symbol.lower()}@aggTrade": 7 for symbol in SYMBOLS}


def test_a_stream_that_comes_late_in_a_burst_is_noted_too() -> None:
    adapter = subscribed("agg_trade")
    first, late = (next(f for f in frames_of(1) if b'"%s@' % wire in f) for wire in (b"btcusdt", b"ethusdt"))
    assert adapter.parse_burst([first] * 50 + [late], 0, 51, 7, []) == 51
    assert adapter.last_data_ns == {"btcusdt@aggTrade": 7, "ethusdt@aggTrade": 7}
    assert adapter.parse_burst([late], 0, 1, 8, []) == 1
    assert adapter.last_data_ns == {"btcusdt@aggTrade": 7, "ethusdt@aggTrade": 8}, "only of streams that have come"


def test_a_burst_of_unusual_frames_is_parsed_by_the_parsers_of_their_streams() -> None:
    adapter = subscribed("agg_trade")
    data = frames_of(1)[0].partition(b'"data":')[2][:-1]
    unusual = b'{"stream":"btcusdt@aggTrade","data":%b,"more":1}' % data
    (expected,) = parsed_singly(adapter, [unusual])
    out: list[MarketEvent[str]] = []
    assert adapter.parse_burst([unusual] * 3, 0, 3, 7, out) == 3
    assert out == [expected] * 3


@pytest.mark.parametrize(
    "frame",
    [
        b'{"data":%b,"stream":"ethusdt@aggTrade"}',
        b'{"stream":"btcusdt@aggTrade","data":%b,"stream":"ethusdt@aggTrade"}',
        b'{"stream":"btcusdt@aggTrade","data":%b,"more":1}',
        b'{"stream":"btcusdt@aggTrade","data":%b,"id":1.5}',
        b'{"id":1.5,"stream":"btcusdt@aggTrade","data":%b}',
        b'{"stream":"btcusdt@trade","data":%b}',
        b'{"stream":"btcusdt@aggTrade"}',
        b'{"stream":7,"data":%b}',
    ],
)
def test_unusual_frames_give_the_same_in_a_burst_and_alone(frame: bytes) -> None:
    data = frames_of(1)[0].partition(b'"data":')[2][:-1]
    unusual = frame.replace(b"%b", data)
    usual = frames_of(1)
    single, bursts = subscribed("agg_trade"), subscribed("agg_trade")
    expected = parsed_singly(single, [*usual, unusual, *usual])
    out: list[MarketEvent[str]] = []
    for frames in (usual, [unusual], usual):
        index = bursts.parse_burst(frames, 0, len(frames), 7, out)
        assert index == len(frames) or frames == [unusual]
        out += parsed_singly(bursts, frames[index:])
    assert out == expected


@pytest.mark.parametrize("seed", range(10))
def test_with_damaged_frames_nothing_is_done_and_the_parsers_take_over(seed: int) -> None:
    chance = random.Random(seed)
    frames = frames_of(seed)
    single, bursts = subscribed("agg_trade"), subscribed("agg_trade")
    for adapter in (single, bursts):
        parsed_singly(adapter, frames)
    damaged = [mutate(chance, frames) if place % 9 == 8 else frame for place, frame in enumerate(frames)]
    expected = parsed_singly(single, damaged)
    out: list[MarketEvent[str]] = []
    index = 0
    while index < len(damaged):
        stop = min(len(damaged), index + chance.randint(1, 12))
        index = bursts.parse_burst(damaged, index, stop, 7, out)
        if index < stop:
            out += parsed_singly(bursts, [damaged[index]])
            index += 1
    assert out == expected


def test_they_are_for_connections_whose_streams_are_all_trades_of_one_kind() -> None:
    assert subscribed("agg_trade")._bursts.usable
    assert subscribed("trade")._bursts.usable
    assert not Binance()._bursts.usable
    assert not subscribed("agg_trade", "quote")._bursts.usable
    assert not subscribed("trade", "book")._bursts.usable
    both = subscribed("trade")
    both.subscribe(both.topics(["agg_trade"], SYMBOLS))
    assert not both._bursts.usable
    assert subscribed("agg_trade", adapter=BinanceUsdm())._bursts.usable
    assert not subscribed("trade", adapter=BinanceUsdm())._bursts.usable, "a frame of it may be no trade"


def test_streams_that_are_closed_do_not_count() -> None:
    adapter = subscribed("agg_trade", "quote")
    (text,) = adapter.unsubscribe(adapter.topics(["quote"], SYMBOLS))
    answer = msgspec.json.encode({"result": None, "id": msgspec.json.decode(text)["id"]})
    adapter.parse(answer, 7, [])
    assert any(isinstance(notice, Acknowledged) for notice in adapter.notices)
    assert adapter._bursts.usable
    adapter.unsubscribe(adapter.topics(["agg_trade"], SYMBOLS))


def test_times_are_in_the_unit_of_the_connection() -> None:
    adapter = Binance()
    adapter.address("wss://host/stream?timeUnit=MICROSECOND")
    adapter.subscribe(adapter.topics(["trade"], ["BNBBTC"]))
    frame = binance_frame("bnbbtc@trade", binance_trade())
    first: list[MarketEvent[str]] = []
    adapter.parse(frame, 7, first)
    out: list[MarketEvent[str]] = []
    assert adapter._bursts.parse([frame], 7, out)
    assert out == first
