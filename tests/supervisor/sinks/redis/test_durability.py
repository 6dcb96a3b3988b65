"""Up to which row Redis' file has what Redis has answered."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.sinks.redis.durability import POSTPONED_S, Durability, warnings_of


def test_rows_are_durable_when_nothing_waits_for_the_file() -> None:
    durability = Durability()
    durability.answered(10, 100.0)
    assert durability.look({"aof_enabled": 1, "aof_buffer_length": 500}, 100.0) == 0
    assert not durability.is_complete
    assert durability.look({"aof_enabled": 1, "aof_buffer_length": 0}, 100.1) == 10
    assert durability.is_complete
    durability.answered(20, 101.0)
    assert durability.look({"aof_enabled": 0}, 101.0) == 20, "there is no file to wait for"


@pytest.mark.parametrize("persistence", [None, {"aof_enabled": 1, "aof_buffer_length": 1}])
def test_rows_are_durable_when_they_are_old(persistence: dict[str, int] | None) -> None:
    durability = Durability()
    durability.answered(10, 100.0)
    durability.answered(20, 102.0)
    assert durability.look(persistence, 100.0 + POSTPONED_S - 0.1) == 0
    assert durability.look(persistence, 100.0 + POSTPONED_S) == 10
    assert durability.look(persistence, 102.0 + POSTPONED_S) == 20


def test_what_makes_redis_lose_entries() -> None:
    assert warnings_of({"aof_enabled": 1, "aof_last_write_status": "ok"}, {"maxmemory": 0}) == []
    assert warnings_of({"aof_enabled": 1}, {"maxmemory": 1, "maxmemory_policy": "noeviction"}) == []
    (no_file,) = warnings_of({"aof_enabled": 0}, {})
    assert "appendonly yes" in no_file
    broken, evicting = warnings_of(
        {"aof_enabled": 1, "aof_last_write_status": "err"}, {"maxmemory": 1, "maxmemory_policy": "allkeys-lru"}
    )
    assert "cannot write" in broken
    assert "allkeys-lru" in evicting
