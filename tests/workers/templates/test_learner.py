"""Which frames are learned from, and how much of that a connection pays for."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import MarketEvent, Trade
from foxtrot_workers.exchanges.binance.adapter import Binance
from foxtrot_workers.templates import learner as learner_module
from foxtrot_workers.templates.learner import BUDGET_FRAMES, FRAME_BYTES_MAX, SHAPES_MAX, Learned, Learner
from foxtrot_workers.templates.shape import SAMPLES_MIN
from tests.workers.templates.venue_frames import binance_quote, binance_trade

CHANCE = random.Random(5)


class World:
    def __init__(self) -> None:
        self.adapter = Binance()
        self.adapter.subscribe(self.adapter.topics(["trade", "quote"], ["BTCUSDT", "ETHUSDT"]))
        self.learner = Learner(self.adapter.frame_kinds)

    def offer(self, frame: bytes, **changed: Any) -> Learned | None:
        events: list[MarketEvent[str]] = []
        self.adapter.parse(frame, 1, events)
        return self.learner.offer(frame, 1, [msgspec.structs.replace(event, **changed) for event in events])

    def trades(self, count: int) -> list[Learned]:
        made = [self.offer(binance_trade(CHANCE, number)) for number in range(count)]
        return [each for each in made if each is not None]


@pytest.fixture
def world() -> World:
    return World()


def test_a_template_comes_with_the_samples_that_prove_it(world: World) -> None:
    learned = world.trades(SAMPLES_MIN + 3)
    assert len(learned) == 1
    assert learned[0].kind.event is Trade
    assert learned[0].program is not None
    assert 0 < len(learned[0].samples) <= SAMPLES_MIN


def test_each_kind_has_templates_of_its_own(world: World) -> None:
    world.trades(SAMPLES_MIN)
    made = [world.offer(binance_quote(CHANCE, number)) for number in range(SAMPLES_MIN)]
    assert [each is not None for each in made].count(True) == 1


def test_a_sample_that_contradicts_takes_the_template_back(world: World) -> None:
    assert len(world.trades(20)) == 1
    taken_back = world.offer(binance_trade(CHANCE, 20), price="another")
    assert taken_back is not None
    assert taken_back.program is None
    assert world.trades(30) == []


def test_a_kind_that_is_off_is_not_learned(world: World) -> None:
    (learned,) = world.trades(20)
    world.learner.switch_off(learned.kind)
    assert world.offer(binance_trade(CHANCE, 20), price="another") is None


def test_what_is_not_learned_from(world: World) -> None:
    events = [Trade("BINANCE", "BTCUSDT", 1, 1, "1", "1", "buy", "1")]
    frame = binance_trade(CHANCE, 1)
    assert world.learner.offer(frame, 1, []) is None
    assert world.learner.offer(b" " * (FRAME_BYTES_MAX + 1), 1, events) is None
    for other in (b"no frame", frame.replace(b"btcusdt@", b"xrpusdt@"), b'{"data":1}'):
        for _ in range(30):
            assert world.learner.offer(other, 1, events) is None
    for _ in range(30):
        assert world.learner.offer(frame, 1, [msgspec.structs.replace(events[0], symbol="ETHUSDT")]) is None
    assert world.learner._states[id(next(iter(world.adapter.frame_kinds)))].shapes == {}


def test_after_the_budget_few_frames_are_learned_from(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []

    def refuse(frame: bytes, lists: object) -> None:
        looked.append(frame)

    monkeypatch.setattr(learner_module, "take_apart", refuse)
    world.trades(BUDGET_FRAMES + 1000)
    assert BUDGET_FRAMES <= len(looked) < BUDGET_FRAMES + 10


def test_shapes_of_a_kind_are_bounded(world: World) -> None:
    for shape in range(SHAPES_MAX + 5):
        frame = binance_trade(CHANCE, shape).replace(b'"M":', b'"M%d":' % shape)
        world.offer(frame)
    (state,) = world.learner._states.values()
    assert len(state.shapes) == SHAPES_MAX
