"""Where operators ask: JSON lines over a unix socket in the run directory (`foxtrot_protocol.control`).

Keeps no state and makes no rules: each request goes to `answer`, whose `Reply` goes back. A client of
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

__all__ = ["CLIENTS_MAX", "REQUEST_BYTES_MAX", "ControlServer"]

CLIENTS_MAX = 32
"""Operators connected at a time; further ones are told so and closed."""

REQUEST_BYTES_MAX = 256 * 1024
"""Longest request line: a thousand symbols have about 20 KB."""

FLUSH_S = 1.0
"""How long last replies may take to leave when the server closes."""

_BACKLOG = 16

Answer = Callable[[Request], Awaitable[Reply]]


class ControlServer:
    """Serves `path` from `start` to `close`; `answer` is awaited for each request and may take its time."""

    def __init__(self, path: str, answer: Answer) -> None:
        self._path = path
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._listener: socket.socket | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
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
        except OSError:
            listener.close()
            raise
        self._listener = listener

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
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        for writer in clients.values():
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        if server is not None:
            server.close()
            await server.wait_closed()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writer.transport.set_write_buffer_limits(0)  # drained then means: in the kernel's hands
        crowded = len(self._clients) >= CLIENTS_MAX
        self._clients[task] = writer
        try:
            if peer_of(writer).uid not in (os.geteuid(), 0):
                await _send(writer, Reply(error="this supervisor belongs to another user"))
            elif crowded:
                await _send(writer, Reply(error=f"{CLIENTS_MAX} operators are connected already"))
            else:
                await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone; nobody waits for an answer
        except asyncio.CancelledError:
            pass  # `close` ends this task; a task that ends cancelled is logged as an error by the stream server
        finally:
            writer.close()
            del self._clients[task]

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                await _send(writer, Reply(error=f"request longer than {REQUEST_BYTES_MAX} bytes"))
                return
            try:
                request = decode_request(line)
            except MalformedMessage as error:
                await _send(writer, Reply(error=error.reason))
                continue
            await self._reply(request, writer)

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


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    writer.write(encode_line(reply))
    await writer.drain()
