"""Batches in order out of a stream that brings them twice, late, in pieces, or not at all."""

from __future__ import annotations

import random

from foxtrot_supervisor.cluster.intake import Lane, Outstanding
from foxtrot_supervisor.cluster.wire import Committed, End, Parcel, Piece


def parcel(*batches: Committed, acknowledged: int = 0, piece: Piece | None = None, end: End | None = None) -> Parcel:
    return Parcel(
        run_id="r",
        worker="w.a",
        incarnation=1,
        connection="w",
        side="a",
        capacity=4096,
        rules={},
        acknowledged=acknowledged,
        batches=batches,
        piece=piece,
        end=end,
    )


def batch(sequence: int) -> Committed:
    """Each has two events."""
    return Committed(sequence, 2 * (sequence - 1), 2, f"batch {sequence}".encode())


def sequences(lane: Lane) -> list[int]:
    return [each.sequence for each in lane.ready]


def test_batches_wait_for_earlier_ones_that_come_again() -> None:
    lane = Lane(parcel())
    lane.take(1, parcel(batch(1)), purged=False)
    lane.take(2, parcel(batch(4), acknowledged=1), purged=False)
    lane.take(3, parcel(batch(3), acknowledged=1), purged=False)
    assert sequences(lane) == [1]
    assert lane.holds
    assert lane.take(4, parcel(batch(2), batch(3), acknowledged=1), purged=False) == []
    assert sequences(lane) == [1, 2, 3, 4]
    assert [each.sources for each in lane.ready] == [[1], [4], [3, 4], [2]]
    assert all(each.missing == 0 for each in lane.ready)
    assert lane.take(5, parcel(batch(4)), purged=False) == [(4, 8)], "landed earlier"


def test_a_lane_that_is_older_than_the_engine_begins_in_the_middle_without_a_loss() -> None:
    lane = Lane(parcel())
    lane.take(1, parcel(batch(7), acknowledged=4), purged=False)
    assert sequences(lane) == [], "5 and 6 may still come: nobody knows that they were in the stream before"
    lane.take(2, parcel(batch(8), acknowledged=6), purged=False)
    assert sequences(lane) == [7, 8]
    assert lane.after == 6
    assert lane.ready[0].missing == 0


def test_what_the_stream_discarded_is_a_loss() -> None:
    fresh = Lane(parcel())
    fresh.take(9, parcel(batch(7), acknowledged=6), purged=True)
    assert (fresh.after, fresh.ready[0].missing) == (0, 12)
    known = Lane(parcel(), landed=3, committed=6)
    known.take(9, parcel(batch(7), acknowledged=6), purged=False)
    assert (known.after, known.ready[0].missing) == (3, 6)


def test_a_dead_worker_sends_nothing_again() -> None:
    lane = Lane(parcel(), landed=0)
    lane.take(1, parcel(batch(2)), purged=False)
    assert sequences(lane) == []
    lane.give_up()
    assert (sequences(lane), lane.ready[0].missing) == ([2], 2)


def test_the_end_names_what_never_came() -> None:
    lane = Lane(parcel(), landed=2, committed=4)
    lane.take(5, parcel(end=End(6, 12, 0, 0)), purged=False)
    tail = lane.tail()
    assert tail is not None
    assert (tail.sequence, tail.events, tail.committed, tail.data) == (6, 8, 12, b"")
    assert lane.tail() is None
    complete = Lane(parcel(), landed=6, committed=12)
    complete.take(5, parcel(end=End(6, 12, 0, 0)), purged=False)
    assert complete.tail() is None


def test_pieces_become_a_batch_in_any_order() -> None:
    lane = Lane(parcel())
    whole = b"abcdefgh"
    for source, index in ((1, 2), (2, 0), (3, 2), (4, 1)):
        part = Committed(1, 0, 1, whole[3 * index : 3 * index + 3])
        lane.take(source, parcel(part, piece=Piece(index, 3)), purged=False)
    (landable,) = lane.ready
    assert landable.data == whole
    assert sorted(landable.sources) == [1, 2, 3, 4]
    assert lane.waiting_bytes == len(whole)
    lane.landed()
    assert lane.waiting_bytes == 0
    assert lane.take(5, parcel(Committed(1, 0, 1, b"abc"), piece=Piece(0, 3)), purged=False) == [(1, 1)]


def test_any_order_of_a_forwarder_that_sends_again_gives_every_batch_once_in_order() -> None:
    for seed in range(200):
        dice = random.Random(seed)
        count = dice.randint(1, 40)
        lane, outstanding, landed = Lane(parcel()), Outstanding(0), []
        stored: set[int] = set()
        waiting = list(range(1, count + 1))
        source = 0
        while waiting:
            # a window of sends, some of which fail and are repeated later, some of which are stored twice
            chosen = dice.choice(waiting[:6])
            acknowledged = next(n for n in range(1, count + 2) if n not in stored) - 1
            source += 1
            outstanding.add(source, 1)
            for _ in lane.take(source, parcel(batch(chosen), acknowledged=acknowledged), purged=False):
                outstanding.done([source])
            stored.add(chosen)
            if dice.random() < 0.8:
                waiting.remove(chosen)
            while lane.ready and dice.random() < 0.7:
                landed.append(lane.ready[0])
                lane.landed()
        while lane.ready:
            landed.append(lane.ready[0])
            lane.landed()
        assert [each.sequence for each in landed] == list(range(1, count + 1)), seed
        assert all(each.missing == 0 for each in landed)
        for each in landed:
            outstanding.done(each.sources)
        assert (outstanding.position, len(outstanding), lane.waiting_bytes) == (source, 0, 0)


def test_the_position_is_before_the_first_unfinished_message() -> None:
    outstanding = Outstanding(10)
    assert outstanding.position == 10
    for source, parts in ((11, 2), (12, 1), (13, 0), (15, 1)):
        outstanding.add(source, parts)
    assert (outstanding.position, outstanding.last) == (10, 15)
    outstanding.done([12, 15])
    assert outstanding.position == 10
    outstanding.done([11])
    assert outstanding.position == 10
    outstanding.done([11])
    assert outstanding.position == 15
