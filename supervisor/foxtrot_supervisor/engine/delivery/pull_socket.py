"""A PULL socket of ZeroMQ that is read on the caller's thread: `foxtrot_protocol.zmtp` behind a listening unix socket.

In place of libzmq, whose thread would have to wake before the reader does. Peers are workers, or any PUSH socket of
this user. Losing a message is allowed: it stands in its worker's ring. So a peer that goes beyond a bound, or violates
the protocol, is dropped.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from collections import deque

from msgspec import Struct

from foxtrot_protocol import endpoints, zmtp
from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import BATCH_BYTES_MAX
from foxtrot_supervisor.engine.delivery.early_bells import PASSED_BYTES, EarlyBells, passed_descriptor

__all__ = ["HELD_BYTES_MAX", "PEERS_MAX", "READ_BYTES", "PullSocket"]

READ_BYTES = 512 * 1024
"""Bytes read of one peer at a time: more than the kernel holds, so that a peer that waits for room goes on at once."""

PEERS_MAX = 10_000
"""Most connections at a time; further ones are closed."""

HELD_BYTES_MAX = 64 * 1024 * 1024
"""Most bytes of incomplete messages of all peers together; the peer that brings more is dropped."""

ACCEPT_AGAIN_S = 0.5
"""Time in seconds without accepting after the process had no descriptor for a connection."""

_BACKLOG = 1024
_READY_MAX = 256
"""Peers taken from one question to the kernel."""

_HANDSHAKE_S = endpoints.DATA_HANDSHAKE_MS / 1000.0
_CREDENTIALS = struct.Struct("=iii")  # pid, uid, gid (unix(7))


class _Peer(Struct, eq=False):
    """One connection."""

    end: socket.socket
    wire: zmtp.Connection
    deadline: float
    """End of the handshake: monotonic seconds."""


class PullSocket:
    """The listening end and its connections; used by one thread."""

    def __init__(self, path: str, log: ChildLog, bells: EarlyBells) -> None:
        """Listen at the file `path`, which a previous process may have left; raises OSError.

        `bells` gets the descriptor that a peer passes with its handshake, for as long as it is connected.
        """
        self.path = path
        self.refused_total = 0
        """Connections closed because of what they were or sent."""
        self._log = log
        self._bells = bells
        self._uid = os.geteuid()
        self._peers: dict[int, _Peer] = {}
        self._opening: dict[int, _Peer] = {}
        """Peers whose handshake is not complete."""
        self._held_bytes = 0
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._messages: deque[bytes] = deque()
        """Read and not yet returned: those of one read."""
        self._ready: list[tuple[int, int]] = []
        """Readable descriptors that have not been served yet."""
        self._asked = False
        """The kernel was asked which are, since `receive` returned None."""
        self._alone: tuple[int, _Peer] | None = None
        """The only connection when the kernel was asked last."""
        self._full = False
        """A read has filled its buffer: there is probably more."""
        self._accept_at: float | None = None
        """When accepting begins again: monotonic seconds."""
        self._poller = select.epoll()
        try:
            self._listener = self._bound()
        except OSError:
            self._poller.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor that is readable while any connection is."""
        return self._poller.fileno()

    def receive(self) -> bytes | None:
        """Return the next message, None if there is none now. The hot path.

        None may also be returned when all that was readable at one moment has been returned: the descriptor stays
        readable where there is more.
        """
        if self._alone is not None and not (self._asked or self._messages or self._opening):
            # the only connection: asking the kernel would take longer than to find that it has brought nothing
            message = self._read_alone(*self._alone)
            if message is not None:
                return message
        while not self._messages:
            if self._ready:
                descriptor = self._ready.pop()[0]
                peer = self._peers.get(descriptor)
                if peer is not None:
                    self._read(descriptor, peer)
                elif descriptor == self._listener.fileno():
                    self._accept()
                continue
            if self._asked and not self._full:
                self._asked = False
                return None
            if self._opening or self._accept_at is not None:
                self._keep_time(time.monotonic())
            self._asked, self._full = True, False
            self._ready = ready = self._poller.poll(0, _READY_MAX)
            if not ready:
                self._asked = False
                return None
            self._alone = next(iter(self._peers.items())) if len(self._peers) == 1 else None
        return self._messages.popleft()

    def wait(self, timeout_ms: int) -> bool:
        """Wait until something is readable; whether it is."""
        return bool(self._messages or self._ready or self._poller.poll(timeout_ms / 1000.0, 1))

    def bind_again(self) -> None:
        """Create the file again; existing connections stay. Raises OSError."""
        old, self._listener = self._listener, self._bound()
        old.close()

    def close(self) -> None:
        """Close all, and remove the file."""
        for peer in self._peers.values():
            peer.end.close()
        self._peers.clear()
        self._opening.clear()
        self._messages.clear()
        self._listener.close()
        self._poller.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _bound(self) -> socket.socket:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            os.fchmod(listener.fileno(), 0o600)  # Linux gives the file this mode: nobody else can ever connect
            listener.bind(self.path)
            os.chmod(self.path, 0o600)
            listener.listen(_BACKLOG)
            self._poller.register(listener, select.EPOLLIN)
        except OSError:
            listener.close()
            raise
        self._accept_at = None
        return listener

    def _accept(self) -> None:
        try:
            end, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # no descriptor is free: the connection waits in the backlog
            self._poller.unregister(self._listener)
            self._accept_at = time.monotonic() + ACCEPT_AGAIN_S
            return
        end.setblocking(False)
        uid = _CREDENTIALS.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[1]
        if uid != self._uid or len(self._peers) >= PEERS_MAX:
            end.close()
            self._refused(f"a process of user {uid}" if uid != self._uid else f"more than {PEERS_MAX} connections")
            return
        wire = zmtp.Connection(b"PULL", b"", BATCH_BYTES_MAX)
        peer = _Peer(end, wire, time.monotonic() + _HANDSHAKE_S)
        descriptor = end.fileno()
        self._peers[descriptor] = self._opening[descriptor] = peer
        self._poller.register(end, select.EPOLLIN)
        self._send(descriptor, peer, zmtp.GREETING)

    def _read(self, descriptor: int, peer: _Peer) -> None:
        try:
            size = self._read_opening(descriptor, peer) if self._opening else peer.end.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            size = 0
        data = self._buffer[:size]
        self._take(descriptor, peer, data)

    def _read_opening(self, descriptor: int, peer: _Peer) -> int:
        """Read a peer, also a descriptor that it passes during its handshake. Raises OSError."""
        if descriptor not in self._opening:
            return peer.end.recv_into(self._buffer)
        size, ancillary, _flags, _address = peer.end.recvmsg_into([self._buffer], PASSED_BYTES, socket.MSG_CMSG_CLOEXEC)
        bell = passed_descriptor(ancillary)
        if bell is not None:
            self._bells.put(descriptor, bell)
        return size

    def _take(self, descriptor: int, peer: _Peer, data: memoryview) -> None:
        """Take what was read of a peer; nothing at its end."""
        if not data:
            self._drop(descriptor, peer)
            return
        if len(data) == READ_BYTES:
            self._full = True
        wire = peer.wire
        held = wire.held_bytes
        for frames in wire.receive(data):
            self._messages.extend(frames)
        self._held_bytes += wire.held_bytes - held
        replies = wire.take_replies()
        if replies:
            self._send(descriptor, peer, replies)
        if wire.is_open and descriptor in self._opening:
            del self._opening[descriptor]
        if wire.violation:
            self._drop(descriptor, peer, wire.violation)
        elif self._held_bytes > HELD_BYTES_MAX:
            self._drop(descriptor, peer, f"incomplete messages of more than {HELD_BYTES_MAX} bytes in all")

    def _read_alone(self, descriptor: int, peer: _Peer) -> bytes | None:
        """Read the only connection; return its message if it brought exactly one."""
        self._asked = True  # so `receive` returns None the next time, unless more has come
        try:
            data = self._buffer[: peer.end.recv_into(self._buffer)]
        except OSError:  # a new connection is waiting, or this one has ended
            self._asked = False
            self._alone = None
            return None
        message = peer.wire.receive_only(data)
        if message is None:
            self._take(descriptor, peer, data)
        return message

    def _send(self, descriptor: int, peer: _Peer, data: bytes) -> None:
        """Send a few bytes of handshake or PONG. A peer that does not take them is dropped."""
        try:
            sent = peer.end.send(data)
        except OSError:
            sent = 0
        if sent < len(data):
            self._drop(descriptor, peer)

    def _drop(self, descriptor: int, peer: _Peer, reason: str = "") -> None:
        """Close a connection; with a `reason` it is refused: counted and logged."""
        if self._peers.pop(descriptor, None) is None:
            return
        self._alone = None
        self._bells.drop(descriptor)
        self._opening.pop(descriptor, None)
        self._held_bytes -= peer.wire.held_bytes
        peer.end.close()
        if reason:
            self._refused(reason)

    def _refused(self, reason: str) -> None:
        self.refused_total += 1
        self._log.error("data_peer_refused", refused_total=self.refused_total, reason=reason)

    def _keep_time(self, now: float) -> None:
        """End handshakes that take too long; accept again after a shortage of descriptors."""
        for descriptor, peer in list(self._opening.items()):
            if now >= peer.deadline:
                self._drop(descriptor, peer, f"no handshake within {_HANDSHAKE_S:g} s")
        if self._accept_at is not None and now >= self._accept_at:
            self._accept_at = None
            self._poller.register(self._listener, select.EPOLLIN)
