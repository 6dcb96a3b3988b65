"""Order in which the snapshots of many books are fetched, where a rate limit makes them wait. Pure.

First those whose symbol trades now: its other topics flow, and only its book is missing. Among equals the order of the
configuration holds, which people write by importance. Requests that are no snapshots come before all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeAlias

from foxtrot_workers.adapter.limits import Topic

__all__ = ["Rank", "SnapshotOrder"]

Rank: TypeAlias = tuple[int, int]
"""Lower ranks are fetched first."""

_FIRST: Rank = (0, 0)


class SnapshotOrder:
    """Ranks the requests of one connection.

    Args:
        topics: of the connection, in the order of its configuration.
        flows: returns whether the topic of a wire name flows.
    """

    def __init__(self, topics: Iterable[Topic], flows: Callable[[str], bool]) -> None:
        self._flows = flows
        self._places: dict[str, int] = {}
        self._others: defaultdict[str, list[str]] = defaultdict(list)
        """Wire names of the topics of a symbol that are no books."""
        for topic in topics:
            self._places.setdefault(topic.symbol, len(self._places))
            if not topic.channel.startswith("book"):
                self._others[topic.symbol].append(topic.wire)

    def rank(self, key: str) -> Rank:
        """Return the rank of the request with this key, which for a snapshot ends with a blank and the symbol."""
        _, separator, symbol = key.partition(" ")
        if not separator:
            return _FIRST
        place = self._places.get(symbol, len(self._places))
        return (1 if any(map(self._flows, self._others.get(symbol, ()))) else 2, place)
