"""Templates in use: proved before they are used, compared now and then, switched off by a difference."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import MarketEvent
from foxtrot_protocol.stream_ranges import bounds_of
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.templates import store as store_module
from foxtrot_workers.templates.learner import Learned, Sample
from foxtrot_workers.templates.store import TemplateStore
from tests.workers.templates.both_forms import native, needs_compiled
from tests.workers.templates.venue_frames import binance_trade

pytestmark = needs_compiled

CHANCE = random.Random(5)
NOW_NS = 1_700_000_000_000_000_000
encode = msgspec.msgpack.Encoder().encode


class World:
    def __init__(self) -> None:
        module = native()
        assert module is not None
        self.adapter = Binance()
        self.adapter.subscribe(self.adapter.topics(["trade"], ["BTCUSDT"]))
        self.builder = module.BatchBuilder(encode, bounds_of, 1)
        self.store = TemplateStore(module, self.adapter, self.builder, 10)
        self.number = 0

    def frame(self) -> bytes:
        self.number += 1
        return binance_trade(CHANCE, self.number)

    def parsed(self, frame: bytes, **changed: Any) -> list[MarketEvent[str]]:
        events: list[MarketEvent[str]] = []
        self.adapter.parse(frame, NOW_NS, events)
        return [msgspec.structs.replace(event, **changed) for event in events]

    def learn(self, count: int = 40) -> None:
        for _ in range(count):
            frame = self.frame()
            assert self.store.learn(frame, NOW_NS, self.parsed(frame)) is None


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(store_module, "CHECK_EVERY", 5)
    return World()


def test_frames_are_taken_once_a_template_was_learned(world: World) -> None:
    frames = [world.frame() for _ in range(3)]
    assert world.store.run(frames, 0, NOW_NS) == 0
    world.learn()
    assert world.store.run(frames, 1, NOW_NS) == 3
    assert (world.store.frames_total, world.store.events_total, len(world.builder)) == (2, 2, 2)
    assert world.adapter.last_data_ns == {"btcusdt@trade": NOW_NS}


def test_a_full_batch_stops_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CHECK_EVERY", 500)
    world = World()
    world.learn()
    frames = [world.frame() for _ in range(15)]
    assert world.store.run(frames, 0, NOW_NS) == 10
    world.builder.take()
    assert world.store.run(frames, 10, NOW_NS) == 15


def test_what_is_not_bytes_is_left_to_python(world: World) -> None:
    world.learn()
    frames: list[Any] = [world.frame(), bytearray(world.frame()), "text"]
    assert world.store.run(frames, 0, NOW_NS) == 1
    assert world.store.run(frames, 2, NOW_NS) == 2


def test_equal_results_go_on(world: World) -> None:
    world.learn()
    frames = [world.frame() for _ in range(6)]
    assert world.store.run(frames, 0, NOW_NS) == 4
    preview = world.store.preview(frames[4], NOW_NS)
    assert preview is not None
    assert world.store.compare(preview, frames[4], world.parsed(frames[4]), only_events=True) is None
    assert world.store.run(frames, 5, NOW_NS) == 6
    assert world.store.preview(frames[5], NOW_NS) is None, "it is not due"
    assert (world.store.checks_total, world.store.switched_off_total) == (1, 0)


@pytest.mark.parametrize(("changed", "only_events"), [({"size": "9"}, True), ({}, False)])
def test_a_difference_switches_off(world: World, changed: dict[str, str], only_events: bool) -> None:
    world.learn()
    frames = [world.frame() for _ in range(6)]
    assert world.store.run(frames, 0, NOW_NS) == 4
    preview = world.store.preview(frames[4], NOW_NS)
    assert preview is not None
    events = world.parsed(frames[4], **changed)
    difference = world.store.compare(preview, frames[4], events, only_events=only_events)
    assert difference is not None
    assert difference.frame == frames[4]
    assert difference.template_events == encode(world.parsed(frames[4])[0])
    assert world.store.switched_off_total == 1
    assert world.store.run(frames, 0, NOW_NS) == 0
    world.learn()
    assert world.store.run(frames, 0, NOW_NS) == 0, "it is never made again"


def test_a_template_must_prove_itself_on_its_samples(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = world.store._learner.offer

    def with_wrong_proof(*arguments: Any) -> Learned | None:
        learned = offer(*arguments)
        if learned is None:
            return None
        wrong = Sample(learned.samples[-1].frame, NOW_NS, b"other bytes")
        return msgspec.structs.replace(learned, samples=[*learned.samples, wrong])

    monkeypatch.setattr(world.store._learner, "offer", with_wrong_proof)
    differences = []
    for _ in range(40):
        frame = world.frame()
        differences.append(world.store.learn(frame, NOW_NS, world.parsed(frame)))
    (found,) = [each for each in differences if each is not None]
    assert found.python_events == b"other bytes"
    assert world.store.run([world.frame()], 0, NOW_NS) == 0


def test_a_template_that_is_contradicted_is_used_no_longer(world: World) -> None:
    world.learn()
    frame = world.frame()
    assert world.store.run([frame], 0, NOW_NS) == 1
    assert world.store.learn(frame, NOW_NS, world.parsed(frame, price="another")) is None
    assert world.store.run([frame], 0, NOW_NS) == 0
