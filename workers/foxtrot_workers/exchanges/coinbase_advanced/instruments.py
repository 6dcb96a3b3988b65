"""Products of Advanced Trade, and their list ("List Public Products")."""

from __future__ import annotations

import re

from foxtrot_workers.exchanges.coinbase_advanced.constants import PRODUCT_CHARS_MAX
from foxtrot_workers.exchanges.coinbase_advanced.messages import decode_products

__all__ = ["instrument_of", "is_possible_product", "parse_instruments"]

_PRODUCT = re.compile(r"[A-Z0-9]+(?:[-_.][A-Z0-9]+)*", re.ASCII)

_PERPETUAL = "-PERP-INTX"


def is_possible_product(symbol: str) -> bool:
    """Return whether `symbol` can name a product."""
    return len(symbol) <= PRODUCT_CHARS_MAX and _PRODUCT.fullmatch(symbol) is not None


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE, or BASE-USDC-PERP for a perpetual such as ``BTC-PERP-INTX``."""
    return f"{symbol.removesuffix(_PERPETUAL)}-USDC-PERP" if symbol.endswith(_PERPETUAL) else symbol


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE[-PERP] of each product of the list. Raises `msgspec.DecodeError`."""
    names = {}
    for row in decode_products(body).products:
        name = instrument_of(row.product)
        if name == row.product and row.base and row.quote and row.product.count("-") == 1:
            name = f"{row.base}-{row.quote}"
        names[row.product] = name
    return names
