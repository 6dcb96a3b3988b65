"""Names of coins ("Notation", "Asset IDs"). The instrument list is requested by POST, and not used."""

from __future__ import annotations

from foxtrot_workers.exchanges.hyperliquid.constants import SYMBOL_CHARS_MAX

__all__ = ["instrument_of", "is_possible_symbol"]


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can name a coin: ``BTC``, ``xyz:TSLA``, ``PURR/USDC``, ``@107``, ``#12``."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & set(" \"'\\%")


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE[-PERP]; `symbol` itself where only the exchange's list knows what it stands for."""
    if symbol[:1] in ("@", "#", ""):
        return symbol
    base, slash, quote = symbol.partition("/")
    return f"{base}-{quote}" if slash else f"{symbol}-USD-PERP"
