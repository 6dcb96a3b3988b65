"""A small HTTP/1.1 server for pages that machines read: bounded connections, sizes and times. Parsing is h11's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import h11
from msgspec import Struct

from foxtrot_supervisor.monitoring.access import Access
from foxtrot_supervisor.monitoring.pages import Page

__all__ = [
    "CLIENTS_MAX",
    "HEAD_BYTES_MAX",
    "IDLE_S",
    "REQUESTS_MAX",
    "UNREAD_S",
    "HttpServer",
    "ServerCounts",
    "listen",
]

CLIENTS_MAX: Final = 32
"""Connections at a time; a further one takes the place of the one that was accepted first."""

HEAD_BYTES_MAX: Final = 16 * 1024
"""Bytes of a request's head."""

IDLE_S: Final = 15.0
"""Seconds in which a whole request must arrive."""

UNREAD_S: Final = 10.0
"""Seconds in which a response must be read."""

REQUESTS_MAX: Final = 1000
"""Requests on one connection."""

_CHUNK_BYTES: Final = 16 * 1024
_BACKLOG: Final = 64

Respond = Callable[[str, str], Awaitable[Page | None]]
"""Returns the page at a path for a header Accept, None if there is none."""


class ServerCounts(Struct):
    """Counts since the start; the names are those of `report.metrics.OWN`."""

    requests_total: int = 0
    refused_total: int = 0
    """Requests without access, or to no page."""
    dropped_total: int = 0
    """Connections dropped because of slowness, size, or to make room."""


class HttpServer:
    """Serves pages to those who have access; counts in `counts`."""

    def __init__(self, respond: Respond, access: Access, counts: ServerCounts) -> None:
        self._respond = respond
        self._access = access
        self._counts = counts
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self, listener: socket.socket) -> None:
        """Serve connections of `listener`, which is bound and listening."""
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=HEAD_BYTES_MAX)

    async def close(self) -> None:
        """End every connection."""
        if self._server is not None:
            self._server.close()
        clients = dict(self._clients)
        for task, writer in clients.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writer.transport.set_write_buffer_limits(0)  # drained then means: in the kernel's hands
        if len(self._clients) >= CLIENTS_MAX:
            self._make_room()
        self._clients[task] = writer
        try:
            await self._converse(reader, writer)
        except TimeoutError:
            self._counts.dropped_total += 1
        except (OSError, asyncio.CancelledError):
            pass  # the client has gone, or the connection is being ended
        finally:
            writer.transport.abort()
            self._clients.pop(task, None)

    def _make_room(self) -> None:
        task = next(iter(self._clients))
        self._counts.dropped_total += 1
        self._clients.pop(task).transport.abort()
        task.cancel()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        for _ in range(REQUESTS_MAX):
            try:
                async with asyncio.timeout(IDLE_S):
                    request = await _request(connection, reader)
            except h11.RemoteProtocolError as error:
                self._counts.dropped_total += 1
                await self._send(connection, writer, _text(error.error_status_hint, "the request is malformed"), False)
                return
            if request is None:
                return
            self._counts.requests_total += 1
            await self._send(connection, writer, await self._page(request), request.method == b"HEAD")
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _page(self, request: h11.Request) -> Page:
        headers = {name: value.decode("latin-1") for name, value in request.headers}
        refusal = self._access.refuse(
            request.method.decode("latin-1"), headers.get(b"host", ""), headers.get(b"authorization", "")
        )
        if refusal is not None:
            self._counts.refused_total += 1
            return _text(refusal.status, refusal.reason)
        path = request.target.decode("latin-1").partition("?")[0]
        page = await self._respond(path, headers.get(b"accept", ""))
        if page is None:
            self._counts.refused_total += 1
            return _text(404, "there is no such page")
        return page

    async def _send(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, page: Page, head_only: bool
    ) -> None:
        if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [
            ("content-type", page.content_type),
            ("content-length", str(len(page.body))),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ]
        if page.status == 401:
            headers.append(("www-authenticate", "Bearer"))
        if page.status == 405:
            headers.append(("allow", "GET, HEAD"))
        if page.status in (400, 408, 413, 431):
            headers.append(("connection", "close"))
        reason = HTTPStatus(page.status).phrase
        data = connection.send(h11.Response(status_code=page.status, headers=headers, reason=reason)) or b""
        if not head_only:
            data += connection.send(h11.Data(data=page.body)) or b""
        data += connection.send(h11.EndOfMessage()) or b""
        writer.write(data)
        async with asyncio.timeout(UNREAD_S):
            await writer.drain()


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """Return the next request once it is complete; None at the end of the connection."""
    request: h11.Request | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                raise h11.RemoteProtocolError("a body is not served", error_status_hint=413)
            connection.receive_data(await reader.read(_CHUNK_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            raise h11.RemoteProtocolError("a body is not served", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage):
            return request
        else:
            return None


def _text(status: int, reason: str) -> Page:
    with contextlib.suppress(ValueError):
        return Page(HTTPStatus(status).value, "text/plain; charset=utf-8", f"{reason}\n".encode())
    return Page(400, "text/plain; charset=utf-8", f"{reason}\n".encode())


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
