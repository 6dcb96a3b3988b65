"""Subscription requests, and what their answers mean ("Subscribe", "Unsubscribe", alerts and errors).

An acknowledgement names feed and products. A refusal names no request: requests are answered in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Retry
from foxtrot_workers.adapter.shared_topics import SharedTopics
from foxtrot_workers.exchanges.kraken_futures.constants import LATER_REASONS

__all__ = ["Requests", "retry_of"]


def retry_of(reason: str) -> Retry:
    """Return whether a request refused for this reason can succeed later."""
    return "later" if any(part in reason.lower() for part in LATER_REASONS) else "never"


class Requests:
    """Subscription requests of one connection.

    Args:
        shared: the wire names that each topic carries.
        topics_max: products in one request, at most.
    """

    def __init__(self, shared: SharedTopics, topics_max: int) -> None:
        self._shared = shared
        self._topics_max = topics_max
        self._asked: deque[dict[str, None]] = deque()
        """Topics of each request that are not answered yet, oldest first."""
        self._leaving: set[str] = set()
        """Topics whose unsubscription has been requested, and no subscription since."""

    def subscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that subscribe these topics."""
        self._leaving.difference_update(topics)
        return self._texts("subscribe", topics)

    def unsubscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that unsubscribe these topics."""
        self._leaving.update(topics)
        return self._texts("unsubscribe", topics)

    def _texts(self, event: Literal["subscribe", "unsubscribe"], topics: Sequence[str]) -> list[str]:
        feeds: dict[str, list[str]] = {}
        for topic in topics:
            feed, _, product = topic.partition(":")
            feeds.setdefault(feed, []).append(product)
        texts = []
        for feed, products in feeds.items():
            for start in range(0, len(products), self._topics_max):
                some = products[start : start + self._topics_max]
                self._asked.append(dict.fromkeys(f"{feed}:{product}" for product in some))
                texts.append(msgspec.json.encode({"event": event, "feed": feed, "product_ids": some}).decode())
        return texts

    def take_acknowledgement(
        self, feed: str, products: Sequence[str], *, subscribed: bool
    ) -> tuple[Acknowledged | None, list[str]]:
        """Return what an acknowledgement means, and the topics that have ended by it."""
        topics = [f"{feed}:{product.upper()}" for product in products]
        for topic in topics:
            self._answered(topic)
        if subscribed:
            wires = tuple(wire for topic in topics for wire in self._shared.wires(topic))
            return (Acknowledged(wires) if wires else None), []
        ended = [topic for topic in topics if topic in self._leaving]
        self._leaving.difference_update(ended)
        wires = tuple(wire for topic in ended for wire in self._shared.remove(topic))
        return (Acknowledged(wires, subscribed=False) if wires else None), ended

    def take_refusal(self, reason: str) -> Refused:
        """Return what an error means: of all topics of the oldest request that are not answered."""
        topics = tuple(self._asked.popleft()) if self._asked else ()
        wires = tuple(wire for topic in topics for wire in self._shared.wires(topic))
        return Refused(wires, reason, retry_of(reason), exact=len(topics) == 1)

    def _answered(self, topic: str) -> None:
        for asked in self._asked:
            if topic in asked:
                del asked[topic]
                break
        while self._asked and not self._asked[0]:
            self._asked.popleft()
