"""What systemd is told by a real supervisor, when and only when (the words themselves: test_service_state)."""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path

import pytest

from foxtrot_protocol.control import RestartRequest
from foxtrot_supervisor.config.schema import FoxtrotConfig
from tests.support.service_manager import ServiceManager
from tests.support.supervisor_process import SupervisorProcess, connection, quick

WATCHDOG_S = 0.9
"""Told three times within it."""


def test_ready_only_when_every_essential_part_serves(tmp_path: Path) -> None:
    # on a busy machine nobody must be taken for hung: that would be progress of its own
    config = FoxtrotConfig(supervisor=quick(hung_s=60.0, late_s=30.0), connections=[connection("one")])
    with (
        ServiceManager(tmp_path) as manager,
        SupervisorProcess(tmp_path, "slow_start", config=config, environ=manager.environ) as supervisor,
    ):
        manager.wait_for("EXTEND_TIMEOUT_USEC")  # the engine serves: progress
        assert not manager.all("READY")
        # its worker takes a second until HELLO: time that passes is no progress
        _, text = manager.wait_for("READY")
        assert "STATUS=running: 2 of 2 serve" in text
        assert len(manager.all("EXTEND_TIMEOUT_USEC")) == 1
        assert supervisor.ask(RestartRequest("one.a")).error == ""
        assert any("degraded: 1 of 2 serve" in text for _, text in manager.all("STATUS"))
        assert manager.nothing("EXTEND_TIMEOUT_USEC", 0.2)
        assert not manager.all("STOPPING")
        assert not manager.all("WATCHDOG")  # nobody asked for it
        assert supervisor.stop()["exit_code"] == 0
        assert len(manager.all("READY")) == len(manager.all("STOPPING")) == 1


def test_a_crash_loop_is_no_progress(tmp_path: Path) -> None:
    config = FoxtrotConfig(supervisor=quick(restart_intensity=4), connections=[connection("one")])
    with (
        ServiceManager(tmp_path) as manager,
        SupervisorProcess(tmp_path, "exits_one", config=config, environ=manager.environ) as supervisor,
    ):
        supervisor.wait_state("one.a", "FATAL", limit_s=15)
        assert len(manager.all("EXTEND_TIMEOUT_USEC")) <= 2  # the engine, and the worker's first time
        supervisor.stop()


def test_a_stop_is_extended_by_what_ends_and_never_by_waiting(tmp_path: Path) -> None:
    config = FoxtrotConfig(
        supervisor=quick(stop_ask_s=0.8, stop_term_s=0.8, hung_s=60.0, late_s=30.0), connections=[connection("one")]
    )
    with (
        ServiceManager(tmp_path) as manager,
        SupervisorProcess(tmp_path, "deaf", config=config, environ=manager.environ) as supervisor,
    ):
        manager.wait_for("READY")
        before = len(manager.all("EXTEND_TIMEOUT_USEC"))
        supervisor.interrupt()
        asked, _ = manager.wait_for("STOPPING")
        killed, text = manager.wait_for("EXTEND_TIMEOUT_USEC", since=asked)
        assert killed - asked >= 1.5  # the whole ladder of a worker that obeys nothing
        # what its tier below may need at most: asked, SIGTERM, SIGKILL, strays
        assert text == f"EXTEND_TIMEOUT_USEC={int((0.8 + 0.8 + 2.0 + 3.0) * 1_000_000)}"
        assert supervisor.wait() == 4
        assert len(manager.all("EXTEND_TIMEOUT_USEC")) - before == 1


BLOCKED = """
import time
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.inputs import HeartbeatReceived
handle = Core.handle
def wedged(self, input, now):
    if isinstance(input, HeartbeatReceived) and self.state == "running" and now > started + 1.0:
        time.sleep(3600)
    return handle(self, input, now)
started = time.monotonic()
Core.handle = wedged
"""

TURNS_IN_VAIN = """
import time
from foxtrot_supervisor.runtime.core_loop import CoreLoop
drain = CoreLoop._drain
def wedged(self):
    if self._core.state != "running" or time.monotonic() < started + 1.0:
        drain(self)
started = time.monotonic()
CoreLoop._drain = wedged
"""


@pytest.mark.cases(played=1)
@pytest.mark.parametrize("sabotage", [BLOCKED, TURNS_IN_VAIN], ids=["blocked", "turns in vain"])
def test_a_wedged_control_loop_stops_the_watchdog(tmp_path: Path, sabotage: str) -> None:
    """Whether the whole event loop stands still, or turns while nothing comes through to the core."""
    with (
        ServiceManager(tmp_path, WATCHDOG_S) as manager,
        SupervisorProcess(tmp_path, environ=manager.environ, prelude=sabotage) as supervisor,
    ):
        ready_at, _ = manager.wait_for("READY")
        manager.wait_for("WATCHDOG")
        last = [0.0]

        def silent() -> bool:
            beats = manager.all("WATCHDOG")
            last[0] = beats[-1][0]
            return time.monotonic() - last[0] > 2 * WATCHDOG_S

        deadline = ready_at + 10.0
        while not silent():
            assert time.monotonic() < deadline, "the watchdog is told although the control loop is wedged"
            assert manager.nothing("STOPPING", 0.05)
        assert manager.nothing("WATCHDOG", 2 * WATCHDOG_S)
        assert supervisor.process.poll() is None
        supervisor.process.send_signal(signal.SIGABRT)  # as systemd would


def test_the_watchdog_is_notified_in_time_while_everything_works(tmp_path: Path) -> None:
    with (
        ServiceManager(tmp_path, WATCHDOG_S) as manager,
        SupervisorProcess(tmp_path, environ=manager.environ) as supervisor,
    ):
        manager.wait_for("READY")
        assert not manager.nothing("WATCHDOG", 4 * WATCHDOG_S)
        os.kill(supervisor.child("one.a")["pid"], signal.SIGKILL)
        supervisor.wait_state("one.a", "RUNNING", incarnation=2)
        assert supervisor.stop()["exit_code"] == 0
        beats = [at for at, _ in manager.all("WATCHDOG")]
        assert max(after - before for before, after in itertools.pairwise(beats)) < WATCHDOG_S


def test_an_internal_error_of_the_supervisor_is_notified_as_its_end(tmp_path: Path) -> None:
    sabotage = """
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.inputs import HeartbeatReceived
handle = Core.handle
def broken(self, input, now):
    if isinstance(input, HeartbeatReceived) and self.state == "running":
        raise ZeroDivisionError("planted")
    return handle(self, input, now)
Core.handle = broken
"""
    with (
        ServiceManager(tmp_path) as manager,
        SupervisorProcess(tmp_path, environ=manager.environ, prelude=sabotage) as supervisor,
    ):
        assert supervisor.wait() == 1
        assert manager.wait_for("STOPPING")[1] == "STOPPING=1\nSTATUS=internal error"
