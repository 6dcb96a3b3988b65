"""Subscription requests, and what their answers mean ("Subscribe", "Unsubscribe")."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Literal

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Retry
from foxtrot_workers.exchanges.okx.constants import NEVER_CODES, NOW_CODES, REQUEST_BYTES_MAX, REQUESTS_MAX
from foxtrot_workers.exchanges.okx.messages import Arg, OtherMessage, RequestMessage, arg_of, wire_of

__all__ = ["Requests", "retry_of"]

_REFUSED_ARG = re.compile(r"channel:(?P<channel>[^,\s]+),\s*instId:(?P<instrument>[^,\s]+)")
"""How the text of a refusal names its topic."""


def retry_of(code: str | int) -> Retry:
    """Return whether a request refused with this error code can succeed later. Unknown codes: it can."""
    if str(code) in NEVER_CODES:
        return "never"
    return "now" if str(code) in NOW_CODES else "later"


class Requests:
    """Subscription requests of one connection. An answer names its topic, a refusal perhaps only the request's id.

    Args:
        topics_max: topics in one request, at most.
    """

    def __init__(self, topics_max: int) -> None:
        self._topics_max = topics_max
        self._last_id = 0
        self._sent: dict[str, tuple[str, ...]] = {}
        """By id: the topics of a request."""
        self._leaving: set[str] = set()
        """Topics whose unsubscription has been requested, and no subscription since."""

    def subscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that subscribe `topics` (wire names)."""
        self._leaving.difference_update(topics)
        return self._texts("subscribe", topics)

    def unsubscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that unsubscribe `topics` (wire names)."""
        self._leaving.update(topics)
        return self._texts("unsubscribe", topics)

    def _texts(self, operation: Literal["subscribe", "unsubscribe"], topics: Sequence[str]) -> list[str]:
        texts: list[str] = []
        wires: list[str] = []
        size_bytes = 0
        for topic in topics:
            topic_bytes = len(topic.encode()) + len('{"channel":"","instId":""},')
            if len(wires) == self._topics_max or size_bytes + topic_bytes > REQUEST_BYTES_MAX:
                texts.append(self._text(operation, wires))
                wires, size_bytes = [], 0
            wires.append(topic)
            size_bytes += topic_bytes
        if wires:
            texts.append(self._text(operation, wires))
        return texts

    def _text(self, operation: str, wires: Sequence[str]) -> str:
        self._last_id += 1
        request_id = str(self._last_id)
        if len(self._sent) >= REQUESTS_MAX:
            del self._sent[next(iter(self._sent))]
        self._sent[request_id] = tuple(wires)
        return msgspec.json.encode(RequestMessage(request_id, operation, [arg_of(wire) for wire in wires])).decode()

    def take_acknowledgement(self, wire: str, *, subscribed: bool) -> Acknowledged | None:
        """Return what the answer about a topic means; None if it was subscribed again before it was unsubscribed."""
        if not subscribed:
            if wire not in self._leaving:
                return None
            self._leaving.discard(wire)
        return Acknowledged((wire,), subscribed=subscribed)

    def take_refusal(self, answer: OtherMessage, known: Container[Arg]) -> Refused:
        """Return what a refusal means: of the topic that it names, else of the whole request, else of no known topic.

        Args:
            known: the topics of the connection; a text that names another one names none.
        """
        named = self._named(answer, known)
        wires = named or (self._sent.pop(answer.id, ()) if answer.id is not None else ())
        return Refused(wires, f"{answer.code}: {answer.msg}", retry_of(answer.code), exact=bool(named))

    @staticmethod
    def _named(answer: OtherMessage, known: Container[Arg]) -> tuple[str, ...]:
        if answer.arg is not None and answer.arg.channel:
            return (wire_of(answer.arg),)
        match = _REFUSED_ARG.search(answer.msg)
        if match is not None and (arg := Arg(match["channel"], match["instrument"])) in known:
            return (wire_of(arg),)
        return ()
