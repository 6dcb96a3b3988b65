"""The runner inside this very process: what it gives back, shows, refuses and leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.config.schema import FoxtrotConfig, LogFormat
from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Effect
from foxtrot_supervisor.core.inputs import HeartbeatReceived, Input
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime import core_loop
from foxtrot_supervisor.runtime.child_link import ChildLink
from foxtrot_supervisor.runtime.core_loop import BROKEN
from foxtrot_supervisor.runtime.main import run_supervisor
from foxtrot_supervisor.runtime.processes.processes import Processes
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.runtime.runner import Runner
from foxtrot_supervisor.system.procfs import open_descriptors
from tests.support.children import BOOT, target
from tests.support.supervisor_process import connection, quick

pytestmark = pytest.mark.timeout(60, method="signal")  # the other method is a thread, which the audit would find

TARGETS = Targets(boot=BOOT, simulator=target("simulator"), engine=target("steady"), connection=target("steady"))
CONFIG = FoxtrotConfig(supervisor=quick(), connections=[connection("one")])


def supervise(path: Path, config: FoxtrotConfig = CONFIG, log_format: LogFormat = "json", **more: Any) -> int:
    options: dict[str, Any] = {"import_path": ".", "log_format": log_format, "duration_s": 1.5, "targets": TARGETS}
    return run_supervisor(config, run_dir_path=str(path), **{**options, **more})


def test_everything_is_as_before(tmp_path: Path) -> None:
    supervise(tmp_path / "run", duration_s=0.1)  # what is loaded and opened once for the whole process
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    descriptors, environ = open_descriptors(), dict(os.environ)
    assert supervise(tmp_path / "run") == SupervisorExit.CLEAN
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert open_descriptors() == descriptors
    assert dict(os.environ) == environ
    assert list(tmp_path.iterdir()) == []


def test_snapshots_show_status_and_the_last_log_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[dict[str, Any]] = []

    def show(snapshot: dict[str, Any]) -> None:
        serves_before = bool(shown) and shown[-1]["workers"][0]["state"] == "RUNNING"
        shown.append(snapshot)
        if snapshot["workers"][0]["state"] == "RUNNING" and not serves_before:
            os.kill(os.getpid(), signal.SIGINT)

    assert supervise(tmp_path / "run", log_format="link", on_snapshot=show, snapshot_s=0.05, duration_s=30.0) == 0
    assert capsys.readouterr() == ("", "")  # the view has the terminal to itself
    states = [snapshot["workers"][0]["state"] for snapshot in shown]
    assert states[0] in ("STOPPED", "STARTING")
    assert "RUNNING" in states
    assert any("worker_state" in line and "worker=one.a" in line for line in shown[-1]["log"])


def test_a_view_says_how_long_it_needs_no_status(tmp_path: Path) -> None:
    shown: list[dict[str, Any]] = []

    def show(snapshot: dict[str, Any]) -> float:
        shown.append(snapshot)
        return 60.0

    assert supervise(tmp_path / "run", on_snapshot=show, snapshot_s=0.01) == 0
    assert len(shown) == 1


def test_a_view_that_fails_does_not_end_supervision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: dict[str, Any]) -> None:
        raise ZeroDivisionError("planted")

    assert supervise(tmp_path / "run", on_snapshot=fail) == 0
    assert capsys.readouterr().err.count("snapshot_failed") == 1


def test_directory_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = RunDir.acquire(str(tmp_path / "run"))
    try:
        assert supervise(tmp_path / "run") == SupervisorExit.ALREADY_RUNNING
        assert f"(pid {os.getpid()})" in capsys.readouterr().err
    finally:
        held.release()


def test_directory_that_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").symlink_to(tmp_path)
    assert supervise(tmp_path / "run") == SupervisorExit.CONFIGURATION
    assert "symbolic link" in capsys.readouterr().err


def test_directory_from_the_configuration(tmp_path: Path) -> None:
    config = FoxtrotConfig(supervisor=quick(run_dir=str(tmp_path / "no" / "run")), connections=[connection("one")])
    assert run_supervisor(config, run_dir_path=None, import_path=".", targets=TARGETS) == SupervisorExit.CONFIGURATION


def test_status_before_the_run(tmp_path: Path) -> None:
    held = RunDir.acquire(str(tmp_path / "run"))
    try:
        runner = Runner(CONFIG, run_dir=held, import_path=".", log_level="info", log_format="link", targets=TARGETS)
        status = runner.status()
        assert status["supervisor"]["state"] == "stopped"
        assert status["workers"][0]["state"] == "STOPPED"
    finally:
        held.release()


def test_the_link_knows_the_process_of_each_child_that_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: dict[str, int] = {}
    ended: dict[str, int] = {}
    end = ChildLink.ended

    def note(link: ChildLink, name: str, incarnation: int, pid: int) -> None:
        ended[name] = pid
        end(link, name, incarnation, pid)

    def look(snapshot: dict[str, Any]) -> None:
        for child in (snapshot["engine"], *snapshot["workers"]):
            if child["pid"]:
                started[child["name"]] = child["pid"]

    monkeypatch.setattr(ChildLink, "ended", note)
    assert supervise(tmp_path / "run", log_format="link", on_snapshot=look, snapshot_s=0.05) == SupervisorExit.CLEAN
    assert started.keys() == {"engine", "one.a"}
    assert started.items() <= ended.items()


def test_after_an_internal_error_no_request_starts_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handle, break_off, start = Core.handle, Runner._break_off, Processes.start
    answers: list[object] = []
    started_late: list[str] = []

    def fail(core: Core, input: Input, now: float) -> list[Effect]:  # noqa: A002
        if isinstance(input, HeartbeatReceived) and core.state == "running" and not answers:
            raise ZeroDivisionError("planted")
        return handle(core, input, now)

    def break_off_and_be_asked(runner: Runner, error: Exception) -> None:
        break_off(runner, error)
        if not answers:
            control = runner.control
            answers.extend([control.ask_restart("one.a"), control.ask_restart("engine"), control.ask_reload()])

    def start_or_note(processes: Processes, name: str, *rest: Any) -> Any:
        if answers:
            started_late.append(name)
        return start(processes, name, *rest)

    monkeypatch.setattr(Core, "handle", fail)
    monkeypatch.setattr(Runner, "_break_off", break_off_and_be_asked)
    monkeypatch.setattr(Processes, "start", start_or_note)
    assert supervise(tmp_path / "run", duration_s=30.0, read_config=lambda _: CONFIG) == SupervisorExit.INTERNAL_ERROR
    assert answers == [BROKEN] * 3
    assert started_late == []


def test_effects_that_take_many_turns_of_the_loop_come_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_loop, "TURN_S", 0.0)
    config = FoxtrotConfig(supervisor=quick(), connections=[connection(f"c{number}") for number in range(4)])
    shown: list[dict[str, Any]] = []

    def show(snapshot: dict[str, Any]) -> None:
        shown.append(snapshot)
        if all(worker["state"] == "RUNNING" for worker in snapshot["workers"]):
            os.kill(os.getpid(), signal.SIGTERM)

    code = supervise(tmp_path / "run", config, log_format="link", on_snapshot=show, snapshot_s=0.05, duration_s=45.0)
    assert code == SupervisorExit.CLEAN
    assert {worker["state"] for worker in shown[-1]["workers"]} != {"STARTING"}


def test_a_stop_request_is_served_while_a_long_start_is_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not created yet is not created any more."""
    config = FoxtrotConfig(supervisor=quick(), connections=[connection(f"c{number}") for number in range(12)])
    monkeypatch.setattr(core_loop, "TURN_S", 0.0)
    start = Processes.start
    started: list[str] = []

    def start_and_stop(processes: Processes, name: str, *rest: Any) -> Any:
        started.append(name)
        if name == "c1.a":
            os.kill(os.getpid(), signal.SIGTERM)
        return start(processes, name, *rest)

    monkeypatch.setattr(Processes, "start", start_and_stop)
    assert supervise(tmp_path / "run", config, duration_s=45.0) == SupervisorExit.CLEAN
    assert len(started) < 6, started
