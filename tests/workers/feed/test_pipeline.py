"""When batches are flushed, what is rejected, and what a failure leaves behind."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from foxtrot_protocol.events import MarketEvent, Trade
from foxtrot_workers.adapter import Pong, UnrecognizedFrame
from foxtrot_workers.feed import pipeline as pipeline_module
from foxtrot_workers.feed.backpressure import Pressure
from foxtrot_workers.feed.pipeline import Pipeline
from tests.workers.feed.life import Plain

RING_BYTES = 1000


def trade(number: int) -> Trade[str]:
    return Trade("PLAIN", "A", 0, 0, "1", "1", "buy", str(number))


class Numbers(Plain):
    """Each frame is the number of a trade; ``?`` is unknown, ``!`` a notice, anything else a fault."""

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame == b"?":
            raise UnrecognizedFrame("question")
        if frame == b"!":
            self.notices.append(Pong())
        elif frame.isdigit():
            out.append(trade(int(frame)))
        else:
            raise RuntimeError("a fault of the adapter")


class Outflow:
    """Records batches."""

    def __init__(self) -> None:
        self.state = Pressure.FLOWING
        self.used_bytes = 0
        self.can_announce = True
        self.batches: list[list[str | None]] = []

    def send(self, events: list[Any]) -> None:
        self.batches.append([event.trade_id for event in events])

    def announce(self) -> bool:
        return self.can_announce


class World:
    def __init__(self, adapter: Numbers | None = None) -> None:
        self.adapter = Numbers() if adapter is None else adapter
        outflow: Any = Outflow()
        self.outflow = outflow
        self.scheduled: list[Callable[[], None]] = []
        self.failures: list[BaseException] = []
        self.notices = 0
        self.pipeline = Pipeline(
            self.adapter,
            self.outflow,
            RING_BYTES,
            structlog.get_logger(),
            call_soon=self.scheduled.append,
            on_notices=self.take_notices,
            on_failure=self.failures.append,
        )

    def take_notices(self) -> None:
        self.notices += len(self.adapter.notices)
        self.adapter.notices.clear()
        self.pipeline.append(trade(99))

    def receive(self, *frames: bytes, last: bool = True) -> list[list[str | None]]:
        self.pipeline.on_frames(list(frames), last)
        return self.outflow.batches  # type: ignore[no-any-return]


@pytest.fixture
def world() -> World:
    return World()


def test_the_last_frame_of_a_read_flushes_the_batch(world: World) -> None:
    assert world.receive(b"1", b"2") == [["1", "2"]]
    assert world.scheduled == []
    assert (world.pipeline.frames_total, world.pipeline.events_total) == (2, 2)


def test_other_frames_are_flushed_at_the_next_turn_of_the_loop(world: World) -> None:
    assert world.receive(b"1", last=False) == []
    assert world.receive(b"2", last=False) == []
    [flush] = world.scheduled
    flush()
    assert world.outflow.batches == [["1", "2"]]
    world.scheduled.clear()
    world.receive(b"3", last=False)
    assert len(world.scheduled) == 1


def test_a_large_batch_is_flushed_before_the_last_frame(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "BATCH_EVENTS_MAX", 2)
    assert world.receive(b"1", b"2", b"3") == [["1", "2"], ["3"]]


def test_rejected_frames_are_counted_and_logged_once(world: World) -> None:
    with capture_logs() as logs:
        assert world.receive(b"?", b"1", b"?") == [["1"]]
    assert world.pipeline.rejected_total == 2
    assert [(line["event"], line["sample"]) for line in logs] == [("frame_rejected", "?")]


def test_notices_are_handed_over_after_their_frame(world: World) -> None:
    assert world.receive(b"1", b"!", b"2") == [["1", "99", "2"]]
    assert world.notices == 1


def test_a_failure_is_reported_after_the_events_before_it(world: World) -> None:
    assert world.receive(b"1", b"fault", b"2") == [["1"]]
    assert [str(failure) for failure in world.failures] == ["a fault of the adapter"]


def test_an_event_without_a_frame_is_flushed_at_the_next_turn_of_the_loop(world: World) -> None:
    world.pipeline.append(trade(1))
    world.pipeline.append(trade(2))
    [flush] = world.scheduled
    flush()
    assert world.outflow.batches == [["1", "2"]]


def test_backfilled_events_follow_the_batch_as_one_batch(world: World) -> None:
    world.pipeline.append(trade(1))
    assert world.pipeline.commit_backfill((trade(2), trade(3)))
    assert world.outflow.batches == [["1"], ["2", "3"]]
    assert world.pipeline.events_total == 3


def test_backfilled_events_wait_while_live_events_need_the_ring(world: World) -> None:
    world.outflow.used_bytes = RING_BYTES // 2 + 1
    assert not world.pipeline.commit_backfill([trade(1)])
    world.outflow.used_bytes = 0
    world.outflow.state = Pressure.HOLDING
    assert not world.pipeline.commit_backfill([trade(1)])
    world.outflow.state = Pressure.FLOWING
    world.outflow.can_announce = False
    assert not world.pipeline.commit_backfill([trade(1)])
    assert world.outflow.batches == []


class Burst(Numbers):
    """Parses as many numbers as it can with one call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def parse_burst(
        self, frames: Sequence[bytes], start: int, stop: int, receive_ns: int, out: list[MarketEvent[str]]
    ) -> int:
        self.calls.append(start)
        for index in range(start, stop):
            if not frames[index].isdigit():
                if frames[index] != b"!":
                    return index
                self.parse(frames[index], receive_ns, out)
                return index + 1
            self.parse(frames[index], receive_ns, out)
        return stop


@pytest.mark.parametrize("seed", range(20))
def test_bursts_give_what_single_frames_give(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Malformed frames and notices in the middle cost only themselves, and the order stays."""
    monkeypatch.setattr(pipeline_module, "BATCH_EVENTS_MAX", 7)
    chance = random.Random(seed)
    single, bursts = World(), World(Burst())
    for _ in range(5):
        frames = [chance.choice([b"1", b"2", b"3", b"?", b"!"]) for _ in range(chance.randint(0, 30))]
        last = chance.random() < 0.5
        single.receive(*frames, last=last)
        bursts.receive(*frames, last=last)
        for world in (single, bursts):
            world.pipeline.flush()
        assert bursts.outflow.batches == single.outflow.batches
        assert bursts.pipeline.rejected_total == single.pipeline.rejected_total
        assert bursts.notices == single.notices
        assert bursts.pipeline.frames_total == single.pipeline.frames_total


def test_a_burst_of_good_frames_is_one_call() -> None:
    adapter = Burst()
    world = World(adapter)
    assert world.receive(*[b"1"] * 5) == [["1"] * 5]
    assert adapter.calls == [0]


def test_frames_are_kept_before_they_are_parsed() -> None:
    world, kept = World(), []

    def record(frames: list[bytes], receive_ns: int) -> None:
        kept.append((list(frames), receive_ns, world.pipeline.pending))

    world.pipeline = Pipeline(
        world.adapter,
        world.outflow,  # type: ignore[arg-type]
        RING_BYTES,
        structlog.get_logger(),
        call_soon=world.scheduled.append,
        on_notices=world.take_notices,
        on_failure=world.failures.append,
        record=record,
        now_ns=lambda: 77,
    )
    world.pipeline.on_frames([b"1", b"2"], False)
    world.pipeline.on_frames([b"a frame that the adapter fails at"], True)
    assert kept == [([b"1", b"2"], 77, 0), ([b"a frame that the adapter fails at"], 77, 2)]
    assert world.failures
