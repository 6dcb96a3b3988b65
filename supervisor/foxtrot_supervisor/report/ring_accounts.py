"""Event totals of each worker over all its rings, existing and drained ones. Pure.

Counts in heartbeats are late by up to an interval, and the last ones of a killed process never arrive. Counts in rings
are exact, also for dead workers and without an engine.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from foxtrot_protocol.commands import Drained
from foxtrot_protocol.ring_layout import RingFigures

__all__ = ["RingAccount", "RingAccounts"]


class RingAccount(Struct, frozen=True, kw_only=True):
    """Events of one worker over all its incarnations.

    committed = applied + deduplicated + superseded + lost + events still in rings.
    """

    committed: int = 0
    applied: int = 0
    deduplicated: int = 0
    superseded: int = 0
    lost: int = 0
    redelivered: int = 0
    used_bytes: int = 0
    rings: int = 0
    """Existing ring files."""


_NONE = RingAccount()


class RingAccounts:
    """Sums the counts of drained and of existing rings; memory is bounded by the number of workers."""

    def __init__(self) -> None:
        self._closed: dict[str, RingAccount] = {}
        self._last: dict[str, int] = {}

    def drained(self, report: Drained) -> None:
        """Add the final counts of a ring that the engine has drained; a repeated report counts once."""
        if report.source_incarnation <= self._last.get(report.source, 0):
            return
        self._last[report.source] = report.source_incarnation
        before = self._closed.get(report.source, _NONE)
        self._closed[report.source] = RingAccount(
            committed=before.committed + report.committed,
            applied=before.applied + report.applied,
            deduplicated=before.deduplicated + report.deduplicated,
            superseded=before.superseded + report.superseded,
            lost=before.lost + report.lost,
            redelivered=before.redelivered + report.redelivered,
        )

    def with_open(self, figures: Iterable[RingFigures], names: Iterable[str]) -> dict[str, RingAccount]:
        """Return the account of each worker of `names` that ever had a ring; `figures`: of their existing rings."""
        accounts = {name: self._closed[name] for name in names if name in self._closed}
        for each in figures:
            if each.incarnation <= self._last.get(each.worker, 0):
                continue  # its file is just being removed
            before = accounts.get(each.worker, _NONE)
            accounts[each.worker] = RingAccount(
                committed=before.committed + each.committed_events,
                applied=before.applied + each.applied_events,
                deduplicated=before.deduplicated + each.deduplicated_events,
                superseded=before.superseded + each.superseded_events,
                lost=before.lost + each.lost_events,
                redelivered=before.redelivered + each.redelivered_events,
                used_bytes=before.used_bytes + each.used_bytes,
                rings=before.rings + 1,
            )
        return accounts
