"""One side of a quote as exchanges write it. Pure."""

from __future__ import annotations

from foxtrot_protocol.decimal_text import is_zero
from foxtrot_workers.adapter.number_text import Number, optional_number_text

__all__ = ["EMPTY_SIDE", "price_or_none", "quoted", "quoted_numbers"]

EMPTY_SIDE: tuple[str | None, str | None] = (None, None)


def quoted(price: str | None, size: str | None) -> tuple[str | None, str | None]:
    """Return price and size of a side as text; both None where that side is empty.

    Exchanges write an empty side as a missing or empty price, or as a price or size of zero in any spelling.
    """
    if not price or is_zero(price):
        return EMPTY_SIDE
    if not size:
        return price, None
    return EMPTY_SIDE if is_zero(size) else (price, size)


def price_or_none(price: str | None) -> str | None:
    """Return `price`; None where it is missing, empty, or zero in any spelling."""
    return None if not price or is_zero(price) else price


def quoted_numbers(price: Number | None, size: Number | None) -> tuple[str | None, str | None]:
    """Return the same as `quoted` for a price and a size that were sent as bare numbers.

    Raises `msgspec.ValidationError` where one of them is no number.
    """
    if (
        type(price) is str
        and type(size) is str
        # neither is zero in any spelling: a digit from 1 to 9 follows leading zeros and points
        and ("1" <= price < ":" or "1" <= price.lstrip("0.") < ":")
        and ("1" <= size < ":" or "1" <= size.lstrip("0.") < ":")
    ):
        return price, size
    return quoted(optional_number_text(price), optional_number_text(size))
