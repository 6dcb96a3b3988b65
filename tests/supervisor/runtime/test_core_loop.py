"""Order of inputs and effects, turns of the event loop, deadlines, refusals and internal errors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from foxtrot_supervisor.core.effects import Effect, Finish
from foxtrot_supervisor.core.inputs import Input, RequestRefused, RestartRequested, StartRequested, StopRequested, Tick
from foxtrot_supervisor.runtime import core_loop
from foxtrot_supervisor.runtime.core_loop import BROKEN, CoreLoop


class FakeCore:
    """Answers each kind of input with the effects that were planted."""

    def __init__(self) -> None:
        self.effects: dict[type[Input], list[Effect]] = {}
        self.handled: list[Input] = []
        self.deadline: float | None = None

    def handle(self, message: Input, now: float) -> list[Effect]:
        self.handled.append(message)
        if isinstance(message, Tick):
            self.deadline = None
        return list(self.effects.get(type(message), []))

    def next_deadline(self) -> float | None:
        return self.deadline


class Scene:
    def __init__(self) -> None:
        self.core = FakeCore()
        self.log: list[str] = []
        self.errors: list[Exception] = []
        self.on_effect: Callable[[Effect], None] = lambda effect: None
        self.loop = CoreLoop(
            self.core,  # type: ignore[arg-type]
            changed=lambda: self.log.append("changed"),
            settled=lambda: self.log.append("settled"),
            failed=self._failed,
        )

    def begin(self) -> None:
        self.loop.begin(self._perform, lambda: self.log.append("drained"))

    def _perform(self, effect: Effect) -> None:
        self.log.append(f"effect {effect.exit_code}" if isinstance(effect, Finish) else "effect")
        self.on_effect(effect)

    def _failed(self, error: Exception) -> None:
        self.errors.append(error)
        self.loop.break_off()


STOP, START = StopRequested("test"), StartRequested()


async def test_inputs_wait_until_the_loop_begins() -> None:
    scene = Scene()
    scene.loop.put(STOP)
    assert scene.core.handled == []
    scene.begin()
    assert scene.core.handled == [STOP]


async def test_changes_are_followed_only_where_there_were_effects() -> None:
    scene = Scene()
    scene.begin()
    scene.loop.put(STOP)
    assert "changed" not in scene.log
    scene.core.effects[StopRequested] = [Finish(0)]
    scene.loop.put(STOP)
    assert scene.log[-3:] == ["effect 0", "changed", "settled"]


async def test_an_input_put_by_an_effect_is_handled_after_the_effects_before_it() -> None:
    scene = Scene()
    scene.core.effects[StopRequested] = [Finish(1), Finish(2)]
    scene.on_effect = lambda effect: scene.loop.put(START)
    scene.begin()
    scene.loop.put(STOP)
    assert scene.core.handled == [STOP, START, START]
    assert scene.log == ["settled", "effect 1", "effect 2", "changed", "settled"]


async def test_long_effects_are_spread_over_turns_and_inputs_are_handled_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core_loop, "TURN_S", 0.0)
    scene = Scene()
    scene.core.effects[StartRequested] = [Finish(1), Finish(2), Finish(3)]
    scene.begin()
    scene.loop.put(START)
    scene.loop.put(STOP)
    assert scene.core.handled == [START, STOP]
    assert scene.log.count("effect 1") == 1
    assert "effect 2" not in scene.log
    assert "changed" not in scene.log
    await asyncio.sleep(0.01)
    assert [line for line in scene.log if line != "settled"] == ["effect 1", "effect 2", "effect 3", "changed"]


async def test_a_tick_comes_at_the_deadline_after_the_messages_that_wait() -> None:
    scene = Scene()
    scene.core.deadline = time.monotonic() + 0.01
    scene.begin()
    await asyncio.sleep(0.05)
    assert scene.core.handled == [Tick()]
    assert scene.log.index("drained") < scene.log.index("settled", 1)
    scene.loop.close()


async def test_an_earlier_deadline_replaces_the_timer_and_a_later_one_does_not() -> None:
    scene = Scene()
    scene.core.deadline = time.monotonic() + 60.0
    scene.begin()
    scene.core.deadline = time.monotonic() + 0.01
    scene.loop.put(STOP)
    scene.core.deadline = time.monotonic() + 60.0
    scene.loop.put(STOP)
    await asyncio.sleep(0.05)
    assert Tick() in scene.core.handled
    scene.loop.close()


async def test_it_turns_until_it_is_broken_off() -> None:
    scene = Scene()
    scene.begin()
    assert scene.loop.turns()
    scene.loop.break_off()
    assert not scene.loop.turns()


async def test_after_an_unexpected_exception_nothing_is_decided_or_performed() -> None:
    scene = Scene()
    scene.core.effects[StopRequested] = [Finish(1), Finish(2)]

    def fail(_: Effect) -> None:
        raise ZeroDivisionError("planted")

    scene.on_effect = fail
    scene.begin()
    scene.loop.put(STOP)
    assert [type(error) for error in scene.errors] == [ZeroDivisionError]
    scene.loop.put(START)
    assert scene.core.handled == [STOP]
    assert "effect 2" not in scene.log
    with pytest.raises(RequestRefused, match=BROKEN):
        scene.loop.decide(RestartRequested("feed.a"))


async def test_a_granted_request_is_followed_even_without_effects() -> None:
    scene = Scene()
    scene.begin()
    scene.loop.perform(scene.loop.decide(RestartRequested("feed.a")))
    assert scene.log[-2:] == ["changed", "settled"]
