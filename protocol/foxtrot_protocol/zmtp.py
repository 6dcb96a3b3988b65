"""ZMTP 3, the wire protocol of ZeroMQ, for one connection. Sans-I/O: bytes in, bytes out.

Supports what a DEALER, PUSH or PULL socket needs: version 3.0 or later, the NULL mechanism, messages of one or more
frames.
Wire facts: https://rfc.zeromq.org/spec/23 (ZMTP 3.0) and https://rfc.zeromq.org/spec/37 (3.1: PING and PONG).
"""

from __future__ import annotations

import struct
from typing import Final

from foxtrot_protocol.errors import MalformedMessage

__all__ = ["COMMAND_BYTES_MAX", "FRAMES_MAX", "GREETING", "Connection", "message"]

COMMAND_BYTES_MAX = 4096
"""Largest command of a peer; READY has about 50 bytes."""

FRAMES_MAX = 16
"""Most frames in one message of a peer."""

_GREETING_BYTES = 64

GREETING: Final = (b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL").ljust(_GREETING_BYTES, b"\0")
"""Signature, version 3.0, mechanism NULL, not a server, filler."""

_MORE, _LONG, _COMMAND = 1, 2, 4
_SHORT_BYTES_MAX = 255
_LONG_HEAD = struct.Struct(">BQ")
_LONG_BODY = _LONG_HEAD.size
_long_size = struct.Struct(">Q").unpack_from
_VALUE_LENGTH = struct.Struct(">I")

_PEERS: Final = {b"PUSH": (b"PULL",), b"PULL": (b"PUSH",), b"DEALER": (b"ROUTER", b"DEALER", b"REP")}
"""Socket types to which a socket may be connected, by its own type."""


def message(data: bytes) -> bytes:
    """Return a message of one frame, as it is sent."""
    size = len(data)
    return bytes((0, size)) + data if size <= _SHORT_BYTES_MAX else _LONG_HEAD.pack(_LONG, size) + data


class Connection:
    """One connection. The caller sends `GREETING` first, passes in what arrives, and sends `take_replies`.

    Messages may be sent when `is_open`. A peer that violates the protocol sets `violation`; the caller then closes the
    connection.
    """

    def __init__(self, socket_type: bytes, identity: bytes, message_bytes_max: int) -> None:
        """Make the state of a new connection.

        Args:
            socket_type: ``b"PUSH"``, ``b"PULL"`` or ``b"DEALER"``.
            identity: at most 255 bytes; ``b""`` for none.
            message_bytes_max: largest message accepted, the sum of its frames.
        """
        self._socket_type = socket_type
        self._ready = _ready(socket_type, identity)
        self._message_bytes_max = message_bytes_max
        self._received = bytearray()
        self._greeted = False
        self._frames: list[bytes] = []
        self._frames_bytes = 0
        self._replies = b""
        self._pong = b""
        self.is_open = False
        """The peer's READY has arrived."""
        self.violation = ""
        """How the peer has violated the protocol; "" if it has not."""

    @property
    def held_bytes(self) -> int:
        """Bytes of a message that has not arrived completely."""
        return len(self._received) + self._frames_bytes

    def receive(self, data: bytes | memoryview) -> list[tuple[bytes, ...]]:
        """Take `data`; return the messages that are complete now, each with its frames."""
        messages: list[tuple[bytes, ...]] = []
        if self.violation:
            return messages
        received = self._received
        if not received:  # nearly always: each frame is copied once, out of `data`
            received += data[self._take(data, messages) :]
            return messages
        received += data
        with memoryview(received) as view:
            position = self._take(view, messages)
        del received[:position]
        return messages

    def receive_only(self, data: bytes | memoryview) -> bytes | None:
        """Take `data` if it is one whole message of one frame, and return that; else return None: `receive` takes it.

        The hot path, since under low load all messages come so.
        """
        size = len(data)
        if self._received or self._frames or not self.is_open or self.violation:
            return None
        if size < 2 or size > self._message_bytes_max:  # near the limit `receive` counts the frames
            return None
        if data[0] == 0 and data[1] == size - 2:
            return bytes(data[2:])
        if data[0] == _LONG and size >= _LONG_BODY and _long_size(data, 1)[0] == size - _LONG_BODY:
            return bytes(data[_LONG_BODY:])
        return None

    def take_replies(self) -> bytes:
        """Return what has to be sent to the peer, b"" for nothing; the next call returns only what came later."""
        replies, self._replies, self._pong = self._replies + self._pong, b"", b""
        return replies

    def _take(self, data: bytes | memoryview, messages: list[tuple[bytes, ...]]) -> int:
        """Take what is complete at the beginning of `data`; return where the rest begins. Sets `violation`."""
        position = 0
        try:
            if not self._greeted:
                position = self._take_greeting(data)
            if self._greeted:
                while (end := self._take_frame(data, position, messages)) > position:
                    position = end
        except MalformedMessage as error:
            self.violation = error.reason
            return len(data)
        return position

    def _take_greeting(self, data: bytes | memoryview) -> int:
        size = len(data)
        if (size and data[0] != 0xFF) or (size >= 10 and data[9] & 1 == 0):
            raise MalformedMessage("no ZMTP greeting")
        if size > 10 and data[10] < 3:
            raise MalformedMessage(f"ZMTP version {data[10]}, not 3 or later")
        if size < _GREETING_BYTES:
            return 0
        mechanism = bytes(data[12:32]).rstrip(b"\0")
        if mechanism != b"NULL":
            raise MalformedMessage(f"mechanism {mechanism!r}, not NULL")
        self._greeted = True
        self._replies += self._ready
        return _GREETING_BYTES

    def _take_frame(self, data: bytes | memoryview, position: int, messages: list[tuple[bytes, ...]]) -> int:
        """Take the frame at `position` if it is complete; return its end, or `position`. Raises `MalformedMessage`."""
        left = len(data) - position
        if left < 1:
            return position
        flags = data[position]
        self._check_flags(flags)
        if flags & _LONG:
            if left < _LONG_BODY:
                return position
            begin, size = position + _LONG_BODY, int(_long_size(data, position + 1)[0])
        else:
            if left < 2:
                return position
            begin, size = position + 2, data[position + 1]
        if size > (COMMAND_BYTES_MAX if flags & _COMMAND else self._message_bytes_max - self._frames_bytes):
            raise MalformedMessage(f"a frame of {size} bytes")
        end = begin + size
        if end > len(data):
            return position
        body = bytes(data[begin:end])
        if flags & _COMMAND:
            self._take_command(body)
        elif flags & _MORE or self._frames:
            self._collect(body, more=bool(flags & _MORE), messages=messages)
        else:
            messages.append((body,))
        return end

    def _check_flags(self, flags: int) -> None:
        if flags & ~(_MORE | _LONG | _COMMAND) or (flags & _COMMAND and flags & _MORE):
            raise MalformedMessage(f"frame with flags {flags}")
        if not (self.is_open or flags & _COMMAND):
            raise MalformedMessage("a message before READY")
        if self._frames and flags & _COMMAND:
            raise MalformedMessage("a command between the frames of a message")

    def _collect(self, body: bytes, *, more: bool, messages: list[tuple[bytes, ...]]) -> None:
        self._frames.append(body)
        self._frames_bytes += len(body)
        if not more:
            messages.append(tuple(self._frames))
            self._frames.clear()
            self._frames_bytes = 0
        elif len(self._frames) >= FRAMES_MAX:
            raise MalformedMessage(f"a message of more than {FRAMES_MAX} frames")

    def _take_command(self, body: bytes) -> None:
        length = body[0] if body else 0
        name, data = body[1 : 1 + length], body[1 + length :]
        if not length or len(name) < length:
            raise MalformedMessage("a command without a name")
        if name == b"ERROR":
            raise MalformedMessage(f"refused by the peer: {data[1:]!r}")
        if not self.is_open:
            if name != b"READY":
                raise MalformedMessage(f"command {name!r} before READY")
            self._check_peer(_properties(data))
            self.is_open = True
        elif name == b"READY":
            raise MalformedMessage("a second READY")
        elif name == b"PING":
            # 2 bytes of time to live, then a context of up to 16 bytes that PONG returns. Only the latest PING of a
            # read is answered, so that a peer that sends many cannot make the replies grow
            self._pong = _command(b"PONG", data[2:18])

    def _check_peer(self, properties: dict[bytes, bytes]) -> None:
        peer = properties.get(b"socket-type", b"")
        if peer not in _PEERS[self._socket_type]:
            raise MalformedMessage(f"the peer is a {peer!r} socket")


def _command(name: bytes, data: bytes) -> bytes:
    body = bytes((len(name),)) + name + data
    if len(body) <= _SHORT_BYTES_MAX:
        return bytes((_COMMAND, len(body))) + body
    return _LONG_HEAD.pack(_COMMAND | _LONG, len(body)) + body


def _ready(socket_type: bytes, identity: bytes) -> bytes:
    return _command(b"READY", _property(b"Socket-Type", socket_type) + _property(b"Identity", identity))


def _property(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + _VALUE_LENGTH.pack(len(value)) + value


def _properties(data: bytes) -> dict[bytes, bytes]:
    """Return the metadata of READY by name in lower case: names are case-insensitive. Raises `MalformedMessage`."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        name_end = position + 1 + data[position]
        value_start = name_end + _VALUE_LENGTH.size
        if value_start > len(data):
            raise MalformedMessage("metadata that are cut off")
        value_end = value_start + int(_VALUE_LENGTH.unpack_from(data, name_end)[0])
        if value_end > len(data):
            raise MalformedMessage("metadata that are cut off")
        found[bytes(data[position + 1 : name_end]).lower()] = bytes(data[value_start:value_end])
        position = value_end
    return found
