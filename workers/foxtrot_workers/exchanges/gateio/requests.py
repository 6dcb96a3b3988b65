"""Subscription requests, and what their answers mean ("WebSocket v4", "Request", "Error")."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Retry, Topic
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.adapter.shared_topics import SharedTopics
from foxtrot_workers.exchanges.gateio.constants import DUPLICATE_REFUSAL, NEVER_CODES, SINGLE_CHANNELS
from foxtrot_workers.exchanges.gateio.messages import ErrorBody, OtherMessage, RequestMessage

__all__ = ["Requests", "retry_of"]

_REASON_CHARS_MAX = 200


def retry_of(error: ErrorBody) -> Retry:
    """Return whether a request refused with this code can succeed later. Unknown codes: it can."""
    try:
        code = int(error.code) if error.code is not None else 3
    except ValueError:
        return "later"
    return "never" if code in NEVER_CODES else "later"


class Requests:
    """Subscription requests of one connection. Answers name only the id of a request.

    Args:
        symbols_max: symbols in one request, at most.
        now_s: returns the time that requests carry, in seconds since 1970.
        payload_of: returns the payload of a topic.
    """

    def __init__(self, symbols_max: int, now_s: Callable[[], int], payload_of: Callable[[str], list[str]]) -> None:
        self._symbols_max = symbols_max
        self._now_s = now_s
        self._payload_of = payload_of
        self._sent = SentRequests()
        self.shared = SharedTopics()

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        return self._texts("subscribe", self.shared.subscribe(topic.wire for topic in topics))

    def unsubscribe(self, topics: Sequence[Topic]) -> tuple[list[str], list[str]]:
        """Return the texts that unsubscribe `topics`, and the wire names that end without a request."""
        leaving, ended = self.shared.unsubscribe(topic.wire for topic in topics)
        return self._texts("unsubscribe", leaving), ended

    def _texts(self, event: str, topics: Sequence[str]) -> list[str]:
        by_channel: dict[str, list[str]] = {}
        for topic in topics:
            by_channel.setdefault(topic.partition(":")[0], []).append(topic)
        texts = []
        for channel, group in by_channel.items():
            step = 1 if channel.partition(".")[2] in SINGLE_CHANNELS else self._symbols_max
            parts = [group[start : start + step] for start in range(0, len(group), step)]
            texts += [self._text(event, channel, part) for part in parts]
        return texts

    def _text(self, event: str, channel: str, topics: list[str]) -> str:
        number = self._sent.subscribe(topics) if event == "subscribe" else self._sent.unsubscribe(topics)
        payload = [part for topic in topics for part in self._payload_of(topic)]
        return msgspec.json.encode(RequestMessage(self._now_s(), number, channel, event, payload)).decode()

    def take_answer(self, answer: OtherMessage) -> Acknowledged | Refused | None:
        """Return what `answer` says about its request; None if that concerns no topic."""
        topics = self._sent.take(answer.id)
        error = answer.error
        subscribed = answer.event != "unsubscribe"
        wires = tuple(wire for topic in topics for wire in self.shared.wires(topic))
        if not subscribed:
            if error is not None:
                return None
            left = [topic for topic in topics if self._sent.has_left(topic)]
            ended = tuple(wire for topic in left for wire in self.shared.remove(topic))
            return Acknowledged(ended, subscribed=False) if ended else None
        if error is None or error.message.startswith(DUPLICATE_REFUSAL):
            return Acknowledged(wires) if wires else None
        retry = retry_of(error)
        # one bad symbol spoils a whole request; a passing refusal means all of it
        exact = retry != "never" or len(topics) == 1
        return Refused(wires, f"{error.code}: {error.message}"[:_REASON_CHARS_MAX], retry, exact=exact)
