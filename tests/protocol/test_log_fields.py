"""Every log call uses the keys of `foxtrot_protocol.log_fields`: one name for one thing."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_protocol.events import Leak
from foxtrot_protocol.log_fields import LOG_FIELDS, log_schema
from foxtrot_protocol.log_line import Identity, LogLine
from foxtrot_supervisor.cli.summary import Summary
from foxtrot_supervisor.report.start_progress import StartProgress
from foxtrot_supervisor.runtime.audit import Audit
from tests.support.sources import ROOT, modules

LEVELS = frozenset(("debug", "info", "warning", "error"))
_LEVEL = re.compile(rf"\.\s*(?:{'|'.join(LEVELS)})\b")

KEYS_AT_RUN_TIME = {
    "foxtrot_supervisor.cli.start_display": {
        key for _, fields in Summary().records({"engine": {"recent": ["x"]}}) for key in fields
    },
    "foxtrot_supervisor.engine.leaks.monitor": set(Leak.__struct_fields__),
    "foxtrot_supervisor.runtime.main": set(Audit().as_dict()),
    "foxtrot_supervisor.runtime.reloading": {"added", "removed", "restarted", "kept", "failed"},
    "foxtrot_supervisor.runtime.start_watch": set(StartProgress.__struct_fields__),
    "foxtrot_supervisor.runtime.incident_watch": set(),  # passes on what it is given
    "foxtrot_supervisor.embedding.application_log": set(),  # passes on what it is given
}
"""Modules that log a mapping (``**fields``), and its keys."""


@functools.cache
def calls_of_modules() -> list[tuple[str, Path, ast.Call]]:
    """Name and file of the module of each log call, and the call."""
    texts = {name: (path, path.read_text(encoding="utf-8")) for name, path in modules().items()}
    return [
        (name, path, call)
        for name, (path, text) in texts.items()
        if _LEVEL.search(text)  # parsing the others would take most of the time
        for call in log_calls(ast.parse(text))
    ]


def log_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls of a method of a log, and of a name that was bound to one."""
    bound = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and any(_is_method(each) for each in ast.walk(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            is_bound = isinstance(node.func, ast.Name) and node.func.id in bound
            if is_bound or (_is_method(node.func) and _is_event(node.args[0])):
                yield node


def _is_method(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in LEVELS and "log" in ast.unparse(node.value).lower()


def _is_event(node: ast.AST) -> bool:
    """Not the format of Python's `logging`."""
    return not (isinstance(node, ast.Constant) and "%" in str(node.value))


def test_each_key_of_each_log_call_is_known() -> None:
    unknown = []
    for name, path, call in calls_of_modules():
        where = f"{path.relative_to(ROOT)}:{call.lineno}"
        for keyword in call.keywords:
            keys = {keyword.arg} if keyword.arg is not None else KEYS_AT_RUN_TIME.get(name, {"**"})
            unknown += [f"{where}: {key}" for key in keys if key not in LOG_FIELDS]
    assert len(calls_of_modules()) > 80
    assert not unknown, (
        "log lines have keys that are not in protocol/foxtrot_protocol/log_fields.py: use the key that the fact has "
        "there already, or add one with its meaning and run scripts/draw_log_fields.py:\n" + "\n".join(unknown)
    )


def test_no_key_is_left_over() -> None:
    used = set().union(*KEYS_AT_RUN_TIME.values(), Identity.__struct_fields__, ("process", "of", "held_back"))
    for _, _, call in calls_of_modules():
        used |= {str(keyword.arg) for keyword in call.keywords}
    assert set(LOG_FIELDS) - used == set(), "remove them from protocol/foxtrot_protocol/log_fields.py"


def test_the_table_in_the_documentation_is_current() -> None:
    script = ROOT / "scripts" / "draw_log_fields.py"
    checked = subprocess.run([sys.executable, str(script), "--check"], check=False, timeout=60)
    assert checked.returncode == 0, "run scripts/draw_log_fields.py"


def test_lines_are_as_their_schema_says() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    jsonschema.Draft202012Validator.check_schema(log_schema())
    about = Identity(worker="sim.a", incarnation=2, connection="sim", exchange="sim")
    line = LogLine(at_ns=1, level="info", event="seen", process="engine", about=about, fields={"reason": "x"})
    jsonschema.validate(json.loads(line.json(seq=1)), log_schema())


def test_the_walk_finds_calls() -> None:
    source = 'self._log.info("a", x=1)\nemit = log.error if y else log.info\nemit("b", z=2)\nlogger.info("%s", 1)\n'
    assert [ast.unparse(call) for call in log_calls(ast.parse(source))] == [
        "self._log.info('a', x=1)",
        "emit('b', z=2)",
    ]
