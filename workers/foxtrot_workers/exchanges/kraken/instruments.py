"""Symbols of Kraken, and its list of pairs ("Get Tradable Asset Pairs")."""

from __future__ import annotations

from foxtrot_protocol.instruments import Instrument
from foxtrot_workers.exchanges.kraken.constants import OLD_CURRENCIES, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.kraken.messages import decode_pairs

__all__ = ["instrument_of", "is_possible_symbol", "listed_instruments", "parse_instruments"]

DECIMALS_MAX = 30
"""More decimals than any price has."""

_BREAKING = set(" :,\"'\\{}&?#")
"""Characters that would break a wire name, or the path of a REST request."""


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can name a pair."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE of a pair such as ``BTC/USD``, or ``XBT/USD`` as WebSocket v1 names it."""
    return _modern(symbol).replace("/", "-")


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE of each pair of the list, under its names in WebSocket v2 and v1.

    Raises `msgspec.DecodeError`.
    """
    names = [row.name for row in decode_pairs(body).result.values() if row.name]
    return {name: instrument_of(name) for old in names for name in (old, _modern(old))}


def listed_instruments(body: bytes) -> list[Instrument]:
    """Return what the list says of each pair, under its name in WebSocket v2 alone.

    Only ``cancel_only`` is no trading; ``post_only``, ``limit_only`` and ``reduce_only`` restrict orders. Raises
    `msgspec.DecodeError`.
    """
    return [
        Instrument(
            symbol=_modern(row.name),
            instrument=instrument_of(row.name),
            kind="spot",
            status="halted" if row.status == "cancel_only" else "trading",
            tick_size=row.tick_size or _step(row.price_decimals),
            lot_size=_step(row.lot_decimals),
        )
        for row in decode_pairs(body).result.values()
        if row.name
    ]


def _step(decimals: int | None) -> str:
    """Return the smallest step of so many decimals, "" if they are not given."""
    if decimals is None or not 0 <= decimals <= DECIMALS_MAX:
        return ""
    return f"0.{'0' * (decimals - 1)}1" if decimals else "1"


def _modern(symbol: str) -> str:
    """Return `symbol` as WebSocket v2 writes it."""
    return "/".join(OLD_CURRENCIES.get(currency, currency) for currency in symbol.split("/"))
