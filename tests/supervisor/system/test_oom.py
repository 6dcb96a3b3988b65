"""An OOM kill is reported only with evidence of that process or of its control group."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from foxtrot_supervisor.system import oom as module
from foxtrot_supervisor.system.oom import FRESH_S, OomEvidence

GROUPS = {"v2": "0::/run.service\n", "v1": "4:memory:/run.service\n0::/\n"}
FILES = {"v2": "run.service/memory.events", "v1": "memory/run.service/memory.oom_control"}


class Host:
    """A pretended kernel in files."""

    def __init__(self, folder: Path, version: str = "v2", *, initial_namespace: bool = False) -> None:
        self.folder = folder
        self.group = GROUPS[version]
        (folder / "proc/self/ns").mkdir(parents=True)
        number = 4026531836 if initial_namespace else 4026532000
        (folder / "proc/self/ns/pid").symlink_to(f"pid:[{number}]")
        (folder / "proc/self/cgroup").write_text(self.group)
        self.counter = folder / "cgroup" / FILES[version]
        self.counter.parent.mkdir(parents=True)
        self.killed(0)
        self.log = folder / "kmsg"
        self.log.write_bytes(b"")
        self.evidence = OomEvidence(
            kernel_log=str(self.log), proc=str(folder / "proc"), control_groups=str(folder / "cgroup")
        )

    def killed(self, count: int) -> None:
        self.counter.write_text(f"oom 7\noom_kill {count}\noom_group_kill 0\n")

    def dies(self, pid: int, group: str | None = None) -> str:
        (self.folder / f"proc/{pid}").mkdir()
        (self.folder / f"proc/{pid}/cgroup").write_text(self.group if group is None else group)
        return self.evidence.of(pid)

    def logs(self, *lines: str, age_s: float = 0.0) -> None:
        micros = int((time.monotonic() - age_s) * 1e6)
        self.log.write_bytes(b"".join(f"3,{n},{micros},-;{line}\n".encode() for n, line in enumerate(lines)))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_kill_in_our_control_group_explains_one_death_of_a_member(tmp_path: Path, version: str) -> None:
    host = Host(tmp_path, version)
    assert host.dies(100) == ""
    host.killed(1)
    assert host.dies(101, "0::/elsewhere\n") == ""
    host.killed(2)
    assert host.dies(102) == "group"
    assert host.dies(103) == "", "a manual kill -9 afterwards is none"


def test_an_earlier_kill_explains_no_later_death(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.killed(1)
    host.evidence.look()
    assert host.dies(100) == ""


def test_two_kills_explain_two_deaths(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.killed(2)
    assert [host.dies(pid) for pid in (100, 101, 102)] == ["group", "group", ""]


def test_the_kernel_log_names_the_killed_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_AGAIN_S", 0.0)
    monkeypatch.setattr(module, "_RECORD_BYTES_MAX", 1 << 20)  # a file has no records: all of it is one
    host = Host(tmp_path, initial_namespace=True)
    host.killed(1)
    host.logs("Memory cgroup out of memory: Killed process 100 (python) total-vm:1kB")
    assert host.dies(100) == "process"
    assert host.dies(1000) == "", "the counter has risen, but the log names another process"
    host.logs("Out of memory: Killed process 101 (python)", age_s=FRESH_S * 2)
    assert host.dies(101) == "", "that was an earlier process of this number"
    host.logs("python[102]: segfault at 0")
    assert host.dies(102) == ""


def test_without_a_readable_log_the_control_group_is_the_evidence(tmp_path: Path) -> None:
    host = Host(tmp_path, initial_namespace=True)
    host.log.unlink()
    host.killed(1)
    assert host.dies(100) == "group"


def test_without_any_source_there_is_no_evidence(tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing")
    assert OomEvidence(kernel_log=nothing, proc=nothing, control_groups=nothing).of(os.getpid()) == ""


def test_the_real_kernel_reports_no_kill_of_this_process() -> None:
    evidence = OomEvidence()
    evidence.look()
    assert evidence.of(os.getpid()) == ""
