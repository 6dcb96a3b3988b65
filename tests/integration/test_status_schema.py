"""The published schema of `status --json`, against real answers in several states."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from foxtrot_supervisor.config.schema import FoxtrotConfig
from tests.support.command_line import run_program
from tests.support.supervisor_process import SupervisorProcess, connection, quick
from tests.support.waiting import wait_until

FILE = "supervisor/foxtrot_supervisor/report/status.schema.json"
SCHEMA = json.loads(resources.files("foxtrot_supervisor.report").joinpath("status.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def check(status: dict[str, Any]) -> None:
    wrong = [f"{'/'.join(map(str, error.absolute_path))}: {_short(error)}" for error in VALIDATOR.iter_errors(status)]
    assert not wrong, (
        "the status is not as its schema says. Add a new key, with a description, to `properties` and `required` in "
        f"{FILE}, and to the table in docs/operating.md:\n" + "\n".join(wrong)
    )


def _short(error: jsonschema.ValidationError) -> str:
    deepest = error
    while deepest.context:
        deepest = min(deepest.context, key=lambda each: -len(each.absolute_path))
    return deepest.message[-300:]


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every part of the schema that describes an object with fixed keys."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for each in schema.values():
            yield from objects(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from objects(each)


def test_the_schema_is_valid_closed_and_described() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for each in objects(SCHEMA):
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])
        described = {key for key, value in each["properties"].items() if "description" in value or "$ref" in value}
        assert described == set(each["properties"])


def test_the_command_prints_it() -> None:
    printed = run_program("status", "--schema")
    assert json.loads(printed.stdout) == SCHEMA


def test_answers_in_several_states(tmp_path: Path) -> None:
    config = FoxtrotConfig(
        supervisor=quick(backoff_first_s=2.0),
        connections=[connection("one"), connection("two", redundancy=2, backfill=True)],
    )
    seen = set()
    with SupervisorProcess(tmp_path, config=config) as supervisor:

        def look() -> dict[str, Any]:
            status = supervisor.status()
            if status:
                check(status)
                seen.add(status["supervisor"]["state"])
                seen.add(f"engine {status['engine']['state']}")
            return status

        wait_until(look, what="an answer while it starts")
        supervisor.wait_running()
        look()
        os.kill(supervisor.child("engine")["pid"], signal.SIGKILL)
        wait_until(lambda: look()["engine"]["last_exit"] is not None, what="an answer after the engine died")
        wait_until(lambda: look()["supervisor"]["state"] == "running", what="the next engine")
        os.kill(supervisor.child("one.a")["pid"], signal.SIGKILL)
        wait_until(lambda: look()["supervisor"]["state"] == "degraded", what="degraded")
        supervisor.interrupt()
        while supervisor.process.poll() is None:
            look()
    assert {"running", "degraded", "engine RUNNING"} <= seen
