"""Which parser a frame needs, told by its first bytes.

Every data frame begins with ``{"jsonrpc":"2.0","method":"subscription","params":{"channel":"TOPIC"``, as the exchange
writes it. Frames with white space or another key order are decoded to find their topic.
"""

from __future__ import annotations

__all__ = ["HEAD_CHARS", "head_of"]

_HEAD = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'

HEAD_CHARS = len(_HEAD)
"""Where the topic begins; the next quotation mark ends it."""


def head_of(topic: str) -> bytes:
    """Return how data frames of `topic` begin, up to the end of its name."""
    return _HEAD + topic.encode()
