"""An operator names a sharded connection: one shard takes or gives up each symbol."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.config.schema import ConnectionConfig
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.core.shard_changes import changes_for
from foxtrot_supervisor.core.targets import WorkerPlace

HELD = {"all-1": ["A", "B"], "all-2": ["C"]}


def shard(number: int) -> Shard:
    return Shard(
        name=f"all-{number}",
        exchange="binance",
        channels=["trade"],
        symbols=[],
        redundancy=2,
        shard_of="all",
        entries=["*"],
        symbols_max=3,
        symbol_case="upper",
    )


ONE = ConnectionConfig(name="one", exchange="okx", channels=["trade"], symbols=["X"])
PLACES = {
    **{f"all-{number}.{side}": WorkerPlace(shard(number), side) for number in (1, 2) for side in "ab"},
    "one.a": WorkerPlace(ONE, "a"),
}


def changes(name: str, *symbols: str, added: bool = True) -> Any:
    workers = [worker for worker in PLACES if worker.startswith(name)]
    return changes_for(name, workers, PLACES, lambda worker: HELD[worker[:5]], symbols, added=added)


def test_a_connection_without_shards_changes_on_every_worker() -> None:
    assert changes("one", "Y") == {"one.a": ["Y"]}
    assert changes("all-1", "Y") == {"all-1.a": ["Y"], "all-1.b": ["Y"]}


def test_a_symbol_is_added_to_one_shard_on_both_its_sides() -> None:
    assert changes("all", "d", "A") == {"all-1.a": ["D"], "all-1.b": ["D"]}
    assert changes("all", "D", "E") == {"all-1.a": ["D"], "all-1.b": ["D"], "all-2.a": ["E"], "all-2.b": ["E"]}


def test_a_symbol_is_removed_where_it_is() -> None:
    assert changes("all", "c", "Z", added=False) == {"all-2.a": ["C"], "all-2.b": ["C"]}


def test_full_shards_are_said_to_be_full() -> None:
    with pytest.raises(ValueError, match="no worker has room for 1 more symbols"):
        changes("all", "D", "E", "F", "G")
