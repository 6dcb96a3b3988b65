"""Order books: a snapshot and changes, or full pictures. Source: "book.{instrument_name}.{interval}"."""

from __future__ import annotations

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.adapter.number_text import level_texts, number_text
from foxtrot_workers.exchanges.deribit.constants import MS
from foxtrot_workers.exchanges.deribit.messages import BookChange, BookData, BookPicture

__all__ = ["delta_of", "picture_of", "snapshot_of"]


def snapshot_of(exchange: str, symbol: str, receive_ns: int, data: BookData) -> BookSnapshot[str]:
    """Return the whole book that `data` shows."""
    bids, asks = _levels(data.bids), _levels(data.asks)
    return BookSnapshot(exchange, symbol, data.time * MS, receive_ns, bids, asks, None, str(data.change_id), None)


def delta_of(exchange: str, symbol: str, receive_ns: int, data: BookData) -> BookDelta[str]:
    """Return the change of a book that `data` shows."""
    return BookDelta(
        exchange,
        symbol,
        data.time * MS,
        receive_ns,
        _levels(data.bids),
        _levels(data.asks),
        None if data.previous_id is None else str(data.previous_id),
        str(data.change_id),
        None,
    )


def picture_of(exchange: str, symbol: str, receive_ns: int, data: BookPicture) -> BookSnapshot[str]:
    """Return the full picture that `data` shows."""
    bids, asks = level_texts(data.bids), level_texts(data.asks)
    return BookSnapshot(exchange, symbol, data.time * MS, receive_ns, bids, asks, None, str(data.change_id), None)


def _levels(changes: list[BookChange]) -> list[tuple[str, str]]:
    # the amount of a deleted level is 0 already; its action decides
    return [
        (
            price if type(price := change.price) is str and price else number_text(price),
            "0"
            if change.action == "delete"
            else size
            if type(size := change.amount) is str and size
            else number_text(size),
        )
        for change in changes
    ]
