"""What supervisor and nursery say to each other: one byte of kind, a u32 length (big endian), a payload.

Not ZeroMQ: the nursery must own no context, for its copies would inherit one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from foxtrot_protocol.errors import MalformedMessage

__all__ = [
    "BEAR",
    "BORN",
    "CLONE_SYSCALL",
    "FAILED",
    "HELLO",
    "PAYLOAD_BYTES_MAX",
    "PING",
    "PONG",
    "QUIT",
    "READY",
    "pack",
    "read_message",
]

HELLO = b"H"
"""Nursery: it runs."""
READY = b"R"
"""Nursery: its imports are done."""
PING = b"P"
PONG = b"p"
"""Nursery: a heartbeat (`commands.Heartbeat`, encoded), in answer to a PING."""
BEAR = b"B"
"""Supervisor: make a child with this specification."""
BORN = b"b"
"""Nursery: it is process (decimal text)."""
FAILED = b"f"
"""Nursery: it could not, and why."""
QUIT = b"Q"

PAYLOAD_BYTES_MAX = 64 * 1024

CLONE_SYSCALL = {"x86_64": 56, "aarch64": 220}
"""Number of Linux's clone system call for each machine; others have no nursery."""

_HEAD = struct.Struct(">cI")


def pack(kind: bytes, payload: bytes = b"") -> bytes:
    """One message."""
    return _HEAD.pack(kind, len(payload)) + payload


def read_message(receive: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """The next message from a socket's `recv`: kind and payload; ``(b"", b"")`` at the end of the stream.

    Raises `MalformedMessage` for an oversized or truncated one, and what `receive` raises.
    """
    head = _read(receive, _HEAD.size)
    if not head:
        return b"", b""
    if len(head) < _HEAD.size:
        raise MalformedMessage("nursery message: truncated head")
    kind, size = _HEAD.unpack(head)
    if size > PAYLOAD_BYTES_MAX:
        raise MalformedMessage(f"nursery message of {size} bytes is over the limit of {PAYLOAD_BYTES_MAX}")
    payload = _read(receive, size)
    if len(payload) < size:
        raise MalformedMessage("nursery message: truncated payload")
    return kind, payload


def _read(receive: Callable[[int], bytes], size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = receive(size - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)
