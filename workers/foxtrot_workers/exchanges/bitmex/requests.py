"""Subscription requests, and what their answers meant ("Websocket API", "Subscriptions")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Retry, Topic
from foxtrot_workers.adapter.shared_topics import SharedTopics
from foxtrot_workers.exchanges.bitmex.messages import FeedRequest, OtherMessage

__all__ = ["Requests"]


class Requests:
    """Subscription requests of one connection. An answer names its topic.

    Args:
        topics_max: topics in one request, at most.
    """

    def __init__(self, topics_max: int) -> None:
        self._topics_max = topics_max
        self.shared = SharedTopics()

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        return self._texts("subscribe", self.shared.subscribe(topic.wire for topic in topics))

    def unsubscribe(self, topics: Sequence[Topic]) -> tuple[list[str], list[str]]:
        """Return the texts that unsubscribe `topics`, and the wire names that end without a request."""
        leaving, ended = self.shared.unsubscribe(topic.wire for topic in topics)
        return self._texts("unsubscribe", leaving), ended

    def _texts(self, operation: str, topics: Sequence[str]) -> list[str]:
        parts = [list(topics[start : start + self._topics_max]) for start in range(0, len(topics), self._topics_max)]
        return [msgspec.json.encode(FeedRequest(operation, part)).decode() for part in parts]

    def take_answer(self, answer: OtherMessage) -> Acknowledged | Refused | None:
        """Return what an answer means; None if it concerns no topic."""
        if answer.error:
            wires = tuple(wire for topic in _topics_of(answer.request) for wire in self.shared.wires(topic))
            retry: Retry = "never" if answer.status == 400 else "later"
            return Refused(wires, f"{answer.status}: {answer.error}"[:200], retry, exact=len(wires) == 1)
        subscribed = bool(answer.subscribe)
        topic = answer.subscribe or answer.unsubscribe
        wires = self.shared.wires(topic) if subscribed else self.shared.remove(topic)
        return Acknowledged(wires, subscribed=subscribed) if wires else None


def _topics_of(request: Any) -> list[str]:
    """Return the topics that a refused request named, as far as it is one."""
    args = request.get("args") if isinstance(request, dict) else None
    return [topic for topic in args if isinstance(topic, str)] if isinstance(args, list) else []
