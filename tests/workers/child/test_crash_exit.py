"""Content of exit notes, and bounded calls that cannot delay an exit."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import pytest

from foxtrot_protocol.exit_note import ExitNote, decode_exit_note, note_name
from foxtrot_protocol.spec import ChildSpec
from foxtrot_workers.child.crash_exit import ExitNotes, run_bounded


def spec(run_dir: Path) -> ChildSpec:
    return ChildSpec(
        name="one.a",
        kind="connection",
        target="",
        incarnation=3,
        run_id="r",
        run_dir=str(run_dir),
        parent_pid=0,
        control_endpoint="",
        heartbeat_s=1.0,
        log_level="info",
        log_format="json",
        settings=b"",
    )


def test_the_note_contains_the_step_and_then_the_crash(tmp_path: Path) -> None:
    notes, path = ExitNotes(spec(tmp_path)), tmp_path / note_name("one.a", 3)
    before = os.umask(0)
    try:
        notes.doing("setting up")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert decode_exit_note(path.read_bytes()) == ExitNote(doing="setting up")
    assert notes.crashed(ValueError("bad")) == 1
    note = decode_exit_note(path.read_bytes())
    assert note is not None
    assert (note.doing, note.cause) == ("setting up", "ValueError: bad")


def test_a_shorter_note_covers_a_longer_one_without_truncating_the_file(tmp_path: Path) -> None:
    """A file that was truncated is written to disk at once (ext4): the start of a worker would wait for that."""
    notes, path = ExitNotes(spec(tmp_path)), tmp_path / note_name("one.a", 3)
    path.write_text("of an earlier run " * 100)
    notes.doing("setting up " * 20)
    length = path.stat().st_size
    notes.doing("short")
    assert decode_exit_note(path.read_bytes()) == ExitNote(doing="short")
    notes.doing("")
    assert decode_exit_note(path.read_bytes()) == ExitNote()
    assert path.stat().st_size == length


def test_a_crash_without_a_run_directory_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ExitNotes(spec(tmp_path / "gone")).crashed(SystemExit(3)) == 3
    assert "one.a#3 crashed: sys.exit(3) was called" in capsys.readouterr().err


def test_a_call_that_never_returns_is_abandoned_at_its_limit() -> None:
    forever = threading.Event()
    began = time.monotonic()
    run_bounded(forever.wait, 0.05)
    assert time.monotonic() - began < 5.0
    forever.set()
    run_bounded(lambda: 1 / 0, 5.0)  # what it raises is dropped
