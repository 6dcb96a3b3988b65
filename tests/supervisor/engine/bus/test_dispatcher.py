"""Calling handlers: order, fan-out, failures, and what is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog

from foxtrot_protocol.events import EVENT_BBO, Quote
from foxtrot_supervisor.engine.bus import dispatcher
from foxtrot_supervisor.engine.bus.dispatcher import BATCHES_TIMED, Dispatcher
from foxtrot_supervisor.engine.bus.event import Event
from foxtrot_supervisor.engine.bus.handler_registry import GENERAL
from foxtrot_supervisor.engine.bus.handler_table import HandlerTable


@pytest.fixture(params=["pure", "compiled"], autouse=True)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both forms of the loop over market data."""
    if request.param == "pure":
        monkeypatch.setattr(dispatcher, "_compiled", None)
    elif dispatcher._compiled is None:
        pytest.skip("not compiled")


class World:
    def __init__(self, suspend_after: int | None = None) -> None:
        self.logged: list[dict[str, Any]] = []
        log = structlog.wrap_logger(None, processors=[self._note])
        self.table = HandlerTable(log)
        self.dispatcher = Dispatcher(self.table, log, slow_handler_ms=1.0, suspend_after=suspend_after)
        self.seen: list[tuple[str, str]] = []

    def _note(self, _logger: Any, _method: str, event: Any) -> Any:
        self.logged.append(dict(event))
        raise structlog.DropEvent

    def note(self, name: str) -> Callable[[Event], None]:
        return lambda event: self.seen.append((name, event.type))


@pytest.fixture
def world() -> World:
    return World()


def quote(symbol: str = "BTC") -> Quote[float]:
    return Quote(
        exchange="SIM",
        symbol=symbol,
        exchange_ns=1,
        receive_ns=1,
        publish_ns=1,
        bid=1.0,
        bid_size=1.0,
        ask=2.0,
        ask_size=1.0,
        update_id="1",
    )


def test_market_data_are_dispatched_once_for_each_event_type(world: World) -> None:
    world.table.register(EVENT_BBO, world.note("typed"))
    world.table.register(f"{EVENT_BBO}BTC.SIM", world.note("exact"))
    world.table.register(GENERAL, world.note("general"))
    world.dispatcher.dispatch_batch([quote(), quote("ETH")])
    assert world.seen == [
        ("typed", "eBbo."),
        ("exact", "eBbo.BTC.SIM"),
        ("general", "eBbo."),
        ("typed", "eBbo."),
        ("general", "eBbo."),
    ]


def test_the_first_of_some_batches_is_timed_and_every_call_is_counted(world: World) -> None:
    world.table.register(EVENT_BBO, world.note("typed"))
    for _ in range(2 * BATCHES_TIMED):
        world.dispatcher.dispatch_batch([quote(), quote()])
    [info] = world.table.infos()
    assert (info.calls, info.timed) == (4 * BATCHES_TIMED, 2)


def test_a_handler_may_change_the_handlers_of_the_events_behind_it(world: World) -> None:
    symbol = "".join(["B", "TC"])
    batch = [quote(symbol) for _ in range(4)]
    late = world.note("late")

    def change(_event: Event) -> None:
        world.seen.append(("change", ""))
        if len(world.seen) == 1:
            world.table.register(EVENT_BBO, late)
        else:
            world.table.unregister(EVENT_BBO, change)
            # the routes are found again before the next event of the batch
            world.dispatcher.dispatch_batch([quote(symbol)])

    world.table.register(EVENT_BBO, change)
    world.dispatcher.dispatch_batch(batch)
    assert [name for name, _ in world.seen] == ["change", "change", "late", "late", "late", "late"]


def test_the_only_handler_may_end_or_get_company_within_a_batch(world: World) -> None:
    table, seen = world.table, world.seen

    def only(event: Event) -> None:
        seen.append(("only", event.data.symbol))
        if len(seen) == 2:
            table.register("eBbo.C.SIM", world.note("exact"))
        elif len(seen) == 5:
            table.unregister(EVENT_BBO, only)

    table.register(EVENT_BBO, only)
    world.dispatcher.dispatch_batch([quote(symbol) for symbol in "ABCABC"])
    assert seen == [
        ("only", "A"),
        ("only", "B"),
        ("only", "C"),
        ("exact", "eBbo.C.SIM"),
        ("only", "A"),
        ("exact", "eBbo.C.SIM"),
    ]
    assert table.calls_total() == len(seen)


def test_an_only_handler_that_fails_is_suspended_within_the_batch() -> None:
    world = World(suspend_after=2)

    def broken(_: Event) -> None:
        raise ValueError

    world.table.register(EVENT_BBO, broken)
    world.dispatcher.dispatch_batch([quote() for _ in range(5)])
    assert world.dispatcher.errors_total == 2
    assert [line["event"] for line in world.logged] == ["handler_failed", "handler_failed", "handler_suspended"]
    assert world.dispatcher.current is None


def test_events_of_many_streams_find_their_handlers(world: World) -> None:
    symbols = [f"S{number}" for number in range(300)]
    for symbol in symbols:
        world.table.register(f"{EVENT_BBO}{symbol}.SIM", world.note(symbol))
    world.dispatcher.dispatch_batch([quote(symbol) for symbol in symbols] * 3)
    assert [name for name, _ in world.seen] == symbols * 3


def test_what_ends_the_thread_elsewhere_is_survived(world: World) -> None:
    def end(_event: Event) -> None:
        raise SystemExit

    world.table.register(EVENT_BBO, end)
    world.table.register(EVENT_BBO, world.note("after"))
    world.dispatcher.dispatch_batch([quote(), quote()])
    assert world.dispatcher.errors_total == 2
    assert [name for name, _ in world.seen] == ["after", "after"]


def test_failures_are_counted_logged_and_finally_suspend_the_handler() -> None:
    world = World(suspend_after=2)

    def fail(_: Event) -> None:
        raise SystemExit("no")

    world.table.register("e", fail)
    world.table.register("e", world.note("after"))
    for _ in range(3):
        world.dispatcher.dispatch(Event("e"))
    assert world.dispatcher.errors_total == 2
    assert [line["event"] for line in world.logged] == ["handler_failed", "handler_failed", "handler_suspended"]
    assert world.seen == [("after", "e")] * 3


def test_a_handler_may_dispatch_and_stays_the_current_one(world: World) -> None:
    current = []

    def outer(_: Event) -> None:
        world.dispatcher.dispatch(Event("inner"))
        current.append(world.dispatcher.current_name())

    world.table.register("outer", outer)
    world.table.register("inner", world.note("inner"))
    world.dispatcher.dispatch(Event("outer"))
    assert world.seen == [("inner", "inner")]
    assert current[0].endswith("outer")
    assert world.dispatcher.current_name() == "the dispatch thread, in no handler,"


def test_before_first_call_is_called_once(world: World) -> None:
    prepared = []
    world.table.register("e", world.note("e"))
    world.dispatcher.before_first_call = lambda: prepared.append(len(world.seen))
    world.dispatcher.dispatch_timed(Event("e"))
    world.dispatcher.dispatch(Event("e"))
    assert prepared == [0]
    world.dispatcher.before_first_call = lambda: prepared.append(len(world.seen))
    world.dispatcher.dispatch(Event("e"))
    assert prepared == [0, 2]


def test_a_slow_call_is_reported_once_while_it_runs(world: World) -> None:
    reported: list[str] = []

    def slow(_: Event) -> None:
        for now in (10.0, 10.2, 10.4):
            found = world.dispatcher.look(now)
            reported.append("" if found is None else found.type)

    world.table.register("slow", slow)
    world.dispatcher.dispatch(Event("slow"))
    assert reported.count("slow") == 1
    assert world.dispatcher.slow_calls_total == 1
    assert world.dispatcher.look(11.0) is None
    [info] = world.table.infos()
    assert info.slow == 1


def test_without_a_limit_no_call_is_slow(world: World) -> None:
    dispatcher = Dispatcher(world.table, structlog.get_logger(), slow_handler_ms=None, suspend_after=None)
    assert not dispatcher.judges_slow_calls
    assert dispatcher.look(1.0) is None
