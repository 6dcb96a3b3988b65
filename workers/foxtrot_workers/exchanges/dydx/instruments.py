"""Names of markets, and the list of markets ("List Perpetual Markets")."""

from __future__ import annotations

from foxtrot_workers.exchanges.dydx.constants import SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.dydx.messages import decode_market_list

__all__ = ["instrument_of", "is_possible_symbol", "parse_instruments"]


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can name a market."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & set(" :#/?&\"'\\%()")


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return `instrument_of` each market of a list. Raises `msgspec.DecodeError`."""
    return {symbol: instrument_of(symbol) for symbol in decode_market_list(body).markets}


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE-PERP: all markets are perpetuals."""
    return f"{symbol}-PERP"
