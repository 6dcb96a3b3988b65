"""Tells a connection whose exchange is in maintenance from a dead one. Pure; times are monotonic seconds.

A connection without data of any topic is suspected (`stall_watch`). Then the exchange is asked for its state, where it
says that: while it is in maintenance, the connection is neither left nor are its topics subscribed again, since every
attempt would fail, on all connections at the same time. Its topics have state ``maintenance`` until data come.
"""

from __future__ import annotations

from typing import Final

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.effects import AskMaintenance, FeedEffect
from foxtrot_workers.feed.topics import TopicTable

__all__ = ["ASK_S", "VALID_S", "MaintenanceWatch"]

ASK_S: Final = 10.0
"""Seconds between two questions while the connection is suspected."""

VALID_S: Final = 30.0
"""Seconds for which an answer holds, since the next one may be lost."""


class MaintenanceWatch:
    """Of one connection; `topics` are its topics."""

    def __init__(self, adapter: Adapter, topics: TopicTable) -> None:
        self._can_ask = adapter.system_status() is not None
        self._topics = topics
        self._ask_at = 0.0
        self._until = 0.0
        self._reason = ""
        """What is maintained; "": nothing is known of a maintenance."""

    def judge(self, now: float, effects: list[FeedEffect], *, suspected: bool) -> None:
        """Ask, if that is due; end a maintenance that is not confirmed any more."""
        if suspected and self._can_ask and now >= self._ask_at:
            self._ask_at = now + ASK_S
            effects.append(AskMaintenance())
        if self._reason and (not suspected or now >= self._until):
            self._end(now, effects)

    def answered(self, reason: str, now: float, effects: list[FeedEffect]) -> None:
        """The exchange has answered; "": it works, or did not answer."""
        if not reason:
            return  # a maintenance ends by data, or when nothing has confirmed it for a while
        self._until = now + VALID_S
        self._reason = reason
        for record in self._topics.records:
            if record.state in ("flowing", "stale", "silent", "acknowledged"):
                record.again_at = None
                effects.append(record.change("maintenance", now, f"maintenance: {reason}"))

    def lasts(self, now: float) -> bool:
        """Whether the exchange is in maintenance."""
        return bool(self._reason) and now < self._until

    def _end(self, now: float, effects: list[FeedEffect]) -> None:
        self._reason = ""
        for record in self._topics.records:
            if record.state == "maintenance":  # what has no data is judged as before
                effects.append(record.change("stale", now, "the maintenance is over, and no data come"))
                record.again_at = now
