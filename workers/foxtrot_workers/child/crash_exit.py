"""End of a child whose code has failed: an exit note, then `os._exit`. Nothing can delay it.

The supervisor reads the note after the process has died, so that nothing must be sent, flushed or awaited. Committed
events are in the ring. The kernel cleans up threads, sockets and ZeroMQ contexts; `atexit` functions do not run.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from foxtrot_protocol import standard_streams
from foxtrot_protocol.exit_note import ExitNote, encode_exit_note, note_name
from foxtrot_protocol.spec import ChildSpec

__all__ = ["FLUSH_S", "ExitNotes", "leave", "run_bounded", "watch_threads"]

FLUSH_S = 0.05
"""Maximum seconds for writing the last lines before the process exits."""


class ExitNotes:
    """Writes the exit note of one child; usable from any thread."""

    def __init__(self, spec: ChildSpec) -> None:
        self._name = f"{spec.name}#{spec.incarnation}"
        self._path = f"{spec.run_dir}/{note_name(spec.name, spec.incarnation)}"
        self._doing = ""
        self._bytes = 0
        """Bytes that the file has, once it was written."""

    def doing(self, what: str) -> None:
        """Note the step that begins; "" when it is over. A note that cannot be written is omitted."""
        if what != self._doing:
            self._doing = what
            self._write(ExitNote(doing=what))

    def crashed(self, error: BaseException) -> int:
        """Note that `error` ends this process and return the exit code."""
        from foxtrot_protocol.crash_report import cause_of, exit_code_of, trace_of

        self.ended(cause_of(error), trace_of(error))
        return exit_code_of(error)

    def ended(self, cause: str, trace: str) -> None:
        """Note the cause of the end; write it to stderr if no note can be written."""
        if not self._write(ExitNote(doing=self._doing, cause=cause, trace=trace)):
            run_bounded(lambda: sys.stderr.write(f"{self._name} crashed: {cause}\n{trace}"), FLUSH_S)

    def _write(self, note: ExitNote) -> bool:
        # only a file of an earlier run is truncated. ext4 writes a file that was truncated to disk when it is closed:
        # tens of milliseconds within the start of a worker. Spaces after the JSON text cover what is longer
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if self._bytes else os.O_TRUNC)
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except OSError:
            return False
        try:
            data = encode_exit_note(note).ljust(self._bytes)
            self._bytes = max(self._bytes, len(data))
            return os.write(descriptor, data) == len(data)
        except OSError:
            return False
        finally:
            os.close(descriptor)


def leave(code: int) -> NoReturn:
    """Exit now with `code`, without `atexit` functions and without waiting for threads."""
    standard_streams.flush(FLUSH_S)
    os._exit(code & 0xFF)


def run_bounded(call: Callable[[], object], limit_s: float) -> None:
    """Run `call` on a thread and wait for at most `limit_s` seconds; exceptions are dropped."""

    def run() -> None:
        with contextlib.suppress(BaseException):
            call()

    thread = threading.Thread(target=run, name="foxtrot-leaving", daemon=True)
    with contextlib.suppress(RuntimeError, MemoryError):  # a thread cannot be created
        thread.start()
        thread.join(limit_s)


def watch_threads(on_error: Callable[[BaseException], None]) -> None:
    """Call `on_error`, on the failing thread, with each exception that ends a thread."""

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            on_error(arguments.exc_value)

    threading.excepthook = hook
