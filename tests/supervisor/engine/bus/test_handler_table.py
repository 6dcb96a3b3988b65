"""Registration from any thread, also during another change."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from foxtrot_protocol.events import Quote, Trade
from foxtrot_supervisor.engine.bus import handler_table
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.bus.handler_registry import GENERAL
from foxtrot_supervisor.engine.bus.handler_table import HandlerTable


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
def table() -> HandlerTable:
    return HandlerTable(Log())  # type: ignore[arg-type]  # only what it says of owners


def test_routes_are_cached_until_the_registrations_change(table: HandlerTable) -> None:
    table.register("eBbo.", handler)
    table.register("eBbo.BTC.SIM", other)
    table.register(GENERAL, other)
    assert [found.type for found in table.route("eBbo.")] == ["eBbo.", GENERAL]
    key = (Quote, "BTC", "SIM")
    names = [(name, [each.type for each in found]) for name, found in table.market_route(key)]
    assert names == [("eBbo.", ["eBbo."]), ("eBbo.BTC.SIM", ["eBbo.BTC.SIM"]), ("eBbo.", [GENERAL])]
    assert table.market_route((Trade, "BTC", "SIM"))[0][1][0].type == GENERAL
    assert set(table.routes) == {"eBbo."}
    assert set(table.market_routes) == {key, (Trade, "BTC", "SIM")}
    table.unregister("eBbo.", handler)
    assert table.routes == {}
    assert table.market_routes == {}


def test_the_only_handler_of_a_kind_is_found_unless_some_are_for_single_symbols(table: HandlerTable) -> None:
    assert table.only_route(Quote) is None
    table.register("eBbo.", handler)
    found = table.only_route(Quote)
    assert found is not None
    assert (found[0], found[1].type) == ("eBbo.", "eBbo.")
    assert table.only_routes == {Quote: found}
    table.register("eBbo.BTC.SIM", other)
    assert table.only_routes == {}
    assert table.only_route(Quote) is None
    assert table.only_route(Trade) is None
    table.unregister("eBbo.BTC.SIM", other)
    table.register(GENERAL, other)
    assert table.only_route(Quote) is None
    general = table.only_route(Trade)
    assert general is not None
    assert (general[0], general[1].type) == ("eMarketTrade.", GENERAL)


def test_cached_routes_are_bounded(table: HandlerTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_table, "ROUTES_MAX", 10)
    for number in range(35):
        table.route(f"e{number}")
        table.market_route((Trade, f"S{number}", "SIM"))
    assert len(table.routes) <= 10
    assert len(table.market_routes) <= 10


def test_registering_from_many_threads_loses_nothing(table: HandlerTable) -> None:
    def register(name: str) -> None:
        for number in range(300):
            table.register(f"e{number}", [].append)
            table.register(name, handler)
            table.unregister(name, handler)

    threads = [threading.Thread(target=register, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table.count() == 1200


def test_the_collection_of_an_owner_with_handlers_is_logged(table: HandlerTable) -> None:
    owner = table.owner("s")
    owner.register("e", handler)
    del owner
    gc.collect()
    assert table._log.lines == [("owner_collected", {"owner": "s", "handlers": 1})]  # type: ignore[attr-defined]


def test_an_owner_is_not_opened_in_the_middle_of_another_change(table: HandlerTable) -> None:
    errors: list[str] = []

    class Nosy:
        def __call__(self, _: Event) -> None:
            pass

        def __eq__(self, another: object) -> bool:
            try:
                table.owner("late")
            except RuntimeError as error:
                errors.append(str(error))
            return self is another

        __hash__ = None  # type: ignore[assignment]

    table.register("e", Nosy())
    table.register("e", handler)
    assert errors == ["an owner cannot be opened by a finalizer in the middle of another change"]
    assert table.count() == 2


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
    assert engine._table._registry.find("e", other) is None
