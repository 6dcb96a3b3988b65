"""Order books: snapshots and updates both come on the stream; an update names its predecessor ("book").

In recordings of API v2 most books are whole in every message, and a sequence stands in place of the identifiers.
"""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.exchanges.crypto_com.constants import MS
from foxtrot_workers.exchanges.crypto_com.messages import BookRow, Level

__all__ = ["delta_of", "last_id_of", "snapshot_of"]


def last_id_of(row: BookRow) -> int | None:
    """Return the identifier of a book after `row`; None if it names none."""
    return row.sequence if row.last_id is None else row.last_id


def snapshot_of(exchange: str, symbol: str, receive_ns: int, row: BookRow) -> BookSnapshot[str]:
    """Return the whole book that `row` shows. Raises `msgspec.ValidationError`."""
    return BookSnapshot(
        exchange,
        symbol,
        (row.time if row.book_time is None else row.book_time) * MS,
        receive_ns,
        _levels(row.bids),
        _levels(row.asks),
        None,
        _text(last_id_of(row)),
        None,
    )


def delta_of(exchange: str, symbol: str, receive_ns: int, row: BookRow) -> BookDelta[str]:
    """Return the change of a book that `row` shows. Raises `msgspec.ValidationError`."""
    change = row if row.update is None else row.update
    return BookDelta(
        exchange,
        symbol,
        (row.time if row.book_time is None else row.book_time) * MS,
        receive_ns,
        _levels(change.bids),
        _levels(change.asks),
        _text(row.previous_id),
        _text(last_id_of(row)),
        None,
    )


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _levels(levels: Sequence[Level] | None) -> list[tuple[str, str]]:
    return [
        (
            price if type(price := level.price) is str and price else number_text(price),
            size if type(size := level.size) is str and size else number_text(size),
        )
        for level in levels or ()
    ]
