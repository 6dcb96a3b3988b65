"""Mistakes in the settings of a NATS sink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foxtrot_supervisor.sinks.nats.settings import NatsSettings
from foxtrot_supervisor.sinks.nats.sink import NatsSink


def private(path: Path, mode: int = 0o600) -> str:
    path.write_text("text")
    path.chmod(mode)
    return str(path)


def test_defaults_and_ordinary_settings_have_no_problem(tmp_path: Path) -> None:
    assert NatsSink.problems(NatsSettings()) == []
    password = private(tmp_path / "password")
    servers = ["tls://a.example:4222", "tls://b.example"]
    assert NatsSink.problems(NatsSettings(servers=servers, user="u", password_file=password)) == []


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"servers": []}, "servers", "at least one"),
        ({"servers": ["nats://a.example"]}, "servers", "tls://"),
        ({"servers": ["nats://u:p@127.0.0.1"]}, "servers", "password_file"),
        ({"servers": ["nats://127.0.0.1/path"]}, "servers", "only a scheme"),
        ({"servers": ["http://127.0.0.1"]}, "servers", "nats:// or tls://"),
        ({"stream": "a.b"}, "stream", "A-Z"),
        ({"subject_prefix": "a.*"}, "subject_prefix", "tokens"),
        ({"subject_prefix": ""}, "subject_prefix", "tokens"),
        ({"user": "u"}, "user", "belong together"),
        ({"credentials_file": "/nowhere"}, "credentials_file", "No such file"),
    ],
)
def test_mistakes(changes: dict[str, Any], key: str, reason: str) -> None:
    problems = NatsSink.problems(NatsSettings(**changes))
    assert any(found == key and reason in text for found, text in problems), problems


def test_credentials_take_the_place_of_user_and_password(tmp_path: Path) -> None:
    settings = NatsSettings(
        credentials_file=private(tmp_path / "creds"), user="u", password_file=private(tmp_path / "password")
    )
    assert any("takes the place" in text for _, text in NatsSink.problems(settings))
    readable = NatsSettings(credentials_file=private(tmp_path / "open", 0o644))
    assert any("chmod 600" in text for _, text in NatsSink.problems(readable))
