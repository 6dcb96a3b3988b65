"""One side of a quote as exchanges write it. Pure."""

from __future__ import annotations

from foxtrot_protocol.decimal_text import is_zero

__all__ = ["EMPTY_SIDE", "price_or_none", "quoted"]

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
