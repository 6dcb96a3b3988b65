"""Writing end of a worker's frames ring (`foxtrot_protocol.frames_layout`): what it received and sent, unparsed.

The writer never waits for a reader. What it wrote is in the kernel's memory: it survives this process, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct

from foxtrot_protocol import compiled, frames_layout
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.frames_layout import FRAMES_DIRECTORY, HEADER_BYTES, FramesIdentity, FramesWord, Kind
from foxtrot_workers.feed.record_writer import PureRecordWriter, RecordWriter

__all__ = ["FRAMES_RINGS_KEPT_MAX", "FramesRefused", "FramesWriter"]

FRAMES_RINGS_KEPT_MAX = 16
"""Maximum number of frames rings of one worker: without a reader, a worker that restarts again and again must not fill
the disk. The oldest ones are removed; a recorder announces them."""

_RECEIVED = int(Kind.RECEIVED)
_WORD = struct.Struct("<Q")
_compiled = compiled.load("foxtrot_workers.feed._record_writer")


class FramesRefused(Exception):
    """The frames ring cannot be created; the text says why."""


class FramesWriter:
    """One frames ring; this process is its only writer."""

    def __init__(self, run_dir: str, identity: FramesIdentity) -> None:
        """Create the ring in `run_dir`; raises `FramesRefused`."""
        try:
            self.path, self._fd, self._map = _create(run_dir, identity)
        except OSError as error:
            raise FramesRefused(f"no frames ring in {run_dir}: {error.strerror or error}") from None
        make = PureRecordWriter if _compiled is None else _compiled.RecordWriter
        self._records: RecordWriter = make(self._map, identity.capacity)
        self._omitted = 0

    def write_address(self, address: str) -> None:
        """Store the address that the frames come from; before the first frame."""
        at, packed = frames_layout.pack_address(address)
        self._map[at : at + len(packed)] = packed

    def received(self, frames: list[bytes], receive_ns: int) -> None:
        """Write frames that were received together at `receive_ns`. The hot path."""
        if not self._records.write(_RECEIVED, frames, len(frames), receive_ns):
            self._write_in_pieces(_RECEIVED, frames, len(frames), receive_ns)

    def sent(self, text: str, sent_ns: int) -> None:
        """Write a text that the client sends."""
        self._write(Kind.SENT, [text.encode()], 1, sent_ns)

    def answered(self, purpose: str, address: str, status: int, body: bytes, receive_ns: int) -> None:
        """Write the answer to a REST request; `purpose`: what it was made for."""
        self._write(Kind.ANSWER, [purpose.encode(), address.encode(), body], 1, receive_ns, status)

    def _write(self, kind: int, parts: list[bytes], frames: int, time_ns: int, status: int = 0) -> None:
        if not self._records.write(kind, parts, frames, time_ns, status):
            self._write_in_pieces(kind, parts, frames, time_ns)

    def _write_in_pieces(self, kind: int, parts: list[bytes], frames: int, time_ns: int) -> None:
        """Write a burst as two, and in place of a single frame that is too large how large it was."""
        if kind == _RECEIVED and frames > 1:
            half = frames // 2
            self.received(parts[:half], time_ns)
            self.received(parts[half:], time_ns)
            return
        self._omitted += 1
        _WORD.pack_into(self._map, 8 * FramesWord.OMITTED, self._omitted)
        size = b"%d" % sum(map(len, parts))
        self._write(Kind.OMITTED, [Kind(kind).name.lower().encode(), size], 1, time_ns)

    def close(self) -> None:
        """Unmap the ring; the file stays for its readers."""
        if self._fd >= 0:
            self._records.close()
            self._map.close()
            os.close(self._fd)
            self._fd = -1


def _create(run_dir: str, identity: FramesIdentity) -> tuple[str, int, mmap.mmap]:
    """Create the file under a name that no reader looks for, and rename it when it is complete; raises OSError."""
    directory = os.path.join(run_dir, FRAMES_DIRECTORY)
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)
    name = frames_layout.frames_name(identity.worker, identity.incarnation)
    path = os.path.join(directory, name)
    try:
        header = frames_layout.pack_header(identity)
    except ValueError as error:
        raise OSError(str(error)) from None
    _make_room(directory, identity.worker)
    with contextlib.suppress(FileNotFoundError):  # of an earlier run, whose recorder has not read it
        os.rename(path, os.path.join(directory, frames_layout.earlier_name(name, os.stat(path).st_mtime_ns)))
    size = HEADER_BYTES + identity.capacity
    unfinished = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(unfinished)
    fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)  # independent of the umask
        # allocate everything now: a disk that is full later would raise SIGBUS
        os.posix_fallocate(fd, 0, size)
        os.pwrite(fd, header, 0)
        # readers see by this lock whether the writer lives: the kernel releases it with the process
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mapped = mmap.mmap(fd, size)
        os.rename(unfinished, path)
    except OSError as error:
        os.close(fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished)
        if identity.recorded:
            reason = f"it had no frames ring: {error.strerror}"
            _leave_word(directory, identity.worker, identity.incarnation, identity.started_ns, reason)
        raise
    return path, fd, mapped


def _make_room(directory: str, worker: str) -> None:
    named = ((frames_layout.parse_any_name(name), name) for name in os.listdir(directory))
    # rings of earlier runs, which have longer names, first
    own = [(found[1], name) for found, name in named if found is not None and found[0] == worker]
    own.sort(key=lambda each: (frames_layout.parse_frames_name(each[1]) is not None, each[0], each[1]))
    for incarnation, name in own[: max(0, len(own) - FRAMES_RINGS_KEPT_MAX + 1)]:
        path = os.path.join(directory, name)
        reason = "its frames ring was removed before it was read"
        _leave_word(directory, worker, incarnation, _started_ns(path), reason)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _started_ns(path: str) -> int:
    """Return when the worker of the ring at `path` was started; 0 if that cannot be read."""
    try:
        with open(path, "rb") as file:
            return frames_layout.read_header(file.read(HEADER_BYTES)).started_ns
    except (OSError, MalformedMessage):
        return 0


def _leave_word(directory: str, worker: str, incarnation: int, started_ns: int, reason: str) -> None:
    """Leave a file for the recorder, which announces that frames are missing unless it has recorded them."""
    with contextlib.suppress(OSError):
        path = os.path.join(directory, frames_layout.lost_name(worker, incarnation))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            file.write(f"{started_ns} {reason}")
