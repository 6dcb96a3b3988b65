"""A TCP proxy of the loopback address that can be cut: as a network that drops packets, or as a host that refuses.

Stalled, it passes nothing on in either direction: connections stay open, and every byte waits until `heal`. Refused,
all connections are reset and none can be made.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final

from foxtrot_supervisor.chaos.rules.cuts import CutKind

__all__ = ["CutProxy"]

CHUNK: Final = 65_536
"""Bytes that are passed on at a time."""

WAITING_MAX: Final = 262_144
"""Bytes that wait for a slow receiver, in each direction of a connection, before no more are read."""

ANSWER_S: Final = 10.0
"""Longest wait for the thread of the proxy."""


class CutProxy:
    """Listens on a free port and has a thread of its own; use it as a context manager."""

    def __init__(self, port: int) -> None:
        """`port`: of the server behind it, on the loopback address."""
        self._target = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}", daemon=True)

    @property
    def url(self) -> str:
        """Address of clients of a NATS server."""
        return f"nats://127.0.0.1:{self.port}"

    def cut(self, kind: CutKind) -> None:
        """Pass nothing on; when this returns no further byte comes through."""
        self._call(self._cut(kind))

    def heal(self) -> None:
        """Pass everything on, also what has waited."""
        self._call(self._heal())

    def __enter__(self) -> CutProxy:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_S)
        self._loop.close()

    # ---- in the thread

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, sock=self._socket)

    async def _cut(self, kind: CutKind) -> None:
        self._open.clear()
        if kind == "refused":
            await self._shut()

    async def _heal(self) -> None:
        self._open.set()
        if self._server is None:
            self._socket = socket.create_server(("127.0.0.1", self.port))
            await self._listen()

    async def _close(self) -> None:
        await self._shut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for end in self._ends:
            _reset(end)
        self._ends.clear()

    async def _connected(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self._ends.add(client)
        if (this := asyncio.current_task()) is not None:
            self._keep(this)
        await self._open.wait()
        try:
            server_reader, server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(client)
            return
        self._ends.add(server)
        for reader, writer in ((client_reader, server), (server_reader, client)):
            writer.transport.set_write_buffer_limits(high=WAITING_MAX)
            self._keep(asyncio.create_task(self._pass_on(reader, writer)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        await self._open.wait()  # the end of a connection is no news either
        self._ends.discard(writer)
        writer.close()


def _reset(end: asyncio.StreamWriter) -> None:
    """End a connection so that its peer is refused at once."""
    end_socket = end.get_extra_info("socket")
    if end_socket is not None and end_socket.fileno() >= 0:
        end_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
