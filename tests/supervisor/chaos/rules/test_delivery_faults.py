"""The delivery faults: reproducible, each with one worker and with twins, and what is promised of each."""

from __future__ import annotations

import random

import pytest

from foxtrot_supervisor.chaos.rules.delivery_faults import (
    DELIVERY_FAULTS,
    DeliveryStep,
    delivery_schedule,
    exchange_fault,
    promises_of,
    strikes_of,
)
from foxtrot_workers.simulator.server.faults import KINDS


def steps(seed: int = 1) -> list[DeliveryStep]:
    return delivery_schedule(random.Random(seed).random, first_number=10)


def step(fault: str, sides: str = "one") -> DeliveryStep:
    (found,) = (each for each in steps() if (each.fault, each.sides) == (fault, sides))
    return found


def test_each_fault_with_one_worker_and_with_twins() -> None:
    found = [(each.fault, each.sides) for each in steps()]
    assert len(set(found)) == len(found) == 2 * len(DELIVERY_FAULTS) - 1
    assert ("twins_sigkill", "one") not in found
    assert [each.number for each in steps()] == list(range(10, 10 + len(found)))
    assert {each.victim for each in steps() if each.sides == "one"} == {"load0.a"}
    assert {each.victim for each in steps() if each.sides == "twins"} == {"load0.a", "load0.b"}


def test_the_same_seed_gives_the_same_steps() -> None:
    assert steps() == steps()
    assert steps() != steps(2)
    assert [each.fault for each in delivery_schedule(random.Random(1).random, ["net_drop"])] == ["net_drop"] * 2


@pytest.mark.parametrize("fault", DELIVERY_FAULTS)
def test_what_is_promised(fault: str) -> None:
    twins = promises_of(step(fault, "twins"))
    assert twins.complete == (fault not in ("twins_sigkill", "ring_full")), "the other one has it"
    assert not twins.whole
    assert twins.engines_killed == (fault in ("engine_sigkill", "ring_damaged", "ring_words_damaged"))
    if fault == "twins_sigkill":
        return
    one = promises_of(step(fault))
    assert not (one.complete and not twins.complete), "twins are never worse"
    if fault.startswith("kill_"):
        assert (one.complete, one.whole) == (False, True)
    if fault in ("net_duplicate", "engine_sigkill", "handler_blocks"):
        assert (one.complete, one.whole, one.same_book) == (True, True, True)


def test_kills_strike_at_their_points() -> None:
    (mark,) = strikes_of(step("kill_mark"))
    assert (mark.phase, mark.early, mark.next_incarnation) == ("mark", (), 2)
    (handshake,) = strikes_of(step("kill_handshake"))
    assert (handshake.phase, handshake.early, handshake.next_incarnation) == ("anywhere", ("handshake",), 3)
    assert strikes_of(step("net_drop")) == []


def test_the_exchange_supports_each_fault_it_is_given() -> None:
    for fault in DELIVERY_FAULTS:
        told = exchange_fault(step(fault, "twins"), 7, "@trade")
        assert (told is not None) == fault.startswith("net_")
        if told is not None:
            assert told["kind"] in KINDS
            assert told["connection"] == 7
