"""Order books: a snapshot, then changes with absolute sizes; the connection's sequence shows what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.exchanges.coinbase_advanced.messages import LevelChange

__all__ = ["delta_of", "snapshot_of"]


def snapshot_of(
    exchange: str, symbol: str, time_ns: int, receive_ns: int, changes: Sequence[LevelChange]
) -> BookSnapshot[str]:
    """Return the whole book."""
    bids, asks = _sides(changes)
    return BookSnapshot(exchange, symbol, time_ns, receive_ns, bids, asks, None, None, None)


def delta_of(
    exchange: str, symbol: str, time_ns: int, receive_ns: int, changes: Sequence[LevelChange]
) -> BookDelta[str]:
    """Return the change of a book."""
    bids, asks = _sides(changes)
    return BookDelta(exchange, symbol, time_ns, receive_ns, bids, asks, None, None, None)


def _sides(changes: Sequence[LevelChange]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []
    for change in changes:
        (bids if change.side == "bid" else asks).append((change.price, change.size))
    return bids, asks
