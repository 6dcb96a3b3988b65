"""The second client, by the `websockets` library, for venues and sites that need its features (compression).

Slower than picows by an order of magnitude for each frame; same contract, same tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import CTRL_OPCODES, Frame

from foxtrot_workers.owned_tasks import start_task
from foxtrot_workers.websocket.client import (
    ANSWER_BYTES_MAX,
    TURN_BYTES,
    ClientOptions,
    ConnectFailed,
    FramesCallback,
    descriptor_of,
    handshake_failure,
    limit_receive_buffer,
    proxy_tls_context,
    refusal,
    tls_context,
)

__all__ = ["WebsocketsClient"]

_log = logging.getLogger("websockets.client")
_log.addHandler(logging.NullHandler())
_log.propagate = False


class _Connect(connect):
    """Follows no redirects, which would send our traffic to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class WebsocketsClient:
    """`client.Client` by websockets."""

    def __init__(
        self,
        options: ClientOptions,
        on_frames: FramesCallback,
        on_control: Callable[[], None],
        on_closed: Callable[[str], None],
    ) -> None:
        self._options = options
        self._on_frames = on_frames
        self._on_control = on_control
        self._on_closed = on_closed
        self._connection: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._readable = asyncio.Event()
        self._readable.set()
        self._sending: set[asyncio.Task[None]] = set()
        self._answer = bytearray()
        """Beginning of the answer to the handshake, which the library's errors do not contain."""

    async def connect(self) -> None:
        options = self._options
        secure = options.url.startswith("wss:")
        proxy_tls = proxy_tls_context(options)
        more: dict[str, Any] = {} if proxy_tls is None else {"proxy_ssl": proxy_tls}
        try:
            self._connection = await _Connect(
                options.url,
                ssl=tls_context(options.ca_file) if secure else None,
                proxy=options.proxy,
                **more,
                compression="deflate" if options.compression else None,
                open_timeout=options.connect_s,
                ping_interval=None,  # the feed detects silence; exchanges count pings against a rate limit
                max_size=options.frame_bytes_max,
                create_connection=self._watching_connection(),
            )
        except InvalidStatus as error:
            response = error.response
            raise refusal(
                response.status_code, response.headers.get("Retry-After"), time.time(), bytes(response.body or b"")
            ) from None
        except (TimeoutError, OSError, InvalidHandshake, InvalidURI, ValueError) as error:
            raise self._failure(error) from None
        limit_receive_buffer(self._connection.transport)
        self._reader = start_task(self._read(self._connection), "websocket-reader")

    def _failure(self, error: Exception) -> ConnectFailed:
        failure = handshake_failure(bytes(self._answer), time.time())
        if failure is not None:
            return failure
        if isinstance(error, TimeoutError):
            return ConnectFailed(f"no connection within {self._options.connect_s:g} s")
        return ConnectFailed(f"{type(error).__name__}: {error}")

    def fileno(self) -> int:
        return -1 if self._connection is None else descriptor_of(self._connection.transport)

    def send(self, text: str) -> None:
        if self._connection is not None:
            self._start(self._connection.send(text))

    def ping(self) -> None:
        if self._connection is not None:
            self._start(self._connection.ping())

    def _start(self, sending: Awaitable[object]) -> None:
        task = start_task(self._send(sending), "websocket-send")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def pause(self) -> None:
        self._readable.clear()  # the library's queue fills up, then it stops reading the socket

    def resume(self) -> None:
        self._readable.set()

    async def close(self, grace_s: float) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await connection.close()
        connection.transport.abort()

    async def _send(self, sending: Awaitable[object]) -> None:
        with contextlib.suppress(ConnectionClosed):
            await sending

    async def _read(self, connection: ClientConnection) -> None:
        try:
            while True:
                await self._readable.wait()
                self._on_frames([await connection.recv(decode=False)], False)
        except ConnectionClosed as error:
            if self._connection is not None:
                self._on_closed(_why(error))

    def _watching_connection(self) -> type[ClientConnection]:
        on_control = self._on_control
        answer = self._answer

        class Watching(ClientConnection):
            """Reports control frames, keeps the answer to the handshake, lets other callbacks of the loop run."""

            _rest = b""
            """Bytes received and not parsed yet."""

            def data_received(self, data: bytes) -> None:
                if self.response is None and len(answer) < ANSWER_BYTES_MAX:
                    answer.extend(data[:ANSWER_BYTES_MAX])
                if self._rest:
                    self._rest += data
                else:
                    self._parse_some(data)

            def _parse_some(self, data: bytes) -> None:
                super().data_received(data[:TURN_BYTES])
                self._rest = data[TURN_BYTES:]
                if self.transport.is_closing():
                    self._parse_rest()
                elif len(data) >= TURN_BYTES:
                    self.transport.pause_reading()
                    self.loop.call_soon(self._continue)

            def _continue(self) -> None:
                rest, self._rest = self._rest, b""
                if rest:
                    self._parse_some(rest)
                # the library may have paused too, because its queue is full: it resumes when the queue drains
                if not self._rest and not self.recv_messages.paused and not self.transport.is_closing():
                    self.transport.resume_reading()

            def _parse_rest(self) -> None:
                rest, self._rest = self._rest, b""
                if rest:
                    super().data_received(rest)

            def eof_received(self) -> None:
                self._parse_rest()  # received before the end
                super().eof_received()

            def connection_lost(self, exc: Exception | None) -> None:
                self._parse_rest()
                super().connection_lost(exc)

            def process_event(self, event: Any) -> None:
                super().process_event(event)
                if isinstance(event, Frame) and event.opcode in CTRL_OPCODES:
                    on_control()

        return Watching


def _why(error: ConnectionClosed) -> str:
    if error.rcvd is not None:
        return f"closed by the exchange: {error.rcvd.code} {error.rcvd.reason}".rstrip()
    if error.sent is not None:
        return f"the exchange broke the protocol: {error.sent.code} {error.sent.reason}".rstrip()
    return "connection lost without a close frame"
