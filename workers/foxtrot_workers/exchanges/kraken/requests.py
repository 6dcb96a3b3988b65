"""Subscription requests, and what their answers mean ("Subscribe", "Unsubscribe" of each channel)."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Literal

import msgspec

from foxtrot_workers.adapter import Acknowledged, Notice, Refused, Retry, Topic
from foxtrot_workers.exchanges.kraken.constants import ACCEPTED_REFUSALS, NEVER_REFUSALS, REQUESTS_MAX
from foxtrot_workers.exchanges.kraken.messages import OtherMessage

__all__ = ["Requests", "retry_of"]

_PARAMETERS = {"ticker": "event_trigger", "book": "depth", "ohlc": "interval"}
"""By channel: the parameter that its wire name carries."""


def retry_of(reason: str) -> Retry:
    """Return whether a request refused for this reason can succeed later. Unknown reasons: it can."""
    return "never" if any(part in reason.lower() for part in NEVER_REFUSALS) else "later"


class Requests:
    """Subscription requests of one connection: each symbol of a request is answered on its own.

    Args:
        topics_max: topics in one request, at most.
    """

    def __init__(self, topics_max: int) -> None:
        self._topics_max = topics_max
        self._last_id = 0
        self._sent: dict[int, tuple[str, ...]] = {}
        """By id: the topics of a request."""
        self._leaving: set[str] = set()
        """Topics whose unsubscription has been requested, and no subscription since."""

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        self._leaving.difference_update(topic.wire for topic in topics)
        return self._texts("subscribe", topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        self._leaving.update(topic.wire for topic in topics)
        return self._texts("unsubscribe", topics)

    def _texts(self, method: Literal["subscribe", "unsubscribe"], topics: Sequence[Topic]) -> list[str]:
        channels: dict[str, list[Topic]] = {}
        for topic in topics:
            channels.setdefault(topic.wire.partition(":")[0], []).append(topic)
        return [
            self._text(method, channel, some[start : start + self._topics_max])
            for channel, some in channels.items()
            for start in range(0, len(some), self._topics_max)
        ]

    def _text(self, method: str, channel: str, topics: Sequence[Topic]) -> str:
        self._last_id += 1
        if len(self._sent) >= REQUESTS_MAX:
            del self._sent[next(iter(self._sent))]
        self._sent[self._last_id] = tuple(topic.wire for topic in topics)
        name, _, value = channel.partition("-")
        params: dict[str, Any] = {"channel": name, "symbol": [topic.symbol for topic in topics]}
        if value:
            params[_PARAMETERS[name]] = int(value) if value.isdigit() else value
        if method == "subscribe":
            # a book begins with a snapshot, a ticker with its present state; old trades and bars are not requested
            params["snapshot"] = name in ("book", "ticker")
        return msgspec.json.encode({"method": method, "params": params, "req_id": self._last_id}).decode()

    def take_answer(self, answer: OtherMessage, known: Container[str]) -> Notice | None:
        """Return what the answer to a request means; None if it is about no known topic.

        Args:
            answer: its `method` is subscribe or unsubscribe.
            known: wire names of the connection's topics.
        """
        subscribed = answer.method == "subscribe"
        wires = self._wires(answer, known)
        if answer.success:
            return self._acknowledge(wires, subscribed=subscribed)
        reason = answer.error or "refused without a reason"
        exact = bool(wires)
        if not wires and answer.request_id is not None:
            wires = self._sent.get(answer.request_id, ())
        if reason.startswith(ACCEPTED_REFUSALS):
            return self._acknowledge(wires, subscribed=subscribed)
        return Refused(wires, reason, retry_of(reason), exact=exact)

    def _acknowledge(self, wires: tuple[str, ...], *, subscribed: bool) -> Acknowledged | None:
        """Return the acknowledgement of `wires`, without those that were subscribed again before they had left."""
        if not subscribed:
            wires = tuple(wire for wire in wires if wire in self._leaving)
            self._leaving.difference_update(wires)
        return Acknowledged(wires, subscribed=subscribed) if wires else None

    def _wires(self, answer: OtherMessage, known: Container[str]) -> tuple[str, ...]:
        """Return the topic that an answer names: the one of its request with that symbol."""
        result = answer.result
        symbol = answer.symbol or ("" if result is None else result.symbol)
        if not symbol or answer.request_id is None:
            return ()
        return tuple(
            wire for wire in self._sent.get(answer.request_id, ()) if wire.partition(":")[2] == symbol and wire in known
        )
