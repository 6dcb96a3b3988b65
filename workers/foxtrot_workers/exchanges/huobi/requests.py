"""Subscription requests, and what their answers mean ("Subscribe to Topic", "WebSocket Heartbeat and Connection")."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Retry, Topic
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.exchanges.huobi.constants import NEVER_CODES, REASON_CHARS
from foxtrot_workers.exchanges.huobi.messages import OtherMessage

__all__ = ["Requests", "retry_of"]


def retry_of(code: str | int | None) -> Retry:
    """Return whether a request refused with this error code can succeed later. Unknown codes: it can."""
    return "never" if str(code) in NEVER_CODES else "later"


class Requests:
    """Subscription requests of one connection: one topic each. A refusal names only the id of its request.

    Topics ``public.…`` are subscribed in another form, and served at another path.
    """

    def __init__(self) -> None:
        self._sent = SentRequests()

    def subscribe(self, topics: Sequence[Topic], incremental: frozenset[str]) -> list[str]:
        """Return the texts that subscribe `topics`; `incremental`: channels that need ``data_type`` incremental."""
        return [
            self._text("sub", topic.wire, self._sent.subscribe([topic.wire]), incremental=topic.channel in incremental)
            for topic in topics
        ]

    def unsubscribe(self, topics: Sequence[Topic], incremental: frozenset[str]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        return [
            self._text(
                "unsub", topic.wire, self._sent.unsubscribe([topic.wire]), incremental=topic.channel in incremental
            )
            for topic in topics
        ]

    @staticmethod
    def _text(operation: str, wire: str, request_id: int, *, incremental: bool) -> str:
        if wire.startswith("public."):
            return msgspec.json.encode({"op": operation, "cid": str(request_id), "topic": wire}).decode()
        request = {operation: wire, "id": str(request_id)}
        if incremental:
            request["data_type"] = "incremental"
        return msgspec.json.encode(request).decode()

    def take_acknowledgement(self, wire: str, request_id: str | int | None, *, subscribed: bool) -> Acknowledged | None:
        """Return what the answer about a topic means; None if it was subscribed again before it was unsubscribed."""
        self._sent.take(request_id)
        if not subscribed and not self._sent.has_left(wire):
            return None
        return Acknowledged((wire,), subscribed=subscribed)

    def take_refusal(self, answer: OtherMessage) -> Refused:
        """Return what a refusal means: of the topic of its request, else of no known topic."""
        wires = self._sent.take(answer.id if answer.id is not None else answer.cid)
        if not wires and answer.topic:
            wires = (answer.topic,)
        reason = f"{answer.error_code}: {answer.error_text}"[:REASON_CHARS]
        return Refused(wires, reason, retry_of(answer.error_code), exact=bool(wires))
