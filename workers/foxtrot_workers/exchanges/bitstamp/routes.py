"""Which parser a frame needs, told by its last bytes.

A data frame ends with its channel and event: ``},"channel":"live_trades_btcusd","event":"trade"}``, or the other way
round. The first frame with an unfamiliar end is decoded to find its channel, and its end remembered.
"""

from __future__ import annotations

__all__ = ["names_channel", "tail_of"]

_TAIL_BYTES_MAX = 200


def tail_of(frame: bytes) -> bytes:
    """Return the end of `frame`, from the bracket that closes its data."""
    return frame[frame.rfind(b"}", 0, -1) :]


def names_channel(tail: bytes, wire: str) -> bool:
    """Return whether `tail` says that its frame is of the topic `wire`."""
    return len(tail) <= _TAIL_BYTES_MAX and b'"channel"' in tail and b'"%b"' % wire.encode() in tail
