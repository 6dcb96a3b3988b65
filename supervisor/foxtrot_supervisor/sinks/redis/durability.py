"""Up to which row Redis has made durable what it has answered. Pure.

With ``appendfsync everysec`` Redis answers before the append-only file has the write where a sync of the disk takes
long: it postpones the write by up to two seconds (redis.conf, "appendfsync"). A crash then loses what was answered.
``INFO persistence`` tells how much is not yet written (``aof_buffer_length``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["POSTPONED_S", "Durability", "warnings_of"]

POSTPONED_S: Final = 3.0
"""Age at which a write is in the file in any case: the two seconds of Redis, and one of its timer."""


class Durability:
    """Rows that Redis has answered, and which of them are safe. Times are monotonic, in seconds."""

    def __init__(self) -> None:
        self.durable = 0
        self._answered: deque[tuple[float, int]] = deque()

    def answered(self, number: int, now: float) -> None:
        """Rows up to `number` are in Redis' memory."""
        self._answered.append((now, number))

    def look(self, persistence: Mapping[str, Any] | None, now: float) -> int:
        """Return the number up to which rows are durable.

        `persistence`: ``INFO persistence``, asked for after the latest answer; None where Redis does not say.
        """
        # an empty buffer: nothing waits, or there is no file to wait for
        is_written = persistence is not None and not persistence.get("aof_buffer_length")
        age = 0.0 if is_written else POSTPONED_S
        while self._answered and self._answered[0][0] + age <= now:
            self.durable = self._answered.popleft()[1]
        return self.durable

    @property
    def is_complete(self) -> bool:
        """Whether all that was answered is durable."""
        return not self._answered


def warnings_of(persistence: Mapping[str, Any], memory: Mapping[str, Any]) -> list[str]:
    """Return what makes this Redis lose entries, from ``INFO persistence`` and ``INFO memory``."""
    found = []
    if not persistence.get("aof_enabled"):
        found.append("Redis writes no append-only file: a restart loses entries (set appendonly yes)")
    elif persistence.get("aof_last_write_status") == "err":
        found.append("Redis cannot write its append-only file")
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    if memory.get("maxmemory") and policy != "noeviction":
        found.append(f"Redis may evict streams when its memory is full (maxmemory-policy {policy})")
    return found
