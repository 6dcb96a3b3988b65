"""The dispatch thread when there is nothing to do: nothing is missed whether it spins, backs off or sleeps."""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from foxtrot_protocol.spec import Idle
from foxtrot_supervisor.engine.bus.event import EarlyNotice, Poller
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
        self.early: EarlyNotice | None = None

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


class Notice:
    """An `EarlyNotice` that a test rings."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK)
        self.seconds = LIMIT_S
        self.rung_total = 0
        self.results: list[bool] = []
        self.poller: Poller | None = None

    def join(self, poller: Poller) -> None:
        self.poller = poller
        poller.register(self.descriptor, select.EPOLLIN | select.EPOLLET)

    def leave(self) -> None:
        assert self.poller is not None
        self.poller.unregister(self.descriptor)
        self.poller = None

    def is_all(self, found: Sequence[tuple[int, int]]) -> bool:
        return [descriptor for descriptor, _ in found] == [self.descriptor]

    def rung(self, found: Sequence[tuple[int, int]]) -> float:
        self.rung_total += 1
        return self.seconds

    def followed(self, came: bool) -> None:
        self.results.append(came)

    def ring(self) -> None:
        os.eventfd_write(self.descriptor, 1)

    def close(self) -> None:
        os.close(self.descriptor)


@contextlib.contextmanager
def announced(idle: Idle, spin_us: float = 2000.0) -> Iterator[tuple[EventEngine, Pipe, Notice]]:
    """A thread that sleeps, its source, and what announces it."""
    engine = EventEngine(idle=idle, spin_us=spin_us, interval=1000.0)
    source, notice = Pipe(), Notice()
    source.early = notice
    engine.attach(source)
    engine.start()
    try:
        if idle != "spin":
            wait_until(lambda: engine._loop.asleep, LIMIT_S, "it to sleep")
        yield engine, source, notice
    finally:
        assert engine.stop(LIMIT_S).clean
        assert notice.poller is None, "it has left"
        source.close()
        notice.close()


@pytest.mark.parametrize("way", ["waiting", "readable", "queued"])
@pytest.mark.parametrize("idle", ["sleep", "backoff"])
def test_a_thread_that_was_rung_early_asks_its_source_before_it_sleeps_again(idle: Idle, way: str) -> None:
    with announced(idle) as (engine, source, notice):
        seen: list[Any] = []
        engine.register("eX.", lambda event: seen.append(event.data))
        for number in range(1, 4):
            before = source.pumps
            notice.ring()
            wait_until(lambda number=number: notice.rung_total == number, LIMIT_S, "it to wake")  # type: ignore[misc]
            assert not engine._loop.asleep
            if way == "waiting":
                source.waits = True  # nothing makes the descriptor readable
            elif way == "readable":
                os.write(source.write_end, b"x")
            else:
                engine.put(Event("eX.", number))
            wait_until(lambda before=before: source.pumps > before, LIMIT_S, "a pump")  # type: ignore[misc]
            wait_until(lambda: engine._loop.asleep, LIMIT_S, "it to sleep")
        assert notice.results[:3] == [True] * 3


def test_more_early_notices_do_not_end_the_wait_for_the_source() -> None:
    with announced("sleep") as (_, source, notice):
        notice.ring()
        wait_until(lambda: notice.rung_total == 1, LIMIT_S, "it to wake")
        pumps = source.pumps
        for _ in range(5):
            notice.ring()
            time.sleep(0.01)
        assert (source.pumps, notice.results) == (pumps, [])
        source.waits = True
        wait_until(lambda: notice.results == [True], LIMIT_S, "the source")


def test_an_early_notice_that_nothing_follows_costs_a_bounded_time() -> None:
    with announced("sleep") as (engine, source, notice):
        notice.seconds = 0.01
        notice.ring()
        wait_until(lambda: notice.results == [False], LIMIT_S, "the time to pass")
        wait_until(lambda: engine._loop.asleep, LIMIT_S, "it to sleep")
        os.write(source.write_end, b"x")
        wait_until(lambda: source.seen == 1, LIMIT_S, "the byte")


def test_a_thread_that_never_sleeps_needs_no_early_notice() -> None:
    with announced("spin") as (_, source, notice):
        wait_until(lambda: source.pumps, LIMIT_S, "the first pump")
        assert notice.poller is None


def test_what_announces_a_detached_source_has_left_when_detach_returns() -> None:
    with announced("sleep") as (engine, source, notice):
        assert notice.poller is not None
        assert engine.detach(source)
        assert notice.poller is None
        engine.attach(source)
        wait_until(lambda: notice.poller is not None, LIMIT_S, "it to join again")
