"""Another configuration for real processes: who changes pid, who keeps it, what systemd and the operator are told."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from foxtrot_protocol.control import ReloadRequest, Reply
from foxtrot_supervisor.config.schema import EngineConfig, FoxtrotConfig
from tests.support import supervisor_process
from tests.support.command_line import PROGRAM, Run, run_program
from tests.support.service_manager import ServiceManager
from tests.support.supervisor_process import SupervisorProcess, connection, quick
from tests.support.waiting import wait_until


@pytest.fixture(params=[pytest.param("spawn", marks=pytest.mark.variant), "nursery"], autouse=True)
def start_method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(supervisor_process, "START_METHOD", request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def _not_under_nohup() -> Iterator[None]:
    """Children inherit an ignored SIGHUP from the process that runs the tests, and a supervisor would respect it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def base(*names: str, **more: Any) -> FoxtrotConfig:
    return FoxtrotConfig(supervisor=quick(**more), connections=[connection(name) for name in names])


def pids(status: dict[str, Any]) -> dict[str, int]:
    return {child["name"]: child["pid"] for child in [status["engine"], *status["workers"], *status["simulators"]]}


def reload(supervisor: SupervisorProcess, config: FoxtrotConfig | object) -> Reply:
    supervisor.configure(config)
    return supervisor.ask(ReloadRequest(), timeout_s=60.0)


def test_only_what_changed_is_touched(tmp_path: Path) -> None:
    config = base("kept", "changed", "removed")
    with SupervisorProcess(tmp_path, config=config, reloads=True) as supervisor:
        before = pids(supervisor.wait_running())
        descriptors = psutil.Process(supervisor.pid).num_fds()
        kept, changed, _ = config.connections
        edited = msgspec.structs.replace(
            config,
            connections=[
                msgspec.structs.replace(kept, essential=False),
                msgspec.structs.replace(changed, symbols=["Y"]),
                connection("added"),
            ],
        )
        supervisor.configure(edited)
        preview = supervisor.ask(ReloadRequest(dry_run=True)).data
        assert (preview["added"], preview["removed"]) == (["added"], ["removed"])
        assert preview["changed"]["changed"] == [{"key": "symbols", "before": ["X"], "after": ["Y"]}]
        assert preview["handed_over"] == preview["processes"]["restarted"] == ["changed.a"]
        assert pids(supervisor.status()) == before, "a dry run changes nothing"
        reply = reload(supervisor, edited)
        assert reply.error == ""
        assert {key: reply.data[key] for key in preview["processes"]} == preview["processes"]
        assert reply.data["added"] == ["added.a"]
        assert reply.data["removed"] == ["removed.a"]
        assert reply.data["restarted"] == ["changed.a"]
        assert {"engine", "kept.a"} <= set(reply.data["kept"])
        status = supervisor.status()
        after = pids(status)
        assert set(after) == {"engine", "kept.a", "changed.b", "added.a"}
        assert (after["engine"], after["kept.a"]) == (before["engine"], before["kept.a"])
        assert not psutil.pid_exists(before["changed.a"]), "the old side ends when the new one serves"
        assert not psutil.pid_exists(before["removed.a"])
        assert {worker["name"]: worker["state"] for worker in status["workers"]} == dict.fromkeys(
            ("kept.a", "changed.b", "added.a"), "RUNNING"
        )
        assert status["supervisor"]["state"] == "running"
        assert not supervisor.child("kept.a")["essential"]
        # the same file again: nothing happens
        again = reload(supervisor, edited)
        assert (again.error, again.data["added"], again.data["restarted"]) == ("", [], [])
        assert pids(supervisor.status()) == after
        wait_until(lambda: psutil.Process(supervisor.pid).num_fds() <= descriptors, what="the descriptors of before")
        assert supervisor.stop()["exit_code"] == 0


def test_the_engine_alone(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, config=base("one"), reloads=True) as supervisor:
        before = pids(supervisor.wait_running())
        edited = msgspec.structs.replace(base("one"), engine=EngineConfig(queue_limit=7))
        assert reload(supervisor, edited).data["restarted"] == ["engine"]
        after = pids(supervisor.status())
        assert after["one.a"] == before["one.a"]
        assert after["engine"] != before["engine"]
        assert supervisor.stop()["exit_code"] == 0


def test_a_mistake_changes_nothing(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, config=base("one"), reloads=True) as supervisor:
        before = pids(supervisor.wait_running())
        assert "config.json" in reload(supervisor, {"zzz": 1}).error
        refused = reload(supervisor, base("two", run_dir="/run/elsewhere"))
        assert "supervisor.run_dir: cannot be changed by a reload" in refused.error
        assert pids(supervisor.status()) == before
        assert [line["event"] for line in supervisor.log() if line["event"].startswith("reload")] == [
            "reload_refused",
            "reload_refused",
        ]
        assert reload(supervisor, base("one")).error == ""
        assert supervisor.stop()["exit_code"] == 0


def test_deadlines_change_without_a_new_process(tmp_path: Path) -> None:
    config = base("one", stop_ask_s=20.0)
    with SupervisorProcess(tmp_path, "deaf_to_stop", config=config, reloads=True) as supervisor:
        before = pids(supervisor.wait_running())
        assert reload(supervisor, base("one", stop_ask_s=0.2)).error == ""
        assert pids(supervisor.status()) == before
        supervisor.interrupt()
        assert supervisor.wait(6) == 0  # asked for 0.2 s, not for 20 s


def test_what_does_not_come_up_is_reported_and_the_rest_runs_on(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "refused", config=base("one"), reloads=True) as supervisor:
        wait_until(lambda: supervisor.child("one.a").get("state") == "BACKOFF", what="the first refusal")
        engine = supervisor.child("engine")["pid"]
        reply = reload(supervisor, base("one", "two"))
        assert "the new configuration is in force, but two.a: BACKOFF" in reply.error
        assert "HTTP 429" in reply.error
        assert supervisor.child("engine")["pid"] == engine
        assert supervisor.stop()["exit_code"] == 0


def test_twins_in_turn(tmp_path: Path) -> None:
    def config(symbol: str) -> FoxtrotConfig:
        return FoxtrotConfig(supervisor=quick(), connections=[connection("one", redundancy=2, symbols=[symbol])])

    with SupervisorProcess(tmp_path, config=config("X"), reloads=True) as supervisor:
        supervisor.wait_running()
        assert sorted(reload(supervisor, config("Y")).data["restarted"]) == ["one.a", "one.b"]
        serving = {"one.a": True, "one.b": True}
        for line in supervisor.events("worker_state"):
            if line["worker"] in serving and line["state"] == "RUNNING":
                serving[line["worker"]] = True
            elif line["worker"] in serving and line["state"] == "STOPPING":
                serving[line["worker"]] = False
                assert any(serving.values()), "both were away"
        assert supervisor.stop()["exit_code"] == 0


def test_systemd_and_sighup(tmp_path: Path) -> None:
    with (
        ServiceManager(tmp_path) as manager,
        SupervisorProcess(tmp_path, config=base("one"), environ=manager.environ, reloads=True) as supervisor,
    ):
        manager.wait_for("READY")
        supervisor.configure(base("one", "two"))
        supervisor.process.send_signal(signal.SIGHUP)  # a service has no terminal that could have been closed
        reloading, text = manager.wait_for("RELOADING")
        assert "MONOTONIC_USEC=" in text
        ready, _ = manager.wait_for("READY", since=reloading)
        assert supervisor.child("two.a")["state"] == "RUNNING"
        assert ready > reloading
        supervisor.configure({"zzz": 1})
        supervisor.process.send_signal(signal.SIGHUP)
        wait_until(lambda: supervisor.events("reload_refused"), what="the refusal")
        assert len(wait_until(lambda: manager.all("READY")[2:], what="the end of the second reload")) == 1
        assert len(manager.all("RELOADING")) == 2
        assert not manager.all("STOPPING")
        assert supervisor.stop()["exit_code"] == 0


CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade", "quote"]
symbols = ["BTCUSDT"]
"""


def test_by_the_command_with_a_real_file(tmp_path: Path, start_method: str) -> None:
    configuration = CONFIGURATION.replace("[[", f'start_method = "{start_method}"\n[[', 1)
    run = Run(tmp_path, configuration)
    try:
        before = pids(run.running())
        wrong = run.config.read_text() + 'nonsense = 1\n[[connections]]\nname = "two"\n'
        right, _ = run.config.read_text(), run.config.write_text(wrong)
        refused = run_program("reload", "--run-dir", run.run_dir)
        assert refused.returncode == 1
        assert "connections[0].nonsense: is not a known key" in refused.stderr
        assert "connections[1].exchange: is missing" in refused.stderr
        assert pids(run.running()) == before
        more = right + right[right.index("[[") :].replace('"one"', '"two"').replace("BTCUSDT", "ETHUSDT")
        run.config.write_text(more)
        done = run_program("reload", "--run-dir", run.run_dir)
        assert done.returncode == 0, done.stderr
        # one exchange serves both: it has to offer a further symbol
        assert done.stdout.startswith("reloaded: added two.a; restarted simulator; ")
        after = pids(run.running())
        assert after["engine"] == before["engine"]
        assert "two.a" in after
        assert run.stop() == 0
    finally:
        run.close()


WITH_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes its standard input the controlling terminal of its own session, then becomes the program."""


def test_a_closed_terminal_stops_it(tmp_path: Path) -> None:
    """The same signal, with the other meaning: a terminal that was there has gone."""
    config, log = tmp_path / "foxtrot.toml", tmp_path / "log"
    config.write_text(CONFIGURATION.replace("RUN_DIR", str(tmp_path / "run")))
    command = [str(PROGRAM), "start", "-c", str(config), "--log-format", "json"]
    master, slave = pty.openpty()
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", WITH_TERMINAL, *command], stdin=slave, stderr=stderr, start_new_session=True
        )
    os.close(slave)
    try:
        wait_until(lambda: '"RUNNING"' in log.read_text(), 20.0, "it to run")
        process.send_signal(signal.SIGHUP)  # by hand, with the terminal still there
        wait_until(lambda: '"reloaded"' in log.read_text(), 10.0, "a reload")
        assert process.poll() is None
        os.close(master)
        master = -1
        assert process.wait(10) == 0, log.read_text()[-2000:]
    finally:
        process.kill()
        process.wait()
        if master >= 0:
            os.close(master)
    assert "SIGHUP received" in log.read_text()
