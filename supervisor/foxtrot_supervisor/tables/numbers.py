"""Decimal text in three columns, so that calculations have a number and nobody loses a digit.

* ``price``: the value as decimal128(38, 18); null where it does not fit exactly. It is never rounded.
* ``price_decimals``: digits after the point of the exchange's text, so ``64000.10`` and ``64000.1`` stay different.
* ``price_text``: the exchange's text, only where the first two do not give it back: with an exponent (``2e-8``), a plus
  sign, leading zeros, a negative zero, more digits than the column has, or no number at all. Null otherwise.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, InvalidOperation
from typing import NamedTuple

__all__ = ["PRECISION", "SCALE", "Number", "join_number", "split_number"]

PRECISION = 38
"""Digits of a value; the most that decimal128 has."""

SCALE = 18
"""Digits after the point of a value: exchanges send up to 18, as amounts of tokens with 18 decimals."""

WHOLE_DIGITS_MAX = PRECISION - SCALE
"""Digits before the point of a value."""

PLAIN_NUMBER = r"^(0|[1-9][0-9]{0,19})(\.[0-9]{1,18})?$"
"""Text that value and decimals give back; in the syntax that Python and RE2 share. A minus sign may come before it."""

_PLAIN = re.compile(PLAIN_NUMBER, re.ASCII)

_EXACT = Context(prec=PRECISION + 1)
_CHARS_MAX = 1_000
"""Longer text is not read as a number."""


class Number(NamedTuple):
    """The three columns of one number."""

    value: Decimal | None
    decimals: int | None
    text: str | None


_ABSENT = Number(None, None, None)


def split_number(text: str | None) -> Number:
    """Return the columns for `text`; all None where there is none."""
    if text is None:
        return _ABSENT
    if _PLAIN.match(text.removeprefix("-")) and not text.endswith("\n"):
        value = Decimal(text)
        if value or not text.startswith("-"):
            return Number(value, -int(value.as_tuple().exponent), None)
    return Number(_exact_value(text), None, text)


def join_number(value: Decimal | None, decimals: int | None, text: str | None) -> str | None:
    """Return the exchange's text; None where there was none."""
    if text is not None or value is None:
        return text
    return f"{value:.{decimals}f}"


def _exact_value(text: str) -> Decimal | None:
    """Return the value of `text` if it is a number that decimal128(38, 18) holds exactly, else None."""
    if len(text) > _CHARS_MAX or not text.isascii() or "_" in text:
        return None
    try:
        value = Decimal(text)
        if not value.is_finite() or (value and value.adjusted() >= WHOLE_DIGITS_MAX):
            return None
        scaled = value.quantize(Decimal((0, (1,), -SCALE)), context=_EXACT)
    except InvalidOperation:
        return None
    return scaled if scaled == value else None
