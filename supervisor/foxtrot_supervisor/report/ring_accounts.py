"""Each worker's account over all its rings: those that are there, and those the engine has done with. Pure.

Heartbeats are late by up to their interval, and a killed process's last ones never come. Rings are exact: what they
say holds for dead workers and without an engine.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from foxtrot_protocol.commands import Drained
from foxtrot_protocol.ring_layout import RingFigures

__all__ = ["RingAccount", "RingAccounts"]


class RingAccount(Struct, frozen=True, kw_only=True):
    """Events of one worker over all its incarnations.

    committed = applied + deduplicated + superseded + lost + what stands in rings.
    """

    committed: int = 0
    applied: int = 0
    deduplicated: int = 0
    superseded: int = 0
    lost: int = 0
    redelivered: int = 0
    used_bytes: int = 0
    rings: int = 0
    """Files that are there."""


_NONE = RingAccount()


class RingAccounts:
    """Sums up; bounded by the number of workers."""

    def __init__(self) -> None:
        self._closed: dict[str, RingAccount] = {}
        self._last: dict[str, int] = {}

    def drained(self, told: Drained) -> None:
        """The engine has done with a ring. Told again by an engine that did not know: counts once."""
        if told.source_incarnation <= self._last.get(told.source, 0):
            return
        self._last[told.source] = told.source_incarnation
        before = self._closed.get(told.source, _NONE)
        self._closed[told.source] = RingAccount(
            committed=before.committed + told.committed,
            applied=before.applied + told.applied,
            deduplicated=before.deduplicated + told.deduplicated,
            superseded=before.superseded + told.superseded,
            lost=before.lost + told.lost,
            redelivered=before.redelivered + told.redelivered,
        )

    def with_open(self, figures: Iterable[RingFigures]) -> dict[str, RingAccount]:
        """The account of each worker that ever had a ring; `figures`: of the rings that are there."""
        accounts = dict(self._closed)
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
