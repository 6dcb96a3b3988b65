"""The compiled form of merging decides as the pure form does, in every state."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from foxtrot_protocol.events import EVENT_BBO, EVENT_MARKET_TRADE, MarkPrice
from foxtrot_supervisor.engine.delivery import merge as merge_module
from foxtrot_supervisor.engine.delivery.merge import StreamMerge
from tests.supervisor.engine.delivery.test_ranges import RULES, SECOND, STEPS, states_of
from tests.support.engine_fuzz import EngineBatches
from tests.support.fuzzing import fuzz
from tests.support.merge_world import A, B, delta, gap, quote, snapshot, trade, trades

native = merge_module._compiled

pytestmark = pytest.mark.skipif(native is None, reason="not compiled")


class Both:
    """The same batches in both forms."""

    def __init__(self, rules: dict[str, str], *, deliver_updates: bool = False) -> None:
        self.compiled, self.pure = (StreamMerge(rules, deliver_updates=deliver_updates) for _ in range(2))
        self.in_compiled = 0
        for side in (A, B):
            self.open(side)

    def open(self, side: tuple[str, int]) -> None:
        for merge in (self.compiled, self.pure):
            merge.opened(side)

    def close(self, side: tuple[str, int]) -> None:
        for merge in (self.compiled, self.pure):
            merge.closed(side)

    def take(self, side: tuple[str, int], events: list[Any], *, may_wait: bool = True) -> Any:
        own = [replace(event) for event in events]  # the rules mark events
        admission = self.compiled.admit(side, own, may_wait=may_wait)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(merge_module, "_compiled", None)
            expected = self.pure.admit(side, events, may_wait=may_wait)
            assert (admission is None) == (expected is None)
            if admission is not None and expected is not None:
                for name in ("kept", "applied", "deduplicated", "lost", "superseded", "gaps"):
                    assert getattr(admission, name) == getattr(expected, name), name
                assert list(admission.events) == list(expected.events)
                assert list(admission.holes) == list(expected.holes)
                settled = self.pure.settle()
        if admission is not None:
            self.in_compiled += self.compiled._in_compiled
            assert {each.key for each in self.compiled.settle()} == {each.key for each in settled}
        assert states_of(self.compiled) == states_of(self.pure)
        for key, stream in self.compiled._by_key.items():
            assert stream.fills == self.pure._by_key[key].fills
        return admission


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(rules.values()))
@settings(max_examples=150, deadline=None)
@given(steps=STEPS, deliver=st.booleans())
def test_both_forms_decide_alike(
    rules: dict[str, str], steps: list[tuple[int, int, list[Any], bool]], deliver: bool
) -> None:
    both = Both(rules, deliver_updates=deliver)
    for which, incarnation, events, may_wait in steps:
        side = ("ab"[which], incarnation)
        both.close((side[0], 3 - incarnation))
        both.open(side)
        both.take(side, events, may_wait=may_wait)


@pytest.mark.parametrize("rules", RULES[:6:2], ids=lambda rules: "-".join(rules.values()))
def test_both_forms_decide_alike_while_twins_follow_each_other(rules: dict[str, str]) -> None:
    compiled = 0
    for seed in range(60):
        chance = random.Random(seed)
        both = Both(rules)
        made: list[Any] = [snapshot(1)]
        for number in range(2, 120):
            step = chance.choice([1, 1, 1, 1, 1, 2])
            last = number * step if rules[EVENT_MARKET_TRADE] == "increasing" else number
            at = SECOND + number * chance.choice([1, 1, 1, SECOND])
            made.append(
                chance.choice(
                    [
                        trade(last, ns=at, symbol=chance.choice("XY")),
                        replace(trade(last, ns=at), count=chance.choice([1, 1, 2])),
                        quote(number, ns=chance.choice([0, at])),
                        delta(number, number, ns=at),
                    ]
                )
            )
        places = {A: 0, B: 0}
        while min(places.values()) < len(made):
            side = chance.choice((A, B))
            events = made[places[side] : places[side] + chance.randint(1, 9)]
            if both.take(side, events, may_wait=chance.random() < 0.9) is not None:
                places[side] += len(events)
            elif chance.random() < 0.3:
                both.compiled.give_up(side[0])
                both.pure.give_up(side[0])
        compiled += both.in_compiled
    assert compiled > 60


def test_what_continues_and_copies_of_it_are_decided_in_the_compiled_form() -> None:
    both = Both(RULES[0])
    begin = [*trades(1), quote(1), snapshot(5), trade(1, symbol="Y")]
    both.take(A, begin)
    both.take(B, begin)
    assert both.in_compiled == 0
    both.take(A, [trade(2), delta(6, 6), quote(4), trade(3), delta(7, 9), trade(2, symbol="Y"), quote(9)])
    both.take(B, [trade(2), quote(4)])
    admission = both.take(B, [trade(3), delta(6, 6), trade(4), delta(7, 9)])
    assert admission.kept == [2]
    assert both.in_compiled == 3


@pytest.mark.parametrize(
    "events",
    [
        [trade(3)],
        [trade(2), trade(4)],
        [trade(2, backfilled=True)],
        [trade("x")],
        [trade("٢")],
        [trade("1" * 19)],
        [trade(1, symbol="new")],
        [gap("1", "2")],
        [MarkPrice("SIM", "X", 1, 2, "1")],
        [quote(2), snapshot(2)],
    ],
)
def test_all_else_is_left_to_the_pure_form(events: list[Any]) -> None:
    both = Both({EVENT_MARKET_TRADE: "sequence", EVENT_BBO: "latest"})
    both.take(A, [trade(1), quote(1)])
    both.take(A, events)
    assert both.in_compiled == 0


def test_more_streams_than_one_batch_may_have_are_left() -> None:
    both = Both(RULES[0])
    for number in (1, 2):
        both.take(A, [trade(number, symbol=f"S{each}") for each in range(65)])
    assert both.in_compiled == 0
    both.take(A, [trade(3, symbol=f"S{each}") for each in range(64)])
    assert both.in_compiled == 1


def test_damaged_batches_are_read_and_merged_alike() -> None:
    """The short form of ``scripts/fuzz.py --target engine_batches``."""
    report = fuzz(EngineBatches, 3_000, 11)
    assert report.failure == ""
    assert report.accepted > 500
