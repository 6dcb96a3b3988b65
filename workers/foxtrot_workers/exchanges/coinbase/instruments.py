"""Products of Coinbase Exchange, and their list ("Get all known trading pairs"): a name is BASE-QUOTE already."""

from __future__ import annotations

import re

from foxtrot_protocol.instruments import Instrument, InstrumentStatus, kind_of
from foxtrot_workers.exchanges.coinbase.constants import PRODUCT_CHARS_MAX
from foxtrot_workers.exchanges.coinbase.messages import ProductRow, decode_products

__all__ = ["is_possible_product", "listed_instruments", "parse_instruments"]

_PRODUCT = re.compile(r"[A-Z0-9]+(?:[-_.][A-Z0-9]+)*", re.ASCII)


def is_possible_product(symbol: str) -> bool:
    """Return whether `symbol` can name a product."""
    return len(symbol) <= PRODUCT_CHARS_MAX and _PRODUCT.fullmatch(symbol) is not None


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE of each product of the list. Raises `msgspec.DecodeError`."""
    return {row.id: f"{row.base}-{row.quote}" for row in decode_products(body)}


def listed_instruments(body: bytes) -> list[Instrument]:
    """Return what the list says of each product. Raises `msgspec.DecodeError`."""
    return [
        Instrument(
            symbol=row.id,
            instrument=(name := f"{row.base}-{row.quote}"),
            kind=kind_of(name),
            status=_status(row),
            tick_size=row.tick_size,
            lot_size=row.lot_size,
        )
        for row in decode_products(body)
    ]


def _status(row: ProductRow) -> InstrumentStatus:
    """States are ``online``, ``offline``, ``internal`` and ``delisted``."""
    if row.status == "delisted":
        return "ended"
    return "trading" if row.status == "online" and not row.is_disabled else "halted"
