"""Latest record of each tick, contract, order, ... by the key that vn.py gives it. Pure.

Data without a key are ignored and counted. The number of records of each kind is limited: beyond it the record that
has not changed for the longest time is evicted and counted.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["KINDS", "RECORDS_MAX", "LatestRecords"]

RECORDS_MAX: Final = 100_000
"""Limit of records of each kind."""

KINDS: Final = {
    "eTick.": "vt_symbol",
    "eContract.": "vt_symbol",
    "eOrder.": "vt_orderid",
    "eTrade.": "vt_tradeid",
    "ePosition.": "vt_positionid",
    "eAccount.": "vt_accountid",
    "eQuote.": "vt_quoteid",
}
"""Event types whose data are kept, and the attribute that is the key."""


class LatestRecords:
    """Records of all kinds. `records_max`: limit for each kind."""

    def __init__(self, records_max: int = RECORDS_MAX) -> None:
        self._records_max = records_max
        self._records: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
        self.nameless_total = 0
        """Number of data without a key."""
        self.forgotten_total = 0
        """Number of evicted records."""

    def take(self, kind: str, data: Any) -> None:
        """Keep `data` of an event type of `KINDS`, replacing an older record with the same key."""
        key = getattr(data, KINDS[kind], None)
        if not isinstance(key, str) or not key:
            self.nameless_total += 1
            return
        records = self._records[kind]
        records.pop(key, None)  # the newest is last
        records[key] = data
        if len(records) > self._records_max:
            del records[next(iter(records))]
            self.forgotten_total += 1

    def get(self, kind: str, key: str) -> Any:
        """Return the latest record with this key; None without one."""
        return self._records[kind].get(key)

    def all(self, kind: str) -> list[Any]:
        """Return all records of a kind, the latest last."""
        return list(self._records[kind].values())
