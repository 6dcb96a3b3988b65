"""Live events for operators: the batches that the engine applied, over a unix stream socket.

A client gets first what is remembered (`HISTORY_BYTES`), then what comes. Each message is a u32 (big
endian) length and that many bytes of one batch, as it came over the data plane. A client that reads too
slowly costs the engine nothing but `CLIENT_BYTES`: batches are dropped for it and a record of length 0,
followed by a u32 count of dropped batches, tells it so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import threading
from collections import deque

from foxtrot_supervisor.system.peer_credentials import peer_of

__all__ = ["CLIENTS_MAX", "CLIENT_BYTES", "HISTORY_BYTES", "EventTap"]

HISTORY_BYTES = 8 * 1024 * 1024
"""What is remembered for a client that comes later."""

CLIENT_BYTES = 16 * 1024 * 1024
"""What may wait for one client, beside the kernel's buffer."""

CLIENTS_MAX = 16

_LENGTH = struct.Struct(">I")
_DROPPED = struct.Struct(">II")


class EventTap:
    """Serves clients on the event loop; `offer` is called by the dispatch thread."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._history: deque[bytes] = deque()
        self._history_bytes = 0
        self._clients: set[_Client] = set()
        self._pending: deque[bytes] = deque()
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; the socket file is only for this user."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        os.chmod(self._path, 0o600)

    def offer(self, batch: bytes) -> None:
        """Remember `batch` and pass it to the clients; cheap when there are none."""
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
        """Let clients take what waits for them within `grace_s`, then end."""
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
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

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
            # what is pending for others is in the history already: this client must not get it twice
            pending = list(self._pending)
            self._pending.clear()
            others = list(self._clients)
            for batch in self._history:
                client.offer(batch)
            self._clients.add(client)
        for other in others:
            for batch in pending:
                other.offer(batch)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        client = _Client()
        try:
            if peer_of(writer).uid not in (os.getuid(), 0) or len(self._clients) >= CLIENTS_MAX:
                return
            self._join(client)
            await client.write_to(reader, writer)
        except (ConnectionError, OSError):
            return
        finally:
            with self._lock:
                self._clients.discard(client)
            self._handlers.discard(task)
            writer.close()


class _Client:
    def __init__(self) -> None:
        self._batches: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._news = asyncio.Event()
        self._ending = False

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

    async def write_to(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone = asyncio.create_task(reader.read(1), name="tap-client-gone")  # clients send nothing: this is their end
        try:
            while not gone.done():
                while self._batches:
                    batch = self._batches.popleft()
                    self._bytes -= len(batch)
                    writer.write(_LENGTH.pack(len(batch)))
                    writer.write(batch)
                    await writer.drain()
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    writer.write(_DROPPED.pack(0, dropped))
                    await writer.drain()
                if self._ending and not self._batches:
                    return
                self._news.clear()
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait({gone, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            gone.cancel()
