"""The text of configuration files for supervisors under test."""

from __future__ import annotations

import tomllib

from foxtrot_supervisor.chaos.harness.configuration import configuration


def test_tables_and_connections_come_back_from_the_text() -> None:
    tables = {"supervisor": {"run_dir": '/tmp/a "b"', "hung_s": 1.5}, "engine": {"handlers": ["a:b"]}}
    connections = [{"name": "one", "essential": False}, {"name": "two", "symbols": ["A", "B"]}]
    assert tomllib.loads(configuration(tables, connections)) == {**tables, "connections": connections}
