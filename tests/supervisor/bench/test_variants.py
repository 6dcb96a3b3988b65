"""The rows of the table of latencies."""

from __future__ import annotations

from foxtrot_supervisor.bench.bench import TARGETS
from foxtrot_supervisor.bench.variants import PEERS, VARIANTS, variants_with
from foxtrot_supervisor.config.schema import EngineConfig


def test_each_row_can_be_run() -> None:
    rows = variants_with(PEERS)
    assert len({row.name for row in rows}) == len(rows) == len(VARIANTS) + len(PEERS)
    for row in rows:
        assert row.system in TARGETS
        EngineConfig(**row.engine)


def test_both_transports_and_all_ways_of_being_idle_take_part() -> None:
    configs = [EngineConfig(**row.engine) for row in VARIANTS if row.system == "foxtrot"]
    assert {config.transport for config in configs} == {"zeromq", "ring"}
    assert {config.idle for config in configs} == {"sleep", "backoff", "spin"}
