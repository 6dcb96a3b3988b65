"""Instrument names of OKX, and its instrument list ("Get instruments")."""

from __future__ import annotations

import re
from collections.abc import Sequence

from foxtrot_protocol.instruments import Instrument, InstrumentStatus, kind_of
from foxtrot_workers.exchanges.okx.constants import INSTRUMENT_CHARS_MAX, INSTRUMENTS_PATH, MONTHS
from foxtrot_workers.exchanges.okx.messages import decode_instruments

__all__ = [
    "LISTED_KINDS",
    "instrument_of",
    "instruments_path",
    "is_possible_instrument",
    "liquidated_kind",
    "listed_instruments",
    "parse_instruments",
]

LISTED_KINDS = ("SPOT", "SWAP", "FUTURES")
"""Kinds with one list for all; options are listed by family only."""

_STATUSES: dict[str, InstrumentStatus] = {"live": "trading", "preopen": "announced", "expired": "ended"}
"""States; all others are pauses."""

_BREAKING = set(" :,\"'{}\\")
"""Characters that would break a wire name, or the text of a refusal."""


def is_possible_instrument(symbol: str) -> bool:
    """Return whether `symbol` can name an instrument."""
    return 0 < len(symbol) <= INSTRUMENT_CHARS_MAX and symbol.isprintable() and not set(symbol) & _BREAKING


def instruments_path(symbols: Sequence[str]) -> str | None:
    """Return the REST path of the list of one kind of instrument.

    None if `symbols` are of several kinds, or options, which are listed by family only.
    """
    kinds = {_kind_of(symbol) for symbol in symbols}
    kind = kinds.pop() if len(kinds) == 1 else None
    return None if kind is None else f"{INSTRUMENTS_PATH}?instType={kind}"


def parse_instruments(body: bytes) -> dict[str, str]:
    """Return `instrument_of` each symbol of an instrument list. Raises `msgspec.DecodeError`."""
    return {row.instrument: instrument_of(row.instrument) for row in decode_instruments(body).data}


def listed_instruments(body: bytes) -> list[Instrument]:
    """Return all that an instrument list says. Raises `msgspec.DecodeError`, and ValueError for an impossible time."""
    return [
        Instrument(
            symbol=row.instrument,
            instrument=instrument_of(row.instrument),
            kind=kind_of(instrument_of(row.instrument)),
            status=_STATUSES.get(row.state or "live", "halted"),
            tick_size=row.tick_size,
            lot_size=row.lot_size,
            contract_size=row.contract_value,
            expiry_ns=int(row.expiry or 0) * 1_000_000,
        )
        for row in decode_instruments(body).data
    ]


def instrument_of(symbol: str) -> str:
    """Return BASE-QUOTE[-…] as `symbol` says it; `symbol` itself if it has no known form.

    ``BTC-USD-SWAP`` becomes ``BTC-USD-PERP``; ``BTC-USD-220527`` becomes ``BTC-USD-22K27``; an option
    ``BTC-USD-210924-66000-C`` becomes ``BTC-USD-66000-21U24-call`` (strike, date, kind).
    """
    parts = symbol.split("-")
    if len(parts) == 3 and parts[2] == "SWAP":
        return f"{parts[0]}-{parts[1]}-PERP"
    date = _date_code(parts[2]) if len(parts) in (3, 5) else None
    if date is None:
        return symbol
    if len(parts) == 3:
        return f"{parts[0]}-{parts[1]}-{date}"
    kind = {"C": "call", "P": "put"}.get(parts[4])
    return f"{parts[0]}-{parts[1]}-{parts[3]}-{date}-{kind}" if kind else symbol


def liquidated_kind(symbol: str) -> str:
    """Return the kind under which liquidations of an instrument are sent; those of spot are of margin positions."""
    if symbol.count("-") == 4:
        return "OPTION"
    return {"SWAP": "SWAP", "FUTURES": "FUTURES"}.get(_kind_of(symbol) or "", "MARGIN")


def _kind_of(symbol: str) -> str | None:
    """Return the kind of instrument, told by the form of its name; None for an option and for unknown forms."""
    parts = symbol.split("-")
    if len(parts) == 3:
        return "SWAP" if parts[2] == "SWAP" else "FUTURES"
    return "SPOT" if len(parts) <= 2 else None


def _date_code(text: str) -> str | None:
    """Return ``220527`` (year, month, day) as ``22K27``, with the month letters of futures; None for no date."""
    if not re.fullmatch(r"[0-9]{6}", text) or not 1 <= int(text[2:4]) <= 12:
        return None
    return f"{text[:2]}{MONTHS[int(text[2:4]) - 1]}{text[4:]}"
