"""Damaged frames among good ones, parsed in bursts and one by one in pure Python: both must give the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.exchanges.binance.adapter import Binance
from tests.support.fuzzing import Broken, Target
from tests.workers.templates.both_forms import Form
from tests.workers.templates.venue_frames import DEPTH_PATH, binance_depth, binance_quote, binance_trade

__all__ = ["BurstFrames"]

CONNECTIONS = (["trade", "quote", "book"], ["trade"], ["trade", "quote", "ticker", "book"], ["trade", "book"])
"""Channels, one list for each life: trades alone have bursts of their own."""

LIFE_INPUTS = 1_000
"""Damaged frames after which both sides begin afresh."""

GOOD_FRAMES = (0, 0, 0, 1, 3, 40)
"""How many precede a damaged one. A frame that cannot be decoded leaves its whole burst to the parsers."""

BURST_FRAMES = (1, 2, 7, 40, 300)
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
_FIRST, _LAST = b"7777777701", b"7777777702"
"""Stand for the identifiers of an update that continues its book."""

_S = 1_000_000_000


class BurstFrames(Target):
    """Frames of Binance. A burst is compared when it is whole, and answered if it has asked for a snapshot."""

    name: ClassVar[str] = "burst_frames"
    share: ClassVar[float] = 0.2

    def __init__(self) -> None:
        self._fed = 0
        self._begin()

    def samples(self) -> Sequence[bytes]:
        chance = random.Random(4)
        first, last = int(_FIRST), int(_LAST)
        return [
            sample
            for symbol in SYMBOLS
            for sample in (
                binance_trade(chance, 500, symbol),
                binance_quote(chance, 500, symbol),
                binance_depth(chance, first, last, symbol),
            )
        ]

    def seeds(self) -> Sequence[bytes]:
        other_speed = binance_depth(random.Random(5), int(_FIRST), int(_LAST)).replace(b"@100ms", b"")
        return [other_speed, b'{"result":null,"id":1}']

    def _begin(self) -> None:
        channels = CONNECTIONS[self._fed // LIFE_INPUTS % len(CONNECTIONS)]
        adapters = [Binance(), Binance()]
        for adapter in adapters:
            adapter.subscribe(adapter.topics(channels, SYMBOLS))
        self._single, self._bursts = (Form(adapter, None) for adapter in adapters)
        self._events: list[MarketEvent[str]] = []
        """Of the frames that wait in the burst, parsed one by one."""
        self._burst: list[bytes] = []
        self._whole = 1
        self._last = dict.fromkeys(SYMBOLS, 100)
        """Of the updates of each book."""
        self._now_ns = 1_700_000_000 * _S
        for symbol in SYMBOLS:
            self._add(binance_depth(random.Random(6), int(_FIRST), int(_LAST), symbol))
        self._compare()

    def feed(self, data: bytes, chance: random.Random) -> bool:
        self._fed += 1
        if self._fed % LIFE_INPUTS == 0:
            self._begin()
        for _ in range(chance.choice(GOOD_FRAMES)):
            self._add(self._good(chance))
        events = self._add(data)
        if len(self._burst) >= self._whole:
            self._compare()
            self._whole = chance.choice(BURST_FRAMES)
            self._now_ns += chance.choice((1, _S // 100, _S // 3))
        return bool(events)

    def _good(self, chance: random.Random) -> bytes:
        symbol, number = chance.choice(SYMBOLS), self._fed
        if chance.random() < 0.5:
            return binance_depth(chance, int(_FIRST), int(_LAST), symbol)
        return binance_trade(chance, number, symbol) if chance.random() < 0.5 else binance_quote(chance, number, symbol)

    def _add(self, data: bytes) -> list[MarketEvent[str]]:
        """Parse a frame alone, and let it wait for the burst; return its events."""
        if _LAST in data:
            symbol = SYMBOLS[b"ethusdt" in data]
            first = self._last[symbol] + (1 if self._fed % 100 else 2)  # now and then an update is missing
            self._last[symbol] = last = first + self._fed % 3
            data = data.replace(_FIRST, b"%d" % first).replace(_LAST, b"%d" % last)
        self._burst.append(data)
        self._single.receive([data], self._now_ns)
        events = self._single.take()
        self._events += events
        return events

    def _compare(self) -> None:
        single, bursts = self._single, self._bursts
        bursts.receive(self._burst, self._now_ns)
        if bursts.take() != self._events:
            raise Broken(f"other events: {self._burst!r}")
        if bursts.said != single.said:
            raise Broken(f"other notices: {self._burst!r}")
        if bursts.pipeline.rejected_total != single.pipeline.rejected_total:
            raise Broken(f"other frames are rejected: {self._burst!r}")
        for name in ("last_data_ns", "held_ns"):
            if getattr(bursts.adapter, name) != getattr(single.adapter, name):
                raise Broken(f"{name} differs: {self._burst!r}")
        self._burst.clear()
        self._events.clear()
        self._answer()

    def _answer(self) -> None:
        """Answer what was asked in the burst."""
        asked = [symbol for symbol in SYMBOLS if any(f"symbol={symbol}" in text for _, text in self._single.said)]
        for form in (self._single, self._bursts):
            form.said.clear()
            for symbol in asked:
                snapshot = {"lastUpdateId": self._last[symbol], "bids": [["0.1", "1"]], "asks": [["99000.1", "1"]]}
                path = DEPTH_PATH.replace("BTCUSDT", symbol)
                form.adapter.on_rest(path, 200, msgspec.json.encode(snapshot), self._now_ns, form.pipeline.events)
            if form.adapter.notices:
                form._take_notices()
            form.take()
