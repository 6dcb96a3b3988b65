"""The run directory, or a part of it, is removed while a run is in it: real processes, a simulated exchange."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import Trade
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.command_line import Run, run_program
from tests.support.waiting import wait_until

CONFIG = """
[supervisor]
run_dir = "RUN_DIR"
stop_ask_s = 5.0

[[connections]]
name = "sim"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""

FILES = ("control.ipc", "data.ipc", "events.sock", "lock", "operator.sock")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    running = Run(tmp_path, CONFIG)
    try:
        yield running
    finally:
        running.close()


def events_of(run: Run, event: str) -> list[dict[str, Any]]:
    lines = [line for line in run.err.read_text().splitlines() if line.startswith("{")]
    return [line for line in map(json.loads, lines) if line["event"] == event]


def restored(run: Run) -> None:
    wait_until(lambda: all((run.run_dir / name).exists() for name in FILES), 10, "everything to be made again")


def applied(run: Run) -> int:
    status = run.status()
    return int(status["workers"][0]["applied_total"]) if status else 0


def test_everything_in_it_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        running = Run(tmp_path, CONFIG)
    finally:
        os.umask(before)
    try:
        running.running()
        modes = {entry.name: stat.S_IMODE(entry.lstat().st_mode) for entry in running.run_dir.iterdir()}
        assert {name for name in modes if name.startswith(("stacks-", "ring-"))}
        assert {name: oct(mode) for name, mode in modes.items() if mode != 0o600} == {}
        assert running.stop() == 0
    finally:
        running.close()


def holds_a_ring(pid: int) -> bool:
    """Whether a process has a ring open: the supervisor looks for new ones at an interval."""
    return any("/ring-" in os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())


def test_a_removed_directory_is_made_again_and_nothing_is_lost(run: Run, tmp_path: Path) -> None:
    before = run.running()
    wait_until(lambda: holds_a_ring(before["supervisor"]["pid"]), 10, "the supervisor to hold the ring")
    shutil.rmtree(run.run_dir, ignore_errors=True)  # it may be made again meanwhile
    # nobody else may begin here, though neither directory nor lock is there
    second = run_program("start", "-c", run.config, "--duration", "1", cwd=tmp_path)
    assert (second.returncode, "already running" in second.stderr) == (75, True), second.stderr
    restored(run)
    assert stat.S_IMODE(run.run_dir.stat().st_mode) == 0o700
    known = applied(run)
    wait_until(lambda: applied(run) > known, 10, "events to go on")
    # the engine of before has the ring mapped; one that comes now reads it all the same
    engine = run.running()["engine"]
    assert engine["pid"] == before["engine"]["pid"]
    os.kill(engine["pid"], signal.SIGKILL)
    wait_until(lambda: (run.status() or before)["engine"]["pid"] not in (None, engine["pid"]), 15, "another engine")
    # the worker goes to a ring of its own: a fresh file
    wait_until(
        lambda: [
            name
            for name in os.listdir(run.run_dir)
            if name.startswith("ring-") and not (run.run_dir / name).is_symlink()
        ],
        20,
        "a fresh ring",
    )
    run.running()
    assert run.stop() == 0
    assert not run.run_dir.exists()
    assert events_of(run, "run_dir_lost")
    assert events_of(run, "events_left") == []
    assert events_of(run, "batches_lost") == []


def test_each_removed_file_is_made_again(run: Run) -> None:
    run.running()
    names = [*FILES, "positions.map", "nursery.sock"]
    wait_until(lambda: all((run.run_dir / name).exists() for name in names), 10, "every file")
    for name in names:
        (run.run_dir / name).unlink()
        wait_until((run.run_dir / name).exists, 10, f"{name} to be made again")
        mode = stat.S_IMODE((run.run_dir / name).stat().st_mode)
        assert (name, oct(mode)) == (name, "0o600")
    run.running()
    assert run.stop() == 0


def test_where_it_cannot_be_made_again_the_run_ends_in_order(run: Run) -> None:
    run.running()
    os.rename(run.run_dir, run.folder / "moved")
    run.run_dir.write_text("in the way")
    assert run.ends() == 78, run.err.read_text()[-6000:]
    assert run.run_dir.read_text() == "in the way"
    assert events_of(run, "run_dir_unusable")
    (stopped,) = events_of(run, "stopped")
    assert stopped["rungs"]["sim.a"] == "ask"
    assert events_of(run, "internal_error") == []


def test_a_forged_ring_of_the_same_user_is_refused_and_no_part_of_the_outcome(run: Run) -> None:
    run.running()
    rings = []
    trade = Trade("SIM", "BTCUSDT", 1, 1, "1.00", "1", "buy", "4711")
    # an unknown worker, and what would pass for the successor of the living one
    for worker, incarnation in (("forged.a", 1), ("sim.a", 1000)):
        ring = RingWriter(str(run.run_dir), worker, incarnation, 64 * 1024)
        ring.append(1, 1, BatchEncoder(worker, incarnation).encode(1, 1, [trade]))
        rings.append(ring)
    wait_until(lambda: len(events_of(run, "ring_of_unknown_worker")) == 2, 15, "both rings to be refused")
    status = run.status()
    assert status is not None
    os.kill(status["engine"]["pid"], signal.SIGKILL)
    wait_until(lambda: len(events_of(run, "ring_of_unknown_worker")) == 4, 20, "the next engine to refuse them too")
    before = applied(run)
    wait_until(lambda: applied(run) > before, 10, "data to flow on")
    for ring in rings:
        assert ring.used_bytes > 0
        ring.close()
    assert run.stop() == 0
    assert events_of(run, "events_left") == []
