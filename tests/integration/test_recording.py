"""Recording of a real run: the feed does not depend on it, nothing is twice, and nobody else loads what it needs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_workers.replay.recording import read_recording
from foxtrot_workers.replay.series import recording_series
from tests.support.command_line import Run, run_program
from tests.support.waiting import wait_until

CONFIGURATION = """
[supervisor]
run_dir = "RUN_DIR"
[recorder]
directory = "recordings"
ring_mib = 1
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade", "quote"]
symbols = ["BTCUSDT"]
redundancy = 2
record = "raw"
"""

BACKOFF = "backoff_s = 0.0\nbackoff_jitter = 0.0\n"


def recorder_of(run: Run) -> dict[str, Any]:
    status = run.status()
    return next((each for each in (status or {"services": []})["services"] if each["name"] == "recorder"), {})


def is_running(run: Run, incarnation: int) -> bool:
    recorder = recorder_of(run)
    return recorder.get("state") == "RUNNING" and recorder["incarnation"] == incarnation


def has_stepped_back(pid: int) -> bool:
    """Whether all threads of a process, and the group of its session where the kernel has groups, are at the end."""
    threads = {os.getpriority(os.PRIO_PROCESS, int(each)) for each in os.listdir(f"/proc/{pid}/task")}
    group = Path(f"/proc/{pid}/autogroup")
    return threads == {19} and (not group.exists() or group.read_text().split()[-1] == "19")


def frames_of(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    """Frames from the exchange, by session."""
    for series in recording_series(folder):
        frames: list[bytes] = []
        for path in series.paths:
            frames += [frame.payload for frame in read_recording(path) if frame.direction == "in"]
        yield series.worker, frames


def test_a_killed_recorder_goes_on_and_the_twins_are_both_recorded(tmp_path: Path) -> None:
    with closing(Run(tmp_path, CONFIGURATION.replace("[recorder]", f"{BACKOFF}[recorder]"))) as run:
        run.running()
        recorder = wait_until(lambda: is_running(run, 1) and recorder_of(run), 30, "the recorder")
        wait_until(lambda: has_stepped_back(recorder["pid"]), 30, "its low priority")
        others = [each for each in run.descendants() if each.pid != recorder["pid"]]
        loaded = {process.pid: Path(f"/proc/{process.pid}/maps").read_text() for process in others}
        os.kill(recorder["pid"], signal.SIGKILL)
        wait_until(lambda: is_running(run, 2), 30, "the next one")
        assert run.stop() == SupervisorExit.CLEAN
    assert not [pid for pid, maps in loaded.items() if "zstandard" in maps], "only the recorder needs it"
    found = dict(frames_of(tmp_path / "recordings"))
    assert sorted(found) == ["one.a", "one.b"]
    for frames in found.values():
        numbered = [frame for frame in frames if b'"e":"trade"' in frame or b'"u":' in frame]
        assert numbered
        assert len(set(numbered)) == len(numbered), "nothing twice"
    assert not (tmp_path / "run" / "frames").exists()
    replayed = run_program("replay", str(tmp_path / "recordings"))
    assert replayed.returncode == 0, replayed.stderr
    lines = [msgspec.json.decode(line) for line in replayed.stdout.splitlines()]
    assert {line["kind"] for line in lines} == {"trade", "quote"}


@pytest.mark.variant
def test_a_write_that_fails_stops_only_the_recording(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir(mode=0o700)
    (folder / "one").write_text("a file where the folder of the connection should be")
    with closing(Run(tmp_path, CONFIGURATION)) as run:
        run.running()
        problem = wait_until(lambda: recorder_of(run).get("problem"), 30, "the problem")
        assert str(folder) in problem
        status = run.status()
        assert status is not None
        assert all(worker["state"] == "RUNNING" for worker in status["workers"])
        (folder / "one").unlink()
        wait_until(lambda: not recorder_of(run)["problem"], 30, "to go on")
        assert run.stop() == SupervisorExit.CLEAN
    assert sorted(worker for worker, _ in frames_of(folder)) == ["one.a", "one.b"]
