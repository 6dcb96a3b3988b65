"""Categories, symbols and identifiers of Bybit. Pure."""

from __future__ import annotations

from foxtrot_workers.simulator.market.instruments import Instrument

__all__ = ["CATEGORIES", "is_offered", "trade_id_text"]

CATEGORIES = ("spot", "linear", "inverse")
"""Each has an address of its own, and the same names of symbols may occur in several."""

_SPOT_IDS = 2_290_000_000_000_000_000
"""Spot trades have numbers of 19 digits."""


def is_offered(category: str, instrument: Instrument) -> bool:
    """Return whether `category` has this instrument."""
    if category == "inverse":
        return instrument.quote == "USD"
    return category == "spot" or (category == "linear" and instrument.quote in ("USDT", "USDC"))


def trade_id_text(category: str, trade_id: int) -> str:
    """Return the identifier of a trade: a number in spot, a UUID elsewhere (its last part counts)."""
    if category == "spot":
        return str(_SPOT_IDS + trade_id)
    return f"20f43950-d8dd-5b31-9112-{trade_id:012x}"
