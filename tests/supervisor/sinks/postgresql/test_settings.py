"""Mistakes in the settings of a PostgreSQL sink."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.sinks.postgresql.settings import PostgresqlSettings
from foxtrot_supervisor.sinks.postgresql.sink import PostgresqlSink


@pytest.mark.parametrize(
    "changes",
    [{}, {"host": "db.example"}, {"host": "/run/postgresql"}, {"host": "db.example", "tls": False, "insecure": True}],
)
def test_good_settings(changes: dict[str, Any]) -> None:
    assert PostgresqlSink.problems(PostgresqlSettings(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"host": "db.example", "tls": False}, "tls", "plain text"),
        ({"host": ""}, "host", "empty"),
        ({"database": "a\0b"}, "database", "empty"),
        ({"schema": "Foxtrot"}, "schema", "a-z"),
        ({"schema": 'x"; drop table y; --'}, "schema", "a-z"),
        ({"password_file": "/nowhere"}, "password_file", "No such file"),
    ],
)
def test_mistakes(changes: dict[str, Any], key: str, reason: str) -> None:
    problems = PostgresqlSink.problems(PostgresqlSettings(**changes))
    assert any(found == key and reason in text for found, text in problems), problems
