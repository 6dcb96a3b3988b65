"""A ring that the landing writes in place of a worker that runs on another host (`foxtrot_protocol.ring_layout`).

Unlike a worker, the landing may die and be replaced while the engine reads on: the successor continues the same ring.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct

from foxtrot_protocol import ring_layout
from foxtrot_protocol.codec import BATCH_BYTES_MAX
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.ring_layout import HEADER_BYTES, RingIdentity, Word
from foxtrot_supervisor.system.private_files import open_kept, opened_directory

__all__ = ["CAPACITY_NEEDED", "LandedRing", "RingUnusable", "discard_rings"]

CAPACITY_NEEDED = 2 * (BATCH_BYTES_MAX + ring_layout.RECORD_BYTES)
"""Bytes in which every batch fits; a larger ring of a worker is not copied in its size."""

_HEAD, _TAIL = int(Word.HEAD), int(Word.TAIL)
_MARKS = (8 * Word.COMMIT_MARK, 8 * (Word.COMMIT_MARK + 8))
_pack_mark = struct.Struct("<QQQ").pack_into


def discard_rings(run_dir: str) -> None:
    """Remove the rings that an earlier run has left: another host has gone on since.

    A ring is made unreadable first, since the supervisor, which holds what it finds, puts one with unhandled events
    back.
    """
    with contextlib.suppress(OSError), opened_directory(run_dir) as directory:
        for name in os.listdir(directory):
            if ring_layout.parse_ring_name(name) is None:
                continue
            with contextlib.suppress(OSError):
                fd = open_kept(name, os.O_RDWR, directory)
                try:
                    os.pwrite(fd, bytes(8), 0)
                finally:
                    os.close(fd)
            os.unlink(name, dir_fd=directory)


class RingUnusable(Exception):
    """The ring cannot be written; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LandedRing:
    """One ring; this process is its only writer. Make it with `create` or `reopen`."""

    def __init__(self, path: str, mapped: mmap.mmap, capacity: int) -> None:
        self.path = path
        self._map = mapped
        self._whole = memoryview(mapped)
        self._words = self._whole[:HEADER_BYTES].cast("Q")
        self._capacity = capacity
        self._head = int(self._words[_HEAD])
        mark = ring_layout.commit_mark(self._words)
        if mark is None:
            raise RingUnusable(f"{path}: what was committed is unreadable")
        self.events = mark.events
        """Events committed so far."""
        self.sequence = mark.sequence
        """Sequence of the last batch; 0: none."""
        self._turn = int(mark.head != 0 and self._words[Word.COMMIT_MARK] == mark.head)

    @classmethod
    def create(cls, run_dir: str, identity: RingIdentity, handled: int) -> LandedRing:
        """Create the ring; raises `RingUnusable`.

        `handled`: sequence up to which its batches were given to handlers elsewhere: the engine repeats the decisions
        on those of them that come, and gives handlers what follows.
        """
        path = os.path.join(run_dir, ring_layout.ring_name(identity.worker, identity.incarnation))
        size = HEADER_BYTES + identity.capacity
        try:
            packed = ring_layout.pack_identity(identity)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except (OSError, ValueError) as error:
            raise RingUnusable(f"{path} cannot be created: {error}") from None
        try:
            os.fchmod(fd, 0o600)  # independent of the umask
            os.posix_fallocate(fd, 0, size)  # a disk that is full later would raise SIGBUS
            mapped = mmap.mmap(fd, size)
        except OSError as error:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            raise RingUnusable(f"{path}: no room for {size} bytes: {error.strerror}") from None
        finally:
            os.close(fd)
        ring = cls(path, mapped, identity.capacity)
        # as if an earlier engine had applied what was before: this one must not miss it
        ring._words[Word.APPLIED_MARK] = handled
        ring._words[Word.APPLIED] = handled
        ring._whole[: len(packed)] = packed
        ring._words[0] = ring_layout.MAGIC
        return ring

    @classmethod
    def reopen(cls, run_dir: str, worker: str, incarnation: int) -> LandedRing | None:
        """Open the ring that a previous landing wrote; None if there is none. Raises `RingUnusable`."""
        name = ring_layout.ring_name(worker, incarnation)
        path = os.path.join(run_dir, name)
        try:
            with opened_directory(run_dir) as directory:
                fd = open_kept(name, os.O_RDWR, directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RingUnusable(f"{path}: {error.strerror}") from None
        try:
            header = os.pread(fd, HEADER_BYTES, 0)
            identity = ring_layout.read_identity(header) if len(header) == HEADER_BYTES else None
            size = os.fstat(fd).st_size
            if identity is None or size != HEADER_BYTES + identity.capacity:
                os.unlink(path)  # its writer died while it made it
                return None
            if (identity.worker, identity.incarnation) != (worker, incarnation):
                raise RingUnusable(f"{path} belongs to {identity.worker}#{identity.incarnation}")
            return cls(path, mmap.mmap(fd, size), identity.capacity)
        except MalformedMessage as error:
            raise RingUnusable(f"{path}: {error.reason}") from None
        except OSError as error:
            raise RingUnusable(f"{path}: {error.strerror}") from None
        finally:
            os.close(fd)

    @property
    def head(self) -> int:
        """Position behind the last batch."""
        return self._head

    @property
    def freed(self) -> int:
        """Position before which the engine has applied everything and saved its positions."""
        return int(self._words[_TAIL])

    @property
    def in_flight(self) -> bool:
        """Whether handlers have a batch now."""
        return int(self._words[Word.APPLYING]) > int(self._words[Word.APPLIED])

    def append(self, sequence: int, missing: int, events: int, data: bytes) -> bool:
        """Commit a batch; False if there is no space now.

        `sequence`: of the batch; a jump is a loss, which the engine announces. `missing`: events in the batches left
        out. `events`: number of events in this one.
        """
        words, capacity, head = self._words, self._capacity, self._head
        size = ring_layout.record_size(len(data))
        start = ring_layout.plan_append(head, int(words[_TAIL]), capacity, size)
        if start is None:
            return False
        if start != head:
            unused = HEADER_BYTES + head % capacity
            self._map[unused : unused + 8] = ring_layout.wrap_marker()
        before = self.events + missing
        ring_layout.put_record(self._map, HEADER_BYTES + start % capacity, sequence, before, events, data)
        self.events, self.sequence = before + events, sequence
        self._head = head = start + size
        # overwrites the mark before the last, so that the last one stays valid until this one is
        _pack_mark(self._map, _MARKS[self._turn], head, sequence, self.events)
        self._turn ^= 1
        words[_HEAD] = head  # one aligned store commits the record
        return True

    def tell_dropped(self, dropped: int, unannounced: int) -> None:
        """Record what the worker dropped, and what of it no committed gap announces."""
        self._words[Word.UNANNOUNCED] = unannounced
        self._words[Word.DROPPED] = dropped

    def close(self) -> None:
        """Unmap it; the file stays for the engine."""
        self._words.release()
        self._whole.release()
        self._map.close()
