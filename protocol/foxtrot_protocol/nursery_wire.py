"""Messages between supervisor and template process (nursery): one byte of kind, a u32 length (big endian), a payload.

Not ZeroMQ: the template must own no context, because its copies would inherit it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from foxtrot_protocol.errors import MalformedMessage

__all__ = [
    "CLONE_SYSCALL",
    "FAILED",
    "FORK",
    "FORKED",
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
"""From the nursery: it runs."""
READY = b"R"
"""From the nursery: its imports are finished."""
PING = b"P"
"""From the supervisor: answer with `PONG`."""
PONG = b"p"
"""From the nursery: a heartbeat (`commands.Heartbeat`, encoded)."""
FORK = b"B"
"""From the supervisor: fork a child with this specification (`spec.ChildSpec`, encoded)."""
FORKED = b"b"
"""From the nursery: the child's process id, as decimal text."""
FAILED = b"f"
"""From the nursery: no child was forked; the payload says why."""
QUIT = b"Q"
"""From the supervisor: exit."""

PAYLOAD_BYTES_MAX = 64 * 1024
"""Largest payload."""

CLONE_SYSCALL = {"x86_64": 56, "aarch64": 220}
"""Number of Linux's clone system call by machine; other machines have no nursery."""

_HEAD = struct.Struct(">cI")


def pack(kind: bytes, payload: bytes = b"") -> bytes:
    """Return one message."""
    return _HEAD.pack(kind, len(payload)) + payload


def read_message(receive: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """Return kind and payload of the next message; ``(b"", b"")`` at the end of the stream.

    `receive` is a socket's `recv`. Raises `MalformedMessage` for an oversized or truncated message, and whatever
    `receive` raises.
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
