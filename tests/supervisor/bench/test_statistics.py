"""Figures out of measurements: checked against values that were worked out by hand."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.bench.statistics import (
    ChildTimes,
    Footprint,
    RunResult,
    Spread,
    behind,
    latency_figures,
    latency_spread,
    percentile,
    process_figures,
    ratio_of,
    spread_of,
    throughput_figures,
)


def a_run(events_per_s: float = 100.0, latencies_ns: list[int] | None = None) -> RunResult:
    return RunResult(
        events_per_s=events_per_s,
        cpu_s_per_million={"worker": 2.0, "engine": 1.0},
        server_cpu_s_per_million=0.25,
        times={"worker": ChildTimes(200.0, 300.0, 10.0), "engine": ChildTimes(210.0, 220.0, 20.0)},
        memory={"worker": Footprint(40 * 2**20, 30 * 2**20), "engine": Footprint(50 * 2**20, 20 * 2**20)},
        latencies_ns=latencies_ns or [],
    )


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 1), (0.1, 1), (0.11, 2), (0.5, 5), (0.99, 10), (0.999, 10), (1.0, 10)]
)
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(fraction: float, expected: int) -> None:
    assert percentile(range(1, 11), fraction) == expected


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7], 0.5) == 7


def test_a_spread_is_least_middle_and_greatest() -> None:
    assert spread_of([3.0, 1.0, 2.0]) == Spread(1.0, 2.0, 3.0, 3)
    assert spread_of([1.23456, 2.0], 2) == Spread(1.23, 1.62, 2.0, 2)


def test_a_ratio_compares_neighbours_in_time() -> None:
    # a machine that was half as fast for the second pair: the ratio does not notice
    assert ratio_of([100.0, 50.0], [10.0, 5.0]) == Spread(10.0, 10.0, 10.0, 2)


def test_a_ratio_of_different_numbers_of_runs_is_refused() -> None:
    with pytest.raises(ValueError):
        ratio_of([1.0, 2.0], [1.0])


def test_throughput_figures_are_spread_over_the_runs() -> None:
    figures = throughput_figures([a_run(90.0), a_run(110.0), a_run(100.0)])
    assert figures.events_per_s == Spread(90.0, 100.0, 110.0, 3)
    assert figures.cpu_s_per_million["engine"] == Spread(1.0, 1.0, 1.0, 3)
    assert figures.load_server_cpu_s_per_million.median == 0.25


def test_latency_figures_leave_the_warm_up_out() -> None:
    slow_start = [9_000_000] * 5
    figures = latency_figures(a_run(1000.0, slow_start + [1_000 * n for n in range(1, 96)]), 1000)
    assert figures.samples == 95
    assert figures.p50_us == 48.0
    assert figures.p99_us == figures.max_us == 95.0
    assert figures.keeps_up


def test_latencies_of_a_system_that_fell_behind_are_marked() -> None:
    assert not latency_figures(a_run(949.0, [1000] * 20), 1000).keeps_up
    assert latency_figures(a_run(950.0, [1000] * 20), 1000).keeps_up


def test_a_pace_beyond_a_system_has_no_latencies() -> None:
    figures = behind(38_619.4)
    assert (figures.events_per_s, figures.keeps_up, figures.p50_us, figures.samples) == (38_619, False, None, 0)


def test_process_figures_name_each_process_with_its_own_values() -> None:
    figures = process_figures([a_run(), a_run()])
    assert figures["worker"].start_to_ready_ms == Spread(300.0, 300.0, 300.0, 2)
    assert figures["engine"].stop_ms.median == 20.0
    assert figures["worker"].pss_mib.median == 30.0
    assert figures["engine"].rss_mib.median == 50.0


def test_latencies_of_several_runs_are_spread() -> None:
    spread = latency_spread([a_run(latencies_ns=[n * 1000] * 100) for n in (10, 30, 20)], 100)
    assert (spread.p50_us, spread.keeps_up, spread.samples) == (Spread(10.0, 20.0, 30.0, 3), True, 285)
    assert spread.cpu_s_per_million == Spread(3.0, 3.0, 3.0, 3)
    assert spread.pss_mib == Spread(50.0, 50.0, 50.0, 3)
    assert not latency_spread([a_run(latencies_ns=[1]), a_run(10.0, [1])], 100).keeps_up
