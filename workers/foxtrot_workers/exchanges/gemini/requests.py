"""Subscription requests, and what their answers mean ("Message Format"): an answer names the id of its request."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from foxtrot_workers.adapter import Acknowledged, Notice, Refused, Retry, Topic
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.exchanges.gemini.constants import LATER_CODES, REASON_CHARS_MAX
from foxtrot_workers.exchanges.gemini.messages import OtherMessage, RequestMessage

__all__ = ["Requests", "retry_of"]


def retry_of(code: int) -> Retry:
    """Return whether a request refused with this error code can succeed later."""
    return "later" if code in LATER_CODES else "never"


class Requests:
    """Subscription requests of one connection.

    Args:
        topics_max: topics in one request, at most.
    """

    def __init__(self, topics_max: int) -> None:
        self._topics_max = topics_max
        self._sent = SentRequests()
        self._unsubscribing: set[str] = set()
        """Ids of requests that unsubscribe."""

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        return [_text(self._sent.subscribe(part), "subscribe", part) for part in self._parts(topics)]

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        texts = []
        for part in self._parts(topics):
            request_id = self._sent.unsubscribe(part)
            self._unsubscribing.add(str(request_id))
            texts.append(_text(request_id, "unsubscribe", part))
        return texts

    def _parts(self, topics: Sequence[Topic]) -> list[list[str]]:
        wires = [topic.wire for topic in topics]
        return [wires[start : start + self._topics_max] for start in range(0, len(wires), self._topics_max)]

    def take_answer(self, answer: OtherMessage) -> Notice | None:
        """Return what the answer to a request means; None if it is about no known topic."""
        wires = self._sent.take(answer.id)
        unsubscribing = str(answer.id) in self._unsubscribing
        self._unsubscribing.discard(str(answer.id))
        if answer.error is not None or (answer.status or 0) >= 400:
            error = answer.error
            reason = f"status {answer.status}" if error is None else f"{error.code}: {error.msg}"
            retry = retry_of(0 if error is None else error.code)
            return Refused(wires, reason[:REASON_CHARS_MAX], retry, exact=len(wires) == 1)
        if unsubscribing:
            wires = tuple(wire for wire in wires if self._sent.has_left(wire))
        return Acknowledged(wires, subscribed=not unsubscribing) if wires else None


def _text(request_id: int, method: str, wires: list[str]) -> str:
    return msgspec.json.encode(RequestMessage(str(request_id), method, wires)).decode()
