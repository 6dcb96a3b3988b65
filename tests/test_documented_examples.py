"""The code in the documents runs; the documents name every key, command, exit code and event there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from foxtrot_protocol.events import EVENT_TYPES, Gap, Quote, Trade
from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.cli import cli
from foxtrot_supervisor.event_engine import EventEngine
from foxtrot_supervisor.settings import ConnectionConfig, EngineConfig, RingConfig, SupervisorConfig
from foxtrot_workers.conformance import AdapterSample, check_adapter
from tests.support.sources import ROOT


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
    from foxtrot_supervisor import status

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
