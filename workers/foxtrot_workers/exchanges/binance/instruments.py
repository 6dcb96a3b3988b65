"""Symbols of Binance, and its instrument list (``rest-api.md``, "Exchange information")."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

import msgspec

from foxtrot_protocol.instruments import Instrument, InstrumentStatus, kind_of
from foxtrot_workers.exchanges.binance.constants import INSTRUMENTS_LISTED_MAX, MONTHS, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.binance.messages import decode_instruments

__all__ = [
    "contract_of",
    "instrument_of",
    "instruments_path",
    "is_possible_symbol",
    "listed_instruments",
    "parse_contracts",
    "parse_instruments",
]

_STATUSES: dict[str, InstrumentStatus] = {
    "TRADING": "trading",
    "PRE_TRADING": "announced",
    "PENDING_TRADING": "announced",
    "DELIVERED": "ended",
    "CLOSE": "ended",
}
"""Statuses of symbols and contracts; all others are pauses, of which some may never end (``BREAK``, ``SETTLING``)."""

_BREAKING = set(" @/!&?#\"'\\%")
"""Characters that would break a stream name or a query."""


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can stand in a stream name and a query. Symbols have letters of any script."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def instruments_path(symbols: Sequence[str]) -> str:
    """Return the REST path of the list of `symbols`; of all instruments if there are none, or too many to name."""
    if not 0 < len(symbols) <= INSTRUMENTS_LISTED_MAX:
        return "/api/v3/exchangeInfo"
    names = msgspec.json.encode([symbol.upper() for symbol in symbols]).decode()
    return f"/api/v3/exchangeInfo?symbols={quote(names)}"


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE by symbol, from an instrument list. Raises `msgspec.DecodeError`."""
    return {listed.symbol: f"{listed.base}-{listed.quote}" for listed in decode_instruments(body).symbols}


def parse_contracts(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE-[PERP or date] by symbol, from an instrument list of futures. Raises `msgspec.DecodeError`."""
    return {
        listed.symbol: contract_of(listed.symbol, f"{listed.base}-{listed.quote}")
        for listed in decode_instruments(body).symbols
    }


def listed_instruments(body: bytes, name_of: Callable[[str, str], str]) -> list[Instrument]:
    """Return all that an instrument list says. Raises `msgspec.DecodeError`.

    `name_of`: returns the instrument of a symbol and its BASE-QUOTE.
    """
    found = []
    for row in decode_instruments(body).symbols:
        name = name_of(row.symbol, f"{row.base}-{row.quote}")
        kind = kind_of(name)
        found.append(
            Instrument(
                symbol=row.symbol,
                instrument=name,
                kind=kind,
                status=_STATUSES.get(row.contract_status or row.status or "TRADING", "halted"),
                tick_size=next((each.tick_size for each in row.filters if each.kind == "PRICE_FILTER"), ""),
                lot_size=next((each.step_size for each in row.filters if each.kind == "LOT_SIZE"), ""),
                contract_size=bytes(row.contract_size).decode(),
                expiry_ns=row.delivery_ms * 1_000_000 if kind == "future" else 0,
            )
        )
    return found


def contract_of(symbol: str, pair: str) -> str:
    """Return the name of a contract on `pair`: ``BTCUSDT`` and ``BTCUSD_PERP`` are perpetual, ``BTCUSD_210924`` ends.

    The date becomes ``21U24``, with the month letters of futures.
    """
    _, _, due = symbol.partition("_")
    if re.fullmatch(r"[0-9]{6}", due) and 1 <= int(due[2:4]) <= 12:
        return f"{pair}-{due[:2]}{MONTHS[int(due[2:4]) - 1]}{due[4:]}"
    return f"{pair}-PERP"


def instrument_of(symbol: str, quote_assets: Sequence[str]) -> str:
    """Return BASE-QUOTE, split at the longest of `quote_assets` that `symbol` ends with; `symbol` if there is none."""
    fitting = [asset for asset in quote_assets if symbol.endswith(asset) and len(symbol) > len(asset)]
    if not fitting:
        return symbol
    asset = max(fitting, key=len)
    return f"{symbol.removesuffix(asset)}-{asset}"
