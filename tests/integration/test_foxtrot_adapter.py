"""The adapter in an application whose event engine has only ``register`` and ``put``, as Foxtrot's."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from foxtrot_protocol.tick_data import TickData
from foxtrot_supervisor.gateways.foxtrot_adapter import BareAdapter, ContractData, SupervisedAdapter, adapter_over
from foxtrot_supervisor.system import procfs
from tests.support.waiting import wait_until


class Engine:
    """Calls handlers at once, on the caller's thread."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[Callable[[Any], None]]] = {}

    def register(self, type: str, handler: Callable[[Any], None]) -> None:  # noqa: A002 - the tradition's name
        self.handlers.setdefault(type, []).append(handler)

    def put(self, event: Any) -> None:
        for handler in self.handlers.get(event.type, ()):
            handler(event)


def test_ticks_come_and_closing_leaves_nothing(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    children = {facts.pid for facts in procfs.children_of(os.getpid())}
    engine = Engine()
    ticks: list[TickData] = []
    all_types: list[str] = []
    contracts: list[ContractData] = []
    logs: list[str] = []
    engine.register("eTick.BTCUSDT.SIM", lambda event: ticks.append(event.data))
    engine.register("eTick.", lambda event: all_types.append(event.type))
    engine.register("eContract.BTCUSDT.SIM", lambda event: contracts.append(event.data))
    engine.register("eLog", lambda event: logs.append(event.data.msg))
    gaps: list[Any] = []
    engine.register("eFeedStatus.", gaps.append)

    adapter = SupervisedAdapter(engine, "SUPERVISED")
    try:
        adapter.subscribe(SimpleNamespace(symbol="BTCUSDT", exchange="SIM"))  # before it is connected
        adapter.connect({"exchange": "sim", "run_dir": str(tmp_path / "run"), "forward": "eFeedStatus."})
        adapter.connect({"exchange": "sim"})
        wait_until(lambda: len(ticks) > 10 and ticks[-1].bid_price_5, 40, f"ticks: {logs}")
        adapter.subscribe(SimpleNamespace(symbol="NONSENSE-1", exchange="SIM"))
        wait_until(lambda: any("NONSENSE-1" in text for text in logs), 40, "an answer to what cannot be subscribed")
        second = SupervisedAdapter(engine, "SECOND")
        second.connect({"exchange": "sim", "run_dir": str(tmp_path / "run")})
        wait_until(lambda: any("not connected: AlreadyRunning" in text for text in logs), 20, "a refusal")
        second.connect({"exchange": "mars"})
        wait_until(lambda: any("not connected: ConfigInvalid" in text for text in logs), 20, "another")
        second.close()
    finally:
        adapter.close()
    assert isinstance(ticks[0], TickData)
    assert (ticks[0].gateway_name, ticks[0].vt_symbol) == ("SUPERVISED", "BTCUSDT.SIM")
    assert len(all_types) >= len(ticks)
    assert contracts[-1].vt_symbol == "BTCUSDT.SIM"
    assert contracts[-1].pricetick == 0.01
    assert "connected already" in logs
    assert gaps
    assert {facts.pid for facts in procfs.children_of(os.getpid())} <= children
    assert [thread.name for thread in threading.enumerate() if thread not in threads] == []
    assert not (tmp_path / "run").exists()


def test_an_adapter_can_be_derived_from_the_applications_own_base_and_types() -> None:
    class OwnBase(BareAdapter):
        """The application's."""

    class OwnTick(SimpleNamespace):
        """The application's."""

        @property
        def vt_symbol(self) -> str:
            return f"{self.symbol}@{self.exchange}"

    adapter_class = adapter_over(
        OwnBase,
        tick=OwnTick,
        contract=SimpleNamespace,
        log=SimpleNamespace,
        exchange=lambda name, ours: ours.lower(),
        exchanges=["sim"],
        default_name="MINE",
    )
    engine, seen = Engine(), []
    engine.register("eTick.BTC@sim", lambda event: seen.append(event.data))
    adapter = adapter_class(engine, "MINE")
    assert isinstance(adapter, OwnBase)
    assert (adapter_class.default_name, adapter.adapter_name) == ("MINE", "MINE")
    adapter._take_tick(TickData("", "BTC", "SIM", None, "BTC"))  # type: ignore[arg-type]  # no time is needed here
    (tick,) = seen
    assert isinstance(tick, OwnTick)
    assert tick.adapter_name == "MINE"
