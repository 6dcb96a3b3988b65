"""Frames that an exchange compresses each for itself with gzip (RFC 1952). Pure.

This is compression by the exchange's own protocol, inside the payload; permessage-deflate is negotiated and undone by
the WebSocket clients.
"""

from __future__ import annotations

import zlib

import msgspec

__all__ = ["GZIP_MAGIC", "INFLATED_BYTES_MAX", "inflate_frame"]

GZIP_MAGIC = b"\x1f\x8b"

INFLATED_BYTES_MAX = 32 * 1024 * 1024
"""Longest content of a frame, as long as the longest plain frame (`Limits.frame_bytes_max`); a few bytes of gzip can
stand for gigabytes."""

_GZIP_WINDOW = 31
"""``wbits`` of zlib for the gzip format with the largest window."""


def inflate_frame(frame: bytes, bytes_max: int = INFLATED_BYTES_MAX) -> bytes:
    """Return the content of a gzip `frame`; a frame that is not gzip is returned as it is.

    Args:
        frame: as received.
        bytes_max: longest content in bytes; inflating stops there.

    Raises:
        msgspec.DecodeError: the frame is damaged or incomplete, its content is too long, or bytes follow it.
    """
    if frame[:2] != GZIP_MAGIC:
        return frame
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content = inflater.decompress(frame, bytes_max)
    except zlib.error as error:
        raise msgspec.DecodeError(f"not a gzip frame: {error}") from None
    if not inflater.eof:
        if inflater.unconsumed_tail or len(content) >= bytes_max:
            raise msgspec.DecodeError(f"a frame inflates to more than {bytes_max} bytes")
        raise msgspec.DecodeError("a gzip frame is incomplete")
    if inflater.unused_data:
        raise msgspec.DecodeError(f"{len(inflater.unused_data)} bytes follow a gzip frame")
    return content
