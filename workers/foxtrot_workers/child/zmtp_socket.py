"""A ZeroMQ socket that connects to one unix socket: `foxtrot_protocol.zmtp` over a stream socket on the event loop.

In place of libzmq, which would add a thread, a wake-up for each message, and the memory of its context to each process.
What is sent goes to the kernel within the call if it has room. Nothing here blocks, except `flush`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import select
import socket
import time
from collections import deque
from collections.abc import Callable

from msgspec import Struct

from foxtrot_protocol import zmtp

__all__ = ["HANDSHAKE_S", "WRITE_MESSAGES_MAX", "SocketKind", "ZmtpSocket"]

READ_BYTES = 64 * 1024
"""Bytes read at a time."""

WRITE_MESSAGES_MAX = 64
"""Queued messages given to the kernel in one call."""

HANDSHAKE_S = 30.0
"""Longest wait for a peer's handshake: then the connection is made again."""

SEND_BUFFER_BYTES = 208 * 1024
"""Send buffer of the kernel, which doubles it for its own overhead; ``net.core.wmem_max`` is that much by default."""


class SocketKind(Struct, frozen=True, kw_only=True):
    """What a socket is, and its bounds."""

    socket_type: bytes
    """As in `zmtp.Connection`."""
    identity: bytes = b""
    message_bytes_max: int
    """Largest message that is accepted."""
    queue_count_max: int
    """Most messages that wait until the kernel takes them."""
    queue_bytes_max: int
    """Most bytes that wait until the kernel takes them."""
    reconnect_s: float
    """First delay before connecting again; doubled up to `reconnect_s_max`."""
    reconnect_s_max: float
    keeps: bool
    """Whether messages also wait while there is no connection."""


class ZmtpSocket:
    """One connecting socket; used on the thread of its event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: str,
        kind: SocketKind,
        on_message: Callable[[tuple[bytes, ...]], None] | None = None,
        *,
        passed: int | None = None,
    ) -> None:
        """Connect to the file `path`, whether or not it exists.

        `on_message` gets the frames of each message that arrives; without it they are dropped. `passed`: a descriptor
        that the peer of each connection gets with the first bytes; the caller keeps it open.
        """
        self._loop = loop
        self._path = path
        self._kind = kind
        self._on_message = on_message
        self._passed = passed
        self._socket: socket.socket | None = None
        self._wire: zmtp.Connection
        self._is_open = False
        self._queue: deque[bytes] = deque()
        self._queue_bytes = 0
        self._head_sent = 0
        """Bytes of the first queued message that the kernel has: the rest comes before anything else."""
        self._replies = b""
        self._is_writing = False
        """The loop calls `_write` when the kernel has room."""
        self._delay_s = kind.reconnect_s
        self._timer: asyncio.TimerHandle | None = None
        """Ends the wait for the next attempt, or for the handshake."""
        self._closed = False
        self._connect()

    def send(self, data: bytes) -> bool:
        """Send a message of one frame, or queue it; False if the queue is full or nothing is kept. The hot path."""
        if not self._is_open or self._queue:
            return self._enqueue(data)
        framed = zmtp.message(data)
        try:
            sent = self._kernel_send(framed)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost()
            return self._enqueue(data)
        if sent < len(framed):
            self._queue.append(framed)
            self._queue_bytes = len(framed)
            self._head_sent = sent
            self._watch_writable()
        return True

    def flush(self, limit_s: float) -> bool:
        """Wait until everything is in the kernel, for at most `limit_s` seconds; False if something is left.

        Blocks, also through attempts to connect; commands that arrive meanwhile are handled.
        """
        deadline = time.monotonic() + limit_s
        while self._queue and not self._closed:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            if self._socket is None:
                time.sleep(min(left_s, self._delay_s))
                self._connect()
                continue
            waiting = select.poll()
            waiting.register(self._socket, select.POLLIN | (select.POLLOUT if self._is_writing else 0))
            for _, events in waiting.poll(left_s * 1000.0):
                if events & select.POLLOUT:
                    self._write()
                if events & ~select.POLLOUT:
                    self._read()
        return not self._queue

    def close(self) -> None:
        """Close; what is queued is dropped. May be called twice."""
        self._closed = True
        self._drop_connection()
        self._forget()

    # ---- the connection

    def _connect(self) -> None:
        self._stop_timer()
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            end.connect(self._path)
            greeted = 0 if self._passed is None else socket.send_fds(end, [zmtp.GREETING], [self._passed])
        except OSError:  # no such file, nobody listens, or a full backlog: unix sockets connect at once or not at all
            end.close()
            self._retry_later()
            return
        kind = self._kind
        self._socket = end
        self._kernel_send = end.send
        self._wire = zmtp.Connection(kind.socket_type, kind.identity, kind.message_bytes_max)
        self._replies = zmtp.GREETING[greeted:]
        self._loop.add_reader(end, self._read)
        self._timer = self._loop.call_later(HANDSHAKE_S, self._lost)
        self._write()

    def _lost(self) -> None:
        """The connection has ended, or must not continue: make the next one after a delay."""
        self._drop_connection()
        if not self._kind.keeps:
            self._forget()
        if not self._closed:
            self._retry_later()

    def _retry_later(self) -> None:
        self._timer = self._loop.call_later(self._delay_s, self._connect)
        self._delay_s = min(2 * self._delay_s, self._kind.reconnect_s_max)

    def _drop_connection(self) -> None:
        self._stop_timer()
        self._is_open = False
        self._replies = b""
        self._head_sent = 0  # the peer drops a message that it has in part: the next connection begins it again
        if self._socket is not None:
            self._unwatch_writable()
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _forget(self) -> None:
        self._queue.clear()
        self._queue_bytes = 0

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- reading

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        wire = self._wire
        messages = wire.receive(data)
        if wire.is_open and not self._is_open:
            self._is_open = True
            self._stop_timer()
            self._delay_s = self._kind.reconnect_s
        self._replies += wire.take_replies()
        self._write()
        if self._on_message is not None:
            for frames in messages:
                self._on_message(frames)
        if wire.violation and wire is self._wire and self._socket is not None:
            self._lost()

    # ---- writing

    def _enqueue(self, data: bytes) -> bool:
        kind = self._kind
        if self._closed or not (kind.keeps or self._socket is not None):
            return False
        if len(self._queue) >= kind.queue_count_max or self._queue_bytes + len(data) > kind.queue_bytes_max:
            return False
        framed = zmtp.message(data)
        self._queue.append(framed)
        self._queue_bytes += len(framed)
        return True

    def _write(self) -> None:
        """Give the kernel what it takes: the rest of a message, then replies, then messages."""
        try:
            while self._socket is not None and self._write_some(self._socket):
                pass
        except BlockingIOError:
            self._watch_writable()
        except OSError:
            self._lost()

    def _write_some(self, end: socket.socket) -> bool:
        """Write once; False if nothing is left to write. Raises OSError."""
        if self._head_sent:
            self._taken(end.send(memoryview(self._queue[0])[self._head_sent :]))
        elif self._replies:
            self._replies = self._replies[end.send(self._replies) :]
        elif self._queue and self._is_open:
            self._taken(end.sendmsg(list(itertools.islice(self._queue, WRITE_MESSAGES_MAX))))
        else:
            self._unwatch_writable()
            return False
        return True

    def _taken(self, count: int) -> None:
        """The kernel has taken the next `count` bytes of the queue."""
        count += self._head_sent
        queue = self._queue
        while queue and count >= len(queue[0]):
            size = len(queue.popleft())
            count -= size
            self._queue_bytes -= size
        self._head_sent = count

    def _watch_writable(self) -> None:
        if not self._is_writing and self._socket is not None:
            self._is_writing = True
            self._loop.add_writer(self._socket, self._write)

    def _unwatch_writable(self) -> None:
        if self._is_writing and self._socket is not None:
            self._is_writing = False
            with contextlib.suppress(OSError):
                self._loop.remove_writer(self._socket)
