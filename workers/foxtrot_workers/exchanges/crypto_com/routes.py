"""Which parser a frame needs, told by its bytes before the data: they name the topic.

The first frame of an unfamiliar beginning (other key order, white space, another id) is decoded to find its topic; the
beginning is remembered if it names the topic, as the exchange writes it.
"""

from __future__ import annotations

import msgspec

__all__ = ["beginning_of", "names_topic"]

_DATA = b'"data"'


def beginning_of(frame: bytes) -> bytes:
    """Return the bytes of `frame` before its data; b"" if it has none."""
    end = frame.find(_DATA)
    return frame[:end] if end > 0 else b""


def names_topic(beginning: bytes, topic: str) -> bool:
    """Return whether `beginning` is what the exchange writes before data of `topic`, and nothing else."""
    name = b'"subscription":' + msgspec.json.encode(topic)
    spaced = b'"subscription": ' + msgspec.json.encode(topic)
    return (name in beginning or spaced in beginning) and beginning.count(b'"subscription"') == 1
