"""Facts from /proc, compared with real processes."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from foxtrot_supervisor.system import procfs
from tests.support.waiting import wait_until


def test_facts_of_this_process() -> None:
    facts = procfs.read_facts(os.getpid())
    assert facts is not None
    assert (facts.parent, facts.session) == (os.getppid(), os.getsid(0))
    assert not facts.zombie
    boot = psutil.boot_time()
    assert abs(boot + facts.start_ticks / os.sysconf("SC_CLK_TCK") - psutil.Process().create_time()) < 2


def test_a_name_with_parentheses_and_blanks(tmp_path: object) -> None:
    code = "import ctypes; ctypes.CDLL(None).prctl(15, b') S (1 2', 0, 0, 0); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        wait_until(lambda: (f := procfs.read_facts(process.pid)) and f.name == ") S (1 2", what="the new name")
        facts = procfs.read_facts(process.pid)
        process.communicate(b"\n")
    assert facts is not None
    assert facts.parent == os.getpid()


def test_a_missing_process_has_no_facts() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait(10)
    assert procfs.read_facts(process.pid) is None
    assert procfs.command_line(process.pid) == ""
    assert not procfs.environ_holds(process.pid, "PATH", "")
    assert procfs.children_of(process.pid) == []


def test_children_environment_and_command_line() -> None:
    environ = {**os.environ, "FOXTROT_TEST": "yes"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environ) as process:
        assert process.pid in [facts.pid for facts in procfs.children_of(os.getpid())]
        assert process.pid in [facts.pid for facts in procfs.processes()]
        assert procfs.environ_holds(process.pid, "FOXTROT_TEST", "yes")
        assert not procfs.environ_holds(process.pid, "FOXTROT_TEST", "ye")
        assert procfs.command_line(process.pid).endswith("-c input()")
        process.communicate(b"\n")


def test_a_dead_child_is_a_zombie_until_reaped() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        wait_until(lambda: (f := procfs.read_facts(process.pid)) and f.zombie, what="its death")
        assert process.pid in [facts.pid for facts in procfs.children_of(os.getpid())]


def test_figures_of_this_process() -> None:
    assert procfs.rss_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    before = procfs.open_fds()
    descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    assert procfs.open_fds() == before + 3
    for descriptor in descriptors:
        os.close(descriptor)
