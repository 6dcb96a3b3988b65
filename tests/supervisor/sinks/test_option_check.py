"""The kinds' own keys: every mistake with its key, complete options without one."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Struct

from foxtrot_supervisor.config.schema import SinkCheck
from foxtrot_supervisor.config.setting import Range, Setting
from foxtrot_supervisor.sinks import catalog
from foxtrot_supervisor.sinks.option_check import check


class _Declared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: Annotated[str, Setting(description="Where.")]
    retries: Annotated[int, Setting(description="How often.", range=Range(1, 9))] = 3
    form: Annotated[Literal["a", "b"], Setting(description="Which.")] = "a"
    key_file: Annotated[str | None, Setting(description="A secret.")] = None


class _Plain(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str
    retries: int = 3


class _Sink:
    settings: type[Struct] = _Declared
    open = write = flush = close = counts = print

    @staticmethod
    def problems(settings: Any) -> list[tuple[str, str]]:
        if settings.url == "broken":
            raise RuntimeError("a defect")
        return [("url", "is nowhere")] if settings.url == "nowhere" else []


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("acme_kinds")
    vars(module).update(Declared=_Sink, Plain=type("Plain", (_Sink,), {"settings": _Plain}))
    monkeypatch.setitem(sys.modules, "acme_kinds", module)
    monkeypatch.setitem(catalog.BUILT_IN, "declared", "acme_kinds:Declared")
    monkeypatch.setitem(catalog.BUILT_IN, "plain", "acme_kinds:Plain")


def test_options_are_complete_and_paths_absolute() -> None:
    found = check("declared", {"url": "here", "key_file": "keys/own"}, "/etc/foxtrot")
    assert found == SinkCheck([], {"url": "here", "retries": 3, "form": "a", "key_file": "/etc/foxtrot/keys/own"})


@pytest.mark.parametrize(
    ("kind", "table", "key", "reason"),
    [
        ("declared", {"url": 5}, "url", "must be text, not 5"),
        ("declared", {"url": "x", "retries": 99}, "retries", "at most 9"),
        ("declared", {"url": "x", "retris": 2}, "retris", 'did you mean "retries"'),
        ("declared", {"url": "x", "form": "c"}, "form", 'one of "a", "b"'),
        ("declared", {}, "url", "is missing"),
        ("declared", {"url": "nowhere"}, "url", "is nowhere"),
        ("declared", {"url": "broken"}, "kind", "its check failed: RuntimeError: a defect"),
        ("plain", {"url": 5}, "url", "Expected `str`"),
        ("plain", {}, "kind", "missing required field `url`"),
        ("plain", {"url": "x", "port": 1}, "kind", "unknown field `port`"),
        ("kafka", {}, "kind", "unknown kind 'kafka'"),
    ],
)
def test_each_mistake_names_its_key(kind: str, table: dict[str, Any], key: str, reason: str) -> None:
    [problem] = check(kind, table, "/").problems
    assert problem[0] == key
    assert reason in problem[1]


def test_the_program_answers_for_each_table(tmp_path: Path) -> None:
    asked = msgspec.json.encode([("zeromq", {"format": "xml"}), ("zeromq", {}), ("kafka", {})])
    command = [sys.executable, "-m", "foxtrot_supervisor.sinks.option_check", str(tmp_path)]
    done = subprocess.run(command, input=asked, capture_output=True, check=True, timeout=60)
    wrong, right, unknown = msgspec.json.decode(done.stdout, type=list[SinkCheck])
    assert [key for key, _ in wrong.problems] == ["format"]
    assert right.options["format"] == "msgpack"
    assert [key for key, _ in unknown.problems] == ["kind"]
