"""Subscription requests, and what their answers mean ("Connect": "How to Subscribe to Topics")."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from foxtrot_workers.adapter import Acknowledged, Refused, Retry
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.exchanges.bybit.constants import ALREADY_TEXTS, NEVER_TEXTS
from foxtrot_workers.exchanges.bybit.messages import OtherMessage, RequestMessage, decode_command

__all__ = ["Requests", "retry_of"]

_WORD = re.compile(r"[^\s,;:\[\]\"]+")
"""Where a refusal names a topic, it stands between these."""


def retry_of(text: str) -> Retry:
    """Return whether a request refused with this text can succeed later. Unknown texts: it can."""
    lower = text.lower()
    return "never" if any(part in lower for part in NEVER_TEXTS) else "later"


class Requests:
    """Subscription requests of one connection. An answer names the id of its request.

    Args:
        topics_max: topics in one request, at most.
    """

    def __init__(self, topics_max: int) -> None:
        self._topics_max = topics_max
        self._sent = SentRequests()

    def subscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        return [self._text("subscribe", self._sent.subscribe(part), part) for part in self._parts(topics)]

    def unsubscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        return [self._text("unsubscribe", self._sent.unsubscribe(part), part) for part in self._parts(topics)]

    def _parts(self, topics: Sequence[str]) -> list[list[str]]:
        return [list(topics[start : start + self._topics_max]) for start in range(0, len(topics), self._topics_max)]

    @staticmethod
    def _text(operation: str, request_id: int, topics: list[str]) -> str:
        return msgspec.json.encode(RequestMessage(str(request_id), operation, topics)).decode()

    def take_answer(self, answer: OtherMessage) -> list[Acknowledged | Refused]:
        """Return what `answer` says about the topics of its request."""
        if answer.kind == "COMMAND_RESP":
            return self._take_command(answer)
        topics = self._sent.take(answer.request_id) if answer.request_id else self._sent.take_oldest()
        subscribed = answer.op != "unsubscribe"
        if answer.success:
            return self._accepted(topics, subscribed=subscribed)
        return self._refused(topics, answer.text) if subscribed else []

    def _take_command(self, answer: OtherMessage) -> list[Acknowledged | Refused]:
        command = decode_command(answer.data if answer.data is not UNSET else b"{}")
        left = tuple(topic for topic in command.succeeded if self._sent.has_left(topic))
        joined = tuple(topic for topic in command.succeeded if topic not in left)
        notices = self._accepted(joined, subscribed=True)
        if left:
            notices.append(Acknowledged(left, subscribed=False))
        if command.failed:
            text = answer.text or "refused"
            notices.append(Refused(tuple(command.failed), text, "never"))
        return notices

    def _accepted(self, topics: Sequence[str], *, subscribed: bool) -> list[Acknowledged | Refused]:
        accepted = tuple(topics) if subscribed else tuple(topic for topic in topics if self._sent.has_left(topic))
        return [Acknowledged(accepted, subscribed=subscribed)] if accepted else []

    @staticmethod
    def _refused(topics: tuple[str, ...], text: str) -> list[Acknowledged | Refused]:
        """One wrong topic spoils a request: if the text names it, the others are requested again at once."""
        named = [word for word in _WORD.findall(text) if word in topics]
        others = tuple(topic for topic in topics if topic not in named)
        if any(part in text.lower() for part in ALREADY_TEXTS):
            notices: list[Acknowledged | Refused] = [Acknowledged(tuple(named) or topics)]
            return [*notices, Refused(others, text, "now")] if named and others else notices
        retry = retry_of(text)
        if not named:
            return [Refused(topics, text, retry, exact=retry != "never")]
        notices = [Refused(tuple(named), text, retry)]
        return [*notices, Refused(others, text, "now")] if others else notices
