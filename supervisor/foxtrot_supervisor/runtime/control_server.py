"""Where operators ask: JSON lines over a unix socket in the run directory (`foxtrot_protocol.control`).

Keeps no state and makes no rules: each request goes to `answer`, whose `Reply` goes back, encoded or not. A client of
another user is refused (the directory is private already; this holds also where it was opened up).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable

from foxtrot_protocol.control import Reply, Request, decode_request, encode_line
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.system.peer_credentials import peer_of

__all__ = ["CLIENTS_MAX", "IDLE_S", "REQUEST_BYTES_MAX", "UNREAD_S", "ControlServer"]

CLIENTS_MAX = 32
"""Operators connected at a time; a further one takes the place of the one that has asked nothing for longest."""

IDLE_S = 60.0
"""How long a connection may take to bring a whole request, from its start or the last reply; then it is dropped."""

UNREAD_S = 5.0
"""How long a reply may take to be read; then the connection is dropped."""

REQUEST_BYTES_MAX = 4 * 1024 * 1024
"""Longest request line: a thousand symbols have about 20 KB, a cluster assigns a thousand connections at most."""

FLUSH_S = 1.0
"""How long last replies may take to leave when the server closes."""

_BACKLOG = 16

Answer = Callable[[Request], Awaitable[Reply | bytes]]


class ControlServer:
    """Serves `path` from `start` to `close`; `answer` is awaited for each request and may take its time."""

    def __init__(self, path: str, answer: Answer) -> None:
        self._path = path
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._listener: socket.socket | None = None
        self._bound = (0, 0)
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        """Those that have asked most recently last."""
        self._asking: set[asyncio.Task[None]] = set()
        self._answering = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Listen; raises OSError if the socket cannot be made."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(self._path)
            os.chmod(self._path, 0o600)
            listener.listen(_BACKLOG)
            listener.setblocking(False)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=REQUEST_BYTES_MAX)
            self._bound = _identity(self._path)
        except OSError:
            listener.close()
            raise
        self._listener = listener

    @property
    def is_bound(self) -> bool:
        """Whether the socket's file is still the one that this server has made."""
        return _identity(self._path) == self._bound

    async def restart(self) -> None:
        """Listen again after the socket's file was removed; connections that exist stay. Raises OSError."""
        if self._server is None:
            return  # it is ending
        server, self._server = self._server, None
        server.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        await self.start()

    @property
    def descriptors(self) -> frozenset[int]:
        """Descriptors of listener and clients, open until `close`."""
        found = {_descriptor(writer) for writer in self._clients.values()}
        if self._listener is not None:
            found.add(self._listener.fileno())
        return frozenset(found - {-1})

    @property
    def tasks(self) -> frozenset[asyncio.Task[None]]:
        """Tasks that serve clients, running until `close`."""
        return frozenset(self._clients)

    async def settle(self) -> None:
        """Take no further connection; wait, at most `FLUSH_S`, until every request in hand is answered."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), FLUSH_S)

    async def close(self) -> None:
        """End every connection, remove the socket. What was not answered by now never is; see `settle`."""
        server, self._server, self._listener = self._server, None, None
        clients = dict(self._clients)
        for task, writer in clients.items():
            # what was read is with its reader; no client is waited for
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        if server is not None:
            server.close()
        await asyncio.sleep(0)  # aborted transports close their sockets in the next turn
        with contextlib.suppress(OSError):  # removed, or the directory is gone
            os.unlink(self._path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writer.transport.set_write_buffer_limits(0)  # drained then means: in the kernel's hands
        if len(self._clients) >= CLIENTS_MAX:
            self._make_room()
        self._clients[task] = writer
        try:
            if peer_of(writer).uid not in (os.geteuid(), 0):
                await _send(writer, Reply(error="this supervisor belongs to another user"))
            else:
                await self._converse(task, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone, sends no request or does not read: no answer is awaited
        except asyncio.CancelledError:
            pass  # `close` ends this task; a task that ends cancelled is logged as an error by the stream server
        finally:
            writer.transport.abort()
            self._clients.pop(task, None)

    def _make_room(self) -> None:
        """Drop the connection whose last request is oldest, one that waits for no answer if there is any."""
        idle = (task for task in self._clients if task not in self._asking)
        task = next(idle, None) or next(iter(self._clients))
        self._clients.pop(task).transport.abort()
        task.cancel()

    async def _converse(
        self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                await _send(writer, Reply(error=f"request longer than {REQUEST_BYTES_MAX} bytes"))
                return
            if task in self._clients:
                self._clients[task] = self._clients.pop(task)
            try:
                request = decode_request(line)
            except MalformedMessage as error:
                await _send(writer, Reply(error=error.reason))
                continue
            self._asking.add(task)
            try:
                await self._reply(request, writer)
            finally:
                self._asking.discard(task)

    async def _reply(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self._answering += 1
        self._idle.clear()
        try:
            await _send(writer, await self._answer(request))
        finally:
            self._answering -= 1
            if self._answering == 0:
                self._idle.set()


def _descriptor(writer: asyncio.StreamWriter) -> int:
    end = writer.get_extra_info("socket")
    return -1 if end is None else int(end.fileno())


async def _send(writer: asyncio.StreamWriter, reply: Reply | bytes) -> None:
    """Raises TimeoutError if it is not read in time."""
    writer.write(reply if isinstance(reply, bytes) else encode_line(reply))
    async with asyncio.timeout(UNREAD_S):
        await writer.drain()


def _identity(path: str) -> tuple[int, int]:
    try:
        facts = os.lstat(path)
    except OSError:
        return (0, 0)
    return facts.st_dev, facts.st_ino
