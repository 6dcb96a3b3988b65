"""Which parser a frame needs, told by its first bytes.

Every data frame of market data begins with ``{"ch":"TOPIC"``. Frames of the notification path begin otherwise, and are
rare: they are decoded to find their topic.
"""

from __future__ import annotations

__all__ = ["HEAD_CHARS", "head_of"]

_HEAD = b'{"ch":"'

HEAD_CHARS = len(_HEAD)
"""Where the topic begins; the next quotation mark ends it."""


def head_of(wire: str) -> bytes:
    """Return how data frames of the topic `wire` begin, up to the end of its name."""
    return _HEAD + wire.encode()
