"""Damaged batches through both forms of the engine: the compiled decoder and merge give what the pure ones give."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

from foxtrot_protocol.codec import BatchEncoder, Numbers
from foxtrot_protocol.events import (
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    BookDelta,
    BookSnapshot,
    FeedStatus,
    Gap,
    Quote,
    Trade,
)
from foxtrot_supervisor.engine.delivery import merge as merge_module
from foxtrot_supervisor.engine.delivery.decode import BatchReader
from foxtrot_supervisor.engine.delivery.merge import Admission, StreamMerge
from tests.supervisor.engine.delivery.test_ranges import states_of
from tests.support.fuzzing import Broken, Target

__all__ = ["EngineBatches"]

LIFE_INPUTS = 300
"""Inputs after which both forms begin afresh: streams that damage has led astray stay there."""

RULES = {EVENT_MARKET_TRADE: "sequence", EVENT_BBO: "latest", EVENT_BOOK: "update_ids"}

NUMBERS: tuple[Numbers, ...] = ("float", "decimal", "text")

_PLACE = 70_000_000
"""The first of the identifiers that stand for those that come next."""

_PLACES = 16

_SIDES = (("a", 1), ("b", 1))


class _Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


class EngineBatches(Target):
    """Batches of trades, quotes, books and other events, of two workers of one connection."""

    name: ClassVar[str] = "engine_batches"
    share: ClassVar[float] = 1.0

    def __init__(self) -> None:
        log: Any = _Silent()
        self._readers = {numbers: (BatchReader(numbers, log), BatchReader(numbers, log)) for numbers in NUMBERS}
        for _, pure in self._readers.values():
            pure._decode_compiled = None
        self._fed = 0
        self._begin()

    def samples(self) -> Sequence[bytes]:
        chance = random.Random(5)
        plain, described = BatchEncoder("w.a", 1), BatchEncoder("w.a", 1, rules=RULES)
        mixed = [event for place in range(4) for event in _events(chance, place)]
        trades = [_trade(chance, place, "X") for place in range(_PLACES)]
        others: list[Any] = [
            BookSnapshot("SIM", "X", 1, 2, _levels(chance), _levels(chance), None, str(_PLACE), None),
            FeedStatus("SIM", "X", 1, 2, "x@trade", "flowing", 0.5),
            Gap("SIM", "X", 0, 2, EVENT_MARKET_TRADE, "1", "3", 1, 2, "why"),
        ]
        batches: list[list[Any]] = [mixed, trades, trades[:1], [*others, *mixed[:5]], []]
        return [encoder.encode(9, 77, events) for events in batches for encoder in (plain, described)]

    def _begin(self) -> None:
        self._compiled, self._pure = StreamMerge(RULES), StreamMerge(RULES)
        for merge in (self._compiled, self._pure):
            for side in _SIDES:
                merge.opened(side)
        self._next = 50_000_000

    def feed(self, data: bytes, chance: random.Random) -> bool:
        self._fed += 1
        if self._fed % LIFE_INPUTS == 0:
            self._begin()
        side = _SIDES[int(chance.random() * 2)]
        data = self._at_place(data)
        numbers = NUMBERS[int(chance.random() * 3)]
        compiled, pure = (reader.decode(data) for reader in self._readers[numbers])
        if (compiled is None) != (pure is None):
            raise Broken(f"{numbers}: one form reads it: {compiled!r}, {pure!r}")
        if compiled is None or pure is None:
            return False
        if repr(compiled) != repr(pure):
            raise Broken(f"{numbers}: read as {compiled!r}, in pure Python as {pure!r}")
        self._merge(side, compiled[0].events, pure[0].events, may_wait=chance.random() < 0.5)
        return True

    def _merge(self, side: tuple[str, int], events: Any, pure_events: Any, *, may_wait: bool) -> None:
        admission = self._compiled.admit(side, events, may_wait=may_wait)
        native, merge_module._compiled = merge_module._compiled, None
        try:
            expected = self._pure.admit(side, pure_events, may_wait=may_wait)
            if _shown(admission) != _shown(expected):
                raise Broken(f"admitted {_shown(admission)}, in pure Python {_shown(expected)}")
            if expected is not None:
                self._pure.settle()
        finally:
            merge_module._compiled = native
        if admission is not None:
            self._compiled.settle()
        if states_of(self._compiled) != states_of(self._pure):
            raise Broken("the streams differ after it")

    def _at_place(self, data: bytes) -> bytes:
        """Let identifiers follow those of the batch before; every fourth batch repeats it."""
        if self._fed % 4:
            self._next += _PLACES
        for place in range(_PLACES):
            data = data.replace(b"%d" % (_PLACE + place), b"%d" % (self._next - _PLACES + place))
        return data


def _shown(admission: Admission | None) -> str:
    return repr(admission if admission is None else [*map(repr, admission.events), *_counts(admission)])


def _counts(admission: Admission) -> list[Any]:
    names = ("kept", "applied", "deduplicated", "lost", "superseded", "gaps")
    return [*(getattr(admission, name) for name in names), list(admission.holes)]


def _events(chance: random.Random, place: int) -> list[Any]:
    symbol = chance.choice("XY")
    identifier = str(_PLACE + place)
    return [
        _trade(chance, place, "X"),
        Quote("SIM", symbol, 0, 2, _number(chance), "1", _number(chance), None, identifier),
        BookDelta("SIM", "X", 5, 6, _levels(chance), _levels(chance), identifier, identifier, None),
    ]


def _trade(chance: random.Random, place: int, symbol: str) -> Trade[str]:
    return Trade("SIM", symbol, 5, 6, _number(chance), _number(chance), "buy", str(_PLACE + place))


def _levels(chance: random.Random) -> list[tuple[str, str]]:
    return [(_number(chance), _number(chance)) for _ in range(chance.randint(0, 5))]


def _number(chance: random.Random) -> str:
    return f"{chance.uniform(0, 10 ** chance.randint(0, 6)):.{chance.randint(0, 12)}f}"
