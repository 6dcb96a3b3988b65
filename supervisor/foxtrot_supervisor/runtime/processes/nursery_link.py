"""The supervisor's end of the link to a template process: a unix socket, one request at a time, each with a limit.

A fork blocks the supervisor for a few milliseconds, on purpose: meanwhile a child that exists but is not yet known
could be taken for a stray and killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import socket
import sys
import time
from collections.abc import Callable

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.nursery_wire import (
    CLONE_SYSCALL,
    FAILED,
    FORK,
    FORKED,
    HELLO,
    PING,
    PONG,
    QUIT,
    READY,
    pack,
    read_message,
)
from foxtrot_supervisor.system.peer_credentials import credentials_of

__all__ = ["FORK_LIMIT_S", "NurseryFailed", "NurseryLink", "nursery_possible"]

FORK_LIMIT_S = 0.5
"""Limit in seconds for a whole answer: a hundred times what a fork needs."""


def nursery_possible() -> bool:
    """Whether this system's clone call is known."""
    return sys.platform == "linux" and platform.machine() in CLONE_SYSCALL


class NurseryFailed(Exception):
    """The template process did not fork the child; `reason` says why. `alive`: it has answered, and can try again."""

    def __init__(self, reason: str, *, alive: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.alive = alive


class NurseryLink:
    """Listens for a template process at `path`; `on_message(kind, payload)` gets each HELLO, READY and PONG of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str, on_message: Callable[[bytes, bytes], None]) -> None:
        self._loop = loop
        self._path = path
        self._on_message = on_message
        self._expected_pid = 0
        self._peer: socket.socket | None = None
        self._ready = False
        self._listener = self._listen()

    def bind(self) -> None:
        """Listen at the path again, after the socket's file was removed; the nursery stays connected."""
        listener = self._listen()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._listener = listener

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            listener.bind(self._path)
            os.chmod(self._path, 0o600)
            listener.listen(1)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)
        return listener

    @property
    def ready(self) -> bool:
        """Whether a child can be forked."""
        return self._ready

    def expect(self, pid: int) -> None:
        """Accept only the process `pid` from now on."""
        self.drop()
        self._expected_pid = pid

    def fork_child(self, spec: bytes) -> int:
        """Fork a child that boots with `spec`; return its process id. Raises `NurseryFailed`."""
        peer = self._peer
        if peer is None or not self._ready:
            raise NurseryFailed("the nursery is not ready", alive=False)
        receive = _receive_until(peer, time.monotonic() + FORK_LIMIT_S)
        peer.settimeout(FORK_LIMIT_S)
        try:
            peer.sendall(pack(FORK, spec))
            while True:
                kind, payload = read_message(receive)
                if kind == FORKED:
                    return int(payload)
                if kind == FAILED:
                    raise NurseryFailed(payload.decode(errors="replace"), alive=True)
                if not kind:
                    raise NurseryFailed("the nursery has gone", alive=False)
                self._on_message(kind, payload)
        except (OSError, MalformedMessage, ValueError) as error:
            self.drop()
            raise NurseryFailed(f"the nursery did not answer: {error or type(error).__name__}", alive=False) from None
        finally:
            if self._peer is peer:
                peer.setblocking(False)

    def ping(self) -> None:
        """Request a sign of life; it comes as PONG."""
        self._tell(PING)

    def quit(self) -> None:
        """Ask the template process to exit."""
        self._tell(QUIT)

    def drop(self) -> None:
        """Close the connection."""
        self._ready = False
        self._expected_pid = 0
        if self._peer is not None:
            self._loop.remove_reader(self._peer)
            self._peer.close()
            self._peer = None

    def close(self) -> None:
        """Stop listening and remove the socket file."""
        self.drop()
        if self._listener.fileno() < 0:
            return
        self._loop.remove_reader(self._listener)
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _tell(self, kind: bytes) -> None:
        if self._peer is not None:
            # a full buffer: it does not read, and will be missed when no answer comes
            with contextlib.suppress(OSError):
                self._peer.send(pack(kind))

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return
        who = credentials_of(peer)
        if self._peer is not None or who.pid != self._expected_pid or who.uid != os.getuid():
            peer.close()
            return
        peer.setblocking(False)
        self._peer = peer
        self._loop.add_reader(peer, self._readable)

    def _readable(self) -> None:
        peer = self._peer
        if peer is None:
            return
        # messages are short: one that has begun to arrive is complete within this limit
        try:
            kind, payload = read_message(_receive_until(peer, time.monotonic() + FORK_LIMIT_S))
        except (OSError, MalformedMessage):
            kind, payload = b"", b""
        if not kind:
            self.drop()
            return
        peer.setblocking(False)
        if kind == READY:
            self._ready = True
        if kind in (HELLO, READY, PONG):
            self._on_message(kind, payload)


def _receive_until(peer: socket.socket, deadline: float) -> Callable[[int], bytes]:
    """Return a `peer.recv` that fails after `deadline` (monotonic seconds), the same for all reads of one exchange."""

    def receive(size: int) -> bytes:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        peer.settimeout(left_s)
        return peer.recv(size)

    return receive
