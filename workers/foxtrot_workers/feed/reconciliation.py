"""Compares the topics of a connection with what its exchange says is subscribed. Pure; times are monotonic seconds.

An acknowledged topic that the exchange does not list is subscribed again: it would be found by its silence too, but
only after its limit, and never where it may pause for any time.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.effects import FeedEffect
from foxtrot_workers.feed.outbox import Outbox
from foxtrot_workers.feed.subscriptions import Subscriptions
from foxtrot_workers.feed.topics import TopicTable

__all__ = ["RECONCILE_FIRST_S", "RECONCILE_S", "Reconciliation"]

RECONCILE_FIRST_S: Final = 30.0
"""Seconds from the opening of a connection to the first question."""

RECONCILE_S: Final = 300.0
"""Seconds between two questions; each is one message of the exchange's limit."""


class Reconciliation:
    """Of one connection.

    Args:
        adapter: writes the question.
        topics: the topics of the connection.
        outbox: sends the question, if nothing waits in it.
        subscriptions: subscribes topics again.
    """

    def __init__(self, adapter: Adapter, topics: TopicTable, outbox: Outbox, subscriptions: Subscriptions) -> None:
        self._adapter = adapter
        self._topics = topics
        self._outbox = outbox
        self._subscriptions = subscriptions
        self._ask_at = 0.0
        self._asked_at: float | None = None
        """When the unanswered question was sent."""

    def opened(self, now: float) -> None:
        """The connection is open."""
        self._ask_at = now + RECONCILE_FIRST_S

    def ask_due(self, now: float) -> None:
        """Ask if it is time, and nothing is being changed."""
        if now < self._ask_at or self._outbox or self._subscriptions.changing:
            return
        self._ask_at = now + RECONCILE_S
        texts = self._adapter.list_subscriptions()
        if texts:
            self._asked_at = now
            self._outbox.put(texts)

    def listed(self, wires: Collection[str], now: float, effects: list[FeedEffect]) -> None:
        """The exchange holds the topics `wires`; what changed meanwhile is left to the next question."""
        asked_at, self._asked_at = self._asked_at, None
        if asked_at is None or self._subscriptions.changing:
            return
        missing = [
            record
            for record in self._topics.records
            if record.acknowledged and record.asked_at < asked_at and record.topic.wire not in wires
        ]
        if missing:
            self._subscriptions.repeat(missing, now)
            effects.extend(
                record.resubscribed(now, "the exchange does not list it as subscribed") for record in missing
            )
