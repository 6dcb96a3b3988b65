"""Exit statuses, reaping and identities of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from foxtrot_supervisor.runtime.processes.syscalls import (
    ExitStatus,
    exit_status_of,
    identity_of,
    is_subreaper,
    reap,
    same_process_as,
    set_subreaper,
    start_ticks_of_this_process,
)
from foxtrot_supervisor.system import procfs
from tests.support.waiting import wait_until


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        yield child


def test_a_status_can_be_read_again_until_the_child_is_reaped(child: subprocess.Popen[bytes]) -> None:
    pidfd = os.pidfd_open(child.pid)
    try:
        assert exit_status_of(pidfd) is None
        child.kill()
        wait_until(lambda: exit_status_of(pidfd), what="the death")
        assert exit_status_of(pidfd) == ExitStatus(None, signal.SIGKILL)
        reap(os.P_PIDFD, pidfd)
        assert exit_status_of(pidfd) == ExitStatus(None, None)
        reap(os.P_PIDFD, pidfd)  # without effect
    finally:
        os.close(pidfd)


def test_an_exit_code_is_told_from_a_signal(child: subprocess.Popen[bytes]) -> None:
    pidfd = os.pidfd_open(child.pid)
    try:
        assert child.stdin is not None
        child.stdin.close()
        wait_until(lambda: exit_status_of(pidfd), what="the exit")
        assert exit_status_of(pidfd) == ExitStatus(0, None)
    finally:
        os.close(pidfd)


def test_a_process_with_the_same_id_that_started_later_is_another(child: subprocess.Popen[bytes]) -> None:
    facts = procfs.read_facts(child.pid)
    assert facts is not None
    assert same_process_as(facts)(facts)
    own = procfs.read_facts(os.getpid())
    assert own is not None
    assert not same_process_as(facts)(own)
    assert identity_of(own) == (os.getpid(), start_ticks_of_this_process())


def test_the_subreaper_can_be_set_and_read() -> None:
    before = is_subreaper()
    try:
        for on in (True, False):
            set_subreaper(on)
            assert is_subreaper() is on
    finally:
        set_subreaper(before)
