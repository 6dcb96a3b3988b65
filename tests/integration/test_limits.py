"""Limits of real processes: set, seen by the kernel, run into, named as cause."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot_supervisor.config.schema import FoxtrotConfig
from tests.support import supervisor_process
from tests.support.supervisor_process import SupervisorProcess, connection, quick

MIB = 1024 * 1024
BOOT = "foxtrot_workers.child.boot:run"
START_METHODS = [pytest.param("spawn", marks=pytest.mark.variant), "nursery"]


def kernel_limits(pid: int) -> dict[str, tuple[str, str]]:
    """(soft, hard) by name, as the kernel shows them."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:25].strip(): (line[26:46].strip(), line[47:67].strip()) for line in lines}


def supervisor(folder: Path, behaviour: str, start_method: str, **limits: object) -> SupervisorProcess:
    config = FoxtrotConfig(supervisor=quick(start_method=start_method, **limits), connections=[connection("one")])
    return SupervisorProcess(
        folder,
        f"tests.support.booted:{behaviour}",
        engine="tests.support.booted:steady",
        config=config,
        boot=BOOT,
    )


@pytest.mark.parametrize("start_method", START_METHODS)
def test_limits_are_those_that_the_kernel_shows(tmp_path: Path, start_method: str) -> None:
    with supervisor(
        tmp_path, "steady", start_method, worker_memory_mib=200, engine_memory_mib=300, open_files=128
    ) as running:
        running.wait_running()
        worker = kernel_limits(running.child("one.a")["pid"])
        engine = kernel_limits(running.child("engine")["pid"])
        assert worker["Max data size"] == (str(200 * MIB), str(216 * MIB))
        assert engine["Max data size"] == (str(300 * MIB), str(316 * MIB))
        for limits in (worker, engine):
            assert limits["Max open files"] == ("128", "128")
            assert limits["Max core file size"][0] == "0"
            assert limits["Max address space"] == ("unlimited", "unlimited")
        if start_method == "nursery":
            assert kernel_limits(running.status()["nursery"]["pid"])["Max data size"][0] == "unlimited"
        own = kernel_limits(running.pid)
        assert own["Max data size"][0] == "unlimited"
        assert own["Max open files"][0] != "128"
        assert running.stop()["exit_code"] == 0


def test_without_configuration_only_core_dumps_are_off_beside_the_mark_of_the_run(tmp_path: Path) -> None:
    with supervisor(tmp_path, "steady", "spawn") as running:
        running.wait_running()
        worker, own = kernel_limits(running.child("one.a")["pid"]), kernel_limits(running.pid)
        assert worker["Max core file size"] == ("0", own["Max core file size"][1])
        assert {name: limit for name, limit in worker.items() if limit != own[name]}.keys() <= {
            "Max core file size",
            "Max file locks",
        }
        assert running.stop()["exit_code"] == 0


def test_core_dumps_as_large_as_the_system_allows(tmp_path: Path) -> None:
    with supervisor(tmp_path, "steady", "nursery", core_dumps=True) as running:
        running.wait_running()
        hard = kernel_limits(running.pid)["Max core file size"][1]
        assert kernel_limits(running.child("one.a")["pid"])["Max core file size"] == (hard, hard)
        assert running.stop()["exit_code"] == 0


@pytest.mark.parametrize("start_method", START_METHODS)
@pytest.mark.parametrize("behaviour", ["hungry", "hungry_callback"])
def test_worker_over_its_memory_limit_is_replaced_and_the_cause_named(
    tmp_path: Path, behaviour: str, start_method: str
) -> None:
    with supervisor(tmp_path, behaviour, start_method, worker_memory_mib=128, restart_intensity=1) as running:
        worker = running.wait_state("one.a", "FATAL", limit_s=20)
        assert worker["restarts_total"] == 1
        last_exit = worker["last_exit"]
        assert "memory limit of 128 MiB reached" in last_exit["cause"]
        assert "memory limit of 128 MiB reached" in worker["cause"]
        assert (last_exit["code"], last_exit["signal"]) == (15, None)
        logged = running.events("worker_state", worker="one.a", state="BACKOFF")[0]
        assert "memory limit of 128 MiB reached" in logged["cause"]
        assert running.child("engine")["state"] == "RUNNING"
        running.stop()


def test_worker_that_aborts_under_a_limit(tmp_path: Path) -> None:
    with supervisor(tmp_path, "aborting", "spawn", worker_memory_mib=128, restart_intensity=0) as running:
        worker = running.wait_state("one.a", "FATAL", limit_s=20)
        assert "perhaps at its memory limit of 128 MiB (killed by SIGABRT)" in worker["cause"]
        running.stop()


def test_a_limit_that_the_system_does_not_allow_is_reported_and_fatal_at_once(tmp_path: Path) -> None:
    beyond = int(Path("/proc/sys/fs/nr_open").read_text()) + 1
    with supervisor(tmp_path, "steady", "spawn", open_files=beyond) as running:
        # the engine, on which all stands, says it too: the start has failed
        assert running.wait(20) == 3
        fatal = running.events("worker_state", worker="engine", state="FATAL")[0]
        assert f"open_files = {beyond} is refused" in fatal["cause"]


def test_last_words_have_a_little_more() -> None:
    """After the limit is reached `relax_memory` allows some MiB, and no more."""
    script = """
from foxtrot_protocol.spec import ResourceLimits
from foxtrot_workers.child.limits import apply_limits, relax_memory
apply_limits(ResourceLimits(memory_mib=64))
apply_limits(ResourceLimits(memory_mib=64))
kept = []
def fill():
    try:
        while True:
            kept.append(b"x" * (1 << 20))
    except MemoryError:
        return len(kept)
first = fill()
relax_memory()
print(first, fill() - first)
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    first, more = map(int, result.stdout.split())
    assert 20 < first < 64
    assert 10 <= more <= 16


def test_what_is_left_alone_stays(tmp_path: Path) -> None:
    with supervisor_process.SupervisorProcess(tmp_path) as running:
        running.wait_running()
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert kernel_limits(running.pid)["Max open files"][0] == str(soft)
        assert running.stop()["exit_code"] == 0
