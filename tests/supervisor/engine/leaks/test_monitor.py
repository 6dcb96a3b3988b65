"""Planted leaks are found and named; a healthy process is not reported."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from foxtrot_protocol.events import EVENT_LEAK, EVENT_TIMER, Leak
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.leaks import monitor as leak_monitor
from foxtrot_supervisor.engine.leaks.monitor import LeakMonitor, leak_text
from foxtrot_supervisor.telemetry.growth import LIMITS, Limit
from tests.support.waiting import wait_until

HELD: dict[str, Any] = {}

PATIENCE_S = 20.0
"""Time limit of searches on a busy machine; one takes a few hundredths of a second."""

# memory and the garbage of the tests around it are none of these tests' business
COUNTS = {name: limit for name, limit in LIMITS.items() if name not in ("rss_bytes", "garbage")}


class PlainEngine:
    """An EventEngine with no more methods than vn.py's."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[Callable[[Any], Any]]] = {}
        self.events: list[Event] = []

    def register(self, type: str, handler: Callable[[Any], Any]) -> None:  # noqa: A002 - vn.py's name
        self.handlers.setdefault(type, []).append(handler)

    def unregister(self, type: str, handler: Callable[[Any], Any]) -> None:  # noqa: A002 - vn.py's name
        self.handlers[type].remove(handler)

    def put(self, event: Event) -> None:
        self.events.append(event)

    def leaks(self) -> list[Leak]:
        return [event.data for event in self.events if event.type == EVENT_LEAK]


class Strategy:
    """An object that is closed."""

    other: Any = None

    def on_tick(self, event: Any) -> None:
        pass


@pytest.fixture
def engine() -> Iterator[PlainEngine]:
    yield PlainEngine()
    HELD.clear()


def look_often(monitor: LeakMonitor, plant: Callable[[], object], times: int = 40) -> None:
    """Take samples as with the timer, every five seconds."""
    for index in range(times):
        plant()
        monitor.look(1000.0 + 5.0 * index)


def test_a_planted_thread_leak_is_found_and_named(engine: PlainEngine) -> None:
    monitor = LeakMonitor(engine, limits=COUNTS)
    done = threading.Event()
    leaked: list[threading.Thread] = []

    def reconnect() -> None:
        leaked.append(threading.Thread(target=done.wait, args=(10,), name=f"reconnect-{len(leaked)}"))
        leaked[-1].start()

    try:
        look_often(monitor, reconnect)
    finally:
        done.set()
        for thread in leaked:
            thread.join(10)
    (leak,) = [leak for leak in engine.leaks() if leak.what == "threads"]
    assert leak.verdict == "growing"
    assert leak.per_hour == pytest.approx(720, rel=0.1)
    assert "more threads that run threading.Event.wait, among them reconnect-" in leak.detail


def test_a_planted_descriptor_leak_is_found_and_named(engine: PlainEngine, tmp_path: Path) -> None:
    monitor = LeakMonitor(engine, limits=COUNTS)
    path = tmp_path / "never-closed.log"
    path.touch()
    leaked: list[int] = []
    try:
        look_often(monitor, lambda: leaked.append(os.open(path, os.O_RDONLY)))
    finally:
        for number in leaked:
            os.close(number)
    (leak,) = [leak for leak in engine.leaks() if leak.what == "open_fds"]
    assert f"more descriptors of {path}, among them" in leak.detail
    assert monitor.leaks_total == 1
    assert list(monitor.found) == [leak]


async def test_a_planted_task_leak_is_found_and_named(engine: PlainEngine) -> None:
    async def subscribe() -> None:
        await asyncio.sleep(60)

    loop = asyncio.get_running_loop()
    monitor = LeakMonitor(engine, limits=COUNTS, loops=[loop])
    leaked: list[Any] = []
    look_often(monitor, lambda: leaked.append(loop.create_task(subscribe())))
    for task in leaked:
        task.cancel()
    (leak,) = [leak for leak in engine.leaks() if leak.what == "tasks"]
    assert "more tasks of test_a_planted_task_leak_is_found_and_named.<locals>.subscribe" in leak.detail


def test_a_process_without_leaks_is_not_reported(engine: PlainEngine) -> None:
    monitor = LeakMonitor(engine, limits=COUNTS)
    look_often(monitor, lambda: None)
    assert engine.events == []
    assert {growth.verdict for growth in monitor.growths().values()} == {"steady"}


def test_a_growing_queue_and_growing_handlers_are_reported() -> None:
    engine = EventEngine()  # not started: nothing is taken out
    monitor = LeakMonitor(engine, limits=COUNTS)

    def pile_up() -> None:
        for _ in range(60):
            engine.put(Event("eX"))
            engine.register(f"eX.{engine.handler_count()}", print)

    look_often(monitor, pile_up)
    assert {leak.what for leak in monitor.found} == {"queue_depth", "handlers"}
    engine.clear_handlers()


def test_timer_events_cause_samples_and_findings_are_put_as_events(tmp_path: Path) -> None:
    engine = EventEngine(interval=0.02)
    leaks: list[Leak] = []
    engine.register(EVENT_LEAK, lambda event: leaks.append(event.data))
    monitor = LeakMonitor(engine, sample_s=0.02, least_s=0.2, limits={"open_fds": Limit(8)})
    numbers: list[int] = []
    engine.register(EVENT_TIMER, lambda _: numbers.append(os.open(tmp_path, os.O_RDONLY)))
    engine.start()
    try:
        wait_until(lambda: leaks, 10, "the leak to be told")
    finally:
        monitor.close()
        engine.stop(10)
        for number in numbers:
            os.close(number)
    assert leaks[0].what == "open_fds"
    assert str(tmp_path) in leaks[0].detail


def test_a_closed_object_that_stays_alive_is_reported_with_its_path(engine: PlainEngine) -> None:
    monitor = LeakMonitor(engine, limits={}, gone_s=0.0, search_s=PATIENCE_S)
    strategy = Strategy()
    HELD["forgotten"] = [strategy]
    monitor.expect_gone(strategy, "strategy-1")
    del strategy
    (leak,) = monitor.look()
    assert leak.detail == f"strategy-1: held by {__name__}.HELD['forgotten'][0]"
    assert (leak.what, leak.verdict) == ("held", "held")
    assert monitor.look() == []  # said once


def test_a_planted_cycle_is_found_and_named(engine: PlainEngine) -> None:
    monitor = LeakMonitor(engine, limits={}, gone_s=0.0, search_s=PATIENCE_S)
    gc.collect()
    gc.disable()  # as a process does that cannot afford the pauses
    try:
        monitor.expect_gone(_cycle())
        (leak,) = monitor.look()
    finally:
        gc.enable()
    assert leak.detail == (
        f"{__name__}.Strategy: reference cycle, freed by the collector: {__name__}.Strategy.other['me'] is itself"
    )
    assert monitor.cycles_total == 1


def _cycle() -> Strategy:
    strategy = Strategy()
    strategy.other = {"me": strategy}
    return strategy


def test_objects_of_a_closed_owner_are_expected_to_be_gone() -> None:
    engine = EventEngine()
    monitor = LeakMonitor(engine, limits={}, gone_s=0.0, search_s=PATIENCE_S)
    owner = engine.owner("strategy-1")
    strategy = Strategy()
    owner.register("eTick.", strategy.on_tick)
    HELD["forgotten"] = strategy
    del strategy
    owner.close()
    (leak,) = monitor.look()
    assert leak_text(leak) == f"held: strategy-1: Strategy: held by {__name__}.HELD['forgotten']"
    monitor.close()
    HELD.clear()
    with engine.owner("strategy-2") as second:
        second.register("eTick.", Strategy().on_tick)
    assert monitor.look() == []


def test_a_finding_as_text() -> None:
    assert leak_text(Leak("threads", "growing", 9.0, 720.04, "4 more\n2 more")) == (
        "threads growing by 720.0 an hour, now 9\n4 more\n2 more"
    )
    assert leak_text(Leak("garbage", "over", 1.0, 0.0, "")) == "garbage over, now 1"


def test_an_object_collected_in_time_is_not_reported(engine: PlainEngine) -> None:
    monitor = LeakMonitor(engine, limits={}, gone_s=0.05)
    strategy = Strategy()
    monitor.expect_gone(strategy)
    assert monitor.look() == []  # its time has not come
    del strategy
    time.sleep(0.06)
    assert monitor.look() == []


def test_one_search_per_sample_and_none_without_find_paths(engine: PlainEngine) -> None:
    HELD["all"] = [Strategy(), Strategy()]
    monitor = LeakMonitor(engine, limits={}, gone_s=0.0, search_s=PATIENCE_S)
    for strategy in HELD["all"]:
        monitor.expect_gone(strategy)
    del strategy
    assert [len(monitor.look()), len(monitor.look()), len(monitor.look())] == [1, 1, 0]
    quick = LeakMonitor(engine, limits={}, gone_s=0.0, find_paths=False)
    for strategy in HELD["all"]:
        quick.expect_gone(strategy, "s")
    assert [leak.detail for leak in quick.look()] == ["s", "s"]


def test_expected_objects_are_bounded(engine: PlainEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leak_monitor, "EXPECTED_MAX", 2)
    monitor = LeakMonitor(engine, gone_s=0.0)
    kept = [Strategy() for _ in range(5)]
    for strategy in kept:
        monitor.expect_gone(strategy)
    assert monitor.unwatched_total == 3
    with pytest.raises(TypeError):
        monitor.expect_gone(5)


def test_garbage_that_cannot_be_freed_is_reported_with_its_kinds(engine: PlainEngine) -> None:
    monitor = LeakMonitor(engine, limits={"garbage": LIMITS["garbage"]})
    kept = list(gc.garbage)
    gc.garbage.append(Strategy())
    try:
        (leak,) = monitor.look()
    finally:
        gc.garbage[:] = kept
    assert leak.verdict == "over"
    assert "Strategy" in leak.detail


def test_the_registry_lists_everything_alive(engine: PlainEngine) -> None:
    registry = LeakMonitor(engine).registry()
    assert set(registry) == {"threads", "tasks", "processes", "descriptors", "owners"}
    assert "MainThread" in {facts.name for facts in registry["threads"]}


def test_a_failed_sample_is_counted_and_the_next_succeeds(engine: PlainEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(loops: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(leak_monitor, "take_census", fail)
    with structlog.testing.capture_logs() as logs:
        monitor = LeakMonitor(engine, log=structlog.get_logger())
        (tick,) = engine.handlers[EVENT_TIMER]
        tick(None)
    assert monitor.failures_total == 1
    assert [line["event"] for line in logs] == ["leak_look_failed"]


def test_a_closed_monitor_takes_no_samples(engine: PlainEngine) -> None:
    with structlog.testing.capture_logs() as logs:
        monitor = LeakMonitor(engine, limits={"threads": Limit(1, 0)}, log=structlog.get_logger())
        (tick,) = engine.handlers[EVENT_TIMER]
        tick(None)
        tick(None)  # within sample_s: nothing is sampled
    assert [line["event"] for line in logs] == ["leak"]
    assert len(monitor.growths()) == 1
    monitor.close()
    assert engine.handlers[EVENT_TIMER] == []
