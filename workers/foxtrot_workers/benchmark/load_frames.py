"""WebSocket frames of real shape for load: made once from a seed, sent many times. Pure.

Frames are those of Binance's combined streams: aggregate trades (about 190 bytes), best bid and ask (about
140) and book deltas (1 to 21 levels, about 450 on average). ``mixed`` is 40 % trades, 40 % quotes, 20 %
deltas, in seeded order.

Identifiers of each symbol have no gap over all repetitions of a block, so that the checks of workers and engine
pass: an identifier is an epoch (7 digits, one for each repetition) and a position in the block (3 digits), and a
repetition is the block with another epoch.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, TypeAlias

from foxtrot_workers.simulator.wire.frames import frame, header

__all__ = [
    "EPOCH_FIRST",
    "SNAPSHOT_ID",
    "Kind",
    "LoadBlock",
    "PacedTrades",
    "depth_snapshot",
    "payloads",
    "primer",
    "primer_payload",
]

Kind: TypeAlias = Literal["trades", "mixed"]

IDS_PER_EPOCH = 1000
"""Trades, and quotes, of each symbol in one block; deltas are half as many and take two identifiers each."""

EPOCH_FIRST = 7_700_000
EPOCHS_MAX = 1_000_000

SNAPSHOT_ID = EPOCH_FIRST * IDS_PER_EPOCH - 1
"""The last identifier of the REST snapshot: the first delta of a run follows it."""

LEVELS_MAX = 21
SNAPSHOT_LEVELS = 40

MIDDLE = 5_000.0
BIDS, ASKS = -0.01, 0.01
"""Steps between the prices of each side, outwards from `MIDDLE`: a crossed book would be fetched again."""

LEVEL_STEPS_MAX = 400
"""Distance of the outermost level, in steps: updates mostly change levels that exist, as they do in a real book."""

TIME_MS = 1_700_000_000_000
"""Exchange time of frames whose time is not measured."""


class LoadBlock:
    """A block of frames in which every symbol goes through one epoch of identifiers."""

    def __init__(self, kind: Kind, symbols: Sequence[str], seed: int) -> None:
        frames = _frames(kind, symbols, random.Random(seed))
        # a colon and seven digits: no time, price or size of a frame has this form. Joining with another epoch is
        # four times faster than replacing, and the server must not be the bottleneck
        self._parts = b"".join(frames).split(b":%d" % EPOCH_FIRST)
        self._ends = list(accumulate(map(len, frames)))
        self.frames_count = len(frames)

    def repetition(self, index: int, frames_count: int | None = None) -> memoryview:
        """The frames of repetition `index` (0 is the first), all or the first `frames_count` of them."""
        assert 0 <= index < EPOCHS_MAX
        data = memoryview((b":%d" % (EPOCH_FIRST + index)).join(self._parts))
        if frames_count is None:
            return data
        return data[: self._ends[frames_count - 1] if frames_count else 0]


class PacedTrades:
    """Trades made one by one, each telling when it was sent, in microseconds (Binance's ``timeUnit``)."""

    def __init__(self, symbols: Sequence[str], seed: int) -> None:
        market = random.Random(seed)
        self._templates: list[tuple[bytes, bytes]] = []
        for symbol in symbols:
            template = _trade(symbol, "%d", "%d", market).encode()
            length = len(_fill(template, EPOCH_FIRST * IDS_PER_EPOCH, TIME_MS * 1000))
            self._templates.append((header(length), template))

    def frame(self, number: int, sent_us: int) -> bytes:
        """Trade `number` (0, 1, 2, ...), sent `sent_us` microseconds after 1970."""
        head, template = self._templates[number % len(self._templates)]
        return head + _fill(template, EPOCH_FIRST * IDS_PER_EPOCH + number // len(self._templates), sent_us)


def primer(symbol: str) -> bytes:
    """The frame of a delta that precedes all others: it makes an adapter fetch the snapshot."""
    return frame(primer_payload(symbol))


def primer_payload(symbol: str) -> bytes:
    """The text of that frame."""
    return _delta(symbol, str(SNAPSHOT_ID), str(SNAPSHOT_ID), random.Random(0)).encode()


def depth_snapshot(seed: int) -> bytes:
    """The REST answer to a depth request: a book that the first delta of a run continues."""
    market = random.Random(seed)
    bids, asks = _levels(SNAPSHOT_LEVELS, market, BIDS), _levels(SNAPSHOT_LEVELS, market, ASKS)
    return f'{{"lastUpdateId":{SNAPSHOT_ID},"bids":[{bids}],"asks":[{asks}]}}'.encode()


def _fill(template: bytes, trade_id: int, time: int) -> bytes:
    return template % (time, trade_id, time)


def _frames(kind: Kind, symbols: Sequence[str], market: random.Random) -> list[bytes]:
    per_symbol = {symbol: payloads(kind, symbol, market) for symbol in symbols}
    turns = [symbol for symbol, texts in per_symbol.items() for _ in texts]
    market.shuffle(turns)  # symbols interleave as they like, each symbol's own order stays
    remaining = {symbol: iter(texts) for symbol, texts in per_symbol.items()}
    return [frame(next(remaining[symbol]).encode()) for symbol in turns]


def payloads(kind: Kind, symbol: str, market: random.Random) -> list[str]:
    """The texts of one symbol's frames, in order."""

    def identifier(position: int) -> str:
        return f"{EPOCH_FIRST}{position:03d}"

    trades = [_trade(symbol, str(TIME_MS), identifier(i), market) for i in range(IDS_PER_EPOCH)]
    if kind == "trades":
        return trades
    quotes = [_quote(symbol, identifier(i), market) for i in range(IDS_PER_EPOCH)]
    deltas = [_delta(symbol, identifier(i), identifier(i + 1), market) for i in range(0, IDS_PER_EPOCH, 2)]
    streams = [iter(trades), iter(quotes), iter(deltas)]
    turns = [0] * len(trades) + [1] * len(quotes) + [2] * len(deltas)
    market.shuffle(turns)
    return [next(streams[turn]) for turn in turns]


def _trade(symbol: str, time: str, identifier: str, market: random.Random) -> str:
    first = market.randint(5_500_000_000, 5_600_000_000)
    maker = "true" if market.random() < 0.5 else "false"
    return (
        f'{{"stream":"{symbol.lower()}@aggTrade","data":{{"e":"aggTrade","E":{time},"s":"{symbol}",'
        f'"a":{identifier},"p":"{_price(market)}","q":"{_size(market)}","f":{first},"l":{first + 1},'
        f'"T":{time},"m":{maker},"M":true}}}}'
    )


def _quote(symbol: str, identifier: str, market: random.Random) -> str:
    return (
        f'{{"stream":"{symbol.lower()}@bookTicker","data":{{"u":{identifier},"s":"{symbol}",'
        f'"b":"{_price(market)}","B":"{_size(market)}","a":"{_price(market)}","A":"{_size(market)}"}}}}'
    )


def _delta(symbol: str, first: str, last: str, market: random.Random) -> str:
    levels = market.randint(1, LEVELS_MAX)
    bids = market.randint(0, levels)
    return (
        f'{{"stream":"{symbol.lower()}@depth@100ms","data":{{"e":"depthUpdate","E":{TIME_MS},"s":"{symbol}",'
        f'"U":{first},"u":{last},"b":[{_levels(bids, market, BIDS)}],"a":[{_levels(levels - bids, market, ASKS)}]}}}}'
    )


def _levels(count: int, market: random.Random, step: float) -> str:
    prices = [MIDDLE + step * market.randint(1, LEVEL_STEPS_MAX) for _ in range(count)]
    return ",".join(f'["{price:.8f}","{_size(market)}"]' for price in prices)


def _price(market: random.Random) -> str:
    return f"{market.uniform(1000, 9999):.8f}"


def _size(market: random.Random) -> str:
    return f"{market.uniform(0, 9):.8f}"
