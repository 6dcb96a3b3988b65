"""Mistakes in the settings of a Redis sink."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.sinks.redis.settings import RedisSettings
from foxtrot_supervisor.sinks.redis.sink import RedisSink


@pytest.mark.parametrize("url", ["redis://127.0.0.1", "rediss://store.example:6380/3", "unix:///run/redis.sock"])
def test_good_addresses(url: str) -> None:
    assert RedisSink.problems(RedisSettings(url=url)) == []


@pytest.mark.parametrize(
    ("changes", "key", "reason"),
    [
        ({"url": "redis://store.example"}, "url", "rediss://"),
        ({"url": "redis://127.0.0.1/x"}, "url", "number of a database"),
        ({"url": "redis://127.0.0.1/99999"}, "url", "number of a database"),
        ({"url": "redis://:secret@127.0.0.1"}, "url", "password_file"),
        ({"prefix": ""}, "prefix", "1 to 100"),
        ({"prefix": "a b"}, "prefix", "1 to 100"),
        ({"password_file": "/nowhere"}, "password_file", "No such file"),
    ],
)
def test_mistakes(changes: dict[str, Any], key: str, reason: str) -> None:
    problems = RedisSink.problems(RedisSettings(**changes))
    assert any(found == key and reason in text for found, text in problems), problems
