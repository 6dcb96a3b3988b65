"""The bound of what may come again after the death of an engine's host."""

from __future__ import annotations

from foxtrot_supervisor.cluster.handover import HANDOVER_BYTES_MAX, HANDOVER_EVENTS_MAX, STUCK_S, Handover


def test_room_comes_back_when_a_state_is_durable_and_not_before() -> None:
    handover = Handover()
    assert handover.has_room(10 * HANDOVER_EVENTS_MAX, 10 * HANDOVER_BYTES_MAX), "a single batch may be larger"
    handover.handed(HANDOVER_EVENTS_MAX - 1, 100, 0.0)
    assert handover.has_room(1, 100)
    assert not handover.has_room(2, 100)
    assert not handover.has_room(1, HANDOVER_BYTES_MAX)
    assert handover.is_idle
    handover.handled(HANDOVER_EVENTS_MAX - 1, 100, 1.0)
    assert not handover.is_idle
    assert not handover.has_room(2, 100), "handled, and no state says so"
    handover.note()
    handover.handed(1, 100, 1.0)
    handover.handled(1, 100, 1.0)
    assert not handover.has_room(1, 100)
    handover.durable()
    assert handover.events == 1, "handled after the state was made"
    assert handover.has_room(HANDOVER_EVENTS_MAX - 1, 100)
    assert handover.events_most == HANDOVER_EVENTS_MAX


def test_it_is_stuck_when_the_engine_takes_nothing_and_everything_is_durable() -> None:
    handover = Handover()
    handover.handed(5, 10, 1.0)
    assert not handover.is_stuck(1.0 + STUCK_S / 2)
    assert handover.is_stuck(1.0 + STUCK_S)
    handover.handled(2, 4, 2.0)
    assert not handover.is_stuck(3.0), "a state would make room"
    handover.note()
    handover.durable()
    assert not handover.is_stuck(2.0 + STUCK_S / 2)
    assert handover.is_stuck(3.0)
