"""Products of Coinbase Exchange, and their list ("Get all known trading pairs"): a name is BASE-QUOTE already."""

from __future__ import annotations

import re

from foxtrot_workers.exchanges.coinbase.constants import PRODUCT_CHARS_MAX
from foxtrot_workers.exchanges.coinbase.messages import decode_products

__all__ = ["is_possible_product", "parse_instruments"]

_PRODUCT = re.compile(r"[A-Z0-9]+(?:[-_.][A-Z0-9]+)*", re.ASCII)


def is_possible_product(symbol: str) -> bool:
    """Return whether `symbol` can name a product."""
    return len(symbol) <= PRODUCT_CHARS_MAX and _PRODUCT.fullmatch(symbol) is not None


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE of each product of the list. Raises `msgspec.DecodeError`."""
    return {row.id: f"{row.base}-{row.quote}" for row in decode_products(body)}
