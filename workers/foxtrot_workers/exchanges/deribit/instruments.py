"""Instrument names of Deribit, and its instrument list ("Naming", "public/get_instruments")."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from msgspec import Raw

from foxtrot_protocol.instruments import Instrument, kind_of
from foxtrot_workers.exchanges.deribit.constants import INSTRUMENTS_PATH, SYMBOL_CHARS_MAX
from foxtrot_workers.exchanges.deribit.messages import decode_instruments

__all__ = ["instrument_of", "instruments_path", "is_possible_instrument", "listed_instruments", "parse_instruments"]

_SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9_-]*", re.ASCII)
_DATE = re.compile(r"(?P<day>[0-9]{1,2})(?P<month>[A-Z]{3})(?P<year>[0-9]{2})", re.ASCII)
_MONTHS = dict(
    zip(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
        "FGHJKMNQUVXZ",
        strict=True,
    )
)
"""Month names to the month letters of futures."""

_KINDS = {"C": "call", "P": "put"}


def is_possible_instrument(symbol: str) -> bool:
    """Return whether `symbol` can name an instrument."""
    return len(symbol) <= SYMBOL_CHARS_MAX and _SYMBOL.fullmatch(symbol) is not None


def instruments_path(symbols: Sequence[str]) -> str:
    """Return the REST path of the list that has `symbols`: of their currency, or of all."""
    currencies = {_currency_of(symbol) for symbol in symbols}
    currency = currencies.pop() if len(currencies) == 1 else "any"
    return f"{INSTRUMENTS_PATH}?currency={currency}&expired=false"


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return `instrument_of` each symbol of an instrument list. Raises `msgspec.DecodeError`."""
    return {row.name: instrument_of(row.name) for row in decode_instruments(body).result}


def listed_instruments(body: bytes) -> list[Instrument]:
    """Return all that an instrument list says. Raises `msgspec.DecodeError`, and ValueError for impossible sizes."""
    found = []
    for row in decode_instruments(body).result:
        name = instrument_of(row.name)
        kind = kind_of(name)
        found.append(
            Instrument(
                symbol=row.name,
                instrument=name,
                kind=kind,
                status="trading" if row.is_active else "halted",
                tick_size=_size(row.tick_size),
                lot_size=_size(row.lot_size),
                contract_size=_size(row.contract_size),
                expiry_ns=row.expiry_ms * 1_000_000 if kind in ("future", "option") else 0,
            )
        )
    return found


def _size(number: Raw) -> str:
    """Return a JSON number as decimal text without an exponent; "" for none."""
    try:
        return format(Decimal(bytes(number).decode()), "f") if bytes(number) else ""
    except InvalidOperation:
        raise ValueError("a size is no number") from None


def instrument_of(symbol: str) -> str:
    """Return BASE[-QUOTE][-…] as `symbol` says it; `symbol` itself if it has no known form.

    ``BTC-PERPETUAL`` becomes ``BTC-USD-PERP``, ``BTC_USDC-PERPETUAL`` ``BTC-USDC-PERP``, ``BTC-24SEP21``
    ``BTC-USD-21U24``, the option ``ETH-30JUL21-2800-C`` ``ETH-2800-21N30-call``, spot ``BTC_USDC`` ``BTC-USDC``.
    """
    parts = symbol.split("-")
    pair = parts[0].replace("_", "-")
    if len(parts) == 1:
        return pair
    dollars = pair if "-" in pair else f"{pair}-USD"
    if len(parts) == 2 and parts[1] == "PERPETUAL":
        return f"{dollars}-PERP"
    date = _date_code(parts[1])
    if len(parts) == 2 and date:
        return f"{dollars}-{date}"
    if len(parts) == 4 and date and parts[3] in _KINDS:
        return f"{pair}-{parts[2].replace('d', '.')}-{date}-{_KINDS[parts[3]]}"
    return symbol


def _currency_of(symbol: str) -> str:
    """Return the currency whose list has `symbol`: that of settlement, which linear names show after an underscore."""
    first = symbol.partition("-")[0]
    return first.rpartition("_")[2]


def _date_code(text: str) -> str:
    """Return ``24SEP21`` (day, month, year) as ``21U24``; "" for no date."""
    match = _DATE.fullmatch(text)
    if match is None or match["month"] not in _MONTHS:
        return ""
    return f"{match['year']}{_MONTHS[match['month']]}{int(match['day']):02}"
