"""Adapters, engines and apps: creation, requests, and an orderly close whatever they do."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from foxtrot_protocol.events import EVENT_LOG
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.gateways.main_engine import AlreadyThere, MainEngine
from tests.support.waiting import wait_until

LIMIT_S = 5.0


@pytest.fixture
def main() -> Iterator[MainEngine]:
    engine = MainEngine(adapter_close_s=0.5, engine_close_s=0.5, stop_s=LIMIT_S)
    yield engine
    engine.close()


class Adapter:
    """As Foxtrot's and vn.py's: registers in its constructor and in `connect`, unregisters nothing."""

    default_name = "ACME"
    default_setting = {"key": ""}  # noqa: RUF012 - as theirs
    exchanges = ("ACME", "OTHER")

    def __init__(self, event_engine: EventEngine, adapter_name: str) -> None:
        self.event_engine = event_engine
        self.name = adapter_name
        self.asked: list[tuple[str, Any]] = []
        self.seen: list[Event] = []
        event_engine.register("eTimer", self.on_event)

    def on_event(self, event: Event) -> None:
        self.seen.append(event)

    def connect(self, setting: dict[str, Any]) -> None:
        self.asked.append(("connect", setting))
        self.event_engine.register("eMine.", self.on_event)

    def subscribe(self, req: Any) -> None:
        self.asked.append(("subscribe", req))

    def send_order(self, req: Any) -> str:
        return f"{self.name}.{req}"

    def cancel_order(self, req: Any) -> None:
        self.asked.append(("cancel", req))

    def query_history(self, req: Any) -> list[Any]:
        return [req]

    def close(self) -> None:
        self.asked.append(("close", time.monotonic()))


class Engine:
    engine_name = "risk"

    def __init__(self, main_engine: MainEngine, event_engine: EventEngine) -> None:
        self.main_engine = main_engine
        self.closed_at = 0.0
        event_engine.register_general(self.on_event)

    def on_event(self, event: Event) -> None: ...

    def close(self) -> None:
        self.closed_at = time.monotonic()


class App:
    app_name = "RiskManager"
    engine_class = Engine


def test_requests_are_passed_to_their_adapter(main: MainEngine) -> None:
    directory = os.getcwd()
    adapter = main.add_adapter(Adapter)
    other = main.add_gateway(Adapter, "SECOND")
    main.connect({"key": "x"}, "ACME")
    main.subscribe("BTC", "SECOND")
    main.cancel_order("o", "ACME")
    assert adapter.asked == [("connect", {"key": "x"}), ("cancel", "o")]
    assert other.asked == [("subscribe", "BTC")]
    assert main.send_order("o", "ACME") == "ACME.o"
    assert main.query_history("h", "ACME") == ["h"]
    assert main.get_gateway("SECOND") is other
    assert main.get_all_gateway_names() == ["ACME", "SECOND"]
    assert main.gateways is main.adapters
    assert main.get_default_setting("ACME") == {"key": ""}
    assert main.get_all_exchanges() == ["ACME", "OTHER"]
    assert os.getcwd() == directory


def test_an_unknown_adapter_or_engine_is_logged(main: MainEngine) -> None:
    seen: list[Event] = []
    main.event_engine.register(EVENT_LOG, seen.append)
    main.connect({}, "NONE")
    assert main.send_order("o", "NONE") == ""
    assert main.query_history("h", "NONE") == []
    assert main.get_default_setting("NONE") is None
    assert main.get_engine("none") is None
    wait_until(lambda: len(seen) == 5, LIMIT_S, "a line each")
    assert "no adapter called 'NONE'" in seen[0].data.msg


def test_a_name_that_exists_is_refused_and_leaves_no_handler(main: MainEngine) -> None:
    main.add_adapter(Adapter)
    main.add_app(App)
    handlers = main.event_engine.handler_count()
    for add in (lambda: main.add_adapter(Adapter), lambda: main.add_engine(Engine), lambda: main.add_app(App)):
        with pytest.raises(AlreadyThere):
            add()
    assert main.event_engine.handler_count() == handlers
    assert [app.app_name for app in main.get_all_apps()] == ["RiskManager"]
    assert main.get_engine("risk") is not None


def test_an_adapter_that_cannot_be_made_leaves_no_handler(main: MainEngine) -> None:
    class Broken(Adapter):
        def __init__(self, event_engine: EventEngine, adapter_name: str) -> None:
            super().__init__(event_engine, adapter_name)
            raise ValueError("no key")

    handlers, owners = main.event_engine.handler_count(), main.event_engine.owners()
    with pytest.raises(ValueError, match="no key"):
        main.add_adapter(Broken)
    assert main.event_engine.handler_count() == handlers
    assert main.event_engine.owners() == owners
    assert main.get_all_adapter_names() == []


def test_the_latest_records_are_kept(main: MainEngine) -> None:
    tick, contract = SimpleNamespace(vt_symbol="A.X", last=1), SimpleNamespace(vt_symbol="A.X")
    order, fill = SimpleNamespace(vt_orderid="1"), SimpleNamespace(vt_tradeid="2")
    position, account = SimpleNamespace(vt_positionid="3"), SimpleNamespace(vt_accountid="4")
    for kind, data in (
        ("eTick.", tick),
        ("eContract.", contract),
        ("eOrder.", order),
        ("eTrade.", fill),
        ("ePosition.", position),
        ("eAccount.", account),
    ):
        main.event_engine.put(Event(kind, data))
    wait_until(main.get_all_accounts, LIMIT_S, "the last of them")
    assert (main.get_tick("A.X"), main.get_all_ticks()) == (tick, [tick])
    assert (main.get_contract("A.X"), main.get_all_contracts()) == (contract, [contract])
    assert (main.get_order("1"), main.get_all_orders()) == (order, [order])
    assert (main.get_trade("2"), main.get_all_trades()) == (fill, [fill])
    assert (main.get_position("3"), main.get_all_positions()) == (position, [position])
    assert main.get_account("4") is account
    assert main.get_tick("B.X") is None


def test_logs_are_events_with_their_source(main: MainEngine) -> None:
    seen: list[Event] = []
    main.event_engine.register(EVENT_LOG, seen.append)
    main.write_log("hello", "me")
    wait_until(lambda: seen, LIMIT_S, "the line")
    assert (seen[0].data.msg, seen[0].data.gateway_name) == ("hello", "me")


def test_adapters_close_before_engines_before_the_event_engine(main: MainEngine) -> None:
    adapter = main.add_adapter(Adapter)
    main.connect({}, "ACME")
    engine = main.add_app(App)
    report = main.close()
    assert report.clean, report
    assert report.closed == ["adapter ACME", "engine risk"]
    assert adapter.asked[-1][0] == "close"
    assert adapter.asked[-1][1] < engine.closed_at
    assert not main.event_engine.is_dispatching()
    assert main.event_engine.handler_count() == 0
    assert main.close() is report


def test_an_adapter_that_hangs_is_reported_and_the_others_close(main: MainEngine) -> None:
    release = threading.Event()

    class Hanging(Adapter):
        default_name = "HANGS"

        def close(self) -> None:
            release.wait(60)

    class Raising(Adapter):
        default_name = "RAISES"

        def close(self) -> None:
            raise SystemExit("mine")

    main.add_adapter(Hanging)
    main.add_adapter(Raising)
    well = main.add_adapter(Adapter)
    main.add_engine(Engine)
    begun = time.monotonic()
    report = main.close()
    assert time.monotonic() - begun < LIMIT_S
    release.set()
    assert report.closed == ["adapter ACME", "engine risk"]
    assert list(report.stuck) == ["adapter HANGS"]
    assert "SystemExit" in report.failed["adapter RAISES"]
    assert well.asked[-1][0] == "close"
    assert main.event_engine.handler_count() == 0  # also theirs
    assert not main.event_engine.is_dispatching()


def test_a_handler_that_does_not_return_is_reported() -> None:
    release = threading.Event()
    main = MainEngine(stop_s=0.2)
    main.event_engine.register("stuck", lambda _: release.wait(60))
    main.event_engine.put(Event("stuck"))
    wait_until(lambda: main.event_engine.current_handler is not None, LIMIT_S, "the handler to be entered")
    report = main.close()
    release.set()
    assert not report.clean
    assert "did not return" in report.event_engine
    main.event_engine.stop(LIMIT_S)


def test_two_main_engines_on_one_event_engine_keep_their_own_handlers(main: MainEngine) -> None:
    other = MainEngine(main.event_engine)
    adapter, others = main.add_adapter(Adapter), other.add_adapter(Adapter)
    before = main.event_engine.handler_count()
    main._own.close()
    main._owners["adapter ACME"].close()
    assert main.event_engine.handler_count() == before // 2
    others.seen.clear()
    main.event_engine.put(Event("eTimer"))
    wait_until(lambda: others.seen, LIMIT_S, "the other's event")
    assert adapter is not others
    other.close()


def test_nothing_refers_to_a_closed_main_engine() -> None:
    with MainEngine() as main:
        main.add_adapter(Adapter)
        gone = weakref.ref(main.adapters["ACME"])
    del main
    gc.collect()
    assert gone() is None
