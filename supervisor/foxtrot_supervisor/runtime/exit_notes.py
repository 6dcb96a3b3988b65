"""Exit notes of children, read once they are dead (`foxtrot_protocol.exit_note`)."""

from __future__ import annotations

import contextlib
import os
import stat

from foxtrot_protocol.exit_note import EXIT_NOTE_BYTES_MAX, ExitNote, decode_exit_note, note_name

__all__ = ["take_exit_note"]


def take_exit_note(run_dir: str, name: str, incarnation: int) -> ExitNote:
    """Return the note that a dead child has left, and remove it; an empty one if there is none of this user."""
    path = os.path.join(run_dir, note_name(name, incarnation))
    data = b""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            facts = os.fstat(descriptor)
            if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid():
                data = os.read(descriptor, EXIT_NOTE_BYTES_MAX + 1)
        finally:
            os.close(descriptor)
    with contextlib.suppress(OSError):
        os.unlink(path)
    return (decode_exit_note(data) if data else None) or ExitNote()
