"""Order books: snapshots and updates both come on the stream, and name their predecessor.

Source: "Order book channel"; checksums as documented until they ended in June 2026 (recordings still have them).
"""

from __future__ import annotations

import zlib
from itertools import chain, zip_longest

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.exchanges.okx.constants import CHECKSUM_LEVELS, MS
from foxtrot_workers.exchanges.okx.messages import BookRow, Level

__all__ = ["book_checksum", "delta_of", "snapshot_of"]


def book_checksum(book: OrderBook[str]) -> int:
    """Return the exchange's checksum of `book`, unsigned.

    It is the CRC32 of the best 25 levels, bid and ask alternating, in the exchange's own digits.
    """
    bids = book.best_bids(CHECKSUM_LEVELS)
    asks = book.best_asks(CHECKSUM_LEVELS)
    pairs = zip_longest(bids, asks, fillvalue=())
    return zlib.crc32(":".join(chain.from_iterable(chain.from_iterable(pairs))).encode())


def _checksum(row: BookRow) -> int | None:
    """Return the checksum of `row`, unsigned; None for 0, which is sent since checksums ended in June 2026."""
    return row.checksum & 0xFFFFFFFF if row.checksum else None


def snapshot_of(exchange: str, symbol: str, receive_ns: int, row: BookRow) -> BookSnapshot[str]:
    """Return the whole book that `row` shows."""
    last_id = None if row.last_id is None else str(row.last_id)
    return BookSnapshot(
        exchange,
        symbol,
        row.time * MS,
        receive_ns,
        _levels(row.bids),
        _levels(row.asks),
        None,
        last_id,
        _checksum(row),
    )


def delta_of(exchange: str, symbol: str, receive_ns: int, row: BookRow) -> BookDelta[str]:
    """Return the change of a book that `row` shows."""
    return BookDelta(
        exchange,
        symbol,
        row.time * MS,
        receive_ns,
        _levels(row.bids),
        _levels(row.asks),
        None if row.previous_id is None else str(row.previous_id),
        None if row.last_id is None else str(row.last_id),
        _checksum(row),
    )


def _levels(levels: list[Level]) -> list[tuple[str, str]]:
    return [(level.price, level.size) for level in levels]
