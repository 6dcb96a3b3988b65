"""The seam between a worker and a WebSocket library: one contract, two implementations.

A client connects once, calls back for each frame, sends texts, can stop reading (TCP backpressure) and closes. It knows
no exchange, follows no redirects (which would send our traffic to another host), ignores proxies of the environment,
always verifies TLS, and limits the size of a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import functools
import importlib
import re
import socket
import ssl
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct

__all__ = [
    "ANSWER_BYTES_MAX",
    "BODY_SAMPLE_CHARS",
    "BURST_FRAMES_MAX",
    "CLIENTS",
    "REFUSING_STATUSES",
    "REPELLING_STATUSES",
    "RETRY_AFTER_DEFAULT_S",
    "TURN_BYTES",
    "TURN_FRAMES",
    "Client",
    "ClientOptions",
    "ConnectFailed",
    "FramesCallback",
    "descriptor_of",
    "handshake_failure",
    "make_client",
    "proxy_tls_context",
    "refusal",
    "retry_after_s",
    "tls_context",
]

RETRY_AFTER_MAX_S = 3 * 24 * 3600.0
"""The longest ban known of any exchange; longer ones are reduced to it."""

REPELLING_STATUSES = frozenset({418, 429})
"""HTTP statuses that mean "too many requests"; they hold for all clients of our address."""

RETRY_AFTER_DEFAULT_S = 1.0
"""Delay in seconds after such a status without a Retry-After."""

REFUSING_STATUSES = frozenset({403, 418, 429, 451})
"""HTTP statuses after which a connection is retried with a longer delay."""

BODY_SAMPLE_CHARS = 200
"""Maximum length of a refusal's body that is quoted in its cause."""

ANSWER_BYTES_MAX = 16 * 1024
"""Maximum size of an answer to the handshake that is kept to explain a failure."""

TURN_FRAMES = 4096
"""Frames read before other callbacks of the event loop run. libuv reads up to 32 buffers of one socket in a row:
millions of tiny frames, and seconds without a heartbeat."""

TURN_BYTES = 16 * 1024
"""Bytes parsed before other callbacks of the event loop run, in a client that does not count frames."""


class ClientOptions(Struct, frozen=True, kw_only=True):
    """Options of a client; sizes in bytes, times in seconds."""

    url: str
    connect_s: float
    frame_bytes_max: int
    compression: bool
    ca_file: str | None = None
    proxy: str | None = None


class ConnectFailed(Exception):
    """The connection was not established.

    `refused`: the exchange refused it. `retry_after_s`: seconds after which it accepts a retry, None if unknown.
    `repelled`: the refusal holds for all clients of our address.
    """

    def __init__(
        self, cause: str, *, refused: bool = False, retry_after_s: float | None = None, repelled: bool = False
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.refused = refused
        self.retry_after_s = retry_after_s
        self.repelled = repelled


FramesCallback = Callable[[list[bytes], bool], None]
"""``(payloads, last)``: data messages that were received together, at most `BURST_FRAMES_MAX`, in order.

`last`: no further message was received with them, so flush (False where that is unknown).
"""

BURST_FRAMES_MAX = 512

RECEIVE_BUFFER_BYTES = 1024 * 1024
"""Receive buffer of one connection in the kernel, which uses twice as much. Its content can be read at once, where
backpressure no longer helps, and is lost if the worker is killed. By default it grows to many MiB (``tcp_rmem``)."""


class Client(Protocol):
    """One WebSocket connection, created with three callbacks (`make_client`)."""

    async def connect(self) -> None:
        """Open the connection; raises `ConnectFailed`."""

    def fileno(self) -> int:
        """Return the descriptor of the connection's socket; -1 without a connection."""

    def send(self, text: str) -> None:
        """Queue a text message; ignored once the connection has ended."""

    def ping(self) -> None:
        """Send a ping frame; ignored once the connection has ended."""

    def pause(self) -> None:
        """Stop reading from the socket."""

    def resume(self) -> None:
        """Continue reading."""

    async def close(self, grace_s: float) -> None:
        """Close with a closing handshake, abort after `grace_s` seconds; safe at any time."""


CLIENTS = {
    "picows": "foxtrot_workers.websocket.picows_client:PicowsClient",
    "websockets": "foxtrot_workers.websocket.websockets_client:WebsocketsClient",
}
"""Loaded on demand: each library costs memory in every worker."""


def make_client(
    name: str,
    options: ClientOptions,
    on_frames: FramesCallback,
    on_control: Callable[[], None],
    on_closed: Callable[[str], None],
) -> Client:
    """Create the client `name` of `CLIENTS`.

    Args:
        name: key of `CLIENTS`.
        options: of the connection.
        on_frames: called with data messages; the hot path.
        on_control: called for each ping or pong of the exchange, which is a sign of life but not data.
        on_closed: called once with the cause when an open connection has ended other than by `close`.
    """
    module, _, attribute = CLIENTS[name].partition(":")
    client: Client = getattr(importlib.import_module(module), attribute)(options, on_frames, on_control, on_closed)
    return client


def limit_receive_buffer(transport: asyncio.BaseTransport) -> None:
    """Set the kernel's receive buffer of this connection to `RECEIVE_BUFFER_BYTES`."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):  # it may have ended already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """Return the descriptor of the socket of this connection; -1 if it has ended."""
    connection = transport.get_extra_info("socket")
    return -1 if connection is None else int(connection.fileno())


@functools.cache  # loading the authorities takes milliseconds and megabytes: once for the stream and all of REST
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies certificate and host name by `ca_file` or the system's authorities."""
    return ssl.create_default_context(cafile=ca_file)


def proxy_tls_context(options: ClientOptions) -> ssl.SSLContext | None:
    """Return the context for TLS to the proxy itself; None without a proxy or for a plain one."""
    secure = options.proxy is not None and urlsplit(options.proxy).scheme == "https"
    return tls_context(options.ca_file) if secure else None


def refusal(status: int, retry_after: str | None, now_s: float, body: bytes = b"") -> ConnectFailed:
    """Return the failure for an HTTP answer other than 101.

    Args:
        status: HTTP status.
        retry_after: value of the Retry-After header; None without one.
        now_s: wall-clock time in seconds, for dates in Retry-After.
        body: as much of the body as was received; its beginning is quoted in the cause.
    """
    delay_s = retry_after_s(retry_after, now_s)
    sample = _sample(body)
    cause = f"the exchange answered the handshake with HTTP {status}"
    if delay_s is not None:
        cause += f", Retry-After {delay_s:g} s"
    return ConnectFailed(
        f"{cause}: {sample}" if sample else cause,
        refused=status in REFUSING_STATUSES,
        retry_after_s=delay_s,
        repelled=status in REPELLING_STATUSES,
    )


_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})\b")
_RETRY_AFTER = re.compile(rb"^retry-after:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def handshake_failure(answer: bytes, now_s: float) -> ConnectFailed | None:
    """Return the refusal in the first bytes of a server's answer to the handshake, whatever a library reports.

    A body that is endless or too long, or a head with HTTP/1.0, does not hide the status. None where `answer` is empty
    or accepts the handshake (101): then the library's own reason is better.
    """
    if not answer:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    found = _STATUS_LINE.match(head)
    if found is None:
        return ConnectFailed(f"the handshake was not answered by HTTP, but by: {_sample(answer)}")
    status = int(found[1])
    if status == 101:
        return None
    retry_after = _RETRY_AFTER.search(head)
    return refusal(status, retry_after[1].decode("latin-1") if retry_after else None, now_s, body)


def _sample(body: bytes) -> str:
    """Return the beginning of `body` as one printable line."""
    text = body[: 4 * BODY_SAMPLE_CHARS].decode(errors="replace")
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= BODY_SAMPLE_CHARS else line[:BODY_SAMPLE_CHARS] + "..."


def retry_after_s(header: str | None, now_s: float) -> float | None:
    """Return the seconds of a Retry-After header (seconds or an HTTP date); None if absent or unreadable."""
    if header is None:
        return None
    text = header.strip()[:100]
    if text.isascii() and text.isdigit():
        return min(float(text), RETRY_AFTER_MAX_S)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return min(max(0.0, when.timestamp() - now_s), RETRY_AFTER_MAX_S)
