"""WebSocket text frames of a server, made by hand (RFC 6455, section 5.2). Pure.

The hot path writes one frame to many clients, and faults need frames that a library refuses to make.
"""

from __future__ import annotations

import struct

__all__ = ["combine", "frame", "header"]


_FIN_TEXT = 0x81
_SHORT_MAX = 125
_MEDIUM_MAX = 0xFFFF


def header(length_bytes: int) -> bytes:
    """Header of one final, unmasked text frame whose payload has `length_bytes`."""
    if length_bytes <= _SHORT_MAX:
        return bytes((_FIN_TEXT, length_bytes))
    if length_bytes <= _MEDIUM_MAX:
        return struct.pack("!BBH", _FIN_TEXT, 126, length_bytes)
    return struct.pack("!BBQ", _FIN_TEXT, 127, length_bytes)


def frame(payload: bytes) -> bytes:
    """One final, unmasked text frame."""
    return header(len(payload)) + payload


def combine(stream: str, payload: bytes) -> bytes:
    """`payload` in the envelope of combined streams."""
    return b'{"stream":"%b","data":%b}' % (stream.encode(), payload)
