"""Checks of books whose updates have no identifiers: they are folded, and must never be wrong.

Pure: events go in, defects come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_protocol.order_book import OrderBook

__all__ = ["BookCheck"]

_CHECKSUM_LEVELS = 10


class BookCheck:
    """The books of all symbols, as a handler receives them; numbers are text."""

    def __init__(self) -> None:
        self._books: dict[str, OrderBook[str]] = {}

    def take(self, event: BookSnapshot[str] | BookDelta[str]) -> bool:
        """Fold `event`; return whether the book is possible: not crossed, and with the right checksum."""
        book = self._books.get(event.symbol)
        try:
            if isinstance(event, BookSnapshot):
                book = self._books[event.symbol] = OrderBook(event.symbol)
                book.snapshot(event.bids, event.asks)
            elif book is None:
                return False
            else:
                book.apply(event.bids, event.asks)
        except BookInvalid:
            return False
        return not book.crossed and (event.checksum is None or event.checksum == _checksum(book))


def _checksum(book: OrderBook[str]) -> int:
    """CRC32 of the best levels, asks first, without points and leading zeros (Kraken, "Book checksum")."""
    sides = (book.best_asks(_CHECKSUM_LEVELS), book.best_bids(_CHECKSUM_LEVELS))
    return crc32("".join(map(_digits, sides)).encode())


def _digits(levels: Sequence[tuple[str, str]]) -> str:
    return "".join(text.replace(".", "").lstrip("0") for level in levels for text in level)
