"""Which batch is applied, which is left to the ring, which is dropped; and that order holds whatever comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.engine.delivery.lanes import FENCE_WAIT_S, QUIET_S, Arrival, Delivery


def opened(*incarnations: int, has_ring: bool = True) -> Delivery:
    delivery = Delivery()
    for incarnation in incarnations:
        delivery.open(incarnation, 1, has_ring=has_ring, now=0.0)
    return delivery


def test_in_order_each_is_applied_and_what_comes_again_is_not() -> None:
    delivery = opened(1)
    for sequence in (1, 2, 3):
        assert delivery.arrived(1, sequence, 0.0) is Arrival.APPLY
        delivery.lanes[1].next_sequence += 1
    assert delivery.arrived(1, 2, 0.0) is Arrival.DUPLICATE
    assert not delivery.reads(0.0, empty=True)


def test_a_jump_is_read_from_the_ring_and_meanwhile_everything_is() -> None:
    delivery = opened(1)
    assert delivery.arrived(1, 3, 0.0) is Arrival.IN_RING
    assert delivery.reads(0.0, empty=False)
    delivery.lanes[1].next_sequence = 3
    assert delivery.arrived(1, 4, 0.0) is Arrival.IN_RING
    delivery.lanes[1].next_sequence = 5
    assert delivery.reads(0.0, empty=True), "what the ring holds is known only by reading it"
    delivery.lanes[1].behind = False
    assert not delivery.reads(0.0, empty=True)
    assert delivery.arrived(1, 5, 0.0) is Arrival.APPLY


def test_without_a_ring_a_jump_is_a_gap() -> None:
    assert opened(1, has_ring=False).arrived(1, 3, 0.0) is Arrival.APPLY


def test_a_quiet_ring_that_holds_something_is_read() -> None:
    delivery = opened(1)
    delivery.arrived(1, 1, 10.0)
    delivery.lanes[1].next_sequence = 2
    assert not delivery.reads(10.0 + QUIET_S / 2, empty=False)
    assert delivery.reads(10.0 + QUIET_S, empty=False)
    assert not delivery.reads(10.0 + QUIET_S, empty=True)


def test_a_ring_of_which_nothing_was_heard_is_read_at_once() -> None:
    assert opened(1).reads(0.0, empty=False)
    assert not Delivery().reads(0.0, empty=False)
    assert not opened(1, has_ring=False).reads(0.0, empty=False)


def test_the_next_incarnation_waits_for_the_one_before() -> None:
    delivery = opened(1, 2)
    assert delivery.arrived(2, 1, 0.0) is Arrival.IN_RING
    assert delivery.current() == 1
    assert not delivery.dead(FENCE_WAIT_S / 2)
    delivery.fence(1)
    assert delivery.dead(0.0)
    assert delivery.reads(0.0, empty=True), "to its end, then it is retired"
    delivery.retire(1)
    assert (delivery.current(), delivery.dead(0.0)) == (2, False)
    assert delivery.reads(0.0, empty=False)
    assert delivery.arrived(1, 7, 0.0) is Arrival.LATE
    assert not delivery.wants(1)


def test_the_wait_for_a_fence_is_bounded() -> None:
    delivery = opened(1, 2)
    assert not delivery.fence_overdue(FENCE_WAIT_S - 0.01)
    assert delivery.dead(FENCE_WAIT_S)
    assert not opened(1).dead(1e9), "nobody waits"
    assert not Delivery().dead(0.0)


def test_a_fence_makes_late_what_has_no_ring() -> None:
    delivery = opened(1, has_ring=False)
    delivery.fence(1)
    assert delivery.arrived(1, 1, 0.0) is Arrival.LATE
    unheard = Delivery()
    unheard.fence(3)
    assert not unheard.wants(3)
    assert unheard.arrived(3, 1, 0.0) is Arrival.LATE
    assert unheard.wants(4)
    between = opened(5)
    between.fence(9)
    assert between.wants(5) is False
    assert not between.wants(4)
    assert between.wants(6), "its ring may still be found"


@given(st.data())
def test_whatever_zeromq_loses_or_repeats_each_batch_is_applied_once_and_in_order(data: st.DataObject) -> None:
    """A worker with two incarnations; ZeroMQ drops, repeats and delays; the ring has everything."""
    delivery = Delivery()
    committed = {1: 0, 2: 0}
    applied: list[tuple[int, int]] = []
    now, alive = 0.0, 1

    def read() -> None:
        for _ in range(100):
            current = delivery.current()
            if current is None:
                return
            lane = delivery.lanes[current]
            if not delivery.reads(now, empty=lane.next_sequence > committed[current]):
                return
            if lane.next_sequence <= committed[current]:
                applied.append((current, lane.next_sequence))
                lane.next_sequence += 1
            elif delivery.dead(now):
                delivery.retire(current)
            else:
                lane.behind = False

    for _ in range(data.draw(st.integers(1, 40))):
        now += data.draw(st.sampled_from([0.0, 0.01, QUIET_S]))
        step = data.draw(st.sampled_from(["commit", "bring", "bring old", "read", "die"]))
        if step == "commit":
            committed[alive] += 1
        elif step.startswith("bring") and any(committed.values()):
            incarnation = data.draw(st.sampled_from([number for number in (1, 2) if committed[number]]))
            sequence = committed[incarnation] if step == "bring" else data.draw(st.integers(1, committed[incarnation]))
            if delivery.wants(incarnation):
                for number in range(1, incarnation + 1):
                    if committed[number] and delivery.wants(number):
                        delivery.open(number, 1, has_ring=True, now=now)
            if delivery.arrived(incarnation, sequence, now) is Arrival.APPLY:
                applied.append((incarnation, sequence))
                delivery.lanes[incarnation].next_sequence = sequence + 1
        elif step == "die" and alive == 1:
            alive = 2
            if committed[1] and delivery.wants(1):
                delivery.open(1, 1, has_ring=True, now=now)
            delivery.fence(1)
        read()
    now += FENCE_WAIT_S + QUIET_S
    for number in (1, 2):
        if committed[number] and delivery.wants(number):
            delivery.open(number, 1, has_ring=True, now=now)
    if alive == 2:
        delivery.fence(1)
    read()
    assert applied == [(number, n) for number in (1, 2) for n in range(1, committed[number] + 1)]
