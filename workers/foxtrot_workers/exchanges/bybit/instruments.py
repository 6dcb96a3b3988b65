"""Symbols of Bybit, and its instrument list ("Get Instruments Info")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from foxtrot_protocol.instruments import Instrument, InstrumentStatus, kind_of
from foxtrot_workers.exchanges.bybit.constants import (
    INSTRUMENTS_LISTED_MAX,
    INSTRUMENTS_PATH,
    MONTHS,
    QUOTE_ASSETS,
    SYMBOL_CHARS_MAX,
)
from foxtrot_workers.exchanges.bybit.messages import InstrumentRow, decode_instruments

__all__ = [
    "instrument_of",
    "instruments_path",
    "is_possible_symbol",
    "listed_instruments",
    "next_page_path",
    "parse_instruments",
]

_STATUSES: dict[str, InstrumentStatus] = {
    "PreLaunch": "announced",
    "Trading": "trading",
    "Delivering": "halted",
    "Closed": "ended",
}

_BREAKING = set(" .,#&?/\"'\\%")
"""Characters that would break a topic or a query."""

_DATE = re.compile(r"(?P<day>[0-9]{1,2})(?P<month>[A-Z]{3})(?P<year>[0-9]{2})")
_MONTH_LETTERS = "".join(MONTHS.values())


def is_possible_symbol(symbol: str) -> bool:
    """Return whether `symbol` can stand in a topic and a query."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def instruments_path(category: str, symbols: Sequence[str]) -> str:
    """Return the REST path of the list that has `symbols`: that symbol alone, or a first page of the category."""
    path = f"{INSTRUMENTS_PATH}?category={category}"
    return f"{path}&symbol={quote(symbols[0])}" if len(symbols) == 1 else f"{path}&limit={INSTRUMENTS_LISTED_MAX}"


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return BASE-QUOTE[-…] by symbol, from an instrument list.

    Raises `msgspec.DecodeError`, also for a list that is not whole: a symbol that is missing in it may exist.
    """
    page = decode_instruments(body).result
    if page.next_page and len(page.rows) > 1:
        raise msgspec.DecodeError("the instrument list has further pages")
    return {row.symbol: _instrument_of_row(row) for row in page.rows}


def listed_instruments(body: bytes) -> list[Instrument]:
    """Return what one page of the list says of each instrument. Raises `msgspec.DecodeError`."""
    return [
        Instrument(
            symbol=row.symbol,
            instrument=(name := _instrument_of_row(row)),
            kind=kind_of(name),
            status=_STATUSES.get(row.status, "halted"),
            tick_size=row.prices.tick_size,
            lot_size=row.lots.precision or row.lots.step,
            expiry_ns=_delivery_ms(row) * 1_000_000,
        )
        for row in decode_instruments(body).result.rows
    ]


def next_page_path(path: str, body: bytes) -> str | None:
    """Return the path of the page after the answer to `path`; None after the last. Raises `msgspec.DecodeError`."""
    page = decode_instruments(body).result
    if not page.next_page or not page.rows:
        return None
    return f"{path.partition('&cursor=')[0]}&cursor={quote(page.next_page, safe='')}"


def instrument_of(symbol: str, category: str) -> str:
    """Return BASE-QUOTE[-…] as `symbol` says it; `symbol` itself if it has no known form.

    ``BTCUSDT`` becomes ``BTC-USDT``, or ``BTC-USDT-PERP`` if `category` is not spot; ``BTCPERP`` becomes
    ``BTC-USDC-PERP``, ``BTCUSDT-29MAR24`` ``BTC-USDT-24H29``, and an option ``BTC-6JAN23-17500-C``
    ``BTC-17500-23F06-call`` (strike, date, kind).
    """
    pair, *parts = symbol.split("-")
    if not parts:
        if category == "spot":
            return _split(symbol) or symbol
        if symbol.endswith("PERP"):
            return f"{symbol.removesuffix('PERP')}-USDC-PERP"
        split = _split(symbol)
        return f"{split}-PERP" if split else symbol
    date = _date_code(parts[0])
    if date is None:
        return symbol
    if len(parts) == 1:
        return f"{_split(pair) or f'{pair}-USDC'}-{date}"
    kind = {"C": "call", "P": "put"}.get(parts[2]) if len(parts) in (3, 4) else None
    base = pair if len(parts) == 3 else f"{pair}-{parts[-1]}"
    return f"{base}-{parts[1]}-{date}-{kind}" if kind else symbol


def _instrument_of_row(row: InstrumentRow) -> str:
    pair = f"{row.base}-{row.quote}"
    if not row.contract:
        return instrument_of(row.symbol, "option") if row.symbol.count("-") > 1 else pair
    delivery_ms = _delivery_ms(row)
    if delivery_ms:
        due = datetime.fromtimestamp(delivery_ms // 1000 % 2**36, UTC)
        return f"{pair}-{due:%y}{_MONTH_LETTERS[due.month - 1]}{due:%d}"
    return f"{pair}-PERP"


def _delivery_ms(row: InstrumentRow) -> int:
    """Return the time of delivery in milliseconds since 1970; 0: none."""
    text = row.delivery[:16]
    return int(text) if text.isascii() and text.isdigit() else 0


def _split(symbol: str) -> str:
    """Return BASE-QUOTE, split at the longest quote currency; "" if `symbol` ends with none."""
    fitting = [asset for asset in QUOTE_ASSETS if symbol.endswith(asset) and len(symbol) > len(asset)]
    if not fitting:
        return ""
    asset = max(fitting, key=len)
    return f"{symbol.removesuffix(asset)}-{asset}"


def _date_code(text: str) -> str | None:
    """Return ``29MAR24`` as ``24H29``, with the month letters of futures; None for no date."""
    match = _DATE.fullmatch(text)
    letter = MONTHS.get(match["month"]) if match else None
    return f"{match['year']}{letter}{match['day']:0>2}" if match and letter else None
