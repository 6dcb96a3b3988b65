"""Which incarnations of workers the supervisor has started: only their rings are read.

Any process of the same user can put a file named like a ring into the run directory. The supervisor's word on the
control plane tells the rings of its workers from others. It may arrive after the ring, so an unknown ring is left
alone for a while before it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REFUSED_MAX", "UNKNOWN_WAIT_S", "StartedWorkers"]

UNKNOWN_WAIT_S = 5.0
"""How long a ring may exist before the supervisor has announced its worker; longer: it is refused."""

REFUSED_MAX = 100
"""Refused rings that are reported; further ones are ignored silently."""


class StartedWorkers:
    """The latest incarnation of each worker that the supervisor has started.

    `add` is called by another thread than the rest: it makes single updates of one dictionary.
    """

    def __init__(self) -> None:
        self.is_complete = False
        """The supervisor has told of all workers that it had started before this engine."""
        self._latest: dict[str, int] = {}
        self._unknown_since: dict[tuple[str, int], float] = {}
        self._refused: set[tuple[str, int]] = set()

    def add(self, workers: Mapping[str, int], *, more: bool = False) -> None:
        """Take the latest incarnation by worker; `more`: further ones follow directly."""
        for worker, incarnation in workers.items():
            self._latest[worker] = max(incarnation, self._latest.get(worker, 0))
        if not more:
            self.is_complete = True

    def latest(self) -> dict[str, int]:
        """The latest incarnation by worker."""
        return dict(self._latest)

    def includes(self, worker: str, incarnation: int) -> bool:
        """Whether the supervisor has started this incarnation."""
        return 0 < incarnation <= self._latest.get(worker, 0)

    def is_awaited(self, worker: str, incarnation: int, now: float) -> bool:
        """Whether the supervisor's word of an unknown ring may still come; `now` in monotonic seconds."""
        ring = worker, incarnation
        since = self._unknown_since.get(ring)
        if since is None:
            if len(self._unknown_since) >= REFUSED_MAX:
                return False
            since = self._unknown_since[ring] = now
        return now - since < UNKNOWN_WAIT_S

    def refuse(self, worker: str, incarnation: int) -> bool:
        """Refuse an unknown ring; True if that has to be reported: once for each ring, `REFUSED_MAX` at most."""
        ring = worker, incarnation
        if ring in self._refused or len(self._refused) >= REFUSED_MAX:
            return False
        self._refused.add(ring)
        return True
