"""A real supervisor over real processes: what it starts, sees, replaces, stops, and leaves behind (nothing)."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from foxtrot_protocol.control import (
    ReloadRequest,
    RestartRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_supervisor.config.schema import EngineConfig, FoxtrotConfig
from tests.support import supervisor_process
from tests.support.supervisor_process import SupervisorProcess, connection, quick
from tests.support.waiting import wait_until

WITH_BOTH = {
    "test_starts_in_order_serves_and_stops_cleanly",
    "test_killed_worker_is_noticed_at_once_and_replaced",
    "test_each_rung_of_the_stop_ladder",
    "test_a_stopped_worker_goes_down_at_its_rung",
    "test_hung_worker_is_shown_with_its_stacks_and_replaced",
    "test_crash_loop_ends_fatal_and_others_live_on",
    "test_restart_request",
    "test_killed_supervisor_leaves_no_process_and_the_next_start_works",
    "test_daemonized_grandchild_is_swept_while_running",
    "test_grandchild_in_the_session_dies_with_its_worker",
    "test_descriptors_and_files_stay_bounded_over_restarts",
    "test_suspended_tree_loses_nobody_on_resume",
}
"""Tests in which it matters how a worker was made: they run with spawn and with the nursery."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.function.__name__ in WITH_BOTH:
        spawn = pytest.param("spawn", marks=pytest.mark.variant)
        metafunc.parametrize("start_method", [spawn, "nursery"], indirect=True)


@pytest.fixture(autouse=True)
def start_method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    method = getattr(request, "param", "spawn")
    monkeypatch.setattr(supervisor_process, "START_METHOD", method)
    return str(method)


def assert_nothing_left(supervisor: SupervisorProcess, descendants: list[psutil.Process]) -> None:
    assert not supervisor.run_dir.exists()
    assert [process for process in descendants if alive(process)] == []


def alive(process: psutil.Process) -> bool:
    """Not dead: a zombie waits for its new parent, which is not this process once the supervisor was killed."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def guard_of(supervisor: SupervisorProcess) -> psutil.Process:
    [guard] = [process for process in supervisor.descendants() if process.name() == "fx:guard"]
    return guard


def rungs(answer: dict[str, Any]) -> dict[str, str | None]:
    return {child["name"]: child["rung"] for child in answer["children"]}


def test_starts_in_order_serves_and_stops_cleanly(tmp_path: Path, start_method: str) -> None:
    config = FoxtrotConfig(
        supervisor=quick(),
        connections=[
            connection("one", redundancy=2),
            connection("two", exchange="sim", url=None),
        ],
    )
    with SupervisorProcess(tmp_path, config=config) as supervisor:
        status = supervisor.wait_running()
        assert {child["name"]: child["state"] for child in status["workers"]} == {
            "one.a": "RUNNING",
            "one.b": "RUNNING",
            "two.a": "RUNNING",
        }
        assert status["engine"]["state"] == status["simulators"][0]["state"] == "RUNNING"
        assert status["supervisor"]["pid"] == supervisor.pid
        assert status["supervisor"]["run_dir"] == str(supervisor.run_dir)
        starts = [line["worker"] for line in supervisor.events("worker_state", state="STARTING")]
        before = ["simulator", "engine"] + (["nursery"] if start_method == "nursery" else [])
        assert starts[: len(before)] == before
        assert sorted(starts[len(before) :]) == ["one.a", "one.b", "two.a"]
        processes = supervisor.descendants()
        assert len(processes) == len(before) + 3 + 1  # the guard, and no other helper process of any kind
        assert guard_of(supervisor) in processes
        assert len({os.getsid(process.pid) for process in processes}) == len(processes)
        wait_until(lambda: supervisor.child("one.a").get("frames_total") == 10, what="a heartbeat")
        answer = supervisor.stop()
        assert answer["exit_code"] == 0
        assert answer["audit"]["clean"] is True
        assert set(rungs(answer).values()) == {"ask"}
        stops = [line["worker"] for line in supervisor.events("worker_state", state="STOPPED")]
        assert [name for name in stops if name != "nursery"][-2:] == ["engine", "simulator"]
        assert stops[-1] == "simulator"
        assert_nothing_left(supervisor, processes)


def test_interrupt_ends_healthy_children_within_two_seconds(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        processes = supervisor.descendants()
        started = time.monotonic()
        supervisor.interrupt()
        assert supervisor.wait() == 0
        assert time.monotonic() - started < 2.0
        assert_nothing_left(supervisor, processes)


def test_interrupt_while_starting_is_clean_too(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "slow_start", engine="slow_start") as supervisor:
        wait_until(lambda: supervisor.log_path.read_text(), what="its first line")
        supervisor.interrupt()
        assert supervisor.wait(5) in (0, 4)
        assert_nothing_left(supervisor, [])


def test_duration(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, duration_s=1.0) as supervisor:
        assert supervisor.wait() == 0
        assert_nothing_left(supervisor, [])


def test_killed_worker_is_noticed_at_once_and_replaced(tmp_path: Path) -> None:
    config = FoxtrotConfig(supervisor=quick(), connections=[connection("one"), connection("two")])
    with SupervisorProcess(tmp_path, config=config) as supervisor:
        supervisor.wait_running()
        before, other = supervisor.child("one.a"), supervisor.child("two.a")
        killed_at = time.time()
        os.kill(before["pid"], signal.SIGKILL)
        after = supervisor.wait_state("one.a", "RUNNING", incarnation=2)
        assert after["pid"] != before["pid"]
        assert after["restarts_total"] == 1
        assert (after["last_exit"]["signal"], after["last_exit"]["code"], after["last_exit"]["rung"]) == (9, None, None)
        noticed = supervisor.events("worker_state", worker="one.a", state="BACKOFF")[0]["timestamp"]
        assert datetime.datetime.fromisoformat(noticed).timestamp() - killed_at < 0.1
        assert after["frames_total"] >= 10  # totals do not fall back to zero
        assert supervisor.child("two.a")["pid"] == other["pid"]
        assert supervisor.stop()["exit_code"] == 0


@pytest.mark.parametrize("name", ["engine", "simulator"])
def test_killed_engine_or_simulator_is_replaced_and_workers_live_on(tmp_path: Path, name: str) -> None:
    config = FoxtrotConfig(supervisor=quick(), connections=[connection("one", exchange="sim", url=None)])
    with SupervisorProcess(tmp_path, config=config) as supervisor:
        supervisor.wait_running()
        worker = supervisor.child("one.a")
        os.kill(supervisor.child(name)["pid"], signal.SIGKILL)
        supervisor.wait_state(name, "RUNNING", incarnation=2)
        assert supervisor.child("one.a")["pid"] == worker["pid"]
        assert supervisor.stop()["exit_code"] == 0


LADDER = [
    # behaviour, rung, seconds after the request at which it is due, exit code of the supervisor
    ("steady", "ask", 0.0, 0),
    ("deaf_to_stop", "term", 1.0, 0),
    ("deaf", "kill", 2.0, 4),
    ("blocked", "kill", 2.0, 4),
]


@pytest.mark.parametrize(("behaviour", "rung", "due_s", "exit_code"), LADDER)
def test_each_rung_of_the_stop_ladder(tmp_path: Path, behaviour: str, rung: str, due_s: float, exit_code: int) -> None:
    config = FoxtrotConfig(supervisor=quick(hung_s=60.0, late_s=30.0), connections=[connection("one")])
    with SupervisorProcess(tmp_path, behaviour, config=config) as supervisor:
        supervisor.wait_running()
        worker = psutil.Process(supervisor.child("one.a")["pid"])
        processes = supervisor.descendants()
        started = time.monotonic()
        supervisor.process.send_signal(signal.SIGTERM)
        worker.wait(10)
        taken_s = time.monotonic() - started
        assert due_s <= taken_s < due_s + 0.25
        assert supervisor.wait() == exit_code
        assert supervisor.events("stopped")[0]["exit_code"] == exit_code
        assert supervisor.events("stopped")[0]["rungs"]["one.a"] == rung
        assert_nothing_left(supervisor, processes)
        if rung == "kill":
            stacks = supervisor.events("stacks", worker="one.a")[0]["stacks"]
            assert "thread" in stacks
            assert behaviour != "blocked" or "_block_here" in stacks


def test_a_stopped_worker_goes_down_at_its_rung(tmp_path: Path) -> None:
    """SIGSTOP: it cannot obey the request; SIGTERM comes with SIGCONT, and the default action ends it."""
    config = FoxtrotConfig(supervisor=quick(hung_s=60.0, late_s=30.0), connections=[connection("one")])
    with SupervisorProcess(tmp_path, "deaf_to_stop", config=config) as supervisor:
        supervisor.wait_running()
        worker = psutil.Process(supervisor.child("one.a")["pid"])
        worker.suspend()
        started = time.monotonic()
        supervisor.process.send_signal(signal.SIGTERM)
        worker.wait(10)
        assert 1.0 <= time.monotonic() - started < 1.25
        assert supervisor.wait() == 0
        assert supervisor.events("stopped")[0]["rungs"]["one.a"] == "term"


def test_stop_request_tells_the_rung_and_the_audit(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "deaf", config=None) as supervisor:
        supervisor.wait_running()
        answer = supervisor.stop()
        assert rungs(answer) == {"engine": "ask", "one.a": "kill"}
        assert answer["exit_code"] == 4
        assert answer["audit"] == {
            "clean": True,
            "children": [],
            "threads": [],
            "tasks": [],
            "descriptors": [],
            "files": [],
            "garbage": 0,
            "unhandled": [],
        }
        killed = next(child for child in answer["children"] if child["name"] == "one.a")
        assert killed["signal"] == signal.SIGKILL


def test_rung_of_a_replacement_stands_in_the_reply_the_log_and_the_status(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "deaf") as supervisor:
        supervisor.wait_running()
        reply = supervisor.ask(RestartRequest("one.a"))
        assert (reply.error, reply.data["rung"]) == ("", "kill")
        last_exit = supervisor.child("one.a")["last_exit"]
        assert (last_exit["rung"], last_exit["signal"], last_exit["code"]) == ("kill", 9, None)
        told = supervisor.events("worker_state", worker="one.a", incarnation=1)
        assert [line["rung"] for line in told if "rung" in line] == ["ask", "term", "kill", "kill"]


def test_second_signal_jumps_to_sigkill(tmp_path: Path) -> None:
    config = FoxtrotConfig(supervisor=quick(stop_ask_s=20.0, stop_term_s=20.0), connections=[connection("one")])
    with SupervisorProcess(tmp_path, "deaf", config=config) as supervisor:
        supervisor.wait_running()
        supervisor.interrupt()
        wait_until(lambda: supervisor.child("one.a").get("rung") == "ask", what="the first rung")
        started = time.monotonic()
        supervisor.interrupt()
        assert supervisor.wait(5) == 4
        assert time.monotonic() - started < 1.0


def _nothing(supervisor: SupervisorProcess) -> None:
    """Only the start."""


def _engine_hangs(supervisor: SupervisorProcess) -> None:
    psutil.Process(supervisor.wait_state("engine", "RUNNING")["pid"]).suspend()


def _reload_begins(supervisor: SupervisorProcess) -> None:
    """The engine ignores its request to end, so that the reload does not come to its end."""
    supervisor.wait_running()
    config = FoxtrotConfig(
        supervisor=quick(stop_ask_s=60.0, stop_term_s=60.0, hung_s=60.0), engine=EngineConfig(queue_limit=7)
    )
    supervisor.configure(msgspec.to_builtins(config))
    supervisor.process.send_signal(signal.SIGHUP)
    supervisor.wait_state("engine", "STOPPING")


@pytest.mark.cases(played=2)
@pytest.mark.parametrize(
    ("engine", "worker", "prepare"),
    [
        ("never_hello", "steady", _nothing),
        ("steady", "never_hello", _engine_hangs),
        ("steady", "exits_one", _engine_hangs),  # in BACKOFF, or given up
        ("deaf", "deaf", _reload_begins),
    ],
)
def test_told_to_stop_twice_it_stops_whatever_it_does(
    tmp_path: Path, engine: str, worker: str, prepare: Callable[[SupervisorProcess], None]
) -> None:
    """No ladder, no deadline of a start and no reload holds the end up: each of them would take a minute here."""
    limits = quick(stop_ask_s=60.0, stop_term_s=60.0, hello_s=60.0, ready_s=60.0, hung_s=60.0, shutdown_s=300.0)
    config = FoxtrotConfig(supervisor=limits, connections=[connection("one")])
    with SupervisorProcess(tmp_path, worker, engine=engine, config=config, reloads=True) as supervisor:
        supervisor.wait_state("engine", "STARTING" if engine == "never_hello" else "RUNNING")
        prepare(supervisor)
        processes = supervisor.descendants()
        supervisor.process.send_signal(signal.SIGTERM)
        wait_until(lambda: supervisor.events("signal_received", signal="SIGTERM"), what="the first request")
        supervisor.process.send_signal(signal.SIGTERM)
        assert supervisor.wait(20) == 4
        assert_nothing_left(supervisor, processes)


def test_hung_worker_is_shown_with_its_stacks_and_replaced(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "blocked") as supervisor:
        supervisor.wait_running()
        wait_until(lambda: supervisor.child("one.a").get("incarnation", 0) > 1, limit_s=8, what="its replacement")
        assert "_block_here" in supervisor.events("stacks", worker="one.a")[0]["stacks"]
        assert "_block_here" in supervisor.child("one.a")["stacks"]
        assert "no heartbeat" in supervisor.child("one.a")["last_exit"]["cause"]


def test_suspended_worker_is_shown_with_its_stacks_and_replaced(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        psutil.Process(supervisor.child("one.a")["pid"]).suspend()
        supervisor.wait_state("one.a", "RUNNING", incarnation=2)
        assert "thread" in supervisor.events("stacks", worker="one.a")[0]["stacks"]
        assert supervisor.stop()["exit_code"] == 0


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        ("exits_one", "exit code 1"),
        ("dies_before_hello", "SIGSEGV"),
    ],
)
def test_crash_loop_ends_fatal_and_others_live_on(tmp_path: Path, behaviour: str, cause: str) -> None:
    config = FoxtrotConfig(supervisor=quick(restart_intensity=2), connections=[connection("one")])
    with SupervisorProcess(tmp_path, behaviour, config=config) as supervisor:
        worker = supervisor.wait_state("one.a", "FATAL", limit_s=15)
        assert cause in worker["cause"]
        assert worker["restarts_total"] == 2
        assert supervisor.child("engine")["state"] == "RUNNING"
        assert supervisor.status()["supervisor"]["state"] == "degraded"
        revived = supervisor.ask(RestartRequest("one.a"))
        if behaviour == "dies_before_hello":
            assert cause in revived.error  # it crashes again, and that is what the operator is told
        assert supervisor.child("one.a")["incarnation"] >= 4
        assert supervisor.stop()["exit_code"] in (0, 5)


def test_a_fatal_worker_is_shown_others_stream_on_and_a_restart_revives_it(tmp_path: Path) -> None:
    config = FoxtrotConfig(
        supervisor=quick(restart_intensity=2), connections=[connection("one"), connection("two"), connection("three")]
    )
    with SupervisorProcess(tmp_path, "crashes_three_times", config=config) as supervisor:
        supervisor.wait_state("one.a", "FATAL", limit_s=20)
        others = {name: supervisor.wait_state(name, "RUNNING") for name in ("two.a", "three.a", "engine")}
        assert supervisor.status()["supervisor"]["state"] == "degraded"
        assert supervisor.ask(RestartRequest("one.a")).data["incarnation"] == 4
        assert supervisor.wait_state("one.a", "RUNNING")["incarnation"] == 4
        assert supervisor.wait_running()
        for name, before in others.items():
            assert supervisor.child(name)["pid"] == before["pid"]
        assert supervisor.stop()["exit_code"] == 0


def test_a_fatal_worker_stands_in_the_exit_code(tmp_path: Path) -> None:
    config = FoxtrotConfig(supervisor=quick(restart_intensity=1), connections=[connection("one"), connection("two")])
    with SupervisorProcess(tmp_path, "crashes_three_times", config=config) as supervisor:
        supervisor.wait_state("one.a", "FATAL", limit_s=20)
        supervisor.wait_state("two.a", "RUNNING")
        assert supervisor.stop()["exit_code"] == 5
        assert supervisor.wait() == 5


def test_clean_exits_are_restarted_without_end(tmp_path: Path) -> None:
    config = FoxtrotConfig(supervisor=quick(restart_intensity=1), connections=[connection("one")])
    with SupervisorProcess(tmp_path, "exits_zero", config=config) as supervisor:
        wait_until(lambda: supervisor.child("one.a").get("restarts_total", 0) >= 3, limit_s=15, what="restarts")
        assert supervisor.stop()["exit_code"] == 0


def test_mistake_that_no_restart_mends_is_fatal_at_once(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "misconfigured") as supervisor:
        worker = supervisor.wait_state("one.a", "FATAL")
        assert "no such handler" in worker["cause"]
        assert worker["restarts_total"] == 0
        assert supervisor.stop()["exit_code"] == 5


def test_engine_that_cannot_start_ends_the_start(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, engine="misconfigured") as supervisor:
        assert supervisor.wait() == 3
        assert_nothing_left(supervisor, [])


def test_refused_by_the_exchange_is_tried_again_and_never_fatal(tmp_path: Path) -> None:
    config = FoxtrotConfig(supervisor=quick(restart_intensity=1), connections=[connection("one")])
    with SupervisorProcess(tmp_path, "refused", config=config) as supervisor:
        wait_until(lambda: supervisor.child("one.a").get("restarts_total", 0) >= 3, limit_s=15, what="restarts")
        assert "HTTP 429" in supervisor.child("one.a")["last_exit"]["cause"]
        assert supervisor.stop()["exit_code"] == 0


def test_no_hello_in_time(tmp_path: Path) -> None:
    # the engine, which is to say it in time, has to be spawned meanwhile
    config = FoxtrotConfig(supervisor=quick(hello_s=3.0), connections=[connection("one")])
    with SupervisorProcess(tmp_path, "never_hello", config=config) as supervisor:
        wait_until(lambda: supervisor.child("one.a").get("incarnation", 0) > 1, limit_s=20, what="its replacement")
        assert "no HELLO within 3 s" in supervisor.child("one.a")["last_exit"]["cause"]


def test_restart_request(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        before = supervisor.child("one.a")["pid"]
        reply = supervisor.ask(RestartRequest("one.a"))
        assert reply.error == ""
        assert reply.data["rung"] == "ask"
        assert reply.data["incarnation"] == 2
        assert reply.data["pid"] != before
        assert supervisor.child("one.a")["pid"] == reply.data["pid"]
        assert supervisor.ask(RestartRequest("engine")).data["incarnation"] == 2
        assert supervisor.ask(RestartRequest("one")).data["incarnation"] == 3  # a connection with one worker
        assert "nobody" in supervisor.ask(RestartRequest("nobody")).error
        assert "without a configuration file" in supervisor.ask(ReloadRequest()).error


def test_a_single_worker_is_stopped_and_restarted(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        assert "engine is no worker" in supervisor.ask(StopWorkersRequest(["engine"])).error
        reply = supervisor.ask(StopWorkersRequest(["one"]))
        assert [(each["worker"], each["state"], each["rung"]) for each in reply.data["workers"]] == [
            ("one.a", "STOPPED", "ask")
        ]
        status = supervisor.wait_running()
        assert status["workers"][0]["stopped_by_operator"] is True
        assert status["workers"][0]["pid"] is None
        assert supervisor.ask(RestartRequest("one.a")).data["incarnation"] == 2
        assert supervisor.ask(StopWorkersRequest(["one.a"])).error == ""
        assert supervisor.stop()["exit_code"] == 0


def test_subscriptions_while_running(tmp_path: Path) -> None:
    config = FoxtrotConfig(supervisor=quick(), connections=[connection("one", redundancy=2)])
    with SupervisorProcess(tmp_path, config=config) as supervisor:
        supervisor.wait_running()
        both = supervisor.ask(SubscribeRequest("one", ["Y", "Z"]))
        assert (both.error, both.data["workers"]) == ("", ["one.a", "one.b"])
        assert "no such symbol" in supervisor.ask(SubscribeRequest("one.a", ["BAD"])).error
        assert supervisor.ask(UnsubscribeRequest("one.a", ["X"])).error == ""
        assert "nobody" in supervisor.ask(SubscribeRequest("nobody", ["Y"])).error
        assert "symbols are expected" in supervisor.ask(SubscribeRequest("one.a", [])).error


def test_second_start_on_the_same_directory_names_the_first(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as first:
        first.wait_running()
        with SupervisorProcess(tmp_path) as second:
            assert second.wait() == 75
            assert str(first.pid) in second.log_path.read_text()
        assert first.stop()["exit_code"] == 0


def test_killed_supervisor_leaves_no_process_and_the_next_start_works(tmp_path: Path, start_method: str) -> None:
    with SupervisorProcess(tmp_path) as first:
        first.wait_running()
        processes = first.descendants()
        assert len(processes) == (4 if start_method == "nursery" else 3)
        started = time.monotonic()
        first.process.kill()
        wait_until(lambda: not any(map(alive, processes)), limit_s=1.0, what="all to be gone")
        assert time.monotonic() - started < 1.0
        first.wait()
        assert first.run_dir.exists()
        with SupervisorProcess(tmp_path) as second:
            second.wait_running()
            assert second.events("recovered")[0]["pid"] == first.pid
            assert second.stop()["exit_code"] == 0
            assert_nothing_left(second, processes)


def test_supervisor_killed_while_children_start_leaves_none(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        processes: list[psutil.Process] = wait_until(supervisor.descendants, what="the first child")
        supervisor.process.kill()
        wait_until(lambda: not any(map(alive, processes)), limit_s=1.5, what="all to be gone")


def test_survivors_of_a_killed_supervisor_are_ended_by_its_guard(tmp_path: Path) -> None:
    """A daemonized grandchild knows no parent-death signal."""
    with SupervisorProcess(tmp_path, "with_daemon") as supervisor:
        supervisor.wait_running()
        survivor, guard = psutil.Process(supervisor.note("daemon-one.a-1")), guard_of(supervisor)
        supervisor.process.kill()
        wait_until(lambda: not alive(survivor) and not alive(guard), limit_s=2.0, what="the end of both")


def test_survivors_of_a_killed_supervisor_and_guard_are_ended_by_the_next(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "with_daemon") as first:
        first.wait_running()
        survivor, guard = psutil.Process(first.note("daemon-one.a-1")), guard_of(first)
        first.process.send_signal(signal.SIGSTOP)
        guard.kill()
        first.process.kill()
        first.wait()
        assert alive(survivor)
        with SupervisorProcess(tmp_path) as second:
            second.wait_running()
            assert not alive(survivor)
            assert second.events("recovered")[0]["ended"] == [survivor.pid]
            assert second.stop()["exit_code"] == 0


def test_a_guard_that_is_killed_is_reported_and_replaced(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        first = guard_of(supervisor)
        first.kill()
        wait_until(lambda: supervisor.events("guard_lost"), what="the loss")
        wait_until(lambda: supervisor.descendants() and not first.is_running(), what="its end")
        wait_until(lambda: any(each.name() == "fx:guard" for each in supervisor.descendants()), what="another")
        assert supervisor.stop()["audit"]["clean"] is True


def test_daemonized_grandchild_is_swept_while_running(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "with_daemon") as supervisor:
        supervisor.wait_running()
        stray = psutil.Process(supervisor.note("daemon-one.a-1"))
        wait_until(lambda: not alive(stray), limit_s=5, what="its end")
        wait_until(lambda: supervisor.status()["supervisor"]["strays_killed_total"] == 1, what="the count")
        assert supervisor.stop()["audit"]["clean"] is True


def test_grandchild_in_the_session_dies_with_its_worker(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "with_grandchild") as supervisor:
        supervisor.wait_running()
        grandchild = psutil.Process(supervisor.note("grandchild-one.a-1"))
        assert supervisor.stop()["audit"]["clean"] is True
        assert not alive(grandchild)


def test_descriptors_and_files_stay_bounded_over_restarts(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        process = psutil.Process(supervisor.pid)
        supervisor.ask(RestartRequest("one.a"))
        supervisor.status()
        descriptors, threads = process.num_fds(), process.num_threads()
        files = sorted(os.listdir(supervisor.run_dir))
        for _ in range(10):
            assert supervisor.ask(RestartRequest("one.a")).error == ""
        # the operator's own connection is closed a moment after its answer
        wait_until(lambda: process.num_fds() <= descriptors, what=f"{descriptors} descriptors")
        assert process.num_threads() == threads
        assert len(os.listdir(supervisor.run_dir)) == len(files)
        assert supervisor.stop()["exit_code"] == 0


def test_suspended_tree_loses_nobody_on_resume(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path) as supervisor:
        supervisor.wait_running()
        pids = [process.pid for process in supervisor.descendants()]
        supervisor.process.send_signal(signal.SIGSTOP)
        for process in supervisor.descendants():
            process.suspend()
        deadline = time.monotonic() + 3.0
        wait_until(lambda: time.monotonic() > deadline, limit_s=5, what="three times the limit for a hang")
        supervisor.process.send_signal(signal.SIGCONT)
        for process in supervisor.descendants():
            process.resume()
        beat = time.monotonic() + 2.0
        wait_until(lambda: time.monotonic() > beat, limit_s=5, what="time for a wrong decision")
        assert [process.pid for process in supervisor.descendants()] == pids
        assert supervisor.child("one.a")["incarnation"] == 1
        assert supervisor.stop()["exit_code"] == 0


def test_mistake_of_the_supervisor_itself_leaves_no_process(tmp_path: Path) -> None:
    """Whatever the core fails at: children are not left to themselves, and the exit code tells."""
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
    with SupervisorProcess(tmp_path, "deaf", prelude=sabotage) as supervisor:
        assert supervisor.wait() == 1
        assert "planted" in supervisor.events("internal_error")[0]["reason"]
        assert supervisor.events("stopped")[0]["audit"]["clean"] is True
        assert_nothing_left(supervisor, [])


def test_systemd_is_notified_when_and_only_when(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        told: list[str] = []

        def take(until: str, limit: int = 50) -> list[str]:
            for _ in range(limit):
                told.append(manager.recv(4096).decode())
                if told[-1].startswith(until):
                    return told
            raise AssertionError(f"{until} never came: {told}")

        config = FoxtrotConfig(supervisor=quick(hung_s=60.0, late_s=30.0), connections=[connection("one")])
        with SupervisorProcess(tmp_path, "deaf_to_stop", config=config, environ=environ) as supervisor:
            take("READY=1")
            assert "STATUS=running: 2 of 2 serve" in told[-1]
            assert not any("STOPPING" in text for text in told)
            assert any(text.startswith("STATUS=starting") for text in told)
            take("WATCHDOG=1")
            supervisor.process.send_signal(signal.SIGSTOP)  # a loop that does not turn is not alive
            manager.setblocking(False)
            silent_since = time.monotonic()
            wait_until(lambda: time.monotonic() - silent_since > 0.3, what="what was sent before")
            _drain(manager)
            wait_until(lambda: time.monotonic() - silent_since > 1.0, what="three watchdog times")
            with pytest.raises(BlockingIOError):
                manager.recv(4096)
            supervisor.process.send_signal(signal.SIGCONT)
            manager.settimeout(5)
            take("WATCHDOG=1")
            supervisor.process.send_signal(signal.SIGTERM)
            take("STOPPING=1")
            told.clear()
            take("EXTEND_TIMEOUT_USEC=")  # a child has ended: progress
            assert supervisor.wait() == 0


def _drain(manager: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            manager.recv(4096)
