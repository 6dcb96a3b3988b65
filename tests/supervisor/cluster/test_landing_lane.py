"""A lane of the landing with a real ring and the engine's reader: landed, handled, continued, closed."""

from __future__ import annotations

from pathlib import Path

from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.cluster.engine_state import Known, LaneState
from foxtrot_supervisor.cluster.handover import AHEAD_LEAST, Handover
from foxtrot_supervisor.cluster.landing_lane import LandingLane
from foxtrot_supervisor.cluster.wire import Committed, End, Parcel
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader

MANY = 1 << 30


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


def lane_with(folder: Path, *numbers: int, known: Known | None = None, marks_to: int = 0) -> LandingLane:
    first = parcel(batch(numbers[0]), acknowledged=numbers[0] - 1)
    lane = LandingLane(str(folder), first, known, marks_to)
    for source, number in enumerate(numbers, 1):
        lane.take(source, parcel(batch(number), acknowledged=numbers[0] - 1), purged=False)
    return lane


def land(lane: LandingLane, handover: Handover | None = None, *, repeating: bool = False) -> list[int]:
    """Land what a state allows; return the sequences."""
    landed = []
    while lane.may_land(repeating=repeating):
        sequence = lane.lane.ready[0].sequence
        if lane.land(0.0, None if repeating else handover or Handover(), lambda _: None) < 0:
            break
        landed.append(sequence)
    return landed


def handle(folder: Path, count: int) -> None:
    """Do what an engine does with `count` batches."""
    reader = RingReader.open(str(folder), "w.a", 1)
    assert reader is not None
    for _ in range(count):
        record = reader.next()
        assert record is not None
        reader.acknowledge(record.sequence, record.end, 0, 0, 0)
    reader.close()


def test_only_what_a_durable_state_names_is_landed(tmp_path: Path) -> None:
    lane, handover = lane_with(tmp_path, 11, 12, 13), Handover()
    assert not lane.known
    assert lane.begin == LaneState("w.a", 1, 10, 20)
    assert land(lane, handover) == []
    planned = lane.plan(4)
    assert planned == LaneState("w.a", 1, 10, 20, 12), "two batches of two events each"
    lane.named(planned)
    assert land(lane, handover) == [11, 12]
    assert handover.events == 4
    assert lane.settle(0.0, handover) == []
    handle(tmp_path, 2)
    assert lane.settle(0.0, handover) == [[1], [2]]
    assert lane.plan(MANY) == LaneState("w.a", 1, 12, 24, 13 + AHEAD_LEAST), "what has come, and some more"
    lane.named(lane.plan(MANY))
    assert land(lane, handover) == [13]
    handle(tmp_path, 1)
    assert lane.settle(0.0, handover) == [[3]]
    assert lane.is_handled
    assert lane.last_state.reach == lane.last_state.sequence == 13
    lane.close()


def test_twice_as_many_batches_as_came_since_the_last_state_are_named_ahead(tmp_path: Path) -> None:
    lane = lane_with(tmp_path, *range(1, 31))
    assert [lane.plan(MANY).reach for _ in range(3)] == [90, 30 + 52, 30 + 45], "fewer when fewer come, not at once"
    for _ in range(30):
        reach = lane.plan(MANY).reach
    assert reach == 30 + AHEAD_LEAST
    assert lane.plan(10).reach == 5, "no more than the hand-over may hold"
    lane.close()


def test_a_landing_that_died_is_continued_and_nothing_is_landed_twice(tmp_path: Path) -> None:
    start = LaneState("w.a", 1, 0, 0, 9)
    known, handover = Known(start, start), Handover()
    lane = lane_with(tmp_path, 1, 2, 3, known=known)
    assert land(lane) == [1, 2, 3]
    handle(tmp_path, 1)
    lane.close()  # killed before it wrote that 1 is handled
    again = LandingLane(str(tmp_path), parcel(batch(1)), known)
    assert again.take(1, parcel(batch(1)), purged=False) == []
    assert again.take(2, parcel(batch(2)), purged=False) == []
    assert again.settle(0.0, handover) == [], "2 and 3 are in the ring, and not handled"
    again.take(3, parcel(batch(3), batch(4)), purged=False)
    assert land(again, handover) == [4]
    handle(tmp_path, 2)
    assert again.settle(0.0, handover) == [[1], [2], [3]]
    assert again.handled == LaneState("w.a", 1, 3, 6, 9)
    handle(tmp_path, 1)
    assert again.settle(0.0, handover) == [[3]]
    again.close()


def test_another_host_goes_on_after_what_was_handled(tmp_path: Path) -> None:
    at = LaneState("w.a", 1, 2, 4, 9)
    lane = LandingLane(str(tmp_path), parcel(batch(2)), Known(at, at))
    assert lane.take(1, parcel(batch(2)), purged=False) == [[1]], "handled by the other host"
    lane.take(2, parcel(batch(5), acknowledged=4), purged=False)
    assert not lane.is_repeating
    assert land(lane) == [5]
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    done, record = reader.applied(), reader.next()
    assert done is not None
    assert record is not None
    assert (done.sequence, record.sequence, record.events_before) == (2, 5, 4), "3 and 4 are a loss of four events"
    reader.close()
    lane.close()


def test_decisions_between_base_and_state_are_repeated_first_and_the_hand_over_is_marked(tmp_path: Path) -> None:
    encoder = BatchEncoder("w.a", 1)
    trade = Trade("SIM", "BTC", 1, 2, "1.5", "2", "buy", "77")
    known = Known(LaneState("w.a", 1, 2, 4, 3), LaneState("w.a", 1, 4, 8, 6))
    batches = [Committed(n, 2 * (n - 1), 2, encoder.encode(n, 9, [trade] * 2)) for n in range(1, 9)]
    lane = LandingLane(str(tmp_path), parcel(batches[0]), known, marks_to=105)
    for each in batches:
        lane.take(100 + each.sequence, parcel(each), purged=False)
    assert lane.is_repeating
    assert lane.repeat_pending
    handover = Handover()
    assert land(lane, repeating=True) == [3, 4]
    handle(tmp_path, 2)
    lane.settle(0.0, handover)
    assert not lane.is_repeating
    assert land(lane, handover) == [5, 6], "what the state names"
    lane.named(lane.plan(MANY))
    assert land(lane, handover) == [7, 8]
    assert handover.events == 8
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    marked = []
    while (record := reader.next()) is not None:
        events = batch_decoder("text").decode(record.data).events
        marked.append((record.sequence, record.events_before, [event.redelivered for event in events]))
        reader.advance(record.end)
    assert marked == [
        (5, 0, [True, True]),
        (6, 2, [False, False]),  # stored after the death of the host that the state names
        (7, 4, [False, False]),
        (8, 6, [False, False]),
    ]
    reader.close()
    lane.close()


def test_what_is_to_be_repeated_and_is_not_in_the_stream_any_more_is_no_loss(tmp_path: Path) -> None:
    known = Known(LaneState("w.a", 1, 2, 4, 3), LaneState("w.a", 1, 4, 8, 9))
    lane = LandingLane(str(tmp_path), parcel(batch(6)), known)
    lane.take(1, parcel(batch(6), acknowledged=5), purged=True)
    assert not lane.is_repeating
    assert land(lane) == [6]
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    record = reader.next()
    assert record is not None
    assert record.events_before == 2, "5 is lost, 3 and 4 were handled"
    reader.close()
    lane.close()


def test_the_end_closes_it_and_what_never_came_is_announced(tmp_path: Path) -> None:
    lane = lane_with(tmp_path, 1)
    lane.named(lane.plan(MANY))
    land(lane)
    lane.take(2, parcel(end=End(3, 6, 1, 1)), purged=False)
    lane.close_down()
    assert lane.closing
    lane.named(lane.plan(MANY))
    assert land(lane) == [3]
    reader = RingReader.open(str(tmp_path), "w.a", 1)
    assert reader is not None
    records = []
    while (record := reader.next()) is not None:
        records.append((record.sequence, record.events, record.data))
        reader.acknowledge(record.sequence, record.end, 0, 0, 0)
    assert records == [(1, 2, b"batch"), (3, 4, b"")]
    assert (reader.dropped, reader.unannounced) == (1, 1)
    reader.close()
    lane.settle(0.0, Handover())
    assert lane.is_handled
    lane.close()
