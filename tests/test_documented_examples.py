"""Code in the documents runs. What exists is documented, and what the documents name exists."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
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
from foxtrot_supervisor.cli.main import COMMANDS, cli
from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, RingConfig, SupervisorConfig
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.folds.folds import MarketFolds
from foxtrot_supervisor.gateways.feed import GatewayFeed
from foxtrot_supervisor.gateways.settings import DEFAULT_SETTING
from foxtrot_workers.testing.conformance import AdapterSample, check_adapter
from tests.support import vnpy_standin
from tests.support.sources import ROOT, modules
from tests.support.waiting import wait_until

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

DRAW_PACKAGES = ROOT / "scripts" / "draw_packages.py"


def document(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def python_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", document(name), re.DOTALL)


def run(code: str, names: dict[str, Any]) -> None:
    # compiled without the __future__ imports of this module
    exec(compile(code, "document", "exec", dont_inherit=True), names)


def test_the_handler_of_the_readme_works(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_the_documented_strategy_logs_a_rise_and_is_deregistered_with_its_owner() -> None:
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


def test_the_documented_adapter_as_a_package_outside_the_tree_conforms_and_replays(tmp_path: Path) -> None:
    text = document("docs/writing-an-adapter.md")
    adapter, proof = (
        block for block in python_blocks("docs/writing-an-adapter.md") if "class Acme" in block or "FRAME" in block
    )
    ((group, line),) = re.findall(r'entry-points\."([\w.]+)"\]\n(.*)', text)
    (tmp_path / "acme_foxtrot.py").write_text(adapter)
    (tmp_path / "test_acme.py").write_text(f"from acme_foxtrot import Acme\n{proof}")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    metadata = tmp_path / "acme_foxtrot-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-foxtrot\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    frame = '{"ch":"trades:BTC-USD","id":7,"px":"64000.1","sz":"0.5","side":"buy","t":1700000000000}'
    recorded = {"t": 1, "dir": "in", "url": "wss://stream.acme.example/v1", "raw": frame}
    (tmp_path / "recorded.jsonl").write_bytes(msgspec.json.encode(recorded) + b"\n")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    proved = call("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py")
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "1 passed" in proved.stdout
    listed = call("-m", "foxtrot_workers.adapter.catalog", "acme")
    assert msgspec.json.decode(listed.stdout)["acme"]["error"] == ""
    replayed = call("-m", "foxtrot_supervisor", "replay", "recorded.jsonl", "--exchange", "acme", "--json")
    assert replayed.returncode == 0, replayed.stderr
    assert msgspec.json.decode(replayed.stdout.splitlines()[0])["price"] == "64000.1"


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


def test_the_tables_of_keys_are_current() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "scripts/draw_configuration.py"), "--check"], check=False)
    assert checked.returncode == 0, "run scripts/draw_configuration.py"


def test_the_table_of_metrics_is_current() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "scripts/draw_metrics.py"), "--check"], check=False)
    assert checked.returncode == 0, "run scripts/draw_metrics.py"


def test_the_tables_of_exchanges_are_current() -> None:
    checked = subprocess.run([sys.executable, str(ROOT / "scripts/draw_exchanges.py"), "--check"], check=False)
    assert checked.returncode == 0, "run scripts/draw_exchanges.py"


def test_every_command_is_documented() -> None:
    text = document("docs/operating.md")
    missing = [name for name in COMMANDS if f"`{name}" not in text]
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


def test_links_between_documents_name_existing_files() -> None:
    broken = [
        f"{path.name}: {target}"
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_links_to_sections_name_a_heading_or_an_anchor() -> None:
    broken = []
    for path in DOCUMENTS:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text(encoding="utf-8")):
            text = (path.parent / target).read_text(encoding="utf-8") if target else path.read_text(encoding="utf-8")
            headings = {
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
                for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            }
            if anchor not in headings | set(re.findall(r'<a id="([^"]+)">', text)):
                broken.append(f"{path.name}: {target}#{anchor}")
    assert broken == []


def unknown_names(text: str) -> list[str]:
    """Dotted names of our packages in `text` that no module, class, function or constant has."""
    known = modules()

    def exists(name: str) -> bool:
        module, attributes = name, list[str]()
        while module not in known:
            module, dot, attribute = module.rpartition(".")
            if not dot:
                return False
            attributes.insert(0, attribute)
        if not attributes:
            return True
        value: object = importlib.import_module(module)
        for attribute in attributes:
            if not hasattr(value, attribute):
                return attribute in getattr(value, "__annotations__", {})
            value = getattr(value, attribute)
        return True

    named = re.findall(r"(?<![\w./-])foxtrot_(?:protocol|supervisor|workers)(?:[.:]\w+)+", text)
    return [name for name in named if not exists(name.replace(":", "."))]


def unknown_paths(text: str) -> list[str]:
    """Paths of this repository in `text` where there is no file or folder."""
    named = re.findall(r"(?<![\w./-])((?:docs|protocol|scripts|supervisor|tests|workers)/[\w./-]*\w)", text)
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    files = re.findall(r"(?<![\w./])test_\w+\.py", text)
    return [name for name in named if not (ROOT / name).exists()] + [name for name in files if name not in tests]


def unknown_commands(text: str) -> list[str]:
    """Calls of `foxtrot-supervisor` in code within `text` whose command or option does not exist."""
    assert isinstance(cli, click.Group)
    unknown = []
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for call, name in re.findall(r"(foxtrot-supervisor ([a-z]\w*)\b[^\n|#]*)", "\n".join(code)):
        command = cli.get_command(click.Context(cli), name)
        options = {option for parameter in command.params for option in parameter.opts} if command else set()
        if command is None or set(re.findall(r"(?<= )--\w[\w-]*", call)) - options - {"--help"}:
            unknown.append(call)
    return unknown


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert unknown_names(text) == []
    assert unknown_paths(text) == []
    assert unknown_commands(text) == []


def test_unknown_names_paths_and_commands_are_found() -> None:
    assert unknown_names("`foxtrot_workers.feed.worker:run` `foxtrot_workers.feed.nothing`") == [
        "foxtrot_workers.feed.nothing"
    ]
    assert unknown_paths("see docs/events.md, docs/nothing.md and scripts/start") == ["docs/nothing.md"]
    assert unknown_paths("`test_mirror.py`, `test_nothing.py`") == ["test_nothing.py"]
    assert unknown_commands("`foxtrot-supervisor status --json` `foxtrot-supervisor status --nothing`") == [
        "foxtrot-supervisor status --nothing"
    ]
    assert unknown_commands("```sh\nfoxtrot-supervisor nothing\n```") == ["foxtrot-supervisor nothing"]


def draw_packages(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DRAW_PACKAGES), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_the_picture_of_packages_is_current() -> None:
    checked = draw_packages("--check")
    assert checked.returncode == 0, checked.stderr


def test_a_picture_of_packages_that_is_not_current_is_found_and_drawn_again(tmp_path: Path) -> None:
    current = document("docs/architecture.md")
    changed = tmp_path / "architecture.md"
    changed.write_text(current.replace("runtime --> foxtrot_supervisor_report", "runtime --> foxtrot_supervisor_cli"))
    checked = draw_packages("--check", str(changed))
    assert checked.returncode == 1
    assert "draw_packages" in checked.stderr
    assert draw_packages(str(changed)).returncode == 0
    assert changed.read_text() == current


def the_block(name: str, marker: str) -> str:
    (block,) = (block for block in python_blocks(name) if marker in block)
    return block


def vnpy_of_the_standin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace `vnpy` and the gateway over it by the stand-in, which has the parts that the documents use."""
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


def test_the_ported_strategy_does_the_same_as_before(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_the_documented_leak_monitor_names_what_holds_a_closed_strategy(capsys: pytest.CaptureFixture[str]) -> None:
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


@pytest.mark.parametrize("library", ["duckdb", "polars", "pandas"])
def test_a_recording_is_read_as_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], library: str
) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    pytest.importorskip(library, reason=f"needs {library}")
    from tests.support.recorded_rows import EVENTS, record

    record(tmp_path / "rec", EVENTS)
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in python_blocks("docs/parquet.md") if f"import {library}" in block]
    run(block, {})
    out = capfd.readouterr().out
    assert {"duckdb": "BTCUSDT", "polars": "64000.1", "pandas": "64000.1"}[library] in out


def test_the_documented_queries_run(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    pytest.importorskip("duckdb", reason="needs duckdb")
    from foxtrot_supervisor.tables.query import opened
    from tests.support.recorded_rows import EVENTS, record

    record(tmp_path, EVENTS)
    queries = re.findall(r'foxtrot-supervisor query "([^"]*)"', document("docs/parquet.md"))
    assert len(queries) >= 3
    with opened(str(tmp_path)) as query:
        for statement in queries:
            assert len(list(query.json_lines(statement))) == 1
