"""Which words go with which end."""

from __future__ import annotations

import signal

import pytest

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.exit_note import ExitNote
from foxtrot_supervisor.core.death_causes import cause_beside_status, cause_with_note

OOM = "the kernel ran out of memory and killed processes"


@pytest.mark.parametrize(
    ("code", "number", "memory_mib", "killed_by_us", "oom_kills", "cause"),
    [
        (ChildExit.OUT_OF_MEMORY, None, 128, False, 0, "memory limit of 128 MiB reached"),
        (ChildExit.OUT_OF_MEMORY, None, None, False, 0, "out of memory"),
        (None, signal.SIGABRT, 128, False, 0, "aborted, perhaps at its memory limit of 128 MiB"),
        (None, signal.SIGABRT, None, False, 0, ""),
        (None, signal.SIGKILL, 128, False, 1, OOM),
        (None, signal.SIGKILL, None, False, 2, OOM),
        (None, signal.SIGKILL, None, False, 0, ""),
        (None, signal.SIGKILL, None, True, 1, ""),
        (None, signal.SIGTERM, 128, False, 1, ""),
        (ChildExit.CRASH, None, 128, False, 1, ""),
        (None, None, 128, False, 1, ""),
    ],
)
def test_cause(
    code: int | None, number: int | None, memory_mib: int | None, killed_by_us: bool, oom_kills: int, cause: str
) -> None:
    found = cause_beside_status(code, number, memory_mib=memory_mib, killed_by_us=killed_by_us, oom_kills=oom_kills)
    assert found == cause


@pytest.mark.parametrize(
    ("found", "note", "is_explained", "on_ladder", "clean", "cause"),
    [
        ("", ExitNote(), False, "", False, ""),
        ("", ExitNote(cause="ValueError: x"), True, "hung", False, "ValueError: x"),
        ("out of memory", ExitNote(cause="MemoryError"), False, "", False, "out of memory"),
        ("", ExitNote(doing="setting up 'h'"), False, "", False, "died while setting up 'h'"),
        ("", ExitNote(doing="setting up 'h'"), False, "no READY", False, "no READY, while setting up 'h'"),
        ("", ExitNote(doing="setting up 'h'"), True, "", False, ""),
        ("", ExitNote(doing="setting up 'h'"), False, "", True, ""),
    ],
)
def test_cause_with_the_exit_note(
    found: str, note: ExitNote, is_explained: bool, on_ladder: str, clean: bool, cause: str
) -> None:
    told = cause_with_note(found, note, is_explained=is_explained, on_ladder=on_ladder, clean=clean)
    assert told == cause
