"""A lane of the landing with a real ring and the engine's reader: landed, handled, continued, closed."""

from __future__ import annotations

from pathlib import Path

from foxtrot_supervisor.cluster.engine_state import LaneState
from foxtrot_supervisor.cluster.landing_lane import LandingLane
from foxtrot_supervisor.cluster.wire import Committed, End, Parcel
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader

FOREVER = 1 << 60


def parcel(*batches: Committed, acknowledged: int = 0, end: End | None = None) -> Parcel:
    return Parcel(
        run_id="r",
        worker="w.a",
        incarnation=1,
        connection="w",
        side="a",
        capacity=65536,
        rules={},
        acknowledged=acknowledged,
        batches=batches,
        end=end,
    )


def batch(sequence: int) -> Committed:
    return Committed(sequence, 2 * (sequence - 1), 2, b"batch")


def lane_with(folder: Path, *numbers: int, known: LaneState | None = None) -> LandingLane:
    first = parcel(batch(numbers[0]), acknowledged=numbers[0] - 1)
    lane = LandingLane(str(folder), first, known)
    for source, number in enumerate(numbers, 1):
        lane.take(source, parcel(batch(number), acknowledged=numbers[0] - 1), purged=False)
    return lane


def handle(folder: Path, count: int) -> None:
    """Do what an engine does with `count` batches."""
    reader = RingReader.open(str(folder), "w.a", 1)
    assert reader is not None
    for _ in range(count):
        record = reader.next()
        assert record is not None
        reader.acknowledge(record.sequence, record.end, 0, 0, 0)
    reader.close()


def test_batches_are_landed_up_to_the_reserved_position_and_finished_when_handled(tmp_path: Path) -> None:
    lane = lane_with(tmp_path, 1, 2, 3)
    created: list[LandingLane] = []
    assert lane.land(2, 0, created.append)
    assert created == [lane]
    assert not lane.land(2, 0, created.append)
    assert lane.settle() == []
    handle(tmp_path, 2)
    assert lane.settle() == [[1], [2]]
    assert lane.handled == LaneState("w.a", 1, 2, 4)
    assert not lane.is_handled
    assert lane.land(FOREVER, 0, created.append)
    handle(tmp_path, 1)
    assert lane.settle() == [[3]]
    assert lane.is_handled
    lane.close()


def test_a_landing_that_died_is_continued_and_nothing_is_landed_twice(tmp_path: Path) -> None:
    lane = lane_with(tmp_path, 1, 2, 3)
    lane.land(FOREVER, 0, lambda _: None)
    handle(tmp_path, 1)
    lane.close()  # killed before it wrote that 1 is handled
    again = LandingLane(str(tmp_path), parcel(batch(1)), None)
    assert again.take(1, parcel(batch(1)), purged=False) == []
    assert again.take(2, parcel(batch(2)), purged=False) == []
    assert again.settle() == [], "2 and 3 are in the ring, and not handled"
    again.take(3, parcel(batch(3), batch(4)), purged=False)
    assert again.land(FOREVER, 0, lambda _: None)
    handle(tmp_path, 2)
    assert again.settle() == [[1], [2], [3]]
    assert again.handled == LaneState("w.a", 1, 3, 6)
    handle(tmp_path, 1)
    assert again.settle() == [[3]]
    again.close()


def test_another_host_goes_on_after_what_was_handled(tmp_path: Path) -> None:
    known = LaneState("w.a", 1, 2, 4)
    lane = LandingLane(str(tmp_path), parcel(batch(2)), known)
    assert lane.take(1, parcel(batch(2)), purged=False) == [[1]], "handled by the other host"
    lane.take(2, parcel(batch(5), acknowledged=4), purged=False)
    assert lane.land(FOREVER, 0, lambda _: None)
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    done, record = reader.applied(), reader.next()
    assert done is not None
    assert record is not None
    assert (done.sequence, record.sequence, record.events_before) == (2, 5, 4), "3 and 4 are a loss of four events"
    reader.close()
    lane.close()


def test_the_end_closes_it_and_what_never_came_is_announced(tmp_path: Path) -> None:
    lane = lane_with(tmp_path, 1)
    lane.land(FOREVER, 0, lambda _: None)
    lane.take(2, parcel(end=End(3, 6, 1, 1)), purged=False)
    lane.close_down()
    assert lane.closing
    lane.land(FOREVER, 0, lambda _: None)
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    records = []
    while (record := reader.next()) is not None:
        records.append((record.sequence, record.events, record.data))
        reader.acknowledge(record.sequence, record.end, 0, 0, 0)
    assert records == [(1, 2, b"batch"), (3, 4, b"")]
    assert (reader.dropped, reader.unannounced) == (1, 1)
    reader.close()
    lane.settle()
    assert lane.is_handled
    lane.close()
