"""Subscription requests, and what their answers mean ("Subscriptions")."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Retry
from foxtrot_workers.exchanges.hyperliquid.constants import ALREADY_TEXT, FAST_BOOK_KIND, NEVER_TEXTS
from foxtrot_workers.exchanges.hyperliquid.messages import (
    Request,
    Response,
    Subscription,
    decode_response,
    decode_subscription,
)

__all__ = ["REASON_CHARS", "Requests", "retry_of", "subscription_of", "topic_name", "wire_of"]

REASON_CHARS = 200
"""Characters of a refusal's text that are passed on."""


def retry_of(text: str) -> Retry:
    """Return whether a request refused with this text can succeed later. Unknown texts: it can."""
    return "never" if text.startswith(NEVER_TEXTS) else "later"


def topic_name(kind: str, coin: str) -> str:
    """Return the wire name of a topic, ``KIND:COIN``. A ``#`` in a coin is written as ``%23``."""
    return f"{kind}:{coin.replace('#', '%23')}"


def subscription_of(topic: str) -> Subscription:
    """Return what is subscribed for a topic."""
    kind, _, coin = topic.partition(":")
    coin = coin.replace("%23", "#")
    if kind == FAST_BOOK_KIND:
        return Subscription("l2Book", coin, fast=True)
    kind, _, interval = kind.partition(".")
    return Subscription(kind, coin, interval)


def wire_of(subscription: Subscription) -> str:
    """Return the wire name of the topic that is subscribed by `subscription`."""
    if subscription.fast:
        return topic_name(FAST_BOOK_KIND, subscription.coin)
    kind = f"{subscription.kind}.{subscription.interval}" if subscription.interval else subscription.kind
    return topic_name(kind, subscription.coin)


class Requests:
    """Subscription requests of one connection: one topic each. Answers repeat what they answer."""

    def __init__(self) -> None:
        self._leaving: set[str] = set()
        """Topics whose unsubscription has been requested, and no subscription since."""

    def subscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        self._leaving.difference_update(topics)
        return [self._text("subscribe", topic) for topic in topics]

    def unsubscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        self._leaving.update(topics)
        return [self._text("unsubscribe", topic) for topic in topics]

    @staticmethod
    def _text(method: str, topic: str) -> str:
        return msgspec.json.encode(Request(method, subscription_of(topic))).decode()

    def take_response(self, data: bytes | msgspec.Raw) -> Acknowledged | None:
        """Return what ``subscriptionResponse`` means; None if its topic was subscribed again since."""
        response: Response = decode_response(data)
        topic = wire_of(response.subscription)
        if response.method == "unsubscribe":
            if topic not in self._leaving:
                return None
            self._leaving.discard(topic)
            return Acknowledged((topic,), subscribed=False)
        return Acknowledged((topic,))

    def take_error(self, text: str) -> Acknowledged | Refused | None:
        """Return what an error means: of the topic that it repeats, else of no known topic.

        None where it is about the end of a subscription.
        """
        named = _named(text)
        wires = () if named is None else (wire_of(named),)
        if text.startswith(ALREADY_TEXT) and wires:
            return Acknowledged(wires)
        if wires and wires[0] in self._leaving:
            return None
        return Refused(wires, text[:REASON_CHARS], retry_of(text), exact=bool(wires))


def _named(text: str) -> Subscription | None:
    """Return the subscription, or the request, that an error quotes; None if it quotes none."""
    quoted = text[text.find("{") : text.rfind("}") + 1].encode()
    try:
        return decode_subscription(quoted)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return decode_response(quoted).subscription
    except (msgspec.DecodeError, RecursionError):
        return None
