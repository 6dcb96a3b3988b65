"""Order books: every message is a full picture. Source: "Orderbook"."""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_protocol.decimal_text import is_zero
from foxtrot_workers.adapter.number_text import level_texts
from foxtrot_workers.exchanges.upbit.messages import Unit

__all__ = ["sides_of"]

Levels = list[tuple[str, str]]


def sides_of(units: Sequence[Unit]) -> tuple[Levels, Levels]:
    """Return bids and asks of units, each of which has one of both; a price of 0 means that there is none.

    Raises `msgspec.ValidationError` where a price or size is no number.
    """
    bids = level_texts([(unit.bid, unit.bid_size) for unit in units])
    asks = level_texts([(unit.ask, unit.ask_size) for unit in units])
    return _present(bids), _present(asks)


def _present(levels: Levels) -> Levels:
    # empty rows are the last ones
    if levels and is_zero(levels[-1][0]):
        return [level for level in levels if not is_zero(level[0])]
    return levels
