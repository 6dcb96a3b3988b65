"""The EventEngine as users of vn.py know it, and its differences."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.events import EVENT_MARKET_TRADE, EVENT_TIMER, Quote, Trade
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine, QueueFull
from foxtrot_supervisor.engine.bus.queue_policy import policies_with
from tests.support.waiting import wait_until

LIMIT_S = 5.0


@pytest.fixture
def engine() -> Iterator[EventEngine]:
    engine = EventEngine(interval=0.05)
    yield engine
    engine.stop(2.0)


class Log:
    """Records log lines from any thread."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, /, **fields: Any) -> None:
        self.lines.append((event, fields))

    debug = info = warning = error = __call__

    def of(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.lines if name == event]


@dataclass
class Tick:
    symbol: str
    number: int


class Source:
    """Hands prepared events to the dispatch thread."""

    def __init__(self, engine: EventEngine) -> None:
        self.engine = engine
        self.pending: list[Trade[float] | Quote[float]] = []
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)

    @property
    def early(self) -> None:
        return None

    def fileno(self) -> int:
        return self.fd

    def give(self, *events: Trade[float] | Quote[float]) -> None:
        self.pending.extend(events)
        os.eventfd_write(self.fd, 1)

    def due(self) -> float:
        return float("inf")

    def is_waiting(self) -> bool:
        return False

    def finish(self, deadline: float) -> None:
        while self.pump():
            assert time.monotonic() < deadline

    def pump(self) -> bool:
        if not self.pending:
            return False
        os.eventfd_read(self.fd)
        events, self.pending = self.pending, []
        self.engine.dispatch_batch(events)
        return True


def trade(symbol: str = "BTCUSDT", exchange: str = "BINANCE") -> Trade[float]:
    return Trade(exchange, symbol, 1, 2, 1.5, 2.0, "buy", "1")


def test_typed_handlers_come_before_general_ones_and_each_once(engine: EventEngine) -> None:
    calls: list[str] = []

    def typed(_: Event) -> None:
        calls.append("typed")

    def general(_: Event) -> None:
        calls.append("general")

    engine.register_general(general)
    engine.register_general(general)
    engine.register("e", typed)
    engine.register("e", typed)
    engine.start()
    engine.start()
    engine.put(Event("e"))
    wait_until(lambda: "general" in calls, LIMIT_S, "both handlers")
    assert [call for call in calls if call == "typed"] == ["typed"]
    assert calls[0] == "typed"


def test_unregistered_handlers_are_forgotten(engine: EventEngine) -> None:
    calls: list[Event] = []

    def second(event: Event) -> None:
        calls.append(event)

    def general(event: Event) -> None:
        calls.append(event)

    engine.register("a", calls.append)
    engine.register("a", second)
    engine.register_general(general)
    assert engine.handler_count() == 3
    engine.unregister("a", calls.append)
    engine.unregister("a", second)
    engine.unregister("never", second)
    engine.unregister_general(general)
    assert engine.handler_count() == 0
    engine.register("b", second)
    engine.register_general(general)
    engine.clear_handlers()
    assert engine.handler_count() == 0


def test_a_failing_handler_is_counted_and_others_are_called(engine: EventEngine) -> None:
    seen: list[object] = []

    def broken(_: Event) -> None:
        raise RuntimeError("mine")

    engine.register("e", broken)
    engine.register("e", lambda event: seen.append(event.data))
    engine.start()
    for number in range(3):
        engine.put(Event("e", number))
    wait_until(lambda: seen == [0, 1, 2], LIMIT_S, "the other handler")
    assert engine.handler_errors_total == 3


def test_a_handler_that_exits_does_not_take_the_dispatch_thread_with_it(engine: EventEngine) -> None:
    seen: list[object] = []

    def leave(_: Event) -> None:
        raise SystemExit(3)

    engine.register("e", leave)
    engine.register("after", lambda event: seen.append(event.data))
    engine.start()
    engine.put(Event("e"))
    engine.put(Event("after", 1))
    wait_until(lambda: seen == [1], LIMIT_S, "the next event")
    assert engine.is_dispatching()
    assert engine.handler_errors_total == 1


def test_the_timer_ticks_on_an_absolute_schedule_without_a_thread_of_its_own(engine: EventEngine) -> None:
    ticks: list[float] = []
    engine.register(EVENT_TIMER, lambda _: ticks.append(time.monotonic()))
    threads = threading.active_count()
    engine.start()
    assert threading.active_count() == threads + 1
    wait_until(lambda: len(ticks) >= 11, LIMIT_S, "eleven ticks")
    drift_s = abs((ticks[10] - ticks[0]) - 10 * 0.05)
    assert drift_s < 0.045, "ticks follow the schedule, not the last tick"


def test_stop_drains_the_queue_and_reports_that_nothing_was_left(engine: EventEngine) -> None:
    seen: list[object] = []
    engine.register("e", lambda event: seen.append(event.data))
    engine.start()
    for number in range(2500):
        engine.put(Event("e", number))
    assert engine.stop(LIMIT_S) == 0
    assert seen == list(range(2500))
    assert engine.stop() == 0, "twice is allowed"
    engine.start()
    engine.put(Event("e", "again"))
    wait_until(lambda: seen[-1] == "again", LIMIT_S, "a second life")


def test_stop_from_a_handler_ends_the_engine(engine: EventEngine) -> None:
    engine.register("e", lambda _: engine.stop())
    before = threading.active_count()
    engine.start()
    engine.put(Event("e"))
    wait_until(lambda: threading.active_count() == before, LIMIT_S, "the dispatch thread's end")


def test_stop_gives_up_on_a_handler_that_does_not_return_and_reports_what_was_left(engine: EventEngine) -> None:
    release, entered = threading.Event(), threading.Event()

    def stuck(_: Event) -> None:
        entered.set()
        release.wait(LIMIT_S)

    engine.register("e", stuck)
    engine.start()
    engine.put(Event("e"))
    assert entered.wait(LIMIT_S)
    engine.put(Event("other"))
    started = time.monotonic()
    assert engine.stop(0.2) == 1
    assert time.monotonic() - started < 1.0
    assert engine.current_handler is stuck
    release.set()


def test_a_full_queue_finally_drops_and_counts() -> None:
    engine = EventEngine(queue_limit=3, put_wait_s=0.05)
    results = [engine.put(Event("e")) for _ in range(5)]
    assert results == [True, True, True, False, False]
    assert (engine.dropped_total, engine.queue_depth()) == (2, 3)


def test_put_waits_for_room(engine: EventEngine) -> None:
    small = EventEngine(queue_limit=2)
    done: list[bool] = []
    for _ in range(2):
        small.put(Event("e"))
    putting = threading.Thread(target=lambda: done.append(small.put(Event("late"))))
    putting.start()
    small.start()
    putting.join(LIMIT_S)
    assert done == [True]
    small.stop(LIMIT_S)


def test_a_full_queue_does_not_block_its_own_dispatch_thread() -> None:
    engine = EventEngine(queue_limit=1)
    results: list[bool] = []

    def flood(_: Event) -> None:
        results.extend(engine.put(Event("x")) for _ in range(3))

    engine.register("e", flood)
    engine.put(Event("e"))
    engine.start()
    wait_until(lambda: len(results) == 3, LIMIT_S, "the handler's return")
    assert results == [True, False, False]
    engine.stop(LIMIT_S)


def test_market_events_reach_the_handlers_of_their_type_and_of_their_symbol_only(engine: EventEngine) -> None:
    source = Source(engine)
    engine.attach(source)
    seen: dict[str, list[Event]] = {"all": [], "btc": [], "eth": [], "general": []}
    engine.register(EVENT_MARKET_TRADE, seen["all"].append)
    engine.register(f"{EVENT_MARKET_TRADE}BTCUSDT.BINANCE", seen["btc"].append)
    engine.register(f"{EVENT_MARKET_TRADE}ETHUSDT.BINANCE", seen["eth"].append)
    engine.register_general(seen["general"].append)
    engine.start()
    source.give(trade(), trade("ETHUSDT", "OKX"), trade())
    wait_until(lambda: len(seen["all"]) == 3, LIMIT_S, "three trades")
    assert [event.type for event in seen["btc"]] == [f"{EVENT_MARKET_TRADE}BTCUSDT.BINANCE"] * 2
    assert seen["eth"] == []
    assert len([event for event in seen["general"] if event.type != EVENT_TIMER]) == 3
    engine.register(f"{EVENT_MARKET_TRADE}ETHUSDT.OKX", seen["eth"].append)
    source.give(trade("ETHUSDT", "OKX"))
    wait_until(lambda: len(seen["eth"]) == 1, LIMIT_S, "a handler that was registered later")
    engine.stop(LIMIT_S)
    os.close(source.fd)


def test_sources_come_and_go_while_it_runs(engine: EventEngine) -> None:
    first, second = Source(engine), Source(engine)
    seen: list[Event] = []
    engine.register(EVENT_MARKET_TRADE, seen.append)
    engine.start()
    engine.attach(first)
    first.give(trade())
    wait_until(lambda: len(seen) == 1, LIMIT_S, "the first source's trade")
    engine.attach(second)
    second.give(trade())
    wait_until(lambda: len(seen) == 2, LIMIT_S, "the second source's trade")
    assert engine.detach(second, LIMIT_S)
    os.close(second.fd)  # nobody looks at it any more
    first.give(trade())
    wait_until(lambda: len(seen) == 3, LIMIT_S, "the first source's second trade")
    engine.register("detach", lambda _: seen.append(Event("done", engine.detach(first, LIMIT_S))))
    engine.put(Event("detach"))
    wait_until(lambda: len(seen) == 4, LIMIT_S, "the detaching from a handler")
    assert seen[-1].data is True
    assert engine.detach(first)  # a second time
    engine.stop(LIMIT_S)
    os.close(first.fd)


def test_a_source_is_not_detached_while_a_handler_does_not_return(engine: EventEngine) -> None:
    source, release = Source(engine), threading.Event()
    engine.attach(source)
    engine.register("stuck", lambda _: release.wait(LIMIT_S))
    engine.start()
    engine.put(Event("stuck"))
    wait_until(lambda: engine.current_handler is not None, LIMIT_S, "the handler to be entered")
    assert not engine.detach(source, 0.1)
    release.set()
    engine.stop(LIMIT_S)
    assert engine.detach(source)
    os.close(source.fd)


def test_a_batch_continues_in_order_after_a_failing_handler(engine: EventEngine) -> None:
    seen: list[tuple[str, object]] = []

    def broken(_: Event) -> None:
        raise RuntimeError("mine")

    engine.register(EVENT_MARKET_TRADE, broken)
    engine.register(EVENT_MARKET_TRADE, lambda event: seen.append(("plain", event.data)))
    engine.register(f"{EVENT_MARKET_TRADE}BTCUSDT.BINANCE", lambda event: seen.append((event.type, event.data)))
    engine.register_general(lambda event: seen.append(("general " + event.type, event.data)))
    first, second, quote = trade(), trade("ETHUSDT"), Quote("BINANCE", "BTCUSDT", 1, 2, 1.0, 1.0, 2.0, 1.0, "1")
    engine.dispatch_batch([first, second, quote])
    assert seen == [
        ("plain", first),
        (f"{EVENT_MARKET_TRADE}BTCUSDT.BINANCE", first),
        (f"general {EVENT_MARKET_TRADE}", first),
        ("plain", second),
        (f"general {EVENT_MARKET_TRADE}", second),
        ("general eBbo.", quote),
    ]
    assert engine.handler_errors_total == 2
    assert engine.calls_total == 8
    assert engine.current_handler is None


def test_a_handler_that_is_unregistered_during_a_batch_is_not_called_again(engine: EventEngine) -> None:
    seen: list[object] = []

    def once(event: Event) -> None:
        seen.append(event.data)
        engine.unregister(EVENT_MARKET_TRADE, once)

    engine.register(EVENT_MARKET_TRADE, once)
    engine.dispatch_batch([trade(), trade()])
    engine.dispatch_market(trade())
    assert len(seen) == 1


def test_stop_also_drains_the_source(engine: EventEngine) -> None:
    source = Source(engine)
    engine.attach(source)
    seen: list[Event] = []
    gate = threading.Event()
    engine.register("gate", lambda _: gate.wait(LIMIT_S))
    engine.register(EVENT_MARKET_TRADE, seen.append)
    engine.start()
    engine.put(Event("gate"))
    source.give(*[trade() for _ in range(10)])
    threading.Timer(0.1, gate.set).start()
    engine.stop(LIMIT_S)
    assert len(seen) == 10
    os.close(source.fd)


def test_an_event_shows_what_it_is() -> None:
    assert repr(Event("e", 1)) == "Event('e', 1)"
    assert Event("e", 1) != Event("e", 1), "two events are two events"


# ---- the end


def stuck_handler(release: threading.Event) -> Callable[[Event], None]:
    def never_returns(_: Event) -> None:
        release.wait(30.0)

    return never_returns


def test_a_stuck_stop_reports_handler_stack_and_queue_and_start_waits_for_the_handler() -> None:
    log, release = Log(), threading.Event()
    engine = EventEngine(interval=0.05, log=log)
    seen: list[str] = []
    engine.register("stuck", stuck_handler(release))
    engine.register_general(lambda event: seen.append(event.type))
    engine.start()
    engine.put(Event("stuck"))
    wait_until(lambda: engine.current_handler is not None, LIMIT_S, "the handler's begin")
    for type_ in ("eOrder.1", "eOrder.2", "eLog", "mine"):
        engine.put(Event(type_))
    started = time.monotonic()
    report = engine.stop(0.3)
    assert time.monotonic() - started < 1.0
    assert report == 4
    assert report.left_by_class == {"eOrder.": 2, "eLog": 1, "mine": 1}
    assert report.stuck_handler is not None
    assert "never_returns" in report.stuck_handler
    assert "release.wait" in report.stack
    assert engine.last_stop is report
    assert log.of("event_engine_stuck")[0]["left"] == 4
    with pytest.raises(RuntimeError, match=r"never_returns has not returned"):
        engine.start()
    assert engine.stop(0.1) == 4, "it stays true"
    release.set()
    wait_until(lambda: not engine.is_dispatching(), LIMIT_S, "the thread's end")
    assert [type_ for type_ in seen if type_ != EVENT_TIMER] == ["stuck"], "the time for the others was over"
    engine.start()
    assert engine.stop(LIMIT_S) == 0
    assert [type_ for type_ in seen if type_ != EVENT_TIMER] == ["stuck", "eOrder.1", "eOrder.2", "eLog", "mine"]


def test_stop_during_a_flood_ends_in_time_and_reports_exactly_what_is_left() -> None:
    engine = EventEngine(put_wait_s=0.05)
    handled: Counter[str] = Counter()
    accepted: list[int] = []
    flowing = threading.Event()
    flowing.set()

    def handle(event: Event) -> None:
        handled[event.type] += 1

    def flood() -> None:
        count = 0
        while flowing.is_set():
            count += engine.put(Event("e"))
        accepted.append(count)

    engine.register("e", handle)
    engine.start()
    threads = [threading.Thread(target=flood) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: handled["e"] > 1000, LIMIT_S, "the flood")
    started = time.monotonic()
    report = engine.stop(2.0)
    assert time.monotonic() - started < LIMIT_S
    assert not engine.is_dispatching()
    assert report.stuck_handler is None
    at_stop = handled["e"]
    flowing.clear()
    for thread in threads:
        thread.join()
    assert handled["e"] == at_stop
    assert sum(accepted) == at_stop + engine.queue_depth(), "nothing vanished"


def test_stop_gives_slow_handlers_its_timeout_and_not_more(engine: EventEngine) -> None:
    engine.register("e", lambda _: time.sleep(0.05))
    for _ in range(100):
        engine.put(Event("e"))
    engine.start()
    started = time.monotonic()
    report = engine.stop(0.8)
    assert time.monotonic() - started < LIMIT_S
    assert not engine.is_dispatching()
    assert report.stuck_handler is None
    counts = engine.counts()
    assert 0 < report == counts.queued
    assert counts.handled == 100 - report


def test_stop_from_two_threads_and_from_a_handler_at_once(engine: EventEngine) -> None:
    reports: list[int] = []
    engine.register("e", lambda _: reports.append(engine.stop(LIMIT_S)))
    engine.start()
    threads = [threading.Thread(target=lambda: reports.append(engine.stop(LIMIT_S))) for _ in range(2)]
    engine.put(Event("e"))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    wait_until(lambda: not engine.is_dispatching(), LIMIT_S, "the thread's end")
    assert reports == [0, 0, 0]
    assert not engine.is_active()


def test_start_while_it_stops_waits_for_the_end(engine: EventEngine) -> None:
    seen: list[object] = []

    def slow(event: Event) -> None:
        time.sleep(0.2)
        seen.append(event.data)

    engine.register("e", slow)
    engine.start()
    engine.put(Event("e", 1))
    wait_until(lambda: engine.current_handler is not None, LIMIT_S, "the handler's begin")
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    wait_until(lambda: not engine.is_active(), LIMIT_S, "the request")
    engine.start()
    stopping.join()
    engine.put(Event("e", 2))
    wait_until(lambda: seen == [1, 2], LIMIT_S, "both runs")


def test_a_handler_cannot_start_what_it_has_stopped(engine: EventEngine) -> None:
    errors: list[str] = []

    def restart(_: Event) -> None:
        engine.stop()
        try:
            engine.start()
        except RuntimeError as error:
            errors.append(str(error))

    engine.register("e", restart)
    engine.start()
    engine.put(Event("e"))
    wait_until(lambda: errors, LIMIT_S, "the refusal")
    assert "cannot start again" in errors[0]


def test_stop_before_start_and_put_after_stop(engine: EventEngine) -> None:
    assert engine.stop() == 0
    assert engine.put(Event("e"))
    report = engine.stop()
    assert (report, report.left_by_class, report.stuck_handler) == (1, {"e": 1}, None)


def test_put_never_writes_to_a_descriptor_that_the_engine_has_closed(tmp_path: Path) -> None:
    engine = EventEngine(queue_limit=1000, put_wait_s=0.0)
    flowing = True

    def put() -> None:
        while flowing:
            engine.put(Event("e"))
            engine.wake()

    threads = [threading.Thread(target=put) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(60):
            engine.start()
            engine.stop(LIMIT_S)
            # the numbers that the engine's descriptors had are these files' now
            with open(tmp_path / f"a{number}", "wb"), open(tmp_path / f"b{number}", "wb"):
                time.sleep(0.001)
    finally:
        flowing = False
        for thread in threads:
            thread.join()
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_size] == []


def run_program(text: str, *, limit_s: float = 30.0) -> subprocess.CompletedProcess[str]:
    program = "import time\nfrom foxtrot_supervisor.engine.bus.event_engine import *\n" + textwrap.dedent(text)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=limit_s, check=False)


def test_a_program_whose_main_thread_ends_runs_until_the_engine_is_stopped() -> None:
    done = run_program(
        """
        engine = EventEngine(interval=0.05)
        ticks = []
        def on_timer(event):
            ticks.append(1)
            if len(ticks) == 3:
                for number in range(1000):
                    engine.put(Event("last", number))
                engine.stop()
        def on_last(event):
            if event.data == 999:
                print("handled to the last", flush=True)
        engine.register(EVENT_TIMER, on_timer)
        engine.register("last", on_last)
        engine.start()
        """
    )
    assert (done.returncode, done.stdout) == (0, "handled to the last\n"), done.stderr


def test_a_handler_that_never_returns_does_not_keep_the_interpreter_from_ending() -> None:
    done = run_program(
        """
        engine = EventEngine()
        engine.register("e", lambda event: time.sleep(3600))
        engine.start()
        engine.put(Event("e"))
        time.sleep(0.2)
        report = engine.stop(0.2)
        print(report)
        """
    )
    assert done.returncode == 0, done.stderr
    assert "0 events left; __main__.<lambda> did not return" in done.stdout


def test_an_interrupt_at_the_end_stops_what_runs() -> None:
    program = """
    import signal
    from foxtrot_supervisor.engine.bus.event_engine import *
    engine = EventEngine(interval=0.05)
    engine.register(EVENT_TIMER, lambda event: print("tick", flush=True))
    engine.start()
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        # also where the tests themselves run in the background
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    with process.stdout as out:
        for _ in range(3):
            assert out.readline() == "tick\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0


def test_stop_handles_events_that_handlers_put_but_not_without_end(engine: EventEngine) -> None:
    answers: list[int] = []

    def answer(event: Event) -> None:
        answers.append(event.data)
        if event.data < 3:
            engine.put(Event("e", event.data + 1))

    engine.register("e", answer)
    engine.register("endless", lambda _: engine.put(Event("endless")))
    engine.put(Event("e", 0))
    engine.put(Event("endless"))
    engine.start()
    started = time.monotonic()
    report = engine.stop(30.0)
    assert time.monotonic() - started < LIMIT_S
    assert answers == [0, 1, 2, 3]
    assert report.left_by_class == {"endless": 1}


# ---- the queue


def test_counts_add_up_at_every_moment_under_a_flood_from_many_threads() -> None:
    engine = EventEngine(interval=0.01, queue_limit=500, never_drop_limit=100_000, put_wait_s=0.0)
    handled: Counter[str] = Counter()
    last: dict[str, int] = {}
    disorder: list[Event] = []
    put: list[Counter[str]] = []
    threads_count, events_each = 4, 6000

    def handle(event: Event) -> None:
        handled[event.type] += 1
        if event.type == "eTick.":
            if event.data.number <= last.get(event.data.symbol, -1):
                disorder.append(event)
            last[event.data.symbol] = event.data.number

    def flood(number: int) -> None:
        mine: Counter[str] = Counter()
        for count in range(events_each):
            mine["eTick."] += engine.put(Event("eTick.", Tick(f"S{number}{count % 5}", count)))
            mine["eOrder."] += engine.put(Event("eOrder.", count))
            mine["e accepted" if engine.put(Event("e", count)) else "e dropped"] += 1
        put.append(mine)

    for type_ in ("eTick.", "eOrder.", "e"):
        engine.register(type_, handle)
    engine.start()
    threads = [threading.Thread(target=flood, args=(number,)) for number in range(threads_count)]
    for thread in threads:
        thread.start()
    deepest, looks = 0, 0
    while any(thread.is_alive() for thread in threads):
        counts = engine.counts()
        assert counts.put == counts.handled + counts.conflated + counts.dropped + counts.queued
        deepest, looks = max(deepest, counts.queued), looks + 1
    assert engine.stop(30.0) == 0
    total = sum(put, Counter())
    counts = engine.counts()
    assert looks > 10
    assert deepest > 0
    assert counts.put == 3 * threads_count * events_each == total.total()
    assert handled["eOrder."] == total["eOrder."] == threads_count * events_each, "orders never drop"
    assert handled["e"] == total["e accepted"]
    assert counts.dropped == total["e dropped"]
    assert handled["eTick."] + counts.conflated == total["eTick."]
    assert counts.handled == handled.total()
    assert counts.queued == 0
    assert disorder == []
    newest = {f"S{number}{rest}": events_each - 5 + rest for number in range(threads_count) for rest in range(5)}
    assert last == newest, "the newest of each symbol was seen last"


def test_ticks_conflate_to_the_newest_while_a_handler_is_busy(engine: EventEngine) -> None:
    release, seen = threading.Event(), []
    engine.register("busy", lambda _: release.wait(LIMIT_S))
    engine.register("eTick.", lambda event: seen.append(event.data))
    engine.start()
    engine.put(Event("busy"))
    wait_until(lambda: engine.current_handler is not None, LIMIT_S, "the handler's begin")
    for number in range(10_000):
        engine.put(Event("eTick.", Tick(f"S{number % 3}", number)))
    assert engine.queue_depth() == 3
    assert engine.counts().conflated_by_class == {"eTick.": 9_997}
    release.set()
    assert engine.stop(LIMIT_S) == 0
    assert seen == [Tick("S1", 9997), Tick("S2", 9998), Tick("S0", 9999)]


def test_policies_can_be_changed() -> None:
    engine = EventEngine(policies=policies_with(block=["eTick."], conflate=["eMine."]))
    for number in range(3):
        engine.put(Event("eTick.", Tick("A", number)))
        engine.put(Event("eMine.", Tick("A", number)))
    assert engine.queue_depth() == 4


def test_an_event_that_must_not_be_dropped_is_finally_refused() -> None:
    engine = EventEngine(queue_limit=2, never_drop_limit=3, never_drop_wait_s=0.05)
    for _ in range(3):
        assert engine.put(Event("eOrder."))
    with pytest.raises(QueueFull, match=r"no room for an event 'eOrder\.' within 0.05 s"):
        engine.put(Event("eOrder."))
    counts = engine.counts()
    assert (counts.put, counts.dropped, counts.refused) == (3, 0, 1)


def test_put_waits_for_room_for_orders_and_all_arrive() -> None:
    engine = EventEngine(queue_limit=10, never_drop_limit=20)
    seen: list[object] = []

    def slow(event: Event) -> None:
        time.sleep(0.0005)
        seen.append(event.data)

    engine.register("eOrder.", slow)
    engine.start()
    for number in range(500):
        engine.put(Event("eOrder.", number))
        assert engine.queue_depth() <= 20
    assert engine.stop(LIMIT_S) == 0
    assert seen == list(range(500))


def test_put_raises_for_an_event_without_a_type(engine: EventEngine) -> None:
    engine.start()
    with pytest.raises(AttributeError):
        engine.put("no event")  # type: ignore[arg-type]
    assert engine.is_dispatching()


# ---- the timer


def test_timer_events_come_during_a_flood_and_with_slow_handlers() -> None:
    engine = EventEngine(interval=0.05, queue_limit=2000)
    ticks: list[float] = []
    flowing = True
    engine.register(EVENT_TIMER, lambda _: ticks.append(time.monotonic()))
    engine.register("slow", lambda _: time.sleep(0.01))
    engine.register("e", lambda _: None)

    def flood() -> None:
        while flowing:
            engine.put(Event("e"))

    for _ in range(100):
        engine.put(Event("slow"))
    thread = threading.Thread(target=flood)
    thread.start()
    engine.start()
    started = time.monotonic()
    try:
        wait_until(lambda: len(ticks) >= 8, LIMIT_S, "eight ticks, of which some among slow handlers")
    finally:
        flowing = False
        thread.join()
        engine.stop(LIMIT_S)
    assert time.monotonic() - started < 3.0


def test_an_interval_must_be_positive() -> None:
    with pytest.raises(ValueError, match="interval must be more than 0"):
        EventEngine(interval=0)


# ---- handlers


def test_dispatch_continues_after_any_exception_of_a_handler(engine: EventEngine) -> None:
    seen: list[object] = []
    errors: list[BaseException] = [SystemExit(), asyncio.CancelledError(), GeneratorExit(), KeyboardInterrupt()]

    def broken(event: Event) -> None:
        raise event.data

    engine.register("e", broken)
    engine.register("e", lambda event: seen.append(event.data))
    engine.start()
    for error in errors:
        engine.put(Event("e", error))
    wait_until(lambda: len(seen) == len(errors), LIMIT_S, "the other handler")
    assert engine.is_dispatching()


def test_all_failures_are_counted_and_some_are_logged() -> None:
    log = Log()
    engine = EventEngine(log=log)

    def broken(_: Event) -> None:
        raise RuntimeError("mine")

    engine.register("e", broken)
    for _ in range(100):
        engine.dispatch(Event("e"))
    assert engine.handler_errors_total == 100
    assert [fields["errors"] for fields in log.of("handler_failed")] == [*range(1, 11), 16, 32, 64]
    assert "RuntimeError: mine" in log.of("handler_failed")[0]["trace"]
    assert engine.handlers()[0].errors == 100


def test_a_handler_that_keeps_failing_is_suspended_visible_and_revived() -> None:
    log = Log()
    engine = EventEngine(log=log, suspend_after=3)
    calls: list[object] = []

    def moody(event: Event) -> None:
        calls.append(event.data)
        if event.data == "bad":
            raise RuntimeError

    engine.register("e", moody)
    for data in ("bad", "bad", "good", "bad", "bad", "bad", "bad", "bad"):
        engine.dispatch(Event("e", data))
    assert calls == ["bad", "bad", "good", "bad", "bad", "bad"]
    assert engine.handlers()[0].suspended
    assert [fields["in_row"] for fields in log.of("handler_suspended")] == [3]
    assert engine.revive("e", moody)
    assert not engine.revive("e", moody)
    assert not engine.revive("never", moody)
    engine.dispatch(Event("e", "good"))
    assert calls[-1] == "good"
    assert not engine.handlers()[0].suspended


def test_an_engine_without_a_host_warns_of_a_slow_handler_while_it_runs() -> None:
    log, release = Log(), threading.Event()
    engine = EventEngine(slow_handler_ms=60.0, log=log)
    before = threading.active_count()
    engine.register("slow", stuck_handler(release))
    engine.start()
    assert threading.active_count() == before + 1, "nothing to look at yet"
    engine.put(Event("slow"))
    wait_until(lambda: log.of("slow_handler"), LIMIT_S, "the warning")
    assert not release.is_set()
    assert "never_returns" in log.of("slow_handler")[0]["handler"]
    assert "release.wait" in log.of("slow_handler")[0]["stack"]
    release.set()
    assert engine.stop(LIMIT_S) == 0
    info = engine.handlers()[0]
    assert (info.slow, engine.slow_calls_total, len(log.of("slow_handler"))) == (1, 1, 1)
    assert info.max_us >= 50_000
    assert threading.active_count() == before, "neither the dispatch thread nor the watch is left"


def test_handlers_lists_owners_calls_and_durations(engine: EventEngine) -> None:
    def brief(_: Event) -> None:
        pass

    def dawdle(_: Event) -> None:
        time.sleep(0.003)

    engine.register("a", brief)
    engine.register("b", dawdle, owner="strategy-1")
    engine.register_general(brief)
    engine.start()
    for _ in range(20):
        engine.put(Event("a"))
        engine.put(Event("b"))
    engine.stop(LIMIT_S)
    infos = {info.type: info for info in engine.handlers()}
    assert [infos[type_].calls for type_ in ("a", "b", "")] == [20, 20, 40]
    assert infos["b"].owners == ["strategy-1"]
    assert infos["b"].handler.endswith("dawdle")
    assert 0 < infos["b"].timed <= 20
    assert 2_500 <= infos["b"].p50_us <= infos["b"].p99_us <= infos["b"].max_us * 1.2
    assert engine.calls_total == 80


def test_a_handler_unregistered_by_an_earlier_one_is_not_called_for_the_same_event(engine: EventEngine) -> None:
    calls: list[str] = []

    def first(_: Event) -> None:
        calls.append("first")
        engine.unregister("e", second)
        engine.register("e", late)

    def second(_: Event) -> None:
        calls.append("second")

    def late(_: Event) -> None:
        calls.append("late")

    engine.register("e", first)
    engine.register("e", second)
    engine.dispatch(Event("e"))
    assert calls == ["first"]
    engine.dispatch(Event("e"))
    assert calls == ["first", "first", "late"]


def test_a_handler_may_dispatch(engine: EventEngine) -> None:
    inside: list[object] = []

    def outer(_: Event) -> None:
        engine.dispatch(Event("inner"))
        inside.append(engine.current_handler)

    engine.register("outer", outer)
    engine.register("inner", lambda _: inside.append("inner"))
    engine.dispatch(Event("outer"))
    assert inside == ["inner", outer]


@pytest.mark.parametrize("handler", [None, 17])
def test_a_handler_must_be_callable(engine: EventEngine, handler: Any) -> None:
    with pytest.raises(TypeError, match="a handler must be callable"):
        engine.register("e", handler)


def test_a_coroutine_function_and_an_empty_type_are_refused(engine: EventEngine) -> None:
    async def waits(_: Event) -> None:
        pass

    with pytest.raises(TypeError, match="is a coroutine function"):
        engine.register("e", waits)
    with pytest.raises(ValueError, match="cannot be empty"):
        engine.register("", print)
