"""The pipeline with templates: when batches are flushed, what is learned, and what is reported."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from foxtrot_protocol.events import FeedStatus
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.feed import pipeline as pipeline_module
from foxtrot_workers.feed.backpressure import Pressure
from foxtrot_workers.feed.batches import events_of
from foxtrot_workers.feed.pipeline import Pipeline
from foxtrot_workers.feed.template_pipeline import TemplatePipeline, make_pipeline
from foxtrot_workers.templates import store as store_module
from tests.workers.templates.both_forms import needs_compiled
from tests.workers.templates.venue_frames import binance_trade

CHANCE = random.Random(5)
STATUS = FeedStatus("BINANCE", "BTCUSDT", 0, 1, "btcusdt@trade", "flowing", 0.0)


class World:
    def __init__(self) -> None:
        self.adapter = Binance()
        self.adapter.subscribe(self.adapter.topics(["trade"], ["BTCUSDT"]))
        self.state = Pressure.FLOWING
        self.used_bytes = 0
        self.batches: list[list[Any]] = []
        self.scheduled: list[Callable[[], None]] = []
        self.failures: list[BaseException] = []
        self.number = 0
        outflow: Any = self
        self.pipeline = make_pipeline(
            self.adapter,
            outflow,
            1000,
            structlog.get_logger(),
            {},
            call_soon=self.scheduled.append,
            on_notices=self.take_notices,
            on_failure=self.failures.append,
        )

    def send(self, batch: Any) -> None:
        self.batches.append(events_of(batch))

    def announce(self) -> bool:
        return True

    def take_notices(self) -> None:
        self.adapter.notices.clear()
        self.pipeline.append(STATUS)

    def frames(self, count: int) -> list[bytes]:
        self.number += count
        return [binance_trade(CHANCE, number) for number in range(self.number - count, self.number)]

    def identifiers(self) -> list[int]:
        """Numbers of all trades sent so far."""
        return [int(event.trade_id) - 10**9 for batch in self.batches for event in batch if event is not STATUS]


@pytest.fixture
def world() -> World:
    return World()


@needs_compiled
def test_the_compiled_form_is_chosen(world: World) -> None:
    assert isinstance(world.pipeline, TemplatePipeline)


def test_pure_python_is_chosen_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXTROT_FORM", "pure")
    pipeline = World().pipeline
    assert type(pipeline) is Pipeline
    assert (pipeline.templated_total, pipeline.templates_off_total) == (0, 0)


def test_every_trade_comes_once_and_in_order(world: World) -> None:
    """In both forms, over learning, comparisons and batches of all sizes."""
    for size in (1, 1, 30, 300, 1, 700, 2, 2500):
        world.pipeline.on_frames(world.frames(size), True)
    assert world.identifiers() == list(range(world.number))
    assert world.pipeline.frames_total == world.pipeline.events_total == world.number
    assert max(map(len, world.batches)) == pipeline_module.BATCH_EVENTS_MAX


def test_events_of_notices_keep_their_place(world: World) -> None:
    world.pipeline.on_frames(world.frames(40), True)
    frames = world.frames(4)
    world.pipeline.on_frames([*frames[:2], b'{"result":null,"id":1}', *frames[2:]], True)
    assert [getattr(event, "trade_id", "status") for event in world.batches[-1]] == [
        "1000000040",
        "1000000041",
        "status",
        "1000000042",
        "1000000043",
    ]


def test_frames_before_the_last_of_a_read_wait_for_the_next_turn(world: World) -> None:
    world.pipeline.on_frames(world.frames(40), True)
    world.pipeline.on_frames(world.frames(3), False)
    assert world.pipeline.pending == 3
    [flush] = world.scheduled
    flush()
    assert world.pipeline.pending == 0
    assert len(world.batches[-1]) == 3


def test_backfilled_events_come_after_what_is_pending(world: World) -> None:
    world.pipeline.on_frames(world.frames(40), True)
    world.pipeline.on_frames(world.frames(2), False)
    assert world.pipeline.commit_backfill([STATUS])
    assert [len(batch) for batch in world.batches[-2:]] == [2, 1]


def test_a_failure_leaves_what_was_parsed_before_it(world: World) -> None:
    world.pipeline.on_frames(world.frames(40), True)
    fault = RuntimeError("a fault of the adapter")

    def fail(*_: object) -> None:
        raise fault

    world.pipeline._parse = fail
    world.pipeline.on_frames([b"unknown"], True)
    assert world.failures == [fault]
    if isinstance(world.pipeline, TemplatePipeline):
        world.pipeline.on_frames([*world.frames(2), b"unknown"], True)
        assert len(world.batches[-1]) == 2


@needs_compiled
def test_templates_take_nearly_all_frames(world: World) -> None:
    world.pipeline.on_frames(world.frames(5000), True)
    assert world.pipeline.templated_total > 4900
    assert world.pipeline.templates_off_total == 0


@needs_compiled
def test_a_difference_is_reported_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CHECK_EVERY", 10)
    world = World()
    world.pipeline.on_frames(world.frames(40), True)
    parse = world.adapter.parse

    def other_meaning(frame: bytes, receive_ns: int, out: list[Any]) -> None:
        parse(frame, receive_ns, out)
        out[-1] = msgspec.structs.replace(out[-1], price="7")

    world.pipeline._parse = other_meaning
    with capture_logs() as logs:
        world.pipeline.on_frames(world.frames(100), True)
    (entry,) = logs
    assert (entry["event"], entry["log_level"]) == ("template_switched_off", "warning")
    assert entry["template"] == "Trade stream"
    assert entry["switched_off_total"] == world.pipeline.templates_off_total == 1
    assert entry["sample"].startswith('{"stream":"btcusdt@trade"')
    assert entry["template_events"] != entry["python_events"]
    assert world.identifiers() == list(range(140)), "nothing is lost"
