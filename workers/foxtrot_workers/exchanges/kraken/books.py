"""Order books: snapshots and updates both come on the stream, and each carries a checksum.

Source: "Book (Level 2)" and the guide "Book Checksum". Levels that leave the subscribed depth are not removed by a
message.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal, InvalidOperation

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.exchanges.kraken.constants import BOOK_DEPTHS, CHECKSUM_LEVELS
from foxtrot_workers.exchanges.kraken.messages import BookRow, LevelRow

__all__ = ["book_checksum", "delta_of", "probable_depth", "snapshot_of"]


def book_checksum(book: OrderBook[str]) -> int:
    """Return the exchange's checksum of `book`, unsigned.

    It is the CRC32 of the best 10 asks, then of the best 10 bids: the digits of price and quantity without the point
    and without leading zeros.
    """
    asks, bids = book.best_asks(CHECKSUM_LEVELS), book.best_bids(CHECKSUM_LEVELS)
    text = "".join([number.replace(".", "").lstrip("0") for level in (*asks, *bids) for number in level])
    if not text.isdigit() and text:
        text = "".join([_digits(number) for level in (*asks, *bids) for number in level])
    return zlib.crc32(text.encode())


def _digits(number: str) -> str:
    """Return the digits of a number that may have an exponent."""
    with suppress(InvalidOperation):  # the checksum will differ
        number = format(Decimal(number), "f")
    return number.replace(".", "").lstrip("0")


def probable_depth(row: BookRow) -> int:
    """Return the depth of the subscription that `row` is the snapshot of, as far as its levels show it."""
    count = max(len(row.bids), len(row.asks))
    return min((depth for depth in BOOK_DEPTHS.values() if depth >= count), default=max(BOOK_DEPTHS.values()))


def snapshot_of(exchange: str, receive_ns: int, row: BookRow) -> BookSnapshot[str]:
    """Return the whole book that `row` shows. Raises `msgspec.ValidationError`."""
    return BookSnapshot(
        exchange,
        row.symbol,
        0 if row.time is None else iso_ns(row.time),
        receive_ns,
        _levels(row.bids),
        _levels(row.asks),
        None,
        None,
        row.checksum,
    )


def delta_of(exchange: str, receive_ns: int, row: BookRow) -> BookDelta[str]:
    """Return the change of a book that `row` shows. Raises `msgspec.ValidationError`."""
    return BookDelta(
        exchange,
        row.symbol,
        0 if row.time is None else iso_ns(row.time),
        receive_ns,
        _levels(row.bids),
        _levels(row.asks),
        None,
        None,
        row.checksum,
    )


def _levels(levels: Iterable[LevelRow]) -> list[tuple[str, str]]:
    return [
        (
            price if type(price := level.price) is str and price else number_text(price),
            size if type(size := level.size) is str and size else number_text(size),
        )
        for level in levels
    ]
