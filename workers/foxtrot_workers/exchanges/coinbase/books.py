"""Order books: a snapshot, then changes with absolute sizes; nothing numbers them ("Level2 Channel")."""

from __future__ import annotations

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.adapter.iso_time import iso_ns
from foxtrot_workers.exchanges.coinbase.messages import BookChange, BookStart

__all__ = ["delta_of", "snapshot_of"]


def snapshot_of(exchange: str, receive_ns: int, start: BookStart) -> BookSnapshot[str]:
    """Return the whole book. Raises `msgspec.ValidationError` for an impossible time."""
    return BookSnapshot(
        exchange,
        start.product,
        0 if start.time is None else iso_ns(start.time),
        receive_ns,
        [(level.price, level.size) for level in start.bids],
        [(level.price, level.size) for level in start.asks],
        None,
        None,
        None,
    )


def delta_of(exchange: str, receive_ns: int, change: BookChange) -> BookDelta[str]:
    """Return the change of a book. Raises `msgspec.ValidationError` for an impossible time."""
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []
    for each in change.changes:
        (bids if each.side == "buy" else asks).append((each.price, each.size))
    return BookDelta(exchange, change.product, iso_ns(change.time), receive_ns, bids, asks, None, None, None)
