"""Applications that are their own engine: used, killed, forked, replaced by `exec`, ended without a stop."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from foxtrot_protocol.events import EVENT_MARKET_TRADE, EVENT_TIMER, EVENT_WORKER, WorkerStatus
from foxtrot_supervisor import (
    AlreadyRunning,
    ConfigInvalid,
    Event,
    EventEngine,
    HandlerProblem,
    NotReady,
    RequestFailed,
    Supervisor,
    SupervisorFailed,
)
from foxtrot_supervisor.engine.host import DispatchWatch
from foxtrot_supervisor.engine.tap import EventTap
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.system import procfs
from foxtrot_supervisor.system.procfs import open_descriptors
from tests.support.application import TEST_TARGETS, Application, config
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(90, method="signal")  # the other method is a thread, which the leak check would find

LIMIT_S = 20.0


def with_test_children(tmp_path: Path, **more: Any) -> Supervisor:
    options: dict[str, Any] = {"targets": TEST_TARGETS, "run_dir": tmp_path / "run", **more}
    return Supervisor(config(), **options)


def is_alive(pid: int) -> bool:
    facts = procfs.read_facts(pid)
    return facts is not None and not facts.zombie


def facts_of_this_process() -> dict[str, Any]:
    return {
        "descriptors": open_descriptors(),
        "threads": threading.enumerate(),
        "handlers": {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)},
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "environ": dict(os.environ),
        "directory": os.getcwd(),
        "path": list(sys.path),
        "children": psutil.Process().children(),
    }


# ---- in this very process


def test_market_data_comes_in_and_nothing_is_left(tmp_path: Path) -> None:
    """With the simulated exchange and real workers."""
    document = {
        **config(start_method="auto", ready_s=30.0),
        "connections": [
            {"name": "sim", "exchange": "sim", "channels": ["trade"], "symbols": ["BTCUSDT", "ETHUSDT"]},
            {"name": "later", "exchange": "sim", "channels": ["trade", "quote"], "symbols": []},
        ],
    }
    before = facts_of_this_process()
    seen: list[Event] = []
    with Supervisor(document, run_dir=tmp_path / "run") as supervisor:
        supervisor.event_engine.register(EVENT_MARKET_TRADE, seen.append)
        status = supervisor.wait_ready(LIMIT_S)
        assert status["engine"]["pid"] == os.getpid()
        assert [worker["name"] for worker in status["workers"]] == ["sim.a"]
        wait_until(lambda: {"BTCUSDT", "ETHUSDT"} <= {event.data.symbol for event in seen}, LIMIT_S, "both symbols")
        supervisor.restart("sim.a")
        count = len(seen)
        wait_until(lambda: len(seen) > count, LIMIT_S, "trades of the replacement")
        supervisor.unsubscribe("sim", ["ETHUSDT"])
        supervisor.subscribe("sim", ["ETHUSDT"])
        with pytest.raises(RequestFailed, match="nobody"):
            supervisor.subscribe("nobody", ["BTCUSDT"])
        worker = supervisor.status()["workers"][0]
        assert worker["state"] == "RUNNING"
        assert worker["lost_total"] == 0

        os.kill(supervisor.status()["supervisor"]["pid"], signal.SIGKILL)
        wait_until(lambda: supervisor.restarts_total, LIMIT_S, "its death to be seen")
        status = supervisor.wait_ready(LIMIT_S)
        count = len(seen)
        wait_until(lambda: len(seen) > count + 10, LIMIT_S, "trades of the next supervisor's worker")
        # what the dead one's worker had committed was read to the end: its ring is removed
        assert [name for name in os.listdir(supervisor.run_dir) if name.startswith("ring-sim.a")] == ["ring-sim.a-1001"]
        assert status["workers"][0]["lost_total"] == 0
        report = supervisor.stop()
    assert report.clean, report
    assert report.audit["clean"]
    assert set(report.rungs.values()) == {"ask"}
    assert supervisor.stop() is report
    assert list(tmp_path.iterdir()) == []
    assert facts_of_this_process() == before


def test_a_connection_without_symbols_is_started_by_its_first_ones(tmp_path: Path) -> None:
    document = config()
    document["connections"].append({**document["connections"][0], "name": "later", "symbols": []})
    with Supervisor(document, run_dir=tmp_path / "run", targets=TEST_TARGETS) as supervisor:
        supervisor.subscribe("one", ["ETHUSDT"])  # its worker is still on its way
        pid = supervisor.wait_ready(LIMIT_S)["workers"][0]["pid"]
        supervisor.subscribe("later", ["SOLUSDT"])
        workers = {worker["name"]: worker for worker in supervisor.wait_ready(LIMIT_S)["workers"]}
        assert {name: worker["state"] for name, worker in workers.items()} == {"one.a": "RUNNING", "later.a": "RUNNING"}
        assert workers["one.a"]["pid"] == pid  # whose symbols were changed in operation, it is left alone
        supervisor.subscribe("later", ["XRPUSDT"])


def test_the_applications_own_engine_is_left_running(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    engine, seen = EventEngine(interval=1), list[Event]()
    engine.register(EVENT_TIMER, seen.append)
    states: list[tuple[str, str]] = []

    def note(event: Event) -> None:
        status: WorkerStatus = event.data
        states.append((status.worker, status.state))

    engine.register(EVENT_WORKER, note)
    engine.start()
    request.addfinalizer(engine.stop)
    for number in range(2):
        with with_test_children(tmp_path, run_dir=tmp_path / f"run{number}", event_engine=engine) as supervisor:
            supervisor.wait_ready(LIMIT_S)
    assert states.count(("one.a", "RUNNING")) == 2
    count = len(seen)
    wait_until(lambda: len(seen) > count, LIMIT_S, "a timer event after the end")
    assert engine.handler_count() == 2


def test_one_run_for_each_directory(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with with_test_children(tmp_path) as first, with_test_children(tmp_path / "other") as second:
        with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}") as caught:
            with_test_children(tmp_path).start()
        assert "run_dir=" in caught.value.__notes__[0]
        assert first.wait_ready(LIMIT_S)["supervisor"]["pid"] != second.wait_ready(LIMIT_S)["supervisor"]["pid"]
        with pytest.raises(SupervisorFailed, match="started already"):
            first.start()
    assert first.stop().clean
    assert second.stop().clean


def test_in_a_notebook(tmp_path: Path) -> None:
    """An event loop runs in the main thread, and the thread that calls `start` ends at once."""
    before = facts_of_this_process()

    async def cell() -> None:
        supervisor = with_test_children(tmp_path)
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        turning = asyncio.create_task(turn())
        starting = threading.Thread(target=supervisor.start)
        starting.start()
        while starting.is_alive():  # noqa: ASYNC110 - as a notebook's user would look
            await asyncio.sleep(0.01)
        await asyncio.to_thread(supervisor.wait_ready, LIMIT_S)
        await asyncio.sleep(0.5)  # its thread is long gone
        assert supervisor.phase == "up"
        report = supervisor.stop()  # as a cell would: blocks the loop for as long as it takes
        assert report.clean, report
        assert turns > 20
        turning.cancel()

    asyncio.run(cell())
    after = facts_of_this_process()
    assert {**after, "threads": len(after["threads"])} == {**before, "threads": len(before["threads"])}


def test_stopped_from_a_handler(tmp_path: Path) -> None:
    with with_test_children(tmp_path) as supervisor:
        supervisor.wait_ready(LIMIT_S)
        reports: list[Any] = []
        supervisor.event_engine.register("enough", lambda _: reports.append(supervisor.stop(cause="enough")))
        supervisor.event_engine.put(Event("enough"))
        wait_until(lambda: supervisor.phase == "stopped", LIMIT_S, "the end")
        assert not reports[0].finished
        report = supervisor.stop()
    assert (report.clean, report.cause) == (True, "enough")


def test_a_handler_that_does_not_return_is_reported(tmp_path: Path) -> None:
    release = threading.Event()
    supervisor = with_test_children(tmp_path).start()
    supervisor.wait_ready(LIMIT_S)
    supervisor.event_engine.register("stuck", lambda _: release.wait(60))
    supervisor.event_engine.put(Event("stuck"))
    begun = time.monotonic()
    report = supervisor.stop(2.0)
    assert time.monotonic() - begun < LIMIT_S
    release.set()
    assert not report.clean
    assert any("did not return" in text for text in report.left)


def test_an_engine_that_is_stopped_ends_everything_also_after_its_watch_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run, failures = DispatchWatch.run, [RuntimeError("planted")]

    async def fail_first(watch: DispatchWatch) -> None:
        if failures:
            raise failures.pop()
        await run(watch)

    monkeypatch.setattr(DispatchWatch, "run", fail_first)
    with with_test_children(tmp_path) as supervisor:
        supervisor.wait_ready(LIMIT_S)
        wait_until(lambda: "watch_failed watch=slow-handler-watch" in caplog.text, LIMIT_S, "the failure to be logged")
        assert "planted" in caplog.text
        supervisor.event_engine.stop()
        wait_until(lambda: supervisor.phase == "stopped", LIMIT_S, "the end")
        assert supervisor.stop().cause == "the EventEngine was stopped"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"connections": [{"name": "x"}]}, "exchange: is missing"),
        ({"connections": [], "oops": 1}, "oops: is not a known key"),
        ("/nonexistent/foxtrot.toml", "cannot be read"),
    ],
)
def test_all_mistakes_in_the_configuration_are_listed_at_once(document: Any, expected: str) -> None:
    with pytest.raises(ConfigInvalid, match=expected):
        Supervisor(document)


def test_a_handler_that_cannot_be_used_leaves_nothing(tmp_path: Path) -> None:
    document = {**config(), "engine": {"handlers": ["no_such_module:setup"]}}
    before = facts_of_this_process()
    with pytest.raises(HandlerProblem, match="no_such_module"):
        Supervisor(document, run_dir=tmp_path / "run").start()
    assert facts_of_this_process() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("program", "expected"), [("/nonexistent", "no Python interpreter"), ("/bin/false", "exit code 1")]
)
def test_a_supervisor_that_cannot_be_started_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, expected: str
) -> None:
    supervisor = with_test_children(tmp_path)
    before = facts_of_this_process()
    with monkeypatch.context() as patched:
        patched.setenv("FOXTROT_PYTHON", program)
        with pytest.raises(SupervisorFailed, match=expected):
            supervisor.start()
    assert supervisor.phase == "stopped"
    assert supervisor.stop().exit_code == 1
    assert facts_of_this_process() == before
    assert list(tmp_path.iterdir()) == []


def test_an_engine_part_that_cannot_be_opened_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = with_test_children(tmp_path)
    before = facts_of_this_process()

    async def refuse(_: EventTap) -> None:
        raise OSError("planted")

    with monkeypatch.context() as patched:
        patched.setattr(EventTap, "start", refuse)
        with pytest.raises(SupervisorFailed, match="planted"):
            supervisor.start()
    assert facts_of_this_process() == before
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_serve_is_named(tmp_path: Path) -> None:
    document = config(ready_s=60.0)
    document["connections"][0]["url"] = "ws://127.0.0.1:9"  # nobody listens
    with Supervisor(document, run_dir=tmp_path / "run") as supervisor:
        with pytest.raises(NotReady, match=r"one\.a is (STARTING|CONNECTING|BACKOFF)"):
            supervisor.wait_ready(1.0)
        assert supervisor.phase == "up"


def test_an_engine_that_is_not_ours_is_refused() -> None:
    with pytest.raises(TypeError, match="forward to its put"):
        Supervisor(config(), event_engine=object())  # type: ignore[arg-type]


def test_requests_before_the_start_are_refused(tmp_path: Path) -> None:
    supervisor = with_test_children(tmp_path)
    assert supervisor.phase == "new"
    for call in (supervisor.status, supervisor.stop, supervisor.wait_ready, supervisor.restart):
        with pytest.raises(SupervisorFailed, match="not been started"):
            call()


# ---- the supervisor dies


def test_a_supervisor_that_dies_is_reported_and_restarted(tmp_path: Path) -> None:
    phases: list[str] = []
    states: list[tuple[str, str, int]] = []
    with with_test_children(tmp_path, on_phase=lambda phase, _: phases.append(phase)) as supervisor:
        supervisor.event_engine.register(
            EVENT_WORKER, lambda event: states.append((event.data.worker, event.data.state, event.data.incarnation))
        )
        status = supervisor.wait_ready(LIMIT_S)
        supervisor.subscribe("one", ["ETHUSDT"])
        os.kill(status["supervisor"]["pid"], signal.SIGKILL)
        wait_until(lambda: "down" in phases, LIMIT_S, "its death to be told")
        again = supervisor.wait_ready(LIMIT_S)
        assert again["supervisor"]["pid"] != status["supervisor"]["pid"]
        assert again["supervisor"]["restarts_total"] == supervisor.restarts_total == 1
        assert again["workers"][0]["incarnation"] == 1001  # none of an earlier supervisor is met twice
        assert not is_alive(status["workers"][0]["pid"])
        supervisor.restart()  # in order this time
        assert supervisor.wait_ready(LIMIT_S)["workers"][0]["incarnation"] == 2001
        report = supervisor.stop()
    assert ("one.a", "EXITED", 1) in states
    assert ("supervisor", "EXITED", 1) in states
    assert phases == ["up", "down", "starting", "up", "stopping", "starting", "up", "stopping", "stopped"]
    assert (report.clean, report.restarts_total) == (True, 2)


def test_a_removed_run_directory_is_made_again_for_both(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with with_test_children(tmp_path) as supervisor:
        status = supervisor.wait_ready(LIMIT_S)
        shutil.rmtree(path, ignore_errors=True)  # it may be made again meanwhile
        wait_until(lambda: all((path / name).exists() for name in _SOCKETS), LIMIT_S, "everything to be made again")
        with pytest.raises(AlreadyRunning):
            RunDir.acquire(str(path))
        assert supervisor.wait_ready(LIMIT_S)["supervisor"]["pid"] == status["supervisor"]["pid"]
        os.kill(status["supervisor"]["pid"], signal.SIGKILL)
        wait_until(lambda: supervisor.restarts_total == 1, LIMIT_S, "another supervisor")
        assert supervisor.wait_ready(LIMIT_S)["supervisor"]["pid"] != status["supervisor"]["pid"]
        report = supervisor.stop()
    assert report.clean, report
    assert not path.exists()


_SOCKETS = ("lock", "operator.sock", "control.ipc", "data.ipc", "events.sock")


def test_a_supervisor_that_hangs_is_killed_and_after_too_many_deaths_not_restarted(tmp_path: Path) -> None:
    document = config(restart_intensity=0, hung_s=1.0)
    with Supervisor(document, run_dir=tmp_path / "run", targets=TEST_TARGETS) as supervisor:
        os.kill(supervisor.wait_ready(LIMIT_S)["supervisor"]["pid"], signal.SIGSTOP)
        wait_until(lambda: supervisor.phase == "failed", LIMIT_S, "it to be given up")
        for ask in (supervisor.wait_ready, supervisor.status):
            with pytest.raises((NotReady, RequestFailed), match="SIGKILL: no sign of life for 1 s"):
                ask()
        supervisor.restart()  # until it is wanted again
        pid = supervisor.wait_ready(LIMIT_S)["supervisor"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        report = supervisor.stop(1.0)  # and at the end nobody waits for it
    assert (report.exit_code, report.clean, report.audit) == (1, False, {})
    assert not is_alive(pid)
    assert list(tmp_path.iterdir()) == []


def test_stopped_by_an_operator(tmp_path: Path) -> None:
    with with_test_children(tmp_path) as supervisor:
        supervisor.wait_ready(LIMIT_S)
        code = "import sys; from foxtrot_supervisor.cli.main import main; sys.argv[0] = 'f'; main()"
        command = [sys.executable, "-c", code, "stop", "--run-dir", supervisor.run_dir]
        assert subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False).returncode == 0
        wait_until(lambda: supervisor.phase == "stopped", LIMIT_S, "the end")
        report = supervisor.stop()
    assert (report.clean, report.cause) == (True, "the supervisor was stopped")


# ---- the application dies

_SERVE = """
supervisor = Supervisor(config(), run_dir=RUN, targets=TEST_TARGETS)
supervisor.start()
status = supervisor.wait_ready(30)
"""


def test_a_killed_applications_processes_are_gone_within_a_second(tmp_path: Path) -> None:
    with Application(tmp_path, _SERVE + "tell(pid=status['workers'][0]['pid'])\ntime.sleep(60)") as application:
        assert is_alive(application.heard()["pid"])
        application.process.kill()
        application.wait_gone(1.0)


def test_both_killed_and_the_directory_is_taken_over(tmp_path: Path) -> None:
    with Application(tmp_path, _SERVE + "tell(pid=status['supervisor']['pid'])\ntime.sleep(60)") as application:
        pid = application.heard()["pid"]
        os.kill(pid, signal.SIGSTOP)  # it cannot clean up
        application.process.kill()
        application.process.wait(LIMIT_S)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), LIMIT_S, "the supervisor's death")
        assert application.run_dir.exists()
        with with_test_children(tmp_path) as supervisor:
            supervisor.wait_ready(LIMIT_S)
        application.wait_gone(1.0)


_SLOW = pytest.mark.skipif(os.environ.get("FOXTROT_SLOW") != "yes", reason='slow; FOXTROT_SLOW is not "yes"')

_ENDS = {
    "the-end-of-the-script": "pass",
    "exec": "os.execv('/bin/sleep', ['sleep', '30'])",
    "killed-with-a-forked-copy-that-lives-on": (
        "os.fork() or (os.close(1), time.sleep(20), os._exit(0)); os.kill(os.getpid(), signal.SIGKILL)"
    ),
}
_MORE_ENDS = {
    "exit": "sys.exit(3)",
    "exception": "raise RuntimeError('mine')",
    "without-cleaning-up": "os._exit(3)",
    "terminated": "os.kill(os.getpid(), signal.SIGTERM)",
    "no-reference-left": "del supervisor",
}


@pytest.mark.cases(played=1)
@pytest.mark.parametrize(
    "end",
    [
        *(pytest.param(code, id=name) for name, code in _ENDS.items()),
        *(pytest.param(code, id=name, marks=_SLOW) for name, code in _MORE_ENDS.items()),
    ],
)
def test_an_application_that_ends_without_a_stop_leaves_nothing(tmp_path: Path, end: str) -> None:
    with Application(tmp_path, _SERVE + "tell(ready=True)\n" + end) as application:
        assert application.heard() == {"ready": True}
        if "exec" in end:
            application.wait_gone(3.0)
            return
        application.process.wait(LIMIT_S)
        application.wait_gone(1.0)


def test_a_forked_copy_ends_without_touching_the_run(tmp_path: Path) -> None:
    script = """
pid = os.fork()
if not pid:
    sys.exit(0)
code = os.waitpid(pid, 0)[1]
tell(code=code, state=supervisor.status()["supervisor"]["state"])
tell(clean=supervisor.stop().clean)
"""
    with Application(tmp_path, _SERVE + script) as application:
        assert application.heard() == {"code": 0, "state": "running"}
        assert application.heard() == {"clean": True}
        assert application.process.wait(LIMIT_S) == 0
        assert application.errors() == ""


def test_a_supervisor_ends_at_once_if_its_parent_has_changed(tmp_path: Path) -> None:
    """Its parent died before the check: then another process is its parent."""
    run_dir = RunDir.acquire(str(tmp_path / "run"))
    code = """
import os, sys
from foxtrot_supervisor.embedding.child_main import main
sys.path.insert(0, ".")
main(sys.argv[1])
"""
    from foxtrot_supervisor.embedding.child import write_order
    from foxtrot_supervisor.embedding.supervisor import read_config
    from foxtrot_supervisor.embedding.wire import StartOrder

    news, news_end = os.pipe()
    order = StartOrder(
        sys_path=[],
        config=read_config(config()),
        run_id=run_dir.run_id,
        application_pid=1,  # lives, and is not its parent
        directory=run_dir.directory,
        lock=run_dir.lock,
        news=news_end,
        log_level="info",
    )
    write_order(run_dir.path, order)
    assert (tmp_path / "run" / "application.json").stat().st_mode & 0o777 == 0o600
    fds = (run_dir.directory, run_dir.lock, news_end)
    done = subprocess.run([sys.executable, "-c", code, run_dir.path], pass_fds=fds, timeout=LIMIT_S, check=False)
    assert done.returncode == 14
    assert list(tmp_path.iterdir()) == []
    run_dir.leave()
    os.close(news)
    os.close(news_end)
