"""How fast the load evens out (pure): a new node takes its share over a minute, whatever the number of others.

Only moves that even out the load are slowed down. Shards of nodes that died, of nodes that are drained and twins on one
host move at once.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BURST_S", "EAGERNESS", "REBALANCE_S", "Admission", "Release"]

REBALANCE_S: Final = 60.0
"""Seconds in which a node that has nothing takes its even share."""

BURST_S: Final = 5.0
"""What a node may take at once, after a pause: the share of this many seconds, at least two shards."""

EAGERNESS: Final = 1.5
"""How much faster nodes hand over than others take. Turns are random: what comes too soon stays for another turn."""


class Release:
    """Says how many shards a node hands over, of those that it has beyond its share.

    Nodes with a surplus do not know of each other's decisions. Each hands over at the same rate in proportion to its
    surplus, so that together they hand over a little more than the others take.

    Args:
        phase: 0 to 1, random: of many nodes with a surplus of one each has its turn at another time.
    """

    def __init__(self, phase: float) -> None:
        self._credit = phase
        self._at = 0.0

    def count(self, surplus: int, demand: float, now: float) -> int:
        """Return how many shards to hand over now.

        Args:
            surplus: shards beyond the even share.
            demand: `Shares.demand`.
            now: seconds on the monotonic clock. Of the time since the last call at most `BURST_S` count.
        """
        elapsed_s, self._at = min(now - self._at, BURST_S), now
        if surplus <= 0:
            return 0
        self._credit += surplus * demand * EAGERNESS * elapsed_s / REBALANCE_S
        due = int(self._credit)
        self._credit -= due
        return min(surplus, due)


class Admission:
    """Says whether a node takes a shard that comes only to even out the load.

    What others know of a node is as old as its last announcement, so that they may all prefer the same one.
    """

    def __init__(self) -> None:
        self._full_at = 0.0
        """When as much may be taken at once as ever."""

    def admit(self, share: int, now: float) -> bool:
        """Count a shard as taken at `now`, unless that is too fast for an even share of `share` shards."""
        if share <= 0:
            return False
        each_s = REBALANCE_S / share
        full_at = max(self._full_at, now) + each_s
        if full_at > now + max(BURST_S, 2 * each_s) + 1e-9:
            return False
        self._full_at = full_at
        return True
