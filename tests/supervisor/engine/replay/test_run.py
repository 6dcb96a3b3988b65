"""Replays through a real EventEngine: order, merge, timer, ticks, periods, ends, and the same calls on every run."""

from __future__ import annotations

import _thread
import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BBO, EVENT_GAP, EVENT_MARKET_TRADE, EVENT_TICK, EVENT_TIMER, EVENT_WORKER
from foxtrot_protocol.recorded_steps import RecordedStep, UnreadableRecording
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.replay.player import Period
from foxtrot_supervisor.engine.replay.report import ReplayReport
from foxtrot_supervisor.engine.replay.run import ReplayOptions, replay
from tests.support.recorded import Calls, Side, Steps, book, ns, quote, recorded_trades, trade, update


def play(
    *steps: RecordedStep | BaseException, engine: EventEngine | None = None, **options: Any
) -> tuple[Calls, ReplayReport]:
    engine = engine or EventEngine()
    calls = Calls()
    engine.register_general(calls)
    return calls, replay(engine, Steps(*steps), ReplayOptions(**options))


def numbers(calls: Calls) -> list[int]:
    return [int(each.trade_id) for each in calls.of(EVENT_MARKET_TRADE)]


def test_events_workers_and_timer_come_in_recorded_order() -> None:
    a = Side()
    calls, report = play(a.opened(0), a.batch(0, trade(1)), a.batch(1.5, trade(2), trade(3)), a.closed(2.5))
    assert [name for name, _ in calls.seen] == [
        EVENT_WORKER,
        EVENT_MARKET_TRADE,
        EVENT_TIMER,
        EVENT_MARKET_TRADE,
        EVENT_MARKET_TRADE,
        EVENT_TIMER,
        EVENT_WORKER,
    ]
    assert [status.state for status in calls.of(EVENT_WORKER)] == ["RUNNING", "EXITED"]
    assert [each.price for each in calls.of(EVENT_MARKET_TRADE)] == [1.5, 2.5, 3.5]
    assert (report.end, report.events_total, report.timers_total) == ("complete", 3, 2)
    assert report.workers["spot.a"].events == 3
    assert [each.type for each in report.handlers] == [""]


def test_what_handlers_put_is_handled_before_the_recording_goes_on() -> None:
    engine = EventEngine()
    order: list[str] = []

    def on_trade(event: Event) -> None:
        order.append(event.data.trade_id)
        for part in "ab":
            engine.put(Event("eMine.", event.data.trade_id + part))

    def on_mine(event: Event) -> None:
        order.append(event.data)
        if len(event.data) == 2:
            engine.put(Event("eMine.", event.data + "!"))

    engine.register(EVENT_MARKET_TRADE, on_trade)
    engine.register("eMine.", on_mine)
    a = Side()
    replay(engine, Steps(a.opened(0), a.batch(0, trade(1)), a.batch(0.001, trade(2)), a.closed(1)))
    assert order == ["1", "1a", "1b", "1a!", "1b!", "2", "2a", "2b", "2a!", "2b!"]


def test_twins_bring_each_event_once() -> None:
    a, b = Side("a"), Side("b")
    calls, report = play(
        a.opened(0),
        b.opened(0),
        a.batch(0.1, trade(1), trade(2)),
        b.batch(0.2, trade(1), trade(2), trade(3)),
        a.batch(0.3, trade(3), trade(4)),
        a.closed(1),
        b.closed(1),
    )
    assert numbers(calls) == [1, 2, 3, 4]
    assert report.workers["spot.a"].copies + report.workers["spot.b"].copies == 3


def test_a_batch_waits_a_second_of_recorded_time_for_what_another_worker_may_bring() -> None:
    a, b = Side("a"), Side("b")
    calls, report = play(
        a.opened(0),
        b.opened(0),
        a.batch(0, trade(1)),
        b.batch(0, trade(1)),
        a.batch(0.1, trade(3)),
        b.batch(0.2, trade(2), trade(3)),
        a.batch(1, trade(6)),
        a.batch(60, trade(7)),
        a.closed(61),
        b.closed(61),
    )
    assert numbers(calls) == [1, 2, 3, 6, 7]
    gap = calls.of(EVENT_GAP)[0]
    assert (gap.first_id, gap.last_id, report.gaps_total) == ("4", "5", 1)
    # announced when the wait was over, not when something else came
    names = [name for name, _ in calls.seen]
    assert names[: names.index(EVENT_GAP)].count(EVENT_TIMER) == 2


def test_a_batch_that_waits_is_decided_again_when_something_new_came_and_not_for_ever() -> None:
    """The first batch of a later twin waits, although its quote is the very next: the other one may have more."""
    a, b = Side("a", **{EVENT_BBO: "latest"}), Side("b", **{EVENT_BBO: "latest"})
    calls, report = play(
        a.opened(0),
        a.batch(0, trade(1), quote(10)),
        b.opened(20),
        a.batch(20, trade(2), quote(12)),
        b.batch(20.005, trade(3), quote(13)),
        a.batch(20.01, trade(3), quote(13)),
        a.closed(30),
        b.closed(30),
    )
    assert report.end == "complete"
    assert numbers(calls) == [1, 2, 3]
    assert [each.update_id for each in calls.of(EVENT_BBO)] == ["10", "12", "13"]


def test_the_next_incarnation_continues_the_streams_and_holes_are_announced() -> None:
    first, second = Side(), Side(incarnation=2)
    calls, _ = play(
        first.opened(0),
        first.batch(0, trade(1)),
        first.closed(1),
        second.opened(3),
        second.batch(3, trade(4)),
        second.closed(4),
    )
    assert numbers(calls) == [1, 4]
    assert [(gap.first_id, gap.last_id) for gap in calls.of(EVENT_GAP)] == [("2", "3")]
    assert [(each.incarnation, each.state) for each in calls.of(EVENT_WORKER)] == [
        (1, "RUNNING"),
        (1, "EXITED"),
        (2, "RUNNING"),
        (2, "EXITED"),
    ]


def test_a_hole_of_the_recording_is_announced() -> None:
    a = Side()
    calls, report = play(a.opened(0), a.batch(0, trade(1)), a.hole(1), a.batch(2, trade(2)), a.closed(2))
    assert [(gap.symbol, gap.end_ns, gap.cause) for gap in calls.of(EVENT_GAP)] == [
        ("", ns(1), "the recorder was too slow")
    ]
    assert report.gaps_total == 1


def test_ticks_follow_recorded_time() -> None:
    engine = EventEngine()
    engine.register(EVENT_TICK, lambda _: None)
    a = Side()
    calls, report = play(
        a.opened(0), a.batch(0, trade(1)), a.batch(0.1, trade(2)), a.closed(5), engine=engine, ticks="interval"
    )
    ticks = calls.of(EVENT_TICK)
    # the second change was delayed by half a second at least: it came with the first timer event after that
    assert [tick.last_price for tick in ticks[:2]] == [1.5, 2.5]
    assert report.ticks_total == len(ticks)


def test_a_period_begins_with_the_books_and_ends_early() -> None:
    a = Side()
    calls, report = play(
        a.opened(0),
        a.batch(0, book(10, ("99", "1")), trade(1)),
        a.batch(1, update(11, 11, ("98", "2"))),
        a.batch(5, update(12, 12, ("97", "3")), trade(2)),
        a.batch(9, trade(3)),
        a.closed(9),
        period=Period(ns(4), ns(8)),
    )
    assert [name for name, _ in calls.seen] == ["eBook.", EVENT_WORKER, EVENT_TIMER, "eBook.", EVENT_MARKET_TRADE]
    assert calls.of("eBook.")[0].bids == [(99.0, 1.0), (98.0, 2.0)]
    assert numbers(calls) == [2]
    assert (report.end, report.events_total) == ("period", 2)


def test_a_period_after_the_recording_gives_handlers_nothing() -> None:
    a = Side()
    calls, report = play(a.opened(0), a.batch(0, trade(1)), a.closed(1), period=Period(ns(99), None))
    assert calls.seen == []
    assert (report.end, report.events_total) == ("complete", 0)
    assert report.workers["spot.a"].events == 0
    assert report.cause == "the recording ends before the period begins"


def test_a_recording_without_times_has_no_timer() -> None:
    a = Side()
    untimed: list[RecordedStep] = [
        msgspec.structs.replace(step, at_ns=0) for step in (a.opened(0), a.batch(0, trade(1)), a.closed(5))
    ]
    calls, report = play(*untimed)
    assert (numbers(calls), report.timers_total, report.begin_ns) == ([1], 0, 0)


def test_between_recordings_the_timer_rests() -> None:
    a, b = Side("a"), Side("a", connection="other")
    _, report = play(
        a.opened(0), a.batch(0, trade(1)), a.closed(2), b.opened(1e8), b.batch(1e8, trade(1)), b.closed(1e8 + 2)
    )
    assert report.timers_total <= 6


def test_a_failure_to_read_ends_it_with_the_report_so_far() -> None:
    a = Side()
    calls, report = play(a.opened(0), a.batch(0, trade(1)), UnreadableRecording("x.jsonl: line 7: torn"))
    assert numbers(calls) == [1]
    assert (report.end, report.cause) == ("failed", "x.jsonl: line 7: torn")


def test_speed_paces_by_the_clock() -> None:
    a = Side()
    begun = time.monotonic()
    play(a.opened(0), a.batch(0, trade(1)), a.batch(20, trade(2)), a.closed(20), speed=100.0)
    assert time.monotonic() - begun >= 0.2


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, whatever other tests have made of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_it_with_the_report_so_far(interrupts: None) -> None:
    engine = EventEngine()
    seen = threading.Event()

    def on_trade(event: Event) -> None:
        if event.data.trade_id == "1":
            _thread.interrupt_main()
            seen.set()

    engine.register(EVENT_MARKET_TRADE, on_trade)
    a = Side()
    report = replay(
        engine,
        Steps(a.opened(0), a.batch(0, trade(1)), a.batch(600, trade(2)), a.closed(600)),
        ReplayOptions(speed=1.0),
    )
    assert seen.is_set()
    assert (report.end, report.events_total) == ("interrupted", 1)
    assert not engine.is_active()


def test_an_engine_that_runs_is_left_running_with_its_own_timer() -> None:
    engine = EventEngine()
    engine.start()
    try:
        a = Side()
        play(a.opened(0), a.batch(0, trade(1)), a.closed(1), engine=engine)
        assert engine.is_active()
        assert engine.own_timer
    finally:
        engine.stop()


def test_failing_handlers_are_counted() -> None:
    engine = EventEngine()
    engine.register(EVENT_MARKET_TRADE, lambda event: 1 / 0)
    a = Side()
    _, report = play(a.opened(0), a.batch(0, trade(1)), a.closed(1), engine=engine)
    assert report.handler_errors_total == 1


def test_processes_call_handlers_identically(tmp_path: Path) -> None:
    """With other hashes of strings in each, and in both forms."""
    paths = [
        recorded_trades(
            tmp_path / f"{name}.jsonl", [ns(number * 0.013 + shift) for number in range(400)], symbol=symbol
        )
        for name, shift, symbol in (("one", 0.0, "BTCUSDT"), ("two", 0.007, "ETHUSDT"), ("three", 0.0, "BTCUSDT"))
    ]
    hashes = {_hash_of(paths, seed, form) for seed, form in (("1", ""), ("2", ""), ("3", "pure"))}
    assert len(hashes) == 1
    assert hashes != {hashlib.sha256().hexdigest() + "\n"}


PROGRAM = """
import hashlib, sys
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.replay.run import ReplayOptions, replay
from foxtrot_workers.rerun.sessions import open_sessions

digest = hashlib.sha256()
engine = EventEngine()
engine.register("eTick.", lambda event: None)
engine.register("eBar.BTCUSDT.BINANCE", lambda event: None)
engine.register_general(lambda event: digest.update(repr(event).encode()))
replay(engine, open_sessions(sys.argv[1:]), ReplayOptions(bars_from_trades=("1s",)))
print(digest.hexdigest())
"""


def _hash_of(paths: list[Path], seed: str, form: str) -> str:
    environment = {"PYTHONHASHSEED": seed, "FOXTROT_FORM": form} if form else {"PYTHONHASHSEED": seed}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, paths)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
