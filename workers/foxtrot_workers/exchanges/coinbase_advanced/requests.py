"""Subscription requests, and what their answers mean ("Sending Messages", "Subscriptions Channel").

A request has one channel. An answer lists all channels of the connection with all their products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from foxtrot_workers.adapter import Acknowledged, Notice, Retry, Topic
from foxtrot_workers.adapter.listed_subscriptions import ListedSubscriptions, symbol_of
from foxtrot_workers.exchanges.coinbase_advanced.constants import HEARTBEATS, NEVER_REASONS
from foxtrot_workers.exchanges.coinbase_advanced.messages import sent_name

__all__ = ["Requests", "opening_texts", "retry_of"]


def opening_texts() -> list[str]:
    """Return what is sent first: heartbeats are wanted."""
    return [msgspec.json.encode({"type": "subscribe", "channel": HEARTBEATS}).decode()]


def retry_of(reason: str) -> Retry:
    """Return whether a request refused for this reason can succeed later. Unknown reasons: it can."""
    return "never" if any(part in reason.lower() for part in NEVER_REASONS) else "later"


class Requests:
    """Subscription requests of one connection.

    Args:
        topics_max: topics in one request, at most.
    """

    def __init__(self, topics_max: int) -> None:
        self._topics_max = topics_max
        self._subscriptions = ListedSubscriptions()

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        texts = []
        for channel, wires in self._groups(topics):
            self._subscriptions.subscribe(wires)
            texts.append(_text("subscribe", channel, wires))
        return texts

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        self._subscriptions.unsubscribe(topic.wire for topic in topics)
        return [_text("unsubscribe", channel, wires) for channel, wires in self._groups(topics)]

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

    def take_subscriptions(self, products: Mapping[str, Sequence[str] | None]) -> list[Acknowledged]:
        """Return which topics have been accepted, and which have ended, since the last such message.

        Args:
            products: by channel, perhaps under the name that messages use.
        """
        present = {f"{channel}:{product}" for channel, some in products.items() for product in some or ()}
        aliases = {f"{wire}C" for wire in present if sent_name(f"{wire}C") == wire}
        return self._subscriptions.take_list(present | aliases)

    def take_refusal(self, reason: str) -> list[Notice]:
        """Return what an error means: of the product that it names, and of the others in the same request."""
        return self._subscriptions.take_refusal(reason, retry_of)


def _text(kind: Literal["subscribe", "unsubscribe"], channel: str, wires: Sequence[str]) -> str:
    message = {"type": kind, "product_ids": list(map(symbol_of, wires)), "channel": channel}
    return msgspec.json.encode(message).decode()
