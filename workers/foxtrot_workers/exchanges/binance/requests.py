"""Subscription requests, and what their answers mean (``web-socket-streams.md``, "Live Subscribing/Unsubscribing")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET

from foxtrot_workers.adapter import Acknowledged, Refused, Retry, SubscriptionsListed, Topic
from foxtrot_workers.exchanges.binance.constants import (
    NEVER_CODES,
    REQUESTS_MAX,
    WRONG_REQUEST_CODES,
)
from foxtrot_workers.exchanges.binance.messages import ErrorBody, ListMessage, OtherMessage, RequestMessage

__all__ = ["Requests", "retry_of"]


def retry_of(code: int | str | None) -> Retry:
    """Return whether a request refused with this error code can succeed later. Unknown codes: it can."""
    try:
        number = int(code) if code is not None else -1000
    except ValueError:
        return "later"
    return "never" if number in NEVER_CODES or number in WRONG_REQUEST_CODES else "later"


class Requests:
    """Subscription requests of one connection. Answers name only the id of a request, so its streams are remembered.

    Args:
        streams_max: streams in one request, at most.
    """

    def __init__(self, streams_max: int) -> None:
        self._streams_max = streams_max
        self._last_id = 0
        self._listing: int | None = None
        """Id of the unanswered question which streams there are."""
        self._pending: dict[int, tuple[bool, tuple[str, ...]]] = {}
        """By id: whether it subscribes, and its streams."""
        self._leaving: set[str] = set()
        """Streams whose unsubscription has been requested, and no subscription since."""

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        self._leaving.difference_update(topic.wire for topic in topics)
        return self._texts("SUBSCRIBE", topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        self._leaving.update(topic.wire for topic in topics)
        return self._texts("UNSUBSCRIBE", topics)

    def list_subscriptions(self) -> list[str]:
        """Return the text that asks which streams the connection holds."""
        self._last_id += 1
        self._listing = self._last_id
        return [msgspec.json.encode(ListMessage(id=self._last_id)).decode()]

    def lists(self, answer: OtherMessage) -> bool:
        """Whether `answer` is that to the question which streams there are."""
        return self._listing is not None and answer.id == self._listing

    def take_list(self, answer: OtherMessage) -> SubscriptionsListed | None:
        """Return which streams there are by an answer that `lists` them; None if it is an error."""
        self._listing = None
        if answer.result is UNSET:
            return None
        return SubscriptionsListed(frozenset(msgspec.json.decode(answer.result, type=list[str])))

    def _texts(self, method: Literal["SUBSCRIBE", "UNSUBSCRIBE"], topics: Sequence[Topic]) -> list[str]:
        texts = []
        for start in range(0, len(topics), self._streams_max):
            wires = tuple(topic.wire for topic in topics[start : start + self._streams_max])
            self._last_id += 1
            if len(self._pending) >= REQUESTS_MAX:
                del self._pending[next(iter(self._pending))]
            self._pending[self._last_id] = (method == "SUBSCRIBE", wires)
            texts.append(msgspec.json.encode(RequestMessage(method, list(wires), self._last_id)).decode())
        return texts

    def take_answer(self, answer: OtherMessage) -> Acknowledged | Refused | None:
        """Return what `answer` says about its request; None if that concerns no topic."""
        error = answer.error or None
        if error is None and answer.code is not UNSET:
            error = ErrorBody(answer.code, answer.msg or None)
        request = self._pending.pop(answer.id, None) if isinstance(answer.id, int) else None
        if answer.id in (UNSET, None) and error is not None and self._pending:
            # an error without the request's id: requests are answered in their order
            request = self._pending.pop(next(iter(self._pending)))
        subscribed, wires = request or (True, ())
        if error is not None:
            if not subscribed:
                return None
            retry = retry_of(error.code)
            # one bad stream spoils a whole request; a passing refusal means all of it
            return Refused(wires, f"{error.code}: {error.msg}", retry, exact=retry != "never")
        if request is None:
            return None
        if subscribed:
            return Acknowledged(wires)
        left = tuple(wire for wire in wires if wire in self._leaving)  # not one that was subscribed again since
        self._leaving.difference_update(left)
        return Acknowledged(left, subscribed=False) if left else None
