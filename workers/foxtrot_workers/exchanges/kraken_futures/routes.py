"""Which parser a frame needs, told by its first bytes: feed and product.

``{"feed":"book","product_id":"PI_XBTUSD"`` is the key. A frame with another order of keys, as tickers may have, is
decoded to find its topic.
"""

from __future__ import annotations

__all__ = ["beginning_of", "topic_name"]

_SNAPSHOT = "_snapshot"


def beginning_of(frame: bytes) -> bytes:
    """Return the bytes of `frame` up to its second comma; b"" if it has none."""
    end = frame.find(b",", frame.find(b",") + 1)
    return frame[:end] if end > 0 else b""


def topic_name(feed: str, product: str) -> str:
    """Return the topic of a frame: snapshots belong to the topic of their changes."""
    return f"{feed.removesuffix(_SNAPSHOT)}:{product.upper()}"
