"""The EventEngine as vn.py's users know it, and where it is mended."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from foxtrot_protocol.events import EVENT_MARKET_TRADE, EVENT_TIMER, Quote, Trade
from foxtrot_supervisor.event_engine import Event, EventEngine
from tests.support.waiting import wait_until

LIMIT_S = 5.0


@pytest.fixture
def engine() -> Iterator[EventEngine]:
    engine = EventEngine(interval=0.05)
    yield engine
    engine.stop(2.0)


class Source:
    """Hands prepared events to the dispatch thread."""

    def __init__(self, engine: EventEngine) -> None:
        self.engine = engine
        self.pending: list[Trade[float] | Quote[float]] = []
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self.fd

    def give(self, *events: Trade[float] | Quote[float]) -> None:
        self.pending.extend(events)
        os.eventfd_write(self.fd, 1)

    def due(self) -> float:
        return float("inf")

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


def test_a_failing_handler_is_counted_and_hurts_nobody(engine: EventEngine) -> None:
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


def test_stop_drains_the_queue_and_says_that_nothing_was_left(engine: EventEngine) -> None:
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


def test_stop_gives_up_on_a_handler_that_does_not_return_and_tells_what_was_left(engine: EventEngine) -> None:
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


def test_a_full_queue_drops_at_last_and_counts() -> None:
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
    with pytest.raises(RuntimeError):
        engine.attach(source)
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


def test_a_batch_goes_on_after_a_failing_handler_and_in_order(engine: EventEngine) -> None:
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


def test_a_handler_that_leaves_during_a_batch_is_not_called_again(engine: EventEngine) -> None:
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
