"""Control messages of the Coinbase Exchange feed. Pure.

A request names channels and products; the answer lists everything that the connection has subscribed. Topics of a
session are ``channel:product``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from foxtrot_workers.simulator.venues.session import Close, Reply, Send, Session

__all__ = ["CHANNELS", "CoinbaseSession"]

CHANNELS = ("level2_batch", "matches", "ticker", "ticker_batch", "heartbeat", "status")
"""Channels without a key."""

_KEY_CHANNELS = ("level2", "level3", "full", "user")
_NEEDS_KEY = "level2, level3, and full channels now require authentication"


class _Invalid(Exception):
    """The request is answered with an error for this reason."""


class CoinbaseSession(Session):
    """One connection.

    Args:
        knows: whether there is a product of this name.
        idle_s: a connection that has not subscribed anything by then is closed; None: never.
    """

    def __init__(self, knows: Callable[[str], bool], *, idle_s: float | None = None) -> None:
        super().__init__()
        self._knows = knows
        self._idle_s = idle_s

    def shutdown_notice(self, now_ms: int) -> None:
        """Coinbase announces nothing."""

    def idle(self, open_s: float, received_s: float, sent_s: float, now_ns: int) -> list[Reply]:
        """Close a connection that subscribes nothing."""
        if self._idle_s is None or self.subscribed_total or open_s < self._idle_s:
            return []
        return [Close(1008, "no subscription")]

    def too_fast(self) -> list[Reply]:
        """An error message; the message before it is not obeyed."""
        return [_error("rate limit exceeded", "")]

    def on_message(self, data: bytes, now_ns: int) -> list[Reply]:
        """Return all subscriptions, or an error."""
        try:
            request = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return [_error("Malformed JSON", "")]
        kind = request.get("type") if isinstance(request, dict) else None
        if kind not in ("subscribe", "unsubscribe"):
            return [_error("Type has to be either subscribe or unsubscribe", "")]
        try:
            topics = self._topics(request)
            if kind == "unsubscribe":
                for topic in topics:
                    self.topics.pop(topic, None)
            else:
                self._subscribe(topics)
        except _Invalid as invalid:
            return [_error(f"Failed to {kind}", str(invalid))]
        return [Send(msgspec.json.encode({"type": "subscriptions", "channels": self._listed()}).decode())]

    def _topics(self, request: dict[str, Any]) -> list[str]:
        """Return what the request names; raises `_Invalid`."""
        channels = request.get("channels")
        if not isinstance(channels, list) or not channels:
            raise _Invalid("channels is required")
        found: list[str] = []
        for channel in channels:
            name, products = channel, request.get("product_ids", [])
            if isinstance(channel, dict):
                name, products = channel.get("name"), channel.get("product_ids", products)
            if name in _KEY_CHANNELS:
                raise _Invalid(_NEEDS_KEY)
            if name not in CHANNELS:
                raise _Invalid(f"{name} is not a valid channel")
            if name == "status":
                found.append("status:")
                continue
            if not isinstance(products, list) or not products:
                raise _Invalid("product_ids is required")
            for product in products:
                if not isinstance(product, str) or not self._knows(product):
                    raise _Invalid(f"{product} is not a valid product")
                found.append(f"{name}:{product}")
        return found

    def _subscribe(self, topics: list[str]) -> None:
        for topic in topics:
            refusal = self.refuse(topic)
            if refusal is not None:
                raise _Invalid(refusal[1] or str(refusal[0]))
        self.topics.update(dict.fromkeys(topics))
        self.subscribed_total += 1

    def _listed(self) -> list[dict[str, Any]]:
        channels: dict[str, list[str]] = {}
        for topic in self.topics:
            name, _, product = topic.partition(":")
            channels.setdefault(name, []).append(product)
        return [{"name": name, "product_ids": list(filter(None, products))} for name, products in channels.items()]


def _error(message: str, reason: str) -> Send:
    body = {"type": "error", "message": message}
    return Send(msgspec.json.encode({**body, "reason": reason} if reason else body).decode())
