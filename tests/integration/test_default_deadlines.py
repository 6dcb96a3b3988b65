"""Hangs and suspensions with the deadlines that users get: slow, so only where FOXTROT_SLOW is "yes".

    FOXTROT_SLOW=yes .venv/bin/python -m pytest -s tests/integration/test_default_deadlines.py

The same with short deadlines is tested always (test_supervision); these show that the promised seconds hold.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from foxtrot_supervisor.config.schema import FoxtrotConfig, StartMethod, SupervisorConfig
from tests.support.supervisor_process import SupervisorProcess, connection
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(os.environ.get("FOXTROT_SLOW") != "yes", reason='slow; FOXTROT_SLOW is not "yes"'),
    pytest.mark.timeout(200),
]

DETECTED_S_MAX = 12.0
SUSPENDED_S = 60.0


def config(start_method: StartMethod) -> FoxtrotConfig:
    return FoxtrotConfig(supervisor=SupervisorConfig(start_method=start_method), connections=[connection("one")])


@pytest.mark.parametrize("start_method", ["spawn", "nursery"])
@pytest.mark.parametrize("hang", ["blocked loop", "SIGSTOP"])
def test_a_hung_worker_is_gone_within_twelve_seconds(tmp_path: Path, hang: str, start_method: StartMethod) -> None:
    behaviour = "blocked" if hang == "blocked loop" else "steady"
    with SupervisorProcess(tmp_path, behaviour, config=config(start_method)) as supervisor:
        supervisor.wait_running()
        worker = psutil.Process(supervisor.child("one.a")["pid"])
        # a blocked one has been silent since it served, some moments ago
        hung_at = time.monotonic() - (supervisor.child("one.a")["ready_s"] if behaviour == "blocked" else 0.0)
        if behaviour == "steady":
            worker.suspend()
        wait_until(lambda: supervisor.child("one.a")["incarnation"] == 2, limit_s=20, what="its replacement")
        taken_s = time.monotonic() - hung_at
        assert not worker.is_running()
        print(f"{hang}, {start_method}: killed and replaced after {taken_s:.2f} s")
        assert 10.0 <= taken_s <= DETECTED_S_MAX
        child = supervisor.child("one.a")
        assert "thread" in child["stacks"]
        assert "_block_here" in child["stacks"] or behaviour == "steady"
        assert "no heartbeat for 10 s" in child["last_exit"]["cause"]


def test_a_deaf_worker_is_asked_thirty_seconds_and_killed_after_ten_more(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, "deaf", config=config("nursery")) as supervisor:
        supervisor.wait_running()
        worker = psutil.Process(supervisor.child("one.a")["pid"])
        started = time.monotonic()
        supervisor.process.send_signal(signal.SIGTERM)
        at = {}
        for rung, limit_s in (("ask", 5), ("term", 35), ("kill", 15)):
            wait_until(lambda: supervisor.child("one.a").get("rung") == rung, limit_s, rung)  # noqa: B023
            at[rung] = time.monotonic() - started
        worker.wait(5)
        print(f"rungs after {at}, gone after {time.monotonic() - started:.2f} s")
        assert 30.0 <= at["term"] < 30.25
        assert 40.0 <= at["kill"] < 40.25
        assert supervisor.wait(30) == 4


def test_a_minute_of_sleep_kills_nobody(tmp_path: Path) -> None:
    with SupervisorProcess(tmp_path, config=config("nursery")) as supervisor:
        supervisor.wait_running()
        processes = [psutil.Process(supervisor.pid), *supervisor.descendants()]
        for process in processes:
            process.suspend()
        slept_at = time.monotonic()
        wait_until(lambda: time.monotonic() - slept_at > SUSPENDED_S, limit_s=SUSPENDED_S + 5, what="a minute")
        for process in processes:
            process.resume()
        awake_at = time.monotonic()
        wait_until(lambda: time.monotonic() - awake_at > 15.0, limit_s=20, what="time for a wrong decision")
        assert [process.pid for process in supervisor.descendants()] == [process.pid for process in processes[1:]]
        assert {supervisor.child(name)["incarnation"] for name in ("one.a", "engine")} == {1}
        assert supervisor.status()["nursery"]["incarnation"] == 1
        print(f"{len(processes)} processes slept {SUSPENDED_S:g} s: none was replaced")
        assert supervisor.stop(60)["exit_code"] == 0
