"""Live events for operators: the batches that the engine applied, over a unix stream socket.

A client gets the latest batches first (`HISTORY_BYTES`), then new ones. Each record is a u32 length (big endian) and
one batch of that length, as it came over the data plane. A client that reads too slowly costs the engine at most
`CLIENT_BYTES`: batches are dropped for it, and a record of length 0 followed by a u32 reports their number.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import sys
import termios
import threading
from collections import deque

from foxtrot_supervisor.system.peer_credentials import peer_of

__all__ = ["CLIENTS_MAX", "CLIENT_BYTES", "HISTORY_BYTES", "LOOK_S", "UNREAD_S", "EventTap"]

HISTORY_BYTES = 8 * 1024 * 1024
"""Latest batches kept for new clients."""

CLIENT_BYTES = 16 * 1024 * 1024
"""Bytes that may wait for one client, besides the kernel's buffer."""

CLIENTS_MAX = 16
"""Readers at a time. A further one replaces one that does not read; if all read, it is refused."""

UNREAD_S = 60.0
"""A reader that reads nothing for this long although data wait is dropped. It may connect again."""

LOOK_S = 1.0
"""Interval of checks for such readers and for removal of the socket's file."""

_LENGTH = struct.Struct(">I")
_DROPPED = struct.Struct(">II")


class EventTap:
    """Serves clients on the event loop; the dispatch thread calls `offer`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._history: deque[bytes] = deque()
        self._history_bytes = 0
        self._clients: set[_Client] = set()
        self._pending: deque[bytes] = deque()
        self._server: asyncio.Server | None = None
        self._bound = (0, 0)
        self._handlers: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen at the path; only this user may connect."""
        await self._listen()
        self._looking = asyncio.create_task(self._look(), name="event-tap-look")

    def offer(self, batch: bytes) -> None:
        """Keep `batch` and pass it to the clients; cheap without clients."""
        with self._lock:
            self._history.append(batch)
            self._history_bytes += len(batch)
            while self._history_bytes > HISTORY_BYTES:
                self._history_bytes -= len(self._history.popleft())
            if not self._clients:
                return
            self._pending.append(batch)
            if len(self._pending) > 1:
                return
        with contextlib.suppress(RuntimeError):  # the loop has ended before the dispatch thread
            self._loop.call_soon_threadsafe(self._distribute)

    async def close(self, grace_s: float) -> None:
        """Let clients read what waits for them for `grace_s` seconds, then drop them; remove the socket."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
            self._looking = None
        self._distribute()
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.end()
        if self._handlers:
            _, late = await asyncio.wait(self._handlers, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(OSError):  # removed, or the directory is gone
            os.unlink(self._path)

    async def _listen(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        os.chmod(self._path, 0o600)
        self._bound = _identity(self._path)

    async def _look(self) -> None:
        """Drop readers that do not read; listen again if the socket's file was removed."""
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._loop.time()
            for client in list(self._clients):
                if client.unread_s(now) >= UNREAD_S:
                    client.drop()
            if _identity(self._path) != self._bound:
                if self._server is not None:
                    self._server.close()  # existing connections stay
                with contextlib.suppress(OSError):  # no directory: retried at the next check
                    await self._listen()

    def _distribute(self) -> None:
        with self._lock:
            batches = list(self._pending)
            self._pending.clear()
            clients = list(self._clients)
        for client in clients:
            for batch in batches:
                client.offer(batch)

    def _join(self, client: _Client) -> None:
        with self._lock:
            # pending batches are in the history already: this client must not get them twice
            pending = list(self._pending)
            self._pending.clear()
            others = list(self._clients)
            for batch in self._history:
                client.offer(batch)
            self._clients.add(client)
        for other in others:
            for batch in pending:
                other.offer(batch)

    def _has_room(self) -> bool:
        """Whether another client can be served; evicts the one that has not read for the longest time."""
        if len(self._clients) < CLIENTS_MAX:
            return True
        now = self._loop.time()
        slowest = max(self._clients, key=lambda client: client.unread_s(now))
        if slowest.unread_s(now) < LOOK_S:
            return False
        with self._lock:
            self._clients.discard(slowest)
        slowest.drop()
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        client = _Client(writer, self._loop.time())
        try:
            if peer_of(writer).uid not in (os.geteuid(), 0) or not self._has_room():
                return
            self._join(client)
            await client.write_to(reader)
        except (ConnectionError, OSError):
            return
        finally:
            with self._lock:
                self._clients.discard(client)
            self._handlers.discard(task)
            client.drop()


class _Client:
    """One reader, and the batches that wait for it."""

    def __init__(self, writer: asyncio.StreamWriter, now: float) -> None:
        self._writer = writer
        # so that drained means written to the kernel: what waits is bounded here, not in the transport
        writer.transport.set_write_buffer_limits(0)
        self._batches: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._news = asyncio.Event()
        self._ending = False
        self._sent = 0
        self._read = 0
        self._read_at = now

    def offer(self, batch: bytes) -> None:
        if self._bytes + len(batch) > CLIENT_BYTES:
            self._dropped += 1
        else:
            self._batches.append(batch)
            self._bytes += len(batch)
        self._news.set()

    def end(self) -> None:
        self._ending = True
        self._news.set()

    def drop(self) -> None:
        """End the connection at once, without what still waits for it."""
        self._writer.transport.abort()

    def unread_s(self, now: float) -> float:
        """Return how long data have waited while the reader read nothing, in seconds."""
        unread = self._writer.transport.get_write_buffer_size() + _unread_bytes(self._writer)
        # the kernel counts its overhead too: the difference rises only if the reader reads
        before, self._read = self._read, self._sent - unread
        if unread == 0 or self._read > before:
            self._read_at = now
        return now - self._read_at

    async def write_to(self, reader: asyncio.StreamReader) -> None:
        gone = asyncio.create_task(
            reader.read(1), name="tap-client-gone"
        )  # clients send nothing: this is the end of the connection
        try:
            while not gone.done():
                while self._batches:
                    batch = self._batches.popleft()
                    self._bytes -= len(batch)
                    await self._write(_LENGTH.pack(len(batch)), batch)
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    await self._write(_DROPPED.pack(0, dropped))
                if self._ending and not self._batches:
                    return
                self._news.clear()
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait({gone, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            gone.cancel()

    async def _write(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
            self._sent += len(part)
        await self._writer.drain()


def _unread_bytes(writer: asyncio.StreamWriter) -> int:
    """Return the bytes in the kernel that the peer of a unix socket has not read."""
    end = writer.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(end.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0  # closed
    return int.from_bytes(answer, sys.byteorder)


def _identity(path: str) -> tuple[int, int]:
    try:
        facts = os.lstat(path)
    except OSError:
        return (0, 0)
    return facts.st_dev, facts.st_ino
