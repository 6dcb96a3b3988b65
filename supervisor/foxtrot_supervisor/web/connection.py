"""One HTTP connection of the web view, with bounds in time; and the number of all, bounded.

A connection that brings no complete request, or does not take its answer, within `IDLE_S` is dropped, without regard to
how many bytes it moves. Handlers bound what happens in between (`serving`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from aiohttp import web

__all__ = ["CONNECTIONS_MAX", "IDLE_S", "Connection", "Counts", "Listener"]

CONNECTIONS_MAX: Final = 128
"""Connections at a time; a further one replaces the one that has served nothing for longest."""

IDLE_S: Final = 10.0
"""Seconds that a connection may spend between two requests."""

_LINE_BYTES_MAX: Final = 2048
_HEADER_BYTES_MAX: Final = 2048
_HEADERS_MAX: Final = 64


class Counts:
    """What was refused or dropped."""

    def __init__(self) -> None:
        self.refused = 0
        """Requests."""
        self.malformed = 0
        """Requests that are no HTTP, or too long."""
        self.dropped = 0
        """Connections: idle, too slow, or one too many."""


class Connection(web.RequestHandler):
    """Serves one connection."""

    def __init__(self, listener: Listener, **options: Any) -> None:
        super().__init__(listener, loop=asyncio.get_running_loop(), **options)
        self._listener = listener
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        cast("asyncio.Transport", transport).set_write_buffer_limits(0)  # drained then means: in the kernel's hands
        self._listener.enter(self)
        self._await_request()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by the event loop."""
        self._forget_deadline()
        self._listener.idle.pop(self, None)
        self._listener.busy.discard(self)
        super().connection_lost(exc)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """A request is in progress: it has limits of its own."""
        self._forget_deadline()
        self._listener.idle.pop(self, None)
        self._listener.busy.add(self)
        try:
            yield
        finally:
            self._listener.busy.discard(self)
            if self.transport is not None:
                self._await_request()

    def drop(self) -> None:
        """End the connection at once, without sending what waits."""
        self._listener.counts.dropped += 1
        self._listener.idle.pop(self, None)
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or a failure of ours; aiohttp's own answer would quote the request."""
        if status == 500:
            self._listener.report(f"internal error: {type(exc).__name__}: {exc}")
        else:
            self._listener.counts.malformed += 1
        response = web.Response(status=status, text="refused\n", headers=self._listener.headers)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **options: Any) -> None:
        """Nothing: `handle_error` has reported it in one line."""

    def _await_request(self) -> None:
        self._listener.idle[self] = None
        self._deadline = asyncio.get_running_loop().call_later(IDLE_S, self.drop)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Listener(web.Server):
    """Makes a `Connection` for each client. `headers` go with each answer; `report` gets lines for the log."""

    def __init__(self, handler: Any, headers: Mapping[str, str], report: Any) -> None:
        super().__init__(handler)
        self.headers = headers
        self.report = report
        self.counts = Counts()
        self.idle: dict[Connection, None] = {}
        """Connections without a request in progress, the one that waits for longest first."""
        self.busy: set[Connection] = set()

    def __call__(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(
            self,
            access_log=None,
            keepalive_timeout=IDLE_S,
            max_line_size=_LINE_BYTES_MAX,
            max_field_size=_HEADER_BYTES_MAX,
            max_headers=_HEADERS_MAX,
            lingering_time=0.0,
            auto_decompress=False,  # a small body cannot become a large one
        )

    def enter(self, newcomer: Connection) -> None:
        """Make room for `newcomer`, or drop it where every connection is busy."""
        if len(self.idle) + len(self.busy) < CONNECTIONS_MAX:
            return
        (next(iter(self.idle), None) or newcomer).drop()
