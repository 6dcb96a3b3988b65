"""What an exchange lists: one record for each instrument. Pure."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

__all__ = ["INSTRUMENT_KINDS", "Instrument", "InstrumentKind", "InstrumentStatus", "Listing", "kind_of"]

InstrumentKind: TypeAlias = Literal["spot", "perpetual", "future", "option", "index", "other"]
"""``future``: with an expiry; ``other``: what the exchange does not say, or none of these (spreads, combinations)."""

InstrumentStatus: TypeAlias = Literal["trading", "halted", "announced", "ended"]
"""``halted``: listed, not traded at present; ``announced``: not traded yet; ``ended``: delisted, expired or settled."""

_DATED: Final = re.compile(r"[0-9]{2}[FGHJKMNQUVXZ][0-9]{2}")
"""A date in an instrument's name: year, month letter of futures, day."""

INSTRUMENT_KINDS: Final[frozenset[str]] = frozenset(get_args(InstrumentKind))


class Instrument(Struct, frozen=True, kw_only=True):
    """One instrument of an exchange.

    `symbol`: the exchange's name. `instrument`: BASE-QUOTE[-…]. Sizes are decimal text in the exchange's own units, ""
    where it does not say: `tick_size` is the price increment, `lot_size` the size increment, `contract_size` the base
    or quote amount of one contract. `expiry_ns`: nanoseconds since 1970; 0: none.
    """

    symbol: str
    instrument: str
    kind: InstrumentKind = "other"
    status: InstrumentStatus = "trading"
    tick_size: str = ""
    lot_size: str = ""
    contract_size: str = ""
    expiry_ns: int = 0


class Listing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The instruments of an exchange, or why there are none."""

    instruments: list[Instrument] = []
    error: str = ""


def kind_of(instrument: str) -> InstrumentKind:
    """Return the kind that the name of an instrument says: ``BTC-USD-PERP``, ``BTC-USD-22K27``, ``…-call``, BTC-USD."""
    parts = instrument.split("-")
    if parts[-1] in ("call", "put"):
        return "option"
    if parts[-1] == "PERP":
        return "perpetual"
    if _DATED.fullmatch(parts[-1]):
        return "future"
    return "spot" if len(parts) == 2 else "other"
