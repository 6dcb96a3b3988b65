"""Registering from anywhere, in the middle of anything."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from foxtrot_protocol.events import Quote, Trade
from foxtrot_supervisor.engine.bus import handler_table as handler_desk
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.bus.handler_registry import GENERAL
from foxtrot_supervisor.engine.bus.handler_table import HandlerDesk


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, /, **fields: Any) -> None:
        self.lines.append((event, fields))


def handler(_: Event) -> None:
    pass


def other(_: Event) -> None:
    pass


@pytest.fixture
def engine() -> EventEngine:
    return EventEngine()


@pytest.fixture
def desk() -> HandlerDesk:
    return HandlerDesk(Log())  # type: ignore[arg-type]  # only what it says of owners


def test_routes_name_whom_to_call_and_are_forgotten_when_that_changes(desk: HandlerDesk) -> None:
    desk.register("eBbo.", handler)
    desk.register("eBbo.BTC.SIM", other)
    desk.register(GENERAL, other)
    assert [found.type for found in desk.route("eBbo.")] == ["eBbo.", GENERAL]
    key = (Quote, "BTC", "SIM")
    names = [(name, found.type) for name, found in desk.market_route(key)]
    assert names == [("eBbo.", "eBbo."), ("eBbo.BTC.SIM", "eBbo.BTC.SIM"), ("eBbo.", GENERAL)]
    assert desk.market_route((Trade, "BTC", "SIM"))[0][1].type == GENERAL
    assert set(desk.routes) == {"eBbo."}
    assert set(desk.market_routes) == {key, (Trade, "BTC", "SIM")}
    desk.unregister("eBbo.", handler)
    assert desk.routes == {}
    assert desk.market_routes == {}


def test_remembered_routes_are_bounded(desk: HandlerDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_desk, "ROUTES_MAX", 10)
    for number in range(35):
        desk.route(f"e{number}")
        desk.market_route((Trade, f"S{number}", "SIM"))
    assert len(desk.routes) <= 10
    assert len(desk.market_routes) <= 10


def test_registering_from_many_threads_loses_nothing(desk: HandlerDesk) -> None:
    def register(name: str) -> None:
        for number in range(300):
            desk.register(f"e{number}", [].append)
            desk.register(name, handler)
            desk.unregister(name, handler)

    threads = [threading.Thread(target=register, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desk.count() == 1200


def test_it_is_told_when_an_owner_went_by_itself_with_its_handlers(desk: HandlerDesk) -> None:
    owner = desk.owner("s")
    owner.register("e", handler)
    del owner
    gc.collect()
    assert desk._log.lines == [("owner_collected", {"owner": "s", "handlers": 1})]  # type: ignore[attr-defined]


def test_an_owner_is_not_opened_in_the_middle_of_another_change(desk: HandlerDesk) -> None:
    errors: list[str] = []

    class Nosy:
        def __call__(self, _: Event) -> None:
            pass

        def __eq__(self, another: object) -> bool:
            try:
                desk.owner("late")
            except RuntimeError as error:
                errors.append(str(error))
            return self is another

        __hash__ = None  # type: ignore[assignment]

    desk.register("e", Nosy())
    desk.register("e", handler)
    assert errors == ["an owner cannot be opened by a finalizer in the middle of another change"]
    assert desk.count() == 2


def test_a_finalizer_may_register_and_unregister_in_the_middle_of_a_change(engine: EventEngine) -> None:
    class Dying:
        def __init__(self) -> None:
            self.itself = self  # only the collector ends it

        def __del__(self) -> None:
            engine.unregister("e", other)
            engine.register("late", handler)

    class Nosy:
        """A handler that is compared while the registry changes."""

        def __call__(self, _: Event) -> None:
            pass

        def __eq__(self, another: object) -> bool:
            gc.collect()
            return self is another

        __hash__ = None  # type: ignore[assignment]

    engine.register("e", other)
    engine.register("e", Nosy())
    Dying()
    engine.register("e", Nosy())
    assert sorted(info.type for info in engine.handlers()) == ["e", "e", "late"]
    assert engine._desk._registry.find("e", other) is None
