"""The code in the documents runs; the documents name every key, command, exit code and event there is."""

from __future__ import annotations

import re
import sys
import time
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from foxtrot_protocol.events import EVENT_TYPES, BookSnapshot, Gap, Quote, TickData, Trade
from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.cli.main import cli
from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, RingConfig, SupervisorConfig
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.folds.folds import MarketFolds
from foxtrot_supervisor.gateways.feed import GatewayFeed
from foxtrot_supervisor.gateways.settings import DEFAULT_SETTING
from foxtrot_workers.testing.conformance import AdapterSample, check_adapter
from tests.support import vnpy_standin
from tests.support.sources import ROOT
from tests.support.waiting import wait_until


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def python_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", document(name), re.DOTALL)


def run(code: str, names: dict[str, Any]) -> None:
    # as a module of its own would run, not with this one's __future__ imports
    exec(compile(code, "document", "exec", dont_inherit=True), names)


def test_the_readmes_handler_handles(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    run(python_blocks("README.md")[0], names)
    engine = EventEngine()
    strategy = names["setup"](engine)
    engine.dispatch_market(Trade("SIM", "BTCUSDT", 1, 2, 64000.1, 0.5, "buy", "7"))
    engine.dispatch_market(Trade("SIM", "ETHUSDT", 1, 2, 1.0, 1.0, "sell", "8"))
    engine.dispatch_market(Quote("SIM", "BTCUSDT", 1, 2, 1.0, 1.0, None, None, ""))
    engine.dispatch_market(Gap("SIM", "BTCUSDT", 0, 2, "eBook.", None, None, 1, 2, "test"))
    strategy.close()
    assert engine.handler_errors_total == 0
    out = capsys.readouterr().out
    assert "BTCUSDT buy 0.5 at 64000.1" in out
    assert "missed: Gap(" in out
    assert "trades seen: 1" in out


def test_the_documented_strategy_of_the_event_engine_sees_a_rise_and_goes_with_its_owner() -> None:
    strategy, alone, owners, *_ = python_blocks("docs/event-engine.md")
    names: dict[str, Any] = {"__name__": "my_strategy"}
    run(strategy, names)
    engine = EventEngine()
    logged: list[str] = []
    engine.register("eLog", lambda event: logged.append(event.data))
    mine = names["Strategy"](engine)
    for price in (100.0, 100.5, 102.0):
        engine.dispatch(Event("eTick.", types.SimpleNamespace(vt_symbol="BTCUSDT.SIM", last_price=price)))
    engine.start()
    assert engine.stop() == 0
    assert logged == ["BTCUSDT.SIM is up"]
    assert mine is not None
    del mine
    assert engine.handler_count() == 1, "the strategy's handler has gone with it"
    run(alone, names | {"tick": types.SimpleNamespace(vt_symbol="BTCUSDT.SIM", last_price=1.0)})
    another = EventEngine()
    owned = {"engine": another, "on_tick": print, "run": lambda: None, "self": names["Strategy"](EventEngine())}
    run(owners, owned)
    assert [info.owners for info in another.handlers()] == [["Strategy object"], ["strategy-3"], []]


def test_the_documented_adapter_conforms() -> None:
    adapter, proof = (
        block for block in python_blocks("docs/writing-an-adapter.md") if "class Acme" in block or "FRAME" in block
    )
    names: dict[str, Any] = {"__name__": "acme_foxtrot"}
    run(adapter, names)
    run(proof, names)
    names["test_acme_conforms"]()
    check_adapter(names["Acme"], [AdapterSample("trade", "BTC-USD", names["FRAME"])])


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("`[supervisor]`", SupervisorConfig),
        ("`[engine]`", EngineConfig),
        ("`[ring]`", RingConfig),
        ("`[[connections]]`", ConnectionConfig),
    ],
)
def test_every_key_is_documented_with_its_default(section: str, kind: type[msgspec.Struct]) -> None:
    text = document("docs/configuration.md").split(f"## {section}\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", text, re.MULTILINE))
    assert set(rows) == set(kind.__struct_fields__)
    for field in msgspec.structs.fields(kind):
        if field.default in (msgspec.NODEFAULT, None) or field.default_factory is not msgspec.NODEFAULT:
            continue
        default = msgspec.json.encode(field.default).decode()
        assert f"`{default}`" in rows[field.name], field.name


def test_every_command_is_documented() -> None:
    text = document("docs/operating.md")
    assert isinstance(cli, click.Group)
    missing = [name for name in cli.commands if f"`{name}" not in text]
    assert missing == []


def test_every_exit_code_is_documented() -> None:
    text = document("docs/operating.md")
    for codes in (SupervisorExit, ChildExit):
        for code in codes:
            assert re.search(rf"^\| {int(code)} \|", text, re.MULTILINE), code


def test_every_event_is_documented_with_its_fields() -> None:
    text = document("docs/events.md")
    common = {"exchange", "symbol", "exchange_ns", "receive_ns", "publish_ns", "redelivered", "backfilled"}
    for struct, name in EVENT_TYPES.items():
        rows = [row for row in text.splitlines() if row.startswith(f"| `{name}`") and f"`{struct.__name__}`" in row]
        assert len(rows) == 1, struct.__name__
        if struct.__name__ == "BookDelta":
            continue  # "the same fields" as the snapshot above it
        fields = set(struct.__struct_fields__) - common  # type: ignore[attr-defined]  # a msgspec Struct
        assert [field for field in fields if f"`{field}`" not in rows[0]] == [], struct.__name__


def test_every_field_of_the_status_is_documented() -> None:
    from foxtrot_supervisor.report import status

    text = document("docs/operating.md")
    source = Path(status.__file__).read_text(encoding="utf-8")
    fields = set(re.findall(r'^ {8,}"(\w+)":', source, re.MULTILINE)) - {"simulators", "workers"}
    assert len(fields) > 40
    assert [field for field in sorted(fields) if f"`{field}`" not in text] == []


def test_links_between_documents_lead_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
    broken = [
        f"{path.name}: {target}"
        for path in documents
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def the_block(name: str, marker: str) -> str:
    (block,) = (block for block in python_blocks(name) if marker in block)
    return block


def vnpy_of_the_standin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `vnpy` and our gateway over it be the stand-in, which has what the documents use of it."""
    for name in (
        "vnpy",
        "vnpy.event",
        "vnpy.trader",
        "vnpy.trader.constant",
        "vnpy.trader.engine",
        "vnpy.trader.object",
    ):
        module = types.ModuleType(name)
        vars(module).update({key: value for key, value in vars(vnpy_standin).items() if not key.startswith("_")})
        monkeypatch.setitem(sys.modules, name, module)
    gateway = types.ModuleType("foxtrot_supervisor.gateways.vnpy_gateway")
    vars(gateway)["SupervisedGateway"] = vnpy_standin.supervised_gateway()
    monkeypatch.setitem(sys.modules, gateway.__name__, gateway)


def test_the_documented_vnpy_program_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    vnpy_of_the_standin(monkeypatch)
    names: dict[str, Any] = {}
    run(the_block("docs/porting.md", "SupervisedGateway"), names)
    connected: list[Any] = []
    monkeypatch.setattr(GatewayFeed, "connect", lambda feed, settings: bool(connected.append(settings) or True))
    main_engine = names["start"]()
    try:
        (gateway,) = main_engine.gateways.values()
        gateway._take_tick(TickData("", "BTCUSDT", "BINANCE", datetime.now(UTC), bid_price_1=1.0, last_price=2.5))
        wait_until(lambda: main_engine.get_tick("BTCUSDT.GLOBAL"), 5, "the tick")
    finally:
        main_engine.close()
    assert [settings.exchange for settings in connected] == ["binance"]
    assert "BTCUSDT.GLOBAL" in capsys.readouterr().out


def test_the_documented_adapter_attaches(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    run(the_block("docs/porting.md", "SupervisedAdapter"), names)
    connected: list[Any] = []
    monkeypatch.setattr(GatewayFeed, "connect", lambda feed, settings: bool(connected.append(settings) or True))
    engine = EventEngine()
    adapter = names["attach"](engine, types.SimpleNamespace(symbol="BTC-USDT"))
    adapter.close()
    assert [(settings.exchange, settings.vt_exchange) for settings in connected] == [("okx", "OKX")]


def test_the_ported_strategy_does_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    run(the_block("docs/porting.md", "class Before"), names)
    run(the_block("docs/porting.md", "class After"), names)
    engine = EventEngine()
    before, after = names["Before"](None, engine), names["setup"](engine)
    folds = MarketFolds(engine)
    book = BookSnapshot("BINANCE", "BTCUSDT", 1, 2, [(59_000.0, 1.0)], [(59_001.0, 0.25)], None, None, None)
    engine.dispatch_market(book)
    tick = TickData("", "BTCUSDT", "GLOBAL", datetime.now(UTC), ask_price_1=59_001.0, ask_volume_1=0.25)
    engine.dispatch(Event("eTick.BTCUSDT.GLOBAL", tick))
    folds.close()
    assert (before.bought, after.bought) == (True, True)
    assert capsys.readouterr().out == "buy 0.25 at 59001.0\n" * 2
    assert engine.handler_errors_total == 0


def test_the_documented_leak_monitor_names_who_holds_a_closed_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    class Strategy:
        pass

    names: dict[str, Any] = {}
    run(the_block("docs/porting.md", "LeakMonitor"), names)
    engine, strategy = EventEngine(interval=0.02), Strategy()
    monitor = names["watch"](engine, strategy)
    engine.start()
    try:
        monitor.look(time.monotonic() + 10)
        wait_until(lambda: engine.queue_depth() == 0, 5, "the event to be handled")
    finally:
        engine.stop(5)
        monitor.close()
    assert "held strategy-1: held by " in capsys.readouterr().out


def test_every_key_of_a_gateways_setting_is_documented() -> None:
    text = document("docs/porting.md").split("The setting, each key optional")[1].split("**Foxtrot**")[0]
    assert set(
        re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in text.splitlines() if "|" in line))
    ) == set(DEFAULT_SETTING)
