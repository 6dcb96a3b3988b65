"""The worker's end of its ring (`foxtrot_protocol.ring_layout`): made, appended to, looked at, taken away.

What is appended is in the kernel's memory: it survives this process, whatever ends it, though not the machine.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Mapping

from foxtrot_protocol import ring_layout
from foxtrot_protocol.ring_layout import HEADER_BYTES, RECORD_BYTES, RingIdentity, Word

__all__ = ["RINGS_KEPT_MAX", "RingRefused", "RingWriter"]

RINGS_KEPT_MAX = 16
"""Rings of one worker that may wait for an engine: without one, a worker that ends again and again must not fill
the disk, nor throw away what it has."""

_plan_append = ring_layout.plan_append
_put_record = ring_layout.put_record
_pack_mark = struct.Struct("<QQQ").pack_into
_HEAD, _TAIL = int(Word.HEAD), int(Word.TAIL)
_MARKS = (8 * Word.COMMIT_MARK, 8 * (Word.COMMIT_MARK + 8))


class RingRefused(Exception):
    """No ring can be made; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RingWriter:
    """One ring, written by this process alone."""

    def __init__(
        self,
        run_dir: str,
        worker: str,
        incarnation: int,
        capacity: int,
        *,
        connection: str = "",
        side: str = "",
        rules: Mapping[str, str] | None = None,
    ) -> None:
        """Raises `RingRefused`; `connection`, `side`, `rules` as in `RingIdentity`."""
        try:
            kept = sum((ring_layout.parse_ring_name(name) or ("", 0))[0] == worker for name in os.listdir(run_dir))
        except OSError as error:
            raise RingRefused(f"{run_dir} cannot be read: {error.strerror}") from None
        if kept >= RINGS_KEPT_MAX:
            raise RingRefused(f"{kept} earlier rings of {worker} wait for the engine")
        self.path = os.path.join(run_dir, ring_layout.ring_name(worker, incarnation))
        identity = ring_layout.pack_identity(RingIdentity(worker, incarnation, capacity, connection, side, rules or {}))
        size = HEADER_BYTES + capacity
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RingRefused(f"{self.path} cannot be made: {error.strerror}") from None
        try:
            os.fchmod(fd, 0o600)  # whatever the umask took away
            # all of it now: a full disk met later would be a SIGBUS
            os.posix_fallocate(fd, 0, size)
            self._map = mmap.mmap(fd, size)
        except OSError as error:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            raise RingRefused(f"{self.path}: no room for {size} bytes: {error.strerror}") from None
        finally:
            os.close(fd)
        self._whole = memoryview(self._map)
        self._words = self._whole[:HEADER_BYTES].cast("Q")
        self._capacity = capacity
        self._head = 0
        self._events = 0
        self._closed = False
        self._whole[: len(identity)] = identity
        self._words[0] = ring_layout.MAGIC

    @property
    def used_bytes(self) -> int:
        """Not yet applied by the engine."""
        return self._head - int(self._words[_TAIL])

    @property
    def committed_events(self) -> int:
        """Events appended so far."""
        return self._events

    def append(self, sequence: int, events: int, data: bytes) -> bool:
        """Commit a batch; False if there is no room now. The hot path."""
        words, capacity, head = self._words, self._capacity, self._head
        size = (RECORD_BYTES + len(data) + 7) & -8
        start = _plan_append(head, words[_TAIL], capacity, size)
        if start is None:
            return False
        if start != head:
            unused = HEADER_BYTES + head % capacity
            self._map[unused : unused + 8] = ring_layout.wrap_marker()
        total = self._events
        _put_record(self._map, HEADER_BYTES + start % capacity, sequence, total, events, data)
        self._events = total = total + events
        self._head = head = start + size
        # into the place of the mark before the last: the last one stays whole until this one is valid
        _pack_mark(self._map, _MARKS[sequence & 1], head, sequence, total)
        words[_HEAD] = head  # one aligned store: now it is committed
        return True

    def tell_dropped(self, total: int, unannounced: int) -> None:
        """Record the events dropped so far, and those that are in no committed batch and in no committed gap."""
        self._words[Word.UNANNOUNCED] = unannounced
        self._words[Word.DROPPED] = total

    def close(self) -> None:
        """Unmap the ring; the file stays for the engine. A ring without a record or a loss to report is removed."""
        if self._closed:
            return
        self._closed = True
        unused = self._head == 0 and not self._words[Word.UNANNOUNCED]
        self._words.release()
        self._whole.release()
        self._map.close()
        if unused:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
