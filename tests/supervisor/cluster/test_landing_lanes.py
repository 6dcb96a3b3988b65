"""Lanes of a landing with real rings: which incarnation has its turn, which has ended, what a state says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from foxtrot_protocol import ring_layout
from foxtrot_supervisor.cluster import landing_lanes as module
from foxtrot_supervisor.cluster.engine_state import BaseRef, EngineState, Known, LaneState
from foxtrot_supervisor.cluster.fences import FENCE_DELAY_S, Fences
from foxtrot_supervisor.cluster.handover import Handover
from foxtrot_supervisor.cluster.landed_ring import RingUnusable
from foxtrot_supervisor.cluster.landing_lanes import LandingLanes, Plan
from foxtrot_supervisor.cluster.names import EPOCH_STEP
from foxtrot_supervisor.cluster.wire import Committed, End, Parcel
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from tests.supervisor.cluster.test_lease import holder

MANY = 1 << 30
FIRST, SECOND = EPOCH_STEP + 1, EPOCH_STEP + 2
"""Incarnations of one epoch."""
LATER = 2 * EPOCH_STEP + 1
"""One of the next holder."""


def parcel(incarnation: int, *sequences: int, acknowledged: int = 0, end: End | None = None) -> Parcel:
    return Parcel(
        run_id="r",
        worker="w",
        incarnation=incarnation,
        connection="btc",
        side="a0.a",
        capacity=65536,
        rules={},
        acknowledged=acknowledged,
        batches=[Committed(number, 2 * (number - 1), 2, b"batch") for number in sequences],
        end=end,
    )


class _World:
    """Lanes, and an engine that handles what is in their rings when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lanes = LandingLanes(str(folder))
        self.handover = Handover()
        self.source = 0

    def take(self, each: Parcel) -> None:
        key = each.worker, each.incarnation
        self.source += 1
        lane = self.lanes.open.get(key) or self.lanes.meet(each, 0)
        lane.take(self.source, each, purged=False)
        self.lanes.active[key] = lane
        if each.end is not None:
            lane.close_down()

    def write(self, *, whole: bool = False, final: bool = False) -> tuple[Plan, dict[str, int]]:
        plan = self.lanes.plan(MANY, whole=whole, final=final)
        return plan, self.lanes.written(plan)

    def land(self, now: float = 0.0) -> list[tuple[int, int]]:
        """Land all that may be; return incarnation and sequence of each batch."""
        landed = []
        for key in self.lanes.in_turn(now):
            lane = self.lanes.open[key]
            while lane.may_land(repeating=self.lanes.is_repeating):
                landed.append((key[1], lane.lane.ready[0].sequence))
                assert lane.land(now, self.handover, lambda _: None) >= 0
                self.lanes.landed(key)
        return landed

    def handle(self, incarnation: int) -> None:
        """Do what an engine does with all batches of a ring."""
        reader = RingReader.open(str(self.folder), "w", incarnation)
        assert reader is not None
        while (record := reader.next()) is not None:
            reader.acknowledge(record.sequence, record.end, 0, 0, 0)
        reader.close()

    def settle(self, now: float = 0.0, read: int = 0) -> list[list[int]]:
        return self.lanes.settle(now, self.handover, read)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[_World]:
    made = _World(tmp_path)
    yield made
    made.lanes.close()


def state(*lanes: LaneState, repeating: bool = False, read: int = 0) -> EngineState:
    return EngineState(
        holder="r",
        host="h",
        consumer="c",
        stream_created="t",
        position=0,
        read=read,
        repeating=repeating,
        lanes=lanes,
        base=BaseRef("r", 0, 1, 0),
    )


def test_a_lane_is_in_states_from_its_beginning_to_its_end(world: _World) -> None:
    lanes = world.lanes
    world.take(parcel(FIRST, 1, 2))
    assert world.land() == [], "no state names it"
    plan, fenced = world.write()
    assert [each.key for each in plan.begun] == [each.key for each in plan.lanes] == [("w", FIRST)]
    assert (plan.ended, fenced) == (None, {})
    assert world.land() == [(FIRST, 1), (FIRST, 2)]
    assert not lanes.are_landed_handled
    world.handle(FIRST)
    assert world.settle() == [[1], [1]]
    assert (lanes.are_landed_handled, lanes.active, lanes.base_wanted) == (True, {}, False)
    world.take(parcel(FIRST, end=End(2, 4, 0, 0)))
    assert world.settle() == [[2]], "the source of the end"
    assert lanes.base_wanted
    plan, fenced = world.write(whole=True)
    assert (plan.lanes, plan.ended, fenced) == ([], {"w": FIRST}, {"w": FIRST})
    assert (lanes.open, lanes.base_wanted, lanes.has_ended(("w", FIRST))) == ({}, False, True)
    assert lanes.started() == {"w": FIRST}


def test_the_last_state_names_nothing_beyond_what_is_handled(world: _World) -> None:
    world.take(parcel(FIRST, 1))
    world.write()
    world.land()
    unhandled, _ = world.write(whole=True, final=True)
    world.handle(FIRST)
    world.settle()
    handled, _ = world.write(whole=True, final=True)
    assert unhandled.lanes[0].reach > 1
    assert (handled.lanes[0].sequence, handled.lanes[0].reach) == (1, 1)


def test_only_lanes_that_differ_from_the_base_are_in_a_state(world: _World) -> None:
    world.take(parcel(FIRST, 1))
    world.write(whole=True)
    assert not world.lanes.differ
    other = msgspec.structs.replace(parcel(FIRST, 1), worker="v")
    world.take(other)
    world.lanes.active.pop(("w", FIRST))
    plan, _ = world.write()
    assert [each.key for each in plan.lanes] == [("v", FIRST)]
    plan, _ = world.write(whole=True)
    assert {each.worker for each in plan.lanes} == {"v", "w"}


def test_an_incarnation_waits_for_the_end_of_the_one_before_it_and_not_for_ever(world: _World) -> None:
    world.take(parcel(FIRST, 1))
    world.write()
    world.land()
    world.handle(FIRST)
    world.settle()
    assert ("w", FIRST) not in world.lanes.active, "nothing is to be done: its end may still come"
    world.take(parcel(SECOND, 1))
    world.write()
    assert world.land(now=100.0) == []
    assert world.land(now=100.0 + module.SUCCESSOR_WAIT_S - 0.1) == []
    assert world.land(now=100.0 + module.SUCCESSOR_WAIT_S) == []
    assert world.lanes.open["w", FIRST].closing
    world.settle()
    _, fenced = world.write(whole=True)
    assert fenced == {"w": FIRST}
    assert world.land(now=200.0) == [(SECOND, 1)]


def test_the_worker_of_a_later_holder_supersedes_all_before_it(world: _World) -> None:
    at = LaneState("w", FIRST, 4, 8, 4)
    world.lanes.adopt(state(at), {at.key: Known(at, at)}, {})
    assert world.lanes.started() == {"w": FIRST}
    world.take(parcel(SECOND, 1))
    world.take(parcel(LATER, 1))
    assert (world.lanes.silent, world.lanes.base_wanted) == ({"w": FIRST}, True), "nothing came of it"
    assert world.lanes.open["w", SECOND].closing
    plan, fenced = world.write(whole=True)
    assert fenced == plan.ended == {"w": FIRST}
    assert world.lanes.silent == {}


def test_a_fence_closes_the_lane_of_a_former_holder(world: _World) -> None:
    fences = Fences()
    fences.add(holder(side="a", epoch=2), 7, 0.0)
    world.take(parcel(FIRST, 1))
    world.take(msgspec.structs.replace(parcel(FIRST, 1), worker="v", side="b0.a"))
    world.lanes.close_fenced(fences, 6, FENCE_DELAY_S)
    assert not world.lanes.open["w", FIRST].closing
    world.lanes.close_fenced(fences, 7, FENCE_DELAY_S)
    assert world.lanes.open["w", FIRST].closing
    assert not world.lanes.open["v", FIRST].closing


def test_decisions_are_repeated_before_anything_else(world: _World) -> None:
    known = Known(LaneState("w", FIRST, 2, 4, 3), LaneState("w", FIRST, 4, 8, 6))
    world.lanes.adopt(state(known.reached, repeating=True, read=2), {known.start.key: known}, {})
    assert world.lanes.repeat_read == 2
    world.settle()
    assert world.lanes.is_repeating, "nothing of it has come"
    world.take(parcel(FIRST, 3, 4, 5, acknowledged=2))
    assert world.land() == [(FIRST, 3), (FIRST, 4)]
    world.settle(read=2)
    assert world.lanes.is_repeating
    world.handle(FIRST)
    world.settle(read=2)
    assert (world.lanes.is_repeating, world.lanes.base_wanted, world.lanes.repeat_read) == (False, True, 0)
    assert world.land() == [(FIRST, 5)]


def test_what_the_stream_has_discarded_is_not_waited_for(world: _World) -> None:
    known = Known(LaneState("w", FIRST, 2, 4, 3), LaneState("w", FIRST, 4, 8, 6))
    world.lanes.adopt(state(known.reached, repeating=True, read=9), {known.start.key: known}, {})
    world.settle(read=8)
    assert world.lanes.is_repeating
    world.settle(read=9)
    assert not world.lanes.is_repeating


def test_a_ring_that_cannot_be_written_is_no_lane(world: _World) -> None:
    (world.folder / ring_layout.ring_name("w", FIRST)).mkdir()
    with pytest.raises(RingUnusable):
        world.lanes.meet(parcel(FIRST, 1), 0)
    assert world.lanes.open == {}
