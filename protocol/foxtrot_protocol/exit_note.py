"""Exit note: a file in the run directory in which a child records what it was doing and why it ended.

A file, because a message may be lost with the process that sends it, or never be sent (no descriptor, no ZeroMQ,
killed within a user's code). The file is complete once the process is dead.
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
    """Contents of an exit note; "" where a field does not apply."""

    doing: str = ""
    """The step in progress that runs a user's code, such as "setting up handler 'x:setup'"."""
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
