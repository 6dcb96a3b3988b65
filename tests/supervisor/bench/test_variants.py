"""The rows of the table of latencies."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.bench.bench import TARGETS
from foxtrot_supervisor.bench.variants import PEERS, THROUGHPUT, VARIANTS, Variant, throughput_with, variants_with
from foxtrot_supervisor.config.schema import EngineConfig


@pytest.mark.parametrize(
    ("rows", "count"), [(variants_with(PEERS), len(VARIANTS)), (throughput_with(PEERS), len(THROUGHPUT))]
)
def test_each_row_can_be_run(rows: tuple[Variant, ...], count: int) -> None:
    assert len({row.name for row in rows}) == len(rows) == count + len(PEERS)
    for row in rows:
        assert row.system in TARGETS
        EngineConfig(**row.engine)


def test_throughput_is_measured_in_both_forms_on_both_transports() -> None:
    rows = {(row.system, EngineConfig(**row.engine).transport) for row in THROUGHPUT}
    assert {("foxtrot", "zeromq"), ("foxtrot", "ring"), ("pure", "zeromq"), ("pure", "ring")} <= rows


def test_both_transports_and_all_ways_of_being_idle_take_part() -> None:
    configs = [EngineConfig(**row.engine) for row in VARIANTS if row.system == "foxtrot"]
    assert {config.transport for config in configs} == {"zeromq", "ring"}
    assert {config.idle for config in configs} == {"sleep", "backoff", "spin"}
