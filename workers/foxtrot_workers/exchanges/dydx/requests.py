"""Subscription requests, and what refusals mean ("Websocket"). Topics are named ``CHANNEL:ID``, without an id
``CHANNEL``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Retry
from foxtrot_workers.exchanges.dydx.constants import ALREADY_TEXT, NEVER_TEXT
from foxtrot_workers.exchanges.dydx.messages import Request

__all__ = ["REASON_CHARS", "Requests", "retry_of", "topic_name"]

REASON_CHARS = 200
"""Characters of a refusal's text that are passed on."""

_REFUSED = re.compile(r"\b(?P<channel>v[34]_[a-z_]+)-(?P<id>[^\s()]+?)[).]*(?=\s|$)")
"""How the text of a refusal names its topic."""


def retry_of(text: str) -> Retry:
    """Return whether a request refused with this text can succeed later. Unknown texts: it can."""
    return "never" if text.startswith(NEVER_TEXT) else "later"


def topic_name(channel: str, id_: str) -> str:
    """Return the wire name of a topic. ``markets`` have no id, though messages may repeat the channel as one."""
    return f"{channel}:{id_}" if id_ and id_ != channel else channel


class Requests:
    """Subscription requests of one connection: one topic each."""

    def __init__(self) -> None:
        self._leaving: set[str] = set()
        """Topics whose unsubscription has been requested, and no subscription since."""

    def subscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        self._leaving.difference_update(topics)
        return [self._text("subscribe", topic) for topic in topics]

    def unsubscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that unsubscribe `topics`."""
        self._leaving.update(topics)
        return [self._text("unsubscribe", topic) for topic in topics]

    @staticmethod
    def _text(kind: str, topic: str) -> str:
        channel, _, id_ = topic.partition(":")
        return msgspec.json.encode(Request(kind, channel, id_)).decode()

    def has_left(self, topic: str) -> bool:
        """Return whether an acknowledged unsubscription ends the topic: it was not subscribed again since."""
        if topic not in self._leaving:
            return False
        self._leaving.discard(topic)
        return True

    @staticmethod
    def take_error(text: str) -> Acknowledged | Refused:
        """Return what an error means: of the topic that it names, else of no known topic."""
        match = _REFUSED.search(text)
        wires = () if match is None else (topic_name(match["channel"], match["id"]),)
        if wires and ALREADY_TEXT in text:
            return Acknowledged(wires)
        return Refused(wires, text[:REASON_CHARS], retry_of(text), exact=bool(wires))
