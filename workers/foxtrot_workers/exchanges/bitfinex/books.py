"""Order books: rows of a snapshot or an update, and the checksum. Source: "Books", "WebSocket Checksum"."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.exchanges.bitfinex.constants import CHECKSUM_LEVELS
from foxtrot_workers.exchanges.bitfinex.messages import row_of, whole

__all__ = ["book_checksum", "javascript_number", "sides_of"]

Levels = list[tuple[str, str]]


def sides_of(rows: Sequence[Any]) -> tuple[Levels, Levels]:
    """Return bids and asks of rows ``[price, count, amount]``; an amount below 0 means an ask, a count of 0 a removal.

    Raises `msgspec.ValidationError` for any other row.
    """
    bids: Levels = []
    asks: Levels = []
    for row in rows:
        price, count, amount, *_ = row_of(row, 3)
        size = number_text(amount)
        side = bids
        if size.startswith("-"):
            side, size = asks, size[1:]
        side.append((number_text(price), size if whole(count) else "0"))
    return bids, asks


def book_checksum(book: OrderBook[str]) -> int:
    """Return the exchange's checksum of `book`, unsigned.

    It is the CRC32 of the best 25 levels, bid and ask alternating, asks with a negative amount, in the digits that
    JavaScript prints.
    """
    bids = book.best_bids(CHECKSUM_LEVELS)
    asks = book.best_asks(CHECKSUM_LEVELS)
    texts: list[str] = []
    for place in range(CHECKSUM_LEVELS):
        if place < len(bids):
            price, size = bids[place]
            texts += (javascript_number(price), javascript_number(size))
        if place < len(asks):
            price, size = asks[place]
            texts += (javascript_number(price), "-" + javascript_number(size))
    return zlib.crc32(":".join(texts).encode())


_FIXED_MIN = Decimal("1e-6")
_FIXED_MAX = Decimal("1e21")
"""JavaScript prints numbers between these without an exponent (ECMA-262, Number::toString)."""


def javascript_number(text: str) -> str:
    """Return a number as JavaScript prints it: no needless zeros, ``1e-7`` below a millionth."""
    if text.isdigit() and (text[0] != "0" or text == "0") and len(text) < 16:
        return text
    try:
        number = Decimal(text).normalize()
    except InvalidOperation:
        raise msgspec.ValidationError(f"not a number: {text[:40]!r}") from None
    if not number:
        return "0"
    if _FIXED_MIN <= abs(number) < _FIXED_MAX:
        return format(number, "f")
    digits = "".join(map(str, number.as_tuple().digits))
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{'-' if number < 0 else ''}{digits[0]}{fraction}e{number.adjusted():+d}"
