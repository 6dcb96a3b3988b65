"""Subscription requests, and what their answers mean ("Subscribe", "Subscriptions Message", "Errors").

An answer to a request lists all channels of the connection with all their products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from foxtrot_workers.adapter import Acknowledged, Notice, Retry, Topic
from foxtrot_workers.adapter.listed_subscriptions import ListedSubscriptions, symbol_of
from foxtrot_workers.exchanges.coinbase.constants import BOOK_NAME, HEARTBEAT, NEVER_REASONS, OLD_BOOK_NAMES
from foxtrot_workers.exchanges.coinbase.messages import OtherMessage, SubscribedChannel

__all__ = ["Requests", "retry_of"]


def retry_of(reason: str) -> Retry:
    """Return whether a request refused for this reason can succeed later. Unknown reasons: it can."""
    return "never" if any(part in reason for part in NEVER_REASONS) else "later"


class Requests:
    """Subscription requests of one connection.

    Args:
        topics_max: topics in one request, at most.
    """

    def __init__(self, topics_max: int) -> None:
        self._topics_max = topics_max
        self._subscriptions = ListedSubscriptions()

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`, with the heartbeats of their products."""
        texts = []
        for channel, wires in self._groups(topics):
            self._subscriptions.subscribe(wires)
            texts.append(_text("subscribe", [channel, HEARTBEAT], wires))
        return texts

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that unsubscribe `topics`, with the heartbeats of products that have no topic any more."""
        self._subscriptions.unsubscribe(topic.wire for topic in topics)
        needed = self._subscriptions.wanted_symbols()
        texts = []
        for channel, wires in self._groups(topics):
            channels: list[Any] = [channel]
            if idle := [product for product in map(symbol_of, wires) if product not in needed]:
                channels.append({"name": HEARTBEAT, "product_ids": idle})
            texts.append(_text("unsubscribe", channels, wires))
        return texts

    def _groups(self, topics: Sequence[Topic]) -> list[tuple[str, list[str]]]:
        """Return the channel and the wire names of each request."""
        channels: dict[str, list[str]] = {}
        for topic in topics:
            channels.setdefault(topic.wire.partition(":")[0], []).append(topic.wire)
        return [
            (channel, wires[start : start + self._topics_max])
            for channel, wires in channels.items()
            for start in range(0, len(wires), self._topics_max)
        ]

    def take_subscriptions(self, channels: Sequence[SubscribedChannel]) -> list[Acknowledged]:
        """Return which topics have been accepted, and which have ended, since the last such message."""
        present = {
            f"{BOOK_NAME if channel.name in OLD_BOOK_NAMES else channel.name}:{product}"
            for channel in channels
            for product in channel.products
        }
        return self._subscriptions.take_list(present)

    def take_refusal(self, answer: OtherMessage) -> list[Notice]:
        """Return what an error means: of the product that it names, and of the others in the same request."""
        reason = ": ".join(text for text in (answer.message, answer.reason) if text)
        return self._subscriptions.take_refusal(reason, retry_of)


def _text(kind: Literal["subscribe", "unsubscribe"], channels: Sequence[Any], wires: Sequence[str]) -> str:
    products = list(map(symbol_of, wires))
    return msgspec.json.encode({"type": kind, "product_ids": products, "channels": channels}).decode()
