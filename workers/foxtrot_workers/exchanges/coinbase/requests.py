"""Subscription requests, and what their answers mean ("Subscribe", "Subscriptions Message", "Errors").

An answer to a request lists all channels of the connection with all their products; a refusal names no request.
Requests are answered in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from foxtrot_workers.adapter import Acknowledged, Notice, Refused, Retry, Topic
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
        self._wanted: dict[str, None] = {}
        """Topics that are subscribed, or requested."""
        self._leaving: dict[str, None] = {}
        """Topics whose unsubscription is not acknowledged yet."""
        self._acknowledged: set[str] = set()
        self._asked: deque[tuple[str, ...]] = deque()
        """Topics of the subscription requests that are not answered yet, oldest first."""

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`, with the heartbeats of their products."""
        texts = []
        for channel, products in self._groups(topics):
            wires = tuple(f"{channel}:{product}" for product in products)
            self._wanted.update(dict.fromkeys(wires))
            for wire in wires:
                self._leaving.pop(wire, None)
                self._acknowledged.discard(wire)  # to be acknowledged again
            self._asked.append(wires)
            texts.append(_text("subscribe", [channel, HEARTBEAT], products))
        return texts

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that unsubscribe `topics`, with the heartbeats of products that have no topic any more."""
        for topic in topics:
            self._wanted.pop(topic.wire, None)
        self._leaving.update(dict.fromkeys(topic.wire for topic in topics))
        needed = {wire.partition(":")[2] for wire in self._wanted}
        texts = []
        for channel, products in self._groups(topics):
            channels: list[Any] = [channel]
            if idle := [product for product in products if product not in needed]:
                channels.append({"name": HEARTBEAT, "product_ids": idle})
            texts.append(_text("unsubscribe", channels, products))
        return texts

    def _groups(self, topics: Sequence[Topic]) -> list[tuple[str, list[str]]]:
        """Return the channel and the products of each request."""
        channels: dict[str, list[str]] = {}
        for topic in topics:
            channel, _, product = topic.wire.partition(":")
            channels.setdefault(channel, []).append(product)
        return [
            (channel, products[start : start + self._topics_max])
            for channel, products in channels.items()
            for start in range(0, len(products), self._topics_max)
        ]

    def take_subscriptions(self, channels: Sequence[SubscribedChannel]) -> list[Acknowledged]:
        """Return which topics have been accepted, and which have ended, since the last such message."""
        present = {
            f"{BOOK_NAME if channel.name in OLD_BOOK_NAMES else channel.name}:{product}"
            for channel in channels
            for product in channel.products
        }
        notices = []
        accepted = [wire for wire in self._wanted if wire in present and wire not in self._acknowledged]
        if accepted:
            self._acknowledged.update(accepted)
            notices.append(Acknowledged(tuple(accepted)))
            self._asked = deque(wires for wires in self._asked if not present.issuperset(wires))
        ended = [wire for wire in self._leaving if wire not in present]
        if ended:
            for wire in ended:
                del self._leaving[wire]
            self._acknowledged.difference_update(ended)
            notices.append(Acknowledged(tuple(ended), subscribed=False))
        return notices

    def take_refusal(self, answer: OtherMessage) -> list[Notice]:
        """Return what an error means: of the product that it names, and of the others in the same request.

        One unknown product refuses a whole request.
        """
        reason = ": ".join(text for text in (answer.message, answer.reason) if text)
        wires = next(
            (wires for wires in self._asked if any(_names(reason, wire) for wire in wires)),
            self._asked[0] if self._asked else (),
        )
        if wires:
            self._asked.remove(wires)
        named = tuple(wire for wire in wires if _names(reason, wire))
        if not named:
            return [Refused(wires, reason, retry_of(reason), exact=False)]
        notices: list[Notice] = [Refused(named, reason, retry_of(reason))]
        if others := tuple(wire for wire in wires if wire not in named):
            notices.append(Refused(others, f"refused together with {named[0]}", "now"))
        return notices


def _names(reason: str, wire: str) -> bool:
    """Return whether a reason such as ``XYZ-USD is not a valid product`` is about the product of `wire`."""
    return wire.partition(":")[2] in reason.replace(",", " ").replace("'", " ").split()


def _text(kind: Literal["subscribe", "unsubscribe"], channels: Sequence[Any], products: Sequence[str]) -> str:
    return msgspec.json.encode({"type": kind, "product_ids": products, "channels": channels}).decode()
