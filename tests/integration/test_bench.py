"""The measurement itself: small, real, whole. Its figures are not judged here, only that they are figures."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.spec import SimulatorSettings
from foxtrot_supervisor.bench import bench
from foxtrot_supervisor.bench import chain as bench_chain
from foxtrot_supervisor.bench import recording as bench_recording
from foxtrot_supervisor.bench import report as bench_report
from foxtrot_supervisor.bench.statistics import LatencySpread
from foxtrot_supervisor.bench.variants import VARIANTS
from foxtrot_supervisor.system import procfs

pytestmark = pytest.mark.alone
LIMIT_S = 20.0

PARTS = tuple(part for part in bench.PARTS if part != "recording")


def as_json(report: dict[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report))
    return decoded


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    told: list[str] = []
    options = bench.BenchOptions(events=20_000, run_s=0.3, repeats=1, only=PARTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "RATES_PER_S", (1_000,))  # each pace would be seven more runs
        report = bench.run_bench(options, lambda text="", done=0, total=0: told.append(text))
    assert len(told) >= 8
    return report


def test_both_systems_are_measured_under_both_loads(report: dict[str, Any]) -> None:
    for kind in ("trades", "mixed"):
        figures = as_json(report)["throughput"][kind]
        for system in ("foxtrot", "foxtrot, ring", "pure", "pure, ring", "baseline", "floor"):
            assert figures[system]["events_per_s"]["median"] > 100
            assert figures[system]["cpu_s_per_million"]["worker"]["median"] >= 0
        assert figures["baseline"]["cpu_s_per_million"]["worker"]["median"] > 0, "the others may use less than a tick"
        assert figures["ratio"]["median"] > 1, "else something is very wrong"


def test_latencies_are_measured_at_a_pace_that_is_kept(report: dict[str, Any]) -> None:
    for variant in VARIANTS:
        figures: LatencySpread = report["latency"]["1000"][variant.name]
        assert figures.samples == 285, variant.name
        assert 0 < figures.p50_us.median <= figures.p99_us.median
        assert figures.pss_mib.median > 10
    assert set(report["latency"]) == {"1000"}


@pytest.mark.variant
def test_the_cost_of_recording_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_recording, "KINDS", ("trades",))
    monkeypatch.setattr(bench_recording, "PACED_PER_S", (1_000,))
    report = bench.run_bench(bench.BenchOptions(events=5_000, run_s=0.3, repeats=1, only=("recording",)))
    figures = as_json(report)["recording"]
    for system in ("foxtrot", "framed", "recorded"):
        assert figures["throughput"]["trades"][system]["events_per_s"]["median"] > 100
        assert figures["latency"]["1000"][system]["p50_us"]["median"] > 10
    assert figures["throughput"]["trades"]["recorded to foxtrot"]["median"] > 0
    size = figures["size"]["trades"]
    assert size["compression"]["median"] > 1
    assert size["kept"]["median"] + size["announced"]["median"] >= 1.0, "nothing is missing without a word"
    assert size["bytes_per_event"]["median"] < 300
    bench_report.render_bench(report)


def test_the_product_is_measured_without_its_rings_too(report: dict[str, Any]) -> None:
    ring = as_json(report)["ring"]
    assert set(ring["p99_us"]) == {"foxtrot", "ringless"}
    assert all(spread["median"] > 10 for spread in ring["p99_us"].values())
    assert ring["p99_ratio"]["median"] > 0


def test_processes_are_measured(report: dict[str, Any]) -> None:
    for processes in as_json(report)["processes"].values():
        for figures in processes.values():
            assert 0 < figures["start_to_hello_ms"]["median"] <= figures["start_to_ready_ms"]["median"]
            assert figures["stop_ms"]["median"] > 0
            assert figures["rss_mib"]["median"] >= figures["pss_mib"]["median"] > 1


def test_the_report_can_be_shown(report: dict[str, Any]) -> None:
    bench_report.render_bench(report)


def test_nothing_is_left_behind(report: dict[str, Any]) -> None:
    assert procfs.children_of(os.getpid()) == []


async def test_a_child_that_dies_ends_the_measurement_with_its_name(tmp_path: Path) -> None:
    async def measure() -> None:
        async with bench_chain.Parent(str(tmp_path)) as parent:
            settings = SimulatorSettings(symbols=["BTCUSDT"])
            async with parent.child("load", "simulator", bench.LOAD_SERVER, settings) as server:
                os.kill(server.child.pid, signal.SIGKILL)
                await parent.report("done")

    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(bench.BenchFailed, match="load died"):
            await measure()
    assert [name for name in os.listdir(tmp_path) if name.endswith(".sock")] == []


async def test_a_child_that_cannot_start_ends_the_measurement_with_its_reason(tmp_path: Path) -> None:
    async def measure() -> None:
        async with (
            bench_chain.Parent(str(tmp_path)) as parent,
            parent.child("load", "simulator", "no_such_module:run", SimulatorSettings(symbols=["X"])),
        ):
            pytest.fail("it cannot have started")

    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(bench.BenchFailed, match="no_such_module"):
            await measure()


def test_the_command_prints_one_json_object_and_nothing_else_on_stdout(tmp_path: Path) -> None:
    code = "from foxtrot_supervisor.cli.main import main; main()"
    options = ("--quick", "--only", "start", "--json", "--compare", "history.jsonl")
    command = [sys.executable, "-c", code, "bench", *options]
    for repeat in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        (line,) = done.stdout.splitlines()
        report = json.loads(line)
        assert bool(report["changes"]) is (repeat == 1), "the second is compared with the first"
    assert set(report["processes"]) == {"foxtrot", "baseline"}
    assert "throughput" not in report
    assert "start and stop, foxtrot" in done.stderr
