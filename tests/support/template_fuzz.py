"""Damaged frames through both forms of the hot path: templates must give what Python gives, whatever was damaged."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import Gap, MarketEvent
from foxtrot_workers.adapter import Adapter
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.okx.adapter import Okx
from tests.support.fuzzing import Broken, Target
from tests.workers.templates.both_forms import Forms
from tests.workers.templates.venue_frames import (
    DEPTH_PATH,
    binance_depth,
    binance_quote,
    binance_trade,
    okx_book,
    okx_quote,
    okx_trades,
)

__all__ = ["TemplateFrames"]

WARM_FRAMES = 30
"""Frames of each kind from which templates are learned first."""

LIFE_INPUTS = 3_000
"""Inputs after which both forms begin afresh."""

_FIRST, _LAST = b"7777777701", b"7777777702"
"""Stand for the identifiers of an update that continues its book."""


class TemplateFrames(Target):
    """Frames of Binance and OKX. Each life of the forms begins with good ones; damaged ones are learned from too."""

    name: ClassVar[str] = "template_frames"
    share: ClassVar[float] = 1.0

    def __init__(self) -> None:
        self._fed = 0
        self._begin()

    def samples(self) -> Sequence[bytes]:
        chance = random.Random(3)
        first, last = int(_FIRST), int(_LAST)
        return [
            sample
            for _ in range(4)
            for sample in (
                binance_trade(chance, 500),
                binance_quote(chance, 500, "ETHUSDT"),
                binance_depth(chance, first, last),
                okx_trades(chance, 500),
                okx_trades(chance, 600, 3),
                okx_quote(chance, 500),
                okx_book(chance, first, last),
            )
        ]

    def _begin(self) -> None:
        chance = random.Random(self._fed)
        binances: list[Adapter] = [Binance(), Binance()]
        for adapter in binances:
            adapter.subscribe(adapter.topics(["trade", "quote", "book"], ["BTCUSDT", "ETHUSDT"]))
        okxs: list[Adapter] = [Okx(), Okx()]
        for adapter in okxs:
            adapter.subscribe(adapter.topics(["trade", "quote", "book"], ["BTC-USDT", "ETH-USDT"]))
        self._binance, self._okx = Forms(*binances), Forms(*okxs)
        self._id = 100
        self._binance.feed([self._at_place(binance_depth(chance, int(_FIRST), int(_LAST)), 0)])
        self._resync_binance()
        self._resync_okx()
        for number in range(WARM_FRAMES):
            for symbol in ("BTCUSDT", "ETHUSDT"):
                self._binance.feed([binance_trade(chance, number, symbol), binance_quote(chance, number, symbol)])
            self._take(binance_depth(chance, int(_FIRST), int(_LAST)))
            self._okx.feed([okx_trades(chance, number, 1 + number % 3), okx_quote(chance, number)])
            self._take(okx_book(chance, int(_FIRST), int(_LAST)))

    def feed(self, data: bytes, chance: random.Random) -> bool:
        self._fed += 1
        if self._fed % LIFE_INPUTS == 0:
            self._begin()
        try:
            events = self._take(data)
        except AssertionError as error:
            raise Broken(f"the forms differ: {error}") from error
        for forms in (self._binance, self._okx):
            if forms.compiled.pipeline.templates_off_total:
                raise Broken("a template was switched off")
        return bool(events)

    def _take(self, data: bytes) -> list[MarketEvent[str]]:
        """Feed a frame to the forms that it looks made for; give a book that it broke a new snapshot."""
        self._id += 2
        step = 0 if b"prevSeqId" in data else 1
        data = self._at_place(data, step)
        forms = self._okx if b'"arg"' in data else self._binance
        events = forms.feed([data], step_ns=20_000_000)
        if any(isinstance(event, Gap) for event in events):
            self._resync_okx() if forms is self._okx else self._resync_binance()
        return events

    def _at_place(self, data: bytes, step: int) -> bytes:
        last = self._id
        return data.replace(_FIRST, b"%d" % (last - 2 + step)).replace(_LAST, b"%d" % last)

    def _resync_binance(self) -> None:
        snapshot = {"lastUpdateId": self._id, "bids": [["0.1", "1"]], "asks": [["99000.1", "1"]]}
        self._binance.answer(DEPTH_PATH, msgspec.json.encode(snapshot))

    def _resync_okx(self) -> None:
        self._okx.feed([okx_book(random.Random(1), -1, self._id, "snapshot")])
