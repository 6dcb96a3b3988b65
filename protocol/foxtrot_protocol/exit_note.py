"""What a child leaves in a file of the run directory for the time after its death: what it did, why it ended.

A file, since a message may be lost with the process that sends it, or may never be sent at all (no descriptor, no
ZeroMQ, killed in the middle of somebody's code). What the file holds is complete once the process is dead.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

__all__ = ["EXIT_NOTE_BYTES_MAX", "EXIT_NOTE_PATTERN", "ExitNote", "decode_exit_note", "encode_exit_note", "note_name"]

EXIT_NOTE_BYTES_MAX = 64 * 1024
"""Larger files are not read."""

EXIT_NOTE_PATTERN = "exit-*.json"
"""Matches the names of all exit notes in a run directory."""


class ExitNote(Struct, frozen=True, kw_only=True):
    """The contents; each "" where there is nothing to tell."""

    doing: str = ""
    """The step that others' code may hold up or end, "setting up handler 'x:setup'"."""
    cause: str = ""
    """Why the process ends, exception, file and line included."""
    trace: str = ""
    """The stack at that moment."""


_decoder = msgspec.json.Decoder(ExitNote)


def note_name(name: str, incarnation: int) -> str:
    """File name of a child's exit note in the run directory."""
    return f"exit-{name}-{incarnation}.json"


def encode_exit_note(note: ExitNote) -> bytes:
    """`note` as JSON text."""
    safe = [text.encode(errors="replace").decode() for text in (note.doing, note.cause, note.trace)]
    return msgspec.json.encode(ExitNote(doing=safe[0], cause=safe[1], trace=safe[2]))


def decode_exit_note(data: bytes) -> ExitNote | None:
    """The note in `data`; None if it is not one."""
    if len(data) > EXIT_NOTE_BYTES_MAX:
        return None
    try:
        return _decoder.decode(data)
    except (ValueError, RecursionError):
        return None
