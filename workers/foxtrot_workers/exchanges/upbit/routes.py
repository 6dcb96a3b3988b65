"""Which parser a frame needs, told by its first bytes.

A data frame begins with its type and its market's code: ``{"type":"trade","code":"KRW-BTC",…``, or, in the format
SIMPLE, ``{"ty":"trade","cd":"KRW-BTC",…``. Frames with white space or another key order are decoded to find both.
"""

from __future__ import annotations

__all__ = ["CODE_FROM", "head_of", "short_head_of"]

CODE_FROM = 21
"""Where to look for the end of the code: the longest type has ended before, and the shortest code has not."""


def head_of(kind: str, code: str) -> bytes:
    """Return how data frames of a type and code begin, up to the end of the code."""
    return f'{{"type":"{kind}","code":"{code}'.encode()


def short_head_of(kind: str, code: str) -> bytes:
    """Return the same in the format SIMPLE."""
    return f'{{"ty":"{kind}","cd":"{code}'.encode()
