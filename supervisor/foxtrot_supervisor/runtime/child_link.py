"""The supervisor's end of the control plane to its children: one ROUTER socket on the event loop.

Takes messages in and sends commands out; what they mean is decided elsewhere. A peer is believed only if
its identity is ``name#incarnation`` of a process that is supervised right now, if the kernel's account of it
(uid, pid) agrees, and if the message names the same sender.

A ZeroMQ socket's descriptor is edge-triggered and shared by both directions: after any activity the
socket must be read until it is empty, or a wake-up is lost. Sending never blocks: to a peer that is gone or
whose queue is full the message is refused, and the caller told.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import CONTROL_BYTES_MAX, decode_from_child, encode_control
from foxtrot_protocol.commands import FromChild, LogRecord, ToChild
from foxtrot_protocol.errors import MalformedMessage

__all__ = ["ENDED_KEPT", "TURN_MESSAGES_MAX", "ChildLink", "identity_of"]

TURN_MESSAGES_MAX = 256
"""Messages taken in one turn of the loop; deaths, signals and deadlines come in between."""

_LINGER_MS = 0
"""At the end no reader is left."""

ENDED_KEPT = 1_000
"""Children that have ended and whose late messages are told from forged ones."""

OnMessage = Callable[[str, int, FromChild], None]
ExpectedPid = Callable[[str, int], int | None]
OnRejected = Callable[[str], None]


class ChildLink:
    """ROUTER at `endpoint`, from construction until `close`.

    `on_message(name, incarnation, message)` gets what supervised children say; `expected_pid(name,
    incarnation)` tells the process id of a supervised incarnation, None if it is not one;
    `on_rejected(reason)` hears of everything else, which is counted in `rejected_total`.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        on_message: OnMessage,
        expected_pid: ExpectedPid,
        on_rejected: OnRejected,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._expected_pid = expected_pid
        self._on_rejected = on_rejected
        self._ended: dict[tuple[str, int], int] = {}
        """Process ids of children that have ended, the last `ENDED_KEPT` of them: by name and incarnation."""
        self.rejected_total = 0
        self.late_total = 0
        """Messages of children that had ended before."""
        self.refused_total = 0
        """Commands that could not be sent."""
        self._closed = False
        self._scheduled = False
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.setsockopt(zmq.SNDHWM, endpoints.CONTROL_HWM)
        self._socket.setsockopt(zmq.RCVHWM, endpoints.CONTROL_HWM)
        self._socket.setsockopt(zmq.MAXMSGSIZE, CONTROL_BYTES_MAX)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.setsockopt(zmq.ZAP_DOMAIN, endpoints.ZAP_DOMAIN)
        # the kernel's word for who connects, before anything of the peer is read
        self._socket.setsockopt(zmq.IPC_FILTER_UID, os.geteuid())
        self._endpoint = endpoint
        self.bind()
        self._descriptor = int(self._socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._descriptor, self.drain)
        self._drain_soon()

    def bind(self) -> None:
        """Listen at the endpoint; again, beside the connections there are, after its file was removed."""
        self._socket.bind(self._endpoint)
        os.chmod(endpoints.ipc_path(self._endpoint), 0o600)

    def send(self, name: str, incarnation: int, message: ToChild) -> bool:
        """Queue `message` for that incarnation; False if it is not connected or its queue is full."""
        if self._closed:
            return False
        try:
            self._socket.send_multipart([identity_of(name, incarnation), encode_control(message)], zmq.NOBLOCK)
        except zmq.ZMQError:  # EHOSTUNREACH: not connected (any more); EAGAIN: queue full
            self.refused_total += 1
            return False
        finally:
            self._drain_soon()
        return True

    def connected(self, name: str, incarnation: int) -> bool:
        """Whether a dead incarnation is still connected: messages of it may still arrive.

        If it was heard and is no longer connected, all its messages have arrived: `drain` takes them.
        """
        if self._closed:
            return False
        try:
            # never read; sending shows whether there is a connection
            self._socket.send_multipart([identity_of(name, incarnation), b""], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            return int(error.errno or 0) != zmq.EHOSTUNREACH
        finally:
            self._drain_soon()
        return True

    def close(self) -> None:
        """Stop listening."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._descriptor)
            self._socket.close()

    def _drain_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self.drain)

    def ended(self, name: str, incarnation: int, pid: int) -> None:
        """Take notice of the end of a child: a message of it that comes late is dropped, and is no forgery."""
        self._ended[name, incarnation] = pid
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]

    def drain(self) -> None:
        """Take what waits. The loop calls it when something comes; call it before judging who was not heard."""
        self._scheduled = False
        for _ in range(TURN_MESSAGES_MAX):
            if self._closed:
                return
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._take(frames)
        self._drain_soon()

    def _take(self, frames: list[zmq.Frame]) -> None:
        reason = self._check(frames)
        if reason is not None:
            self.rejected_total += 1
            self._on_rejected(reason)

    def _check(self, frames: list[zmq.Frame]) -> str | None:
        """Hand over a good message; the reason if it is none."""
        if len(frames) != 2:
            return f"message of {len(frames)} frames"
        name, incarnation = _parse_identity(frames[0].bytes)
        expected = self._expected_pid(name, incarnation)
        if expected is None:
            ended = self._ended.get((name, incarnation))
            if ended is not None and _is_peer(frames[1], ended):
                self.late_total += 1  # sent just before it died: its death was judged without it
                return None
            return f"not a supervised process: {name[:100]}#{incarnation}"
        if not _is_peer(frames[1], expected):
            return f"{name}#{incarnation} claimed by a process that is not it"
        try:
            message = decode_from_child(frames[1].bytes)
        except MalformedMessage as error:
            return f"{name}#{incarnation}: {error.reason}"
        if message.worker != name or (not isinstance(message, LogRecord) and message.incarnation != incarnation):
            return f"{name}#{incarnation} speaks for another"
        self._on_message(name, incarnation, message)
        return None


def identity_of(name: str, incarnation: int) -> bytes:
    """The ZeroMQ identity of a child."""
    return f"{name}#{incarnation}".encode()


def _parse_identity(identity: bytes) -> tuple[str, int]:
    name, _, number = identity.decode(errors="replace").rpartition("#")
    return name, int(number) if number.isdecimal() and len(number) < 10 else 0


def _is_peer(frame: zmq.Frame, expected_pid: int) -> bool:
    """Whether the kernel's account of the peer ("...:uid:gid:pid") fits; True where libzmq tells none."""
    try:
        address = str(frame.get("Peer-Address"))
    except zmq.ZMQError:
        return True
    parts = address.split(":")
    if len(parts) < 3 or not all(part.isdecimal() for part in parts[-3:]):
        return True
    uid, _, pid = (int(part) for part in parts[-3:])
    return uid == os.geteuid() and pid == expected_pid
