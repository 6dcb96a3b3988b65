"""Order books: snapshots and updates both come on the stream.

Sources: "Depth Channel" of v2 (checksum), "Best Practices Guide" of the unified account (``pseq``).
"""

from __future__ import annotations

import zlib
from itertools import chain, zip_longest

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.exchanges.bitget.constants import CHECKSUM_LEVELS, MS
from foxtrot_workers.exchanges.bitget.messages import BookRow, UnifiedBookRow

__all__ = ["book_checksum", "checksum_of", "delta_of", "snapshot_of", "unified_delta_of", "unified_snapshot_of"]


def book_checksum(book: OrderBook[str]) -> int:
    """Return the exchange's checksum of `book`, signed.

    It is the CRC32 of the best 25 levels, bid and ask alternating, in the exchange's own digits.
    """
    pairs = zip_longest(book.best_bids(CHECKSUM_LEVELS), book.best_asks(CHECKSUM_LEVELS), fillvalue=())
    checksum = zlib.crc32(":".join(chain.from_iterable(chain.from_iterable(pairs))).encode())
    return checksum - 2**32 if checksum >= 2**31 else checksum


def checksum_of(row: BookRow) -> int | None:
    """Return the checksum of `row`, signed; None for 0, which channels send that have none."""
    checksum = row.checksum
    return (checksum - 2**32 if checksum >= 2**31 else checksum) if checksum else None


def snapshot_of(exchange: str, symbol: str, receive_ns: int, row: BookRow) -> BookSnapshot[str]:
    """Return the whole book that a row of v1 or v2 shows."""
    last_id = None if row.seq is None else str(row.seq)
    return BookSnapshot(
        exchange, symbol, row.time * MS, receive_ns, row.bids, row.asks, None, last_id, checksum_of(row)
    )


def delta_of(exchange: str, symbol: str, receive_ns: int, row: BookRow, previous: int | None) -> BookDelta[str]:
    """Return the change of a book that a row of v1 or v2 shows; `previous`: identifier of the update before it."""
    return BookDelta(
        exchange,
        symbol,
        row.time * MS,
        receive_ns,
        row.bids,
        row.asks,
        None if previous is None else str(previous),
        None if row.seq is None else str(row.seq),
        checksum_of(row),
    )


def unified_snapshot_of(exchange: str, symbol: str, receive_ns: int, row: UnifiedBookRow) -> BookSnapshot[str]:
    """Return the whole book that a row of v3 shows."""
    return BookSnapshot(exchange, symbol, row.time * MS, receive_ns, row.bids, row.asks, None, str(row.seq), None)


def unified_delta_of(exchange: str, symbol: str, receive_ns: int, row: UnifiedBookRow) -> BookDelta[str]:
    """Return the change of a book that a row of v3 shows."""
    return BookDelta(
        exchange,
        symbol,
        row.time * MS,
        receive_ns,
        row.bids,
        row.asks,
        str(row.previous),
        str(row.seq),
        None,
    )
