"""JSON-RPC requests, and what their answers mean ("public/subscribe", "public/unsubscribe", "RPC Error Codes")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from foxtrot_workers.adapter import Acknowledged, Notice, Refused, Retry
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.adapter.shared_topics import SharedTopics
from foxtrot_workers.exchanges.deribit.constants import (
    HEARTBEAT_S,
    NEVER_CODES,
    OWN_ID,
    PLATFORM_CHANNEL,
    REASON_CHARS,
)
from foxtrot_workers.exchanges.deribit.messages import Rpc

__all__ = ["Requests", "answer_to_test", "opening_texts", "retry_of"]


def opening_texts() -> list[str]:
    """Return what is sent first: heartbeats are wanted, and announcements of maintenance."""
    return [
        _text("public/set_heartbeat", {"interval": HEARTBEAT_S}, OWN_ID),
        _text("public/subscribe", {"channels": [PLATFORM_CHANNEL]}, OWN_ID),
    ]


def answer_to_test() -> str:
    """Return the answer to a ``test_request``."""
    return _text("public/test", {}, OWN_ID)


def _text(method: str, params: dict[str, Any], request_id: int) -> str:
    request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return msgspec.json.encode(request).decode()


def retry_of(code: int) -> Retry:
    """Return whether a request refused with this error code can succeed later. Unknown codes: it can."""
    return "never" if code in NEVER_CODES else "later"


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
        self._unsubscribing: set[int] = set()
        """Ids of requests that unsubscribe."""

    def subscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that subscribe these topics."""
        return [
            _text("public/subscribe", {"channels": part}, self._sent.subscribe(part)) for part in self._parts(topics)
        ]

    def unsubscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that unsubscribe these topics."""
        texts = []
        for part in self._parts(topics):
            request_id = self._sent.unsubscribe(part)
            self._unsubscribing.add(request_id)
            texts.append(_text("public/unsubscribe", {"channels": part}, request_id))
        return texts

    def _parts(self, topics: Sequence[str]) -> list[Sequence[str]]:
        return [topics[start : start + self._topics_max] for start in range(0, len(topics), self._topics_max)]

    def take_result(self, request_id: int | str | None, accepted: Sequence[Any]) -> tuple[list[Notice], list[str]]:
        """Return what the result of a request means, and the topics that have ended by it.

        The result lists what was accepted: a topic of the request that is not in it was refused without a word.
        """
        requested = self._sent.take(request_id)
        listed = [topic for topic in accepted if isinstance(topic, str) and topic != PLATFORM_CHANNEL]
        if request_id in self._unsubscribing:
            self._unsubscribing.discard(int(request_id or 0))
            ended = [topic for topic in dict.fromkeys((*listed, *requested)) if self._sent.has_left(topic)]
            wires = tuple(wire for topic in ended for wire in self._shared.remove(topic))
            return ([Acknowledged(wires, subscribed=False)] if wires else []), ended
        notices: list[Notice] = []
        wires = self._wires(listed)
        if wires:
            notices.append(Acknowledged(wires))
        missing = self._wires([topic for topic in requested if topic not in listed])
        if missing:
            notices.append(Refused(missing, "not among the channels that the exchange accepted", "never"))
        return notices, []

    def take_error(self, request_id: int | str | None, error: Rpc) -> Refused:
        """Return what an error means: of the whole request, else of no known topic."""
        wires = self._wires(self._sent.take(request_id))
        reason = f"{error.code}: {error.message}"[:REASON_CHARS]
        return Refused(wires, reason, retry_of(error.code), exact=len(wires) == 1)

    def _wires(self, topics: Sequence[str]) -> tuple[str, ...]:
        return tuple(wire for topic in topics for wire in self._shared.wires(topic) or (topic,))
