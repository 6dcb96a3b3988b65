"""Which words go with which end."""

from __future__ import annotations

import signal
from typing import Literal

import pytest

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.exit_note import ExitNote
from foxtrot_supervisor.core.death_causes import cause_beside_status, cause_with_note

OOM = "out of memory: ended by the kernel's OOM killer"
GROUP = "out of memory: the kernel's OOM killer ended a process of its control group at that moment"


@pytest.mark.parametrize(
    ("code", "number", "memory_mib", "oom", "cause"),
    [
        (ChildExit.OUT_OF_MEMORY, None, 128, "", "memory limit of 128 MiB reached"),
        (ChildExit.OUT_OF_MEMORY, None, None, "", "out of memory"),
        (None, signal.SIGABRT, 128, "", "aborted, perhaps at its memory limit of 128 MiB"),
        (None, signal.SIGABRT, None, "", ""),
        (None, signal.SIGKILL, 128, "process", OOM),
        (None, signal.SIGKILL, None, "group", GROUP),
        (None, signal.SIGKILL, None, "", ""),
        (None, signal.SIGTERM, 128, "", ""),
        (ChildExit.CRASH, None, 128, "", ""),
        (None, None, 128, "", ""),
    ],
)
def test_cause(
    code: int | None, number: int | None, memory_mib: int | None, oom: Literal["", "process", "group"], cause: str
) -> None:
    assert cause_beside_status(code, number, memory_mib=memory_mib, oom=oom) == cause


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
