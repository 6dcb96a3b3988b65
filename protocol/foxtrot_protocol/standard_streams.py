"""Standard streams that can neither hold up nor end a process, whatever is at their other end.

A shell, though part of this package: every process of a run needs it, and it uses the standard library only.

- `open_missing` opens the null device on descriptors 0, 1 and 2 where they are closed. Without it the next file or
  socket gets such a number and receives what was meant for a terminal.
- `drain` replaces ``sys.stdout`` or ``sys.stderr`` by a stream that queues (`line_queue`). A thread writes the queue
  and exists only while there is something to write. A blocked terminal, an unread pipe, a dead reader (EPIPE, EIO) or a
  full disk (ENOSPC) costs lines, which are counted, and nothing else.
- `direct` replaces it, in commands that only print, by a stream that waits for its reader but never raises: the first
  error is kept and ends the output.

Rejected: O_NONBLOCK, which belongs to the open file description and so would change the terminal of the shell and the
streams of all other processes; asking `poll` first, since another process may fill the pipe before the write.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Literal, TextIO, TypeAlias

from foxtrot_protocol.line_queue import LineQueue, dropped_line

__all__ = [
    "PRINT_WAIT_S",
    "WRITER_NAME",
    "Drain",
    "LogFile",
    "direct",
    "drain",
    "dropped_total",
    "flush",
    "open_missing",
    "output_error",
    "pending",
    "report_dropped_as",
    "shows_colour",
]

PRINT_WAIT_S = 1.0
"""Longest wait of a user's ``print`` for a reader that is slow. One that takes nothing costs this once, see `Drain`."""

WRITER_NAME = "foxtrot-stream-writer"
"""Name of the threads that write."""

Name: TypeAlias = Literal["stdout", "stderr"]

_DESCRIPTORS: dict[Name, int] = {"stdout": 1, "stderr": 2}


def open_missing() -> None:
    """Open the null device on each of descriptors 0, 1 and 2 that is closed. Call before anything else is opened."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # the lowest free number is assigned: those below are open by now
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:  # another thread was quicker
                os.close(opened)
            else:
                os.set_inheritable(number, True)


class Drain:
    """Writes lines to a descriptor, aside. All methods may be called from any thread, and again from within a call.

    `descriptor` is not closed. The thread ends when the queue is empty, so that a quiet process has none.
    """

    def __init__(self, descriptor: int, notice: Callable[[int], bytes] | None = None) -> None:
        self._descriptor = descriptor
        self._queue = LineQueue(notice or _plain_notice)
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None
        self._stalled = False
        self._torn = False
        _drains.add(self)

    @property
    def dropped_total(self) -> int:
        """Lines that were never written."""
        return self._queue.dropped_total

    @property
    def pending(self) -> int:
        """Lines that are not written yet."""
        return self._queue.pending

    def put(self, line: bytes, wait_s: float = 0.0) -> None:
        """Have `line` written, or count it as dropped.

        `wait_s`: how long to wait for room in a full queue (seconds). Once nothing was written for that long, no call
        waits until something is written again.
        """
        with self._changed:
            if wait_s > 0.0 and not self._stalled and not self._queue.has_room(len(line)):
                room = self._changed.wait_for(lambda: self._queue.has_room(len(line)), wait_s)
                self._stalled = not room
            self._queue.put(line)
            if self._writer is None:
                self._start_writer()

    def flush(self, limit_s: float) -> bool:
        """Wait at most `limit_s` seconds until everything is written or lost; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._writer is None, limit_s)

    def report_with(self, notice: Callable[[int], bytes]) -> None:
        """Use `notice(count)` as the line that reports dropped lines."""
        with self._changed:
            self._queue.notice = notice

    def after_fork(self) -> None:
        """In a forked copy: the writer is not there, and the parent writes what waits."""
        self._changed = threading.Condition()
        self._writer = None
        self._queue.clear()

    def _start_writer(self) -> None:
        if sys.is_finalizing():  # a thread that is started now never runs, and its start never returns
            self._write_here()
            return
        self._writer = threading.Thread(target=self._write_queue, name=WRITER_NAME, daemon=True)
        try:
            self._writer.start()
        except RuntimeError:  # no more threads are allowed (ulimit -u), or the interpreter is ending
            self._writer = None
            self._write_here()

    def _write_queue(self) -> None:
        """The writer's thread: until the queue is empty or the descriptor takes nothing."""
        while self._write_next():
            pass

    def _write_here(self) -> None:
        """Without a thread: write what the descriptor says that it takes now."""
        while _is_writable(self._descriptor) and self._write_next():
            pass

    def _write_next(self) -> bool:
        """Write one piece; False if there was none, or it failed: then the next line is the next attempt."""
        with self._changed:
            data = self._queue.take()
            if not data:
                self._end_writer()
                return False
        succeeded = self._write(data)
        with self._changed:
            if succeeded:
                self._stalled = False
                self._queue.written()
                self._changed.notify_all()
            else:
                self._queue.failed()
                self._end_writer()
        return succeeded

    def _end_writer(self) -> None:
        self._writer = None
        self._changed.notify_all()

    def _write(self, data: bytes) -> bool:
        """Write all of it, however long that takes; False if it cannot be written."""
        if self._torn:  # the last line was broken off in its middle
            data = b"\n" + data
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # another process has made the description non-blocking
                poller = select.poll()
                poller.register(self._descriptor, select.POLLOUT)
                poller.poll()
            except OSError:
                self._torn = self._torn or len(left) < len(data)
                return False
        self._torn = False
        return True


_drains: weakref.WeakSet[Drain] = weakref.WeakSet()


def _after_fork() -> None:
    for each in list(_drains):
        each.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _plain_notice(count: int) -> bytes:
    return f"foxtrot-supervisor: {count} lines dropped here: they could not be written\n".encode()


def _is_writable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    return bool(poller.poll(0))


class _Raw(io.RawIOBase):
    """The bytes under a text stream. Takes everything, raises nothing."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True


class _Drained(_Raw):
    def __init__(self, descriptor: int, wait_s: float) -> None:
        super().__init__(descriptor)
        self.drain = Drain(descriptor)
        self.wait_s = wait_s

    def write(self, data: Any, /) -> int:
        piece = bytes(data)
        if piece:
            self.drain.put(piece, self.wait_s)
        return len(piece)


class _Direct(_Raw):
    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.error: OSError | None = None

    def write(self, data: Any, /) -> int:
        left = memoryview(bytes(data))
        size = len(left)
        while left and self.error is None:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                poller = select.poll()
                poller.register(self._descriptor, select.POLLOUT)
                poller.poll()
            except OSError as error:
                self.error = error
        return size


def drain(name: Name, wait_s: float = 0.0) -> None:
    """Let ``sys.stdout`` or ``sys.stderr`` queue what it is given; `wait_s`: see `Drain.put`.

    A stream that is not descriptor 1 or 2 (captured by a notebook, a test) belongs to somebody else and stays.
    """
    if isinstance(_raw(name), _Drained) or not _is_standard(name):
        return
    _replace(name, _Drained(_DESCRIPTORS[name], wait_s))


def direct(name: Name) -> None:
    """Let it wait for its reader, and keep the first error (`output_error`) instead of raising it."""
    if isinstance(_raw(name), _Raw) or not _is_standard(name):
        return
    _replace(name, _Direct(_DESCRIPTORS[name]))


def output_error(name: Name = "stdout") -> OSError | None:
    """Why a `direct` stream has ended; None while it is written."""
    raw = _raw(name)
    return raw.error if isinstance(raw, _Direct) else None


class LogFile:
    """Where loggers write: one line, ending in a newline, in one piece to ``sys.stderr``, whatever that is now.

    Never raises, and never waits on a drained stream.
    """

    def write(self, line: str) -> int:
        stream = sys.stderr
        raw = getattr(stream, "buffer", None)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if isinstance(raw, _Drained):
                raw.drain.put(line.encode(stream.encoding, "backslashreplace"))
            else:
                stream.write(line)
        return len(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()


def pending(name: Name) -> int:
    """Writes that wait in a drained stream."""
    raw = _raw(name)
    return raw.drain.pending if isinstance(raw, _Drained) else 0


def flush(limit_s: float) -> bool:
    """Flush both streams, but wait at most `limit_s` seconds for drained ones; whether everything is out."""
    deadline = time.monotonic() + limit_s
    done = True
    for name in _DESCRIPTORS:
        raw, stream = _raw(name), getattr(sys, name)
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        if isinstance(raw, _Drained):
            done = raw.drain.flush(max(0.0, deadline - time.monotonic())) and done
    return done


def dropped_total() -> int:
    """Lines of this process's drained streams that were never written."""
    return sum(raw.drain.dropped_total for raw in map(_raw, _DESCRIPTORS) if isinstance(raw, _Drained))


def report_dropped_as(log_format: str, **fields: object) -> None:
    """Report dropped lines of stderr as a log line of this format ("json", else for people), with these fields."""
    raw = _raw("stderr")
    if isinstance(raw, _Drained):
        raw.drain.report_with(lambda count: dropped_line(log_format, count, _timestamp(), fields))


def shows_colour(name: Name = "stderr") -> bool:
    """Whether text on this stream may have colours: on a terminal, unless NO_COLOR or TERM=dumb is set.

    Source of NO_COLOR: https://no-color.org.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return bool(getattr(sys, name).isatty())
    return False


def _timestamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())


def _raw(name: Name) -> object:
    return getattr(getattr(sys, name), "buffer", None)


def _is_standard(name: Name) -> bool:
    stream = getattr(sys, name)
    if stream is None:  # closed when the interpreter started
        return True
    try:
        return bool(stream.fileno() == _DESCRIPTORS[name])
    except (OSError, ValueError, AttributeError):
        return False


def _replace(name: Name, raw: _Raw) -> None:
    before: TextIO | None = getattr(sys, name)
    if before is not None:
        with contextlib.suppress(OSError, ValueError):
            before.flush()
    # backslashreplace: every text can be shown in every encoding; a line of text is one write
    stream = io.TextIOWrapper(
        raw,  # type: ignore[type-var]  # unbuffered, as Python does it with PYTHONUNBUFFERED
        encoding=(before.encoding if before is not None else "") or "utf-8",
        errors="backslashreplace",
        newline="\n",
        line_buffering=True,
    )
    setattr(sys, name, stream)
