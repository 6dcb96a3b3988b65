"""The checks of frames pass good adapters (test_conformance) and find each fault."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import structs

from foxtrot_protocol.events import Bar, BookDelta, MarketEvent, Quote, Trade
from foxtrot_workers.adapter import Adapter, Limits
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.exchanges.okx.adapter import Okx
from foxtrot_workers.testing.frames import (
    check_damage,
    check_order,
    check_repetition,
    check_staleness,
    check_variations,
)
from foxtrot_workers.testing.samples import AdapterSample, NotConforming
from tests.workers.exchanges.samples import BINANCE_SAMPLES, OKX_SAMPLES

SAMPLES = {sample.channel: sample for sample in BINANCE_SAMPLES}
TRADE, QUOTE = SAMPLES["trade"], SAMPLES["quote"]


class Changing(Binance):
    """Changes each event after it was parsed."""

    def change(self, event: Any, frame: bytes) -> Any:
        return event

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        start = len(out)
        super().parse(frame, receive_ns, out)
        out[start:] = [self.change(event, frame) for event in out[start:]]


class CountsItself(Changing):
    numbers = itertools.count(1)

    def change(self, event: Any, frame: bytes) -> Any:
        return structs.replace(event, trade_id=str(next(self.numbers))) if isinstance(event, Trade) else event


class NumbersCopies(Changing):
    """A repeated trade is another one."""

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self.count = 0

    def change(self, event: Any, frame: bytes) -> Any:
        self.count += 1
        return structs.replace(event, trade_id=str(self.count))


class MovesQuotes(NumbersCopies):
    def change(self, event: Any, frame: bytes) -> Any:
        self.count += 1
        return structs.replace(event, update_id=str(self.count))


class WrongIds(Changing):
    def change(self, event: Any, frame: bytes) -> Any:
        return structs.replace(event, trade_id="abc-1")


class Floats(Changing):
    """Prices go through a binary float."""

    def change(self, event: Any, frame: bytes) -> Any:
        return structs.replace(event, price=repr(float(event.price)))


class FloatIds(Changing):
    def change(self, event: Any, frame: bytes) -> Any:
        return structs.replace(event, trade_id=str(int(float(event.trade_id))))


class Misreads(Changing):
    """An exponent is cut off."""

    def change(self, event: Any, frame: bytes) -> Any:
        return structs.replace(event, price=event.price.partition("e")[0].partition("E")[0])


class Strict(Changing):
    """Makes something of fields that it does not know."""

    def change(self, event: Any, frame: bytes) -> Any:
        return structs.replace(event, side="buy" if b"foxtrot" in frame else event.side)


class Breaks(Binance):
    """Not usable after an unknown word."""

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self.broken = False

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        self.broken = self.broken or b"FOXTROT" in frame
        if self.broken:
            raise msgspec.DecodeError("broken")
        super().parse(frame, receive_ns, out)


class Guesses(Binance):
    """Completes a truncated frame."""

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        super().parse(frame if frame.endswith(b"}") else TRADE.frame, receive_ns, out)


class OldTimes(Binance):
    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        before = dict(self.last_data_ns)
        super().parse(frame, receive_ns, out)
        self.last_data_ns.update(before)


class NoTimes(Binance):
    limits = Limits(silence_s=10.0, stale_channel_s={"trade": 0.0})


def damage(adapter_class: type[Adapter], sample: AdapterSample) -> None:
    check_damage(adapter_class, sample, random.Random(1))


def variety(adapter_class: type[Adapter], sample: AdapterSample) -> None:
    check_variations(adapter_class, sample, random.Random(1))


@pytest.mark.parametrize(
    ("broken", "check", "sample", "complaint"),
    [
        (CountsItself, check_repetition, TRADE, "two connections"),
        (NumbersCopies, check_repetition, TRADE, "another identifier"),
        (MovesQuotes, check_repetition, QUOTE, "makes another event"),
        (WrongIds, check_repetition, TRADE, "rule sequence needs whole numbers"),
        (OldTimes, check_staleness, TRADE, "does not move last_data_ns"),
        (NoTimes, check_staleness, TRADE, "not positive"),
        (Guesses, damage, TRADE, "truncated frame makes events"),
        (Floats, variety, TRADE, "lost digits|became"),
        (FloatIds, variety, TRADE, "the identifier"),
        (Misreads, variety, TRADE, "exponent"),
        (Strict, variety, TRADE, "unknown field"),
        (Breaks, variety, SAMPLES["bar_1m"], "not usable after"),
    ],
)
def test_each_fault_is_found(
    broken: type[Adapter], check: Callable[..., None], sample: AdapterSample, complaint: str
) -> None:
    check(Binance, sample)
    with pytest.raises(NotConforming, match=complaint):
        check(broken, sample)


def test_books_need_the_identifiers_of_their_rule() -> None:
    class Unnumbered(Okx):
        def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
            super().parse(frame, receive_ns, out)
            out[:] = [
                BookDelta(event.exchange, event.symbol, 1, receive_ns, event.bids, event.asks, None, None, None)  # type: ignore[union-attr]  # a book
                for event in out
            ]

    (sample,) = (each for each in OKX_SAMPLES if each.channel == "book")
    check_repetition(Okx, sample)
    with pytest.raises(NotConforming, match="rule chained needs first_id"):
        check_repetition(Unnumbered, sample)


def test_an_error_in_another_order_is_found() -> None:
    class Ordered(Binance):
        def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
            if b"@kline" in frame and not self.last_data_ns:
                raise KeyError("trades come first")
            super().parse(frame, receive_ns, out)

    check_order(Binance, BINANCE_SAMPLES, random.Random(1))
    with pytest.raises(NotConforming, match="KeyError"):
        check_order(Ordered, BINANCE_SAMPLES, random.Random(1))


def test_the_samples_have_every_kind_that_these_faults_need() -> None:
    kinds = {"trade": Trade, "quote": Quote, "bar_1m": Bar}
    assert set(kinds) <= set(SAMPLES)
