"""Decimal numbers as exchanges write them, compared by value, not by spelling."""

from __future__ import annotations

import re

__all__ = ["is_zero"]

_ZERO = re.compile(r"[+-]?(?:0+(?:\.0*)?|\.0+)(?:[eE][+-]?[0-9]+)?")


def is_zero(text: str) -> bool:
    """Whether `text` is a number and that number is zero: ``0``, ``0.000``, ``.0``, ``00``, ``-0``, ``0E-8``.

    False for empty text and for anything that is not a number.
    """
    rest = text.lstrip("+-.0")  # nearly always sufficient, and several times faster than the pattern
    if rest and rest[0] not in "eE":
        return False
    return _ZERO.fullmatch(text) is not None
