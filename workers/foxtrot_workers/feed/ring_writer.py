"""Writing end of a worker's ring (`foxtrot_protocol.ring_layout`).

Appended batches are in the kernel's memory: they survive this process, however it ends, but not the machine.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Mapping, Sequence

from foxtrot_protocol import ring_layout
from foxtrot_protocol.ring_layout import HEADER_BYTES, RECORD_BYTES, RingIdentity, Word

__all__ = ["REUSE_BYTES", "RINGS_KEPT_MAX", "RingRefused", "RingWriter"]

RINGS_KEPT_MAX = 16
"""Maximum number of rings of one worker that wait for an engine, or for one sink. Without an engine, a worker that
restarts repeatedly must neither fill the disk nor discard data."""

REUSE_BYTES = 256 * 1024
"""An empty ring is written from its start again once so much of a lap is written.

A ring that is emptied at once then needs no more memory than this, in the worker, the engine and the page cache. Not
where sinks read the ring too: what the engine has freed is the history from which a slow sink goes on.
"""

_plan_append = ring_layout.plan_append
_put_record = ring_layout.put_record
_pack_mark = struct.Struct("<QQQ").pack_into
_HEAD, _TAIL = int(Word.HEAD), int(Word.TAIL)
_MARKS = (8 * Word.COMMIT_MARK, 8 * (Word.COMMIT_MARK + 8))


class RingRefused(Exception):
    """The ring cannot be created; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RingWriter:
    """One ring; this process is its only writer."""

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
        readers: Sequence[str] = (),
    ) -> None:
        """Create the ring of an incarnation of `worker` in `run_dir`; raises `RingRefused`.

        `capacity`: bytes for records. `connection`, `side` and `rules` are stored in its identity (`RingIdentity`).
        `readers`: directories on the same file system in which the ring gets a link, for readers that nobody waits for.
        """
        try:
            kept = _rings_in(run_dir, worker)
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
            raise RingRefused(f"{self.path} cannot be created: {error.strerror}") from None
        try:
            os.fchmod(fd, 0o600)  # independent of the umask
            # allocate everything now: a disk that is full later would raise SIGBUS
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
        self._reuse_bytes = capacity if readers else REUSE_BYTES
        self._whole[: len(identity)] = identity
        self._words[0] = ring_layout.MAGIC
        self._links: list[str] = []
        self.refused_links: dict[str, str] = {}
        """Why a directory of `readers` has no link to this ring."""
        for directory in readers:
            self._link(directory, worker)

    @property
    def used_bytes(self) -> int:
        """Bytes that the engine has not acknowledged."""
        return self._head - int(self._words[_TAIL])

    @property
    def committed_events(self) -> int:
        """Events appended so far."""
        return self._events

    def append(self, sequence: int, events: int, data: bytes) -> bool:
        """Commit a batch; False if there is no space now. The hot path.

        `sequence`: of the batch, contiguous. `events`: number of events in it. `data`: the encoded batch.
        """
        words, capacity, head = self._words, self._capacity, self._head
        size = (RECORD_BYTES + len(data) + 7) & -8
        tail = words[_TAIL]
        reuse = self._reuse_bytes
        if tail == head and head % capacity >= reuse and size <= reuse:
            start: int | None = head + capacity - head % capacity
        else:
            start = _plan_append(head, tail, capacity, size)
        if start is None:
            return False
        if start != head:
            unused = HEADER_BYTES + head % capacity
            self._map[unused : unused + 8] = ring_layout.wrap_marker()
        total = self._events
        _put_record(self._map, HEADER_BYTES + start % capacity, sequence, total, events, data)
        self._events = total = total + events
        self._head = head = start + size
        # overwrites the mark before the last, so that the last one stays valid until this one is
        _pack_mark(self._map, _MARKS[sequence & 1], head, sequence, total)
        words[_HEAD] = head  # one aligned store commits the record
        return True

    def tell_dropped(self, total: int, unannounced: int) -> None:
        """Record the events dropped so far, and those in no committed batch and announced by no committed gap."""
        self._words[Word.UNANNOUNCED] = unannounced
        self._words[Word.DROPPED] = total

    def close(self) -> None:
        """Unmap the ring; the file stays for the engine. An empty ring without a loss to report is removed."""
        if self._closed:
            return
        self._closed = True
        unused = self._head == 0 and not self._words[Word.UNANNOUNCED]
        self._words.release()
        self._whole.release()
        self._map.close()
        for path in (self.path, *self._links) if unused else ():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _link(self, directory: str, worker: str) -> None:
        link = os.path.join(directory, os.path.basename(self.path))
        try:
            if _rings_in(directory, worker) >= RINGS_KEPT_MAX:
                self.refused_links[directory] = f"{RINGS_KEPT_MAX} earlier rings of {worker} wait there"
                return
            os.link(self.path, link, follow_symlinks=False)
        except OSError as error:
            self.refused_links[directory] = str(error.strerror)
        else:
            self._links.append(link)


def _rings_in(directory: str, worker: str) -> int:
    """Return the number of rings of `worker` in `directory`."""
    return sum((ring_layout.parse_ring_name(name) or ("", 0))[0] == worker for name in os.listdir(directory))
