"""What can be said about a death beyond its exit status: limits that were reached, the child's exit note."""

from __future__ import annotations

import signal
from typing import Literal

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.exit_note import ExitNote

__all__ = ["cause_beside_status", "cause_with_note"]


def cause_with_note(found: str, note: ExitNote, *, is_explained: bool, on_ladder: str, clean: bool) -> str:
    """The cause in words from all there is, "" where the exit status says everything.

    `found`: what was found beside the status; `is_explained`: the child said why over its link; `on_ladder`: why it was
    being taken down, "" if it was not; `clean`: it ended with exit code 0.
    """
    if found or note.cause:
        return found or note.cause
    if note.doing and not clean and not is_explained:
        return f"{on_ladder}, while {note.doing}" if on_ladder else f"died while {note.doing}"
    return ""


def cause_beside_status(
    exit_code: int | None,
    signal_number: int | None,
    *,
    memory_mib: int | None,
    oom: Literal["", "process", "group"],
) -> str:
    """Return the cause in words, "" where the exit status says all that is known.

    `memory_mib`: the child's memory limit. `oom`: evidence of the kernel's OOM killer (`system.oom.Evidence`), "" if
    there is none: a SIGKILL then is called just that.
    """
    limit = f"memory limit of {memory_mib} MiB" if memory_mib is not None else ""
    if exit_code == ChildExit.OUT_OF_MEMORY:
        return f"{limit} reached" if limit else "out of memory"
    if signal_number == signal.SIGABRT and limit:
        # libraries in C abort where Python raises MemoryError; but not only then
        return f"aborted, perhaps at its {limit}"
    if oom == "process":
        return "out of memory: ended by the kernel's OOM killer"
    if oom == "group":
        return "out of memory: the kernel's OOM killer ended a process of its control group at that moment"
    return ""
