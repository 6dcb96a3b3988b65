"""Exit notes are read once, and only real ones of this user."""

from __future__ import annotations

import os
from pathlib import Path

from foxtrot_protocol.exit_note import ExitNote, encode_exit_note, note_name
from foxtrot_supervisor.runtime.exit_notes import take_exit_note


def test_a_note_is_taken_and_removed(tmp_path: Path) -> None:
    note = ExitNote(cause="why")
    (tmp_path / note_name("one.a", 2)).write_bytes(encode_exit_note(note))
    assert take_exit_note(str(tmp_path), "one.a", 2) == note
    assert list(tmp_path.iterdir()) == []
    assert take_exit_note(str(tmp_path), "one.a", 2) == ExitNote()


def test_links_pipes_and_rubbish_tell_nothing(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    real.write_bytes(encode_exit_note(ExitNote(cause="forged")))
    (tmp_path / note_name("link", 1)).symlink_to(real)
    os.mkfifo(tmp_path / note_name("pipe", 1))
    (tmp_path / note_name("rubbish", 1)).write_bytes(b"\x00")
    for name in ("link", "pipe", "rubbish"):
        assert take_exit_note(str(tmp_path), name, 1) == ExitNote()
    assert list(tmp_path.iterdir()) == [real]
