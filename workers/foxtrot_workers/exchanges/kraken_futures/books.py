"""Order books: a snapshot, then one changed level in each message; ``seq`` rises by one ("Book")."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from foxtrot_protocol.decimal_text import is_zero
from foxtrot_protocol.events import BookDelta, BookSnapshot
from foxtrot_workers.adapter.number_text import number_text
from foxtrot_workers.exchanges.kraken_futures.constants import MS
from foxtrot_workers.exchanges.kraken_futures.messages import BookMessage, LevelRow

__all__ = ["delta_of", "snapshot_of"]


def snapshot_of(exchange: str, symbol: str, receive_ns: int, message: BookMessage) -> BookSnapshot[str]:
    """Return the whole book. Raises `msgspec.ValidationError`."""
    return BookSnapshot(
        exchange,
        symbol,
        message.time * MS,
        receive_ns,
        _levels(message.bids),
        _levels(message.asks),
        None,
        str(message.sequence),
        None,
    )


def delta_of(exchange: str, symbol: str, receive_ns: int, message: BookMessage) -> BookDelta[str]:
    """Return the change of a book. Raises `msgspec.ValidationError`."""
    size = number_text(message.size)
    level = [(number_text(message.price), "0" if size[0] == "-" else size)]  # below 0 means removed, too
    if message.side is None:
        raise msgspec.ValidationError("a changed level without side")
    number = str(message.sequence)
    is_bid = message.side == "buy"
    return BookDelta(
        exchange,
        symbol,
        message.time * MS,
        receive_ns,
        level if is_bid else [],
        [] if is_bid else level,
        number,
        number,
        None,
    )


def _levels(levels: Sequence[LevelRow] | None) -> list[tuple[str, str]]:
    """Return the levels of a side; some snapshots have levels without size, which are left out."""
    made = [(number_text(level.price), number_text(level.size)) for level in levels or ()]
    return [(price, size) for price, size in made if size[0] != "-" and not is_zero(size)]
