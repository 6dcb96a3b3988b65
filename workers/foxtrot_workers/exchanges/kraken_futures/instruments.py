"""Products of Kraken Futures, and their list ("Get instruments")."""

from __future__ import annotations

import re

from foxtrot_workers.exchanges.kraken_futures.constants import MONTHS, OLD_CURRENCIES, PRODUCT_CHARS_MAX
from foxtrot_workers.exchanges.kraken_futures.messages import decode_instruments

__all__ = ["instrument_of", "is_possible_product", "parse_instruments"]

_PRODUCT = re.compile(r"[A-Z0-9]+(?:[_.][A-Z0-9]+)*", re.ASCII)

_CONTRACT = re.compile(
    r"(?P<kind>PI|PF|FI|FF)_(?P<base>[A-Z0-9]+?)(?P<quote>USDT|USDC|USD|EUR|GBP|XBT)(?:_(?P<date>[0-9]{6}))?", re.ASCII
)
"""Perpetuals (P) and dated contracts (F), inverse (I) or linear (F)."""


def is_possible_product(symbol: str) -> bool:
    """Return whether `symbol`, in upper case, can name a product."""
    return len(symbol) <= PRODUCT_CHARS_MAX and _PRODUCT.fullmatch(symbol) is not None


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE-PERP or BASE-QUOTE-DATE as `symbol` says it; `symbol` itself if it has no known form.

    ``PI_XBTUSD`` and ``PF_XBTUSD`` become ``BTC-USD-PERP``, ``FI_XBTUSD_210924`` becomes ``BTC-USD-21U24``.
    """
    match = _CONTRACT.fullmatch(symbol.upper())
    if match is None:
        return symbol
    base = OLD_CURRENCIES.get(match["base"], match["base"])
    quote = OLD_CURRENCIES.get(match["quote"], match["quote"])
    date = match["date"]
    if date is None:
        return f"{base}-{quote}-PERP" if match["kind"].startswith("P") else symbol
    if not 1 <= int(date[2:4]) <= 12:
        return symbol
    return f"{base}-{quote}-{date[:2]}{MONTHS[int(date[2:4]) - 1]}{date[4:]}"


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return `instrument_of` each product of the list that can be traded. Raises `msgspec.DecodeError`."""
    return {row.symbol: instrument_of(row.symbol) for row in decode_instruments(body).instruments if row.tradeable}
