"""Which rings the supervisor has vouched for."""

from __future__ import annotations

from foxtrot_supervisor.engine.delivery.started import REFUSED_MAX, UNKNOWN_WAIT_S, StartedWorkers


def test_started_incarnations_and_earlier_ones_are_included_and_no_others() -> None:
    started = StartedWorkers()
    started.add({"w.a": 3, "w.b": 1})
    started.add({"w.a": 2})  # an older word changes nothing
    assert [started.includes("w.a", incarnation) for incarnation in (0, 1, 3, 4)] == [False, True, True, False]
    assert not started.includes("w.c", 1)
    assert started.latest() == {"w.a": 3, "w.b": 1}


def test_it_is_complete_with_the_last_of_several_messages() -> None:
    started = StartedWorkers()
    started.add({"w.a": 1}, more=True)
    assert not started.is_complete
    started.add({})
    assert started.is_complete
    assert started.includes("w.a", 1)


def test_an_unknown_ring_is_awaited_for_a_while_and_reported_once() -> None:
    started = StartedWorkers()
    assert started.is_awaited("w.a", 1, 10.0)
    assert started.is_awaited("w.a", 1, 10.0 + UNKNOWN_WAIT_S - 0.1)
    assert not started.is_awaited("w.a", 1, 10.0 + UNKNOWN_WAIT_S)
    assert [started.refuse("w.a", 1), started.refuse("w.a", 1)] == [True, False]


def test_what_is_remembered_of_unknown_rings_is_bounded() -> None:
    started = StartedWorkers()
    awaited = [started.is_awaited("w", number, 0.0) for number in range(1, REFUSED_MAX + 2)]
    assert awaited == [True] * REFUSED_MAX + [False]
    refused = [started.refuse("w", number) for number in range(1, REFUSED_MAX + 2)]
    assert refused == [True] * REFUSED_MAX + [False]
