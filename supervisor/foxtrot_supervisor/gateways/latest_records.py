"""The latest of everything that came by: ticks, contracts, orders, ... by the key that vn.py gives each. Pure.

Only what can be named is kept (an object without its key is passed over and counted), and of each kind at most so
many: beyond that the one that was changed longest ago goes, counted.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["KINDS", "RECORDS_MAX", "LatestRecords"]

RECORDS_MAX: Final = 100_000
"""Records kept of each kind."""

KINDS: Final = {
    "eTick.": "vt_symbol",
    "eContract.": "vt_symbol",
    "eOrder.": "vt_orderid",
    "eTrade.": "vt_tradeid",
    "ePosition.": "vt_positionid",
    "eAccount.": "vt_accountid",
    "eQuote.": "vt_quoteid",
}
"""Event types whose data is kept, and the attribute that names each."""


class LatestRecords:
    """Records of every kind; `take` is given each event's type and data."""

    def __init__(self, records_max: int = RECORDS_MAX) -> None:
        self._records_max = records_max
        self._records: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self.nameless_total = 0
        """Data without a key."""
        self.forgotten_total = 0
        """Records that had to go for others."""

    def take(self, kind: str, data: Any) -> None:
        """Keep `data` of an event type of `KINDS`, in the place of an older one of the same key."""
        key = getattr(data, KINDS[kind], None)
        if not isinstance(key, str) or not key:
            self.nameless_total += 1
            return
        records = self._records[kind]
        records.pop(key, None)  # the newest stands last
        records[key] = data
        if len(records) > self._records_max:
            del records[next(iter(records))]
            self.forgotten_total += 1

    def get(self, kind: str, key: str) -> Any:
        """The latest of this key; None if there is none."""
        return self._records[kind].get(key)

    def all(self, kind: str) -> list[Any]:
        """All of a kind, the one that was changed last at the end."""
        return list(self._records[kind].values())
