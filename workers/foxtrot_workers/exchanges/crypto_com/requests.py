"""Subscription requests, and what their answers mean ("subscribe", "unsubscribe", "Response and Reason Codes").

An acknowledgement names a channel, or only the id of its request; the first data of a topic may come in its place.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Literal

import msgspec

from foxtrot_workers.adapter import Acknowledged, Notice, Refused, Retry
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.adapter.shared_topics import SharedTopics
from foxtrot_workers.exchanges.crypto_com.constants import (
    DUPLICATE_CODES,
    NEVER_CODES,
    REASON_CHARS_MAX,
    UPDATE_INTERVAL_MS,
)
from foxtrot_workers.exchanges.crypto_com.messages import OtherMessage, Request

__all__ = ["Requests", "heartbeat_answer", "retry_of"]

_TOPIC = re.compile(r"[a-z]+(?:\.[A-Za-z0-9_-]+)+", re.ASCII)
"""How the text of a refusal names a topic."""


def retry_of(code: int) -> Retry:
    """Return whether a request refused with this code can succeed later. Unknown codes: it can."""
    return "never" if code in NEVER_CODES else "later"


def heartbeat_answer(request_id: msgspec.Raw) -> str:
    """Return the answer to a heartbeat: it has the same id, digit for digit."""
    number = bytes(request_id).decode(errors="replace") or "-1"
    return f'{{"id":{number},"method":"public/respond-heartbeat"}}'


class Requests:
    """Subscription requests of one connection.

    Args:
        shared: the wire names that each topic carries.
        topics_max: topics in one request, at most.
    """

    def __init__(self, shared: SharedTopics, topics_max: int) -> None:
        self._shared = shared
        self._topics_max = topics_max
        self._sent = SentRequests()
        self._pending: set[str] = set()
        """Topics whose subscription is not acknowledged yet."""

    def subscribe(self, topics: Sequence[str], opened_ns: int) -> list[str]:
        """Return the texts that subscribe these topics; `opened_ns`: when the connection was opened."""
        self._pending.update(topics)
        return [_text("subscribe", self._sent.subscribe(part), part, opened_ns) for part in self._parts(topics)]

    def unsubscribe(self, topics: Sequence[str], opened_ns: int) -> list[str]:
        """Return the texts that unsubscribe these topics."""
        self._pending.difference_update(topics)
        return [_text("unsubscribe", self._sent.unsubscribe(part), part, opened_ns) for part in self._parts(topics)]

    def _parts(self, topics: Sequence[str]) -> list[Sequence[str]]:
        return [topics[start : start + self._topics_max] for start in range(0, len(topics), self._topics_max)]

    def take_data(self, topic: str) -> Acknowledged | None:
        """Return the acknowledgement that data of `topic` mean; None if it is acknowledged already."""
        if topic not in self._pending:
            return None
        self._pending.discard(topic)
        return Acknowledged(self._shared.wires(topic))

    def take_acknowledgement(self, answer: OtherMessage) -> tuple[Acknowledged | None, list[str]]:
        """Return what an acknowledgement means, and the topics that have ended by it."""
        known = bool(self._shared.wires(answer.channel))
        topics = (answer.channel,) if known else self._sent.take(_number(answer.id))
        if answer.method == "unsubscribe":
            ended = [topic for topic in topics if self._sent.has_left(topic)]
            wires = tuple(wire for topic in ended for wire in self._shared.remove(topic))
            return (Acknowledged(wires, subscribed=False) if wires else None), ended
        self._pending.difference_update(topics)
        wires = tuple(wire for topic in topics for wire in self._shared.wires(topic))
        return (Acknowledged(wires) if wires else None), []

    def take_refusal(self, answer: OtherMessage, flowing: Container[str]) -> Notice:
        """Return what a refusal means: of the topic that it names, else of the whole request, else of no known topic.

        Args:
            answer: its `code` is not 0.
            flowing: wire names of topics whose data have come.
        """
        named = [topic for topic in dict.fromkeys(_TOPIC.findall(answer.message)) if self._shared.wires(topic)]
        topics = named or list(self._sent.take(_number(answer.id)))
        wires = tuple(wire for topic in topics for wire in self._shared.wires(topic))
        if wires and answer.code in DUPLICATE_CODES and all(wire in flowing for wire in wires):
            self._pending.difference_update(topics)
            return Acknowledged(wires)
        reason = f"{answer.code}: {answer.message}"[:REASON_CHARS_MAX]
        return Refused(wires, reason, retry_of(answer.code), exact=len(topics) == 1)


def _number(request_id: msgspec.Raw) -> str:
    """Return the id of a request as text without quotes."""
    return bytes(request_id).strip(b'"').decode(errors="replace")


def _text(method: Literal["subscribe", "unsubscribe"], request_id: int, topics: Sequence[str], opened_ns: int) -> str:
    params: dict[str, list[str] | str | int] = {"channels": list(topics)}
    if method == "subscribe" and any(topic.startswith("book.") for topic in topics):
        params["book_subscription_type"] = "SNAPSHOT_AND_UPDATE"
        params["book_update_frequency"] = UPDATE_INTERVAL_MS
    return msgspec.json.encode(Request(request_id, method, params, opened_ns // 1_000_000 + request_id)).decode()
