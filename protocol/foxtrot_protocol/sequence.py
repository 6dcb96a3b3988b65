"""Where each source stands: which batch comes next, what was skipped, what comes again.

Only says what it sees; what to do about it is the receiver's decision.
"""

from __future__ import annotations

import enum

from msgspec import Struct

__all__ = ["SequenceTracker", "SequenceVerdict", "Verdict"]


class Verdict(enum.Enum):
    """What a (worker, incarnation, sequence) is, given what came before."""

    NEXT = "next"
    """The expected batch."""
    GAP = "gap"
    """Batches before this one are missing."""
    DUPLICATE = "duplicate"
    """This batch was seen."""
    RESTART = "restart"
    """The first seen of a new incarnation (which may itself start with a gap)."""
    STALE = "stale"
    """From an incarnation that has been replaced or fenced."""


class SequenceVerdict(Struct, frozen=True):
    """`missing_first` to `missing_last`: sequence numbers skipped, inclusive; 0 and 0 where none."""

    verdict: Verdict
    missing_first: int = 0
    missing_last: int = 0


_NEXT = SequenceVerdict(Verdict.NEXT)
_DUPLICATE = SequenceVerdict(Verdict.DUPLICATE)
_STALE = SequenceVerdict(Verdict.STALE)


class SequenceTracker:
    """Gap, duplicate and restart detection for each worker; bounded by the number of workers.

    `fence(worker, incarnation)` declares that incarnation and all before it dead.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}
        self._fenced: dict[str, int] = {}

    def observe(self, worker: str, incarnation: int, sequence: int) -> SequenceVerdict:
        """The verdict on one batch; advances the tracker unless it is a duplicate or stale."""
        if incarnation <= self._fenced.get(worker, 0):
            return _STALE
        known, last = self._last.get(worker, (0, 0))
        if incarnation == known:
            if sequence == last + 1:
                self._last[worker] = (incarnation, sequence)
                return _NEXT
            if sequence <= last:
                return _DUPLICATE
            self._last[worker] = (incarnation, sequence)
            return SequenceVerdict(Verdict.GAP, last + 1, sequence - 1)
        if incarnation < known:
            return _STALE
        self._last[worker] = (incarnation, sequence)
        if sequence > 1:
            return SequenceVerdict(Verdict.RESTART, 1, sequence - 1)
        return SequenceVerdict(Verdict.RESTART)

    def fence(self, worker: str, incarnation: int) -> None:
        """From now on batches of `incarnation` and older ones are stale."""
        self._fenced[worker] = max(incarnation, self._fenced.get(worker, 0))

    def position(self, worker: str) -> tuple[int, int]:
        """(incarnation, last sequence) seen of `worker`; (0, 0) if none."""
        return self._last.get(worker, (0, 0))
