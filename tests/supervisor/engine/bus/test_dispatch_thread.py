"""The dispatch thread when there is nothing to do: nothing is missed whether it spins, backs off or sleeps."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from foxtrot_protocol.spec import Idle
from foxtrot_supervisor.engine.bus.event_engine import EVENT_TIMER, Event, EventEngine
from tests.support.waiting import wait_until

LIMIT_S = 5.0
IDLES: tuple[Idle, ...] = ("sleep", "backoff", "spin")


class Pipe:
    """A source that counts the bytes in a pipe."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe2(os.O_NONBLOCK)
        self.seen = 0
        self.due_at = math.inf
        self.pumps = 0
        self.waits = False

    def fileno(self) -> int:
        return self.read_end

    def due(self) -> float:
        return self.due_at

    def is_waiting(self) -> bool:
        return self.waits

    def pump(self) -> bool:
        self.pumps += 1
        self.waits = False
        with contextlib.suppress(BlockingIOError):
            self.seen += len(os.read(self.read_end, 100))
        return False

    def finish(self, deadline: float) -> None:
        pass

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


@pytest.fixture(params=IDLES)
def engine(request: pytest.FixtureRequest) -> Iterator[EventEngine]:
    made = EventEngine(idle=request.param, spin_us=2000.0, interval=0.2)
    made.start()
    yield made
    assert made.stop(LIMIT_S).clean


@pytest.fixture
def pipe(engine: EventEngine) -> Iterator[Pipe]:
    made = Pipe()
    engine.attach(made)
    yield made
    assert engine.detach(made)
    made.close()


@pytest.mark.parametrize("pause_s", [0.0, 0.01])
def test_a_source_that_becomes_readable_is_read(pipe: Pipe, pause_s: float) -> None:
    for number in range(1, 30):
        time.sleep(pause_s)
        os.write(pipe.write_end, b"x")
        wait_until(lambda number=number: pipe.seen == number, LIMIT_S, "the byte")


@pytest.mark.parametrize("pause_s", [0.0, 0.01])
def test_an_event_that_is_put_is_handled(engine: EventEngine, pause_s: float) -> None:
    seen: list[Any] = []
    engine.register("eX.", lambda event: seen.append(event.data))
    for number in range(30):
        time.sleep(pause_s)
        engine.put(Event("eX.", number))
        wait_until(lambda number=number: len(seen) == number + 1, LIMIT_S, "the event")


def test_a_source_is_asked_at_the_time_that_it_names(engine: EventEngine, pipe: Pipe) -> None:
    time.sleep(0.05)
    before = pipe.pumps
    pipe.due_at = time.monotonic() + 0.05
    engine.wake()
    wait_until(lambda: pipe.pumps > before + 1, LIMIT_S, "it to be asked")
    pipe.due_at = math.inf


def test_the_timer_fires(engine: EventEngine) -> None:
    fired = threading.Event()
    engine.register(EVENT_TIMER, lambda _: fired.set())
    assert fired.wait(LIMIT_S)


@pytest.mark.parametrize("idle", IDLES)
def test_only_a_spinning_thread_never_sleeps_when_nothing_comes(idle: Idle) -> None:
    engine = EventEngine(idle=idle)
    engine.start()
    try:
        if idle == "spin":
            time.sleep(0.1)
            assert not any(engine._loop.asleep or time.sleep(0.01) for _ in range(30))
        else:
            wait_until(lambda: engine._loop.asleep, LIMIT_S, "it to sleep")
    finally:
        engine.stop(LIMIT_S)


def test_a_source_that_is_attached_again_is_watched_at_its_new_descriptor(engine: EventEngine, pipe: Pipe) -> None:
    old = pipe.read_end, pipe.write_end
    os.write(pipe.write_end, b"x")
    wait_until(lambda: pipe.seen == 1, LIMIT_S, "the first")
    pipe.read_end, pipe.write_end = os.pipe2(os.O_NONBLOCK)
    engine.attach(pipe)
    for end in old:
        os.close(end)
    time.sleep(0.05)
    os.write(pipe.write_end, b"x")
    wait_until(lambda: pipe.seen == 2, LIMIT_S, "the second")


@pytest.mark.parametrize("idle", ["backoff", "spin"])
def test_a_thread_that_does_not_sleep_asks_its_sources(idle: Idle) -> None:
    engine = EventEngine(idle=idle, spin_us=10e6, interval=1000.0)
    source = Pipe()
    engine.attach(source)
    engine.start()
    try:
        wait_until(lambda: source.pumps, LIMIT_S, "the first pump")
        for _ in range(5):
            time.sleep(0.01)
            before = source.pumps
            source.waits = True  # nothing makes the descriptor readable
            wait_until(lambda before=before: source.pumps > before, LIMIT_S, "a pump")  # type: ignore[misc]
    finally:
        assert engine.stop(LIMIT_S).clean
        source.close()
