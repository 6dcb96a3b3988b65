"""Subscription requests, and what their answers mean ("Subscriptions")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Topic
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.exchanges.bitstamp.constants import NEVER_CODES, REASON_CHARS
from foxtrot_workers.exchanges.bitstamp.messages import OtherMessage

__all__ = ["Requests"]


class Requests:
    """Subscription requests of one connection: one channel each. An answer names its channel, an error perhaps none."""

    def __init__(self) -> None:
        self._sent = SentRequests()

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        self._sent.subscribe(topic.wire for topic in topics)
        return [self._text("subscribe", topic.wire) for topic in topics]

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        self._sent.unsubscribe(topic.wire for topic in topics)
        return [self._text("unsubscribe", topic.wire) for topic in topics]

    @staticmethod
    def _text(operation: Literal["subscribe", "unsubscribe"], wire: str) -> str:
        return msgspec.json.encode({"event": f"bts:{operation}", "data": {"channel": wire}}).decode()

    def take_acknowledgement(self, wire: str, *, subscribed: bool) -> Acknowledged | None:
        """Return what the answer about a topic means; None if it was subscribed again before it was unsubscribed."""
        if not subscribed and not self._sent.has_left(wire):
            return None
        return Acknowledged((wire,), subscribed=subscribed)

    @staticmethod
    def take_error(message: OtherMessage) -> Refused:
        """Return what an error means: of the channel that it names, else of no known topic."""
        details: dict[Any, Any] = message.data if isinstance(message.data, dict) else {}
        code, text = details.get("code"), details.get("message", "")
        wires = (message.channel,) if message.channel else ()
        retry: Literal["never", "later"] = "never" if isinstance(code, int) and code in NEVER_CODES else "later"
        return Refused(wires, f"{code}: {text}"[:REASON_CHARS], retry, exact=bool(wires))
