"""Subscription requests, the names of topics, and what answers mean ("Public Channels", "General").

An answer names a topic by its parameters, and gives it a channel number; everything later names the number only, an
unsubscription too. A topic that is to be unsubscribed before it has a number is unsubscribed when it has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from foxtrot_workers.adapter import Refused, Retry
from foxtrot_workers.exchanges.bitfinex.constants import (
    CONF_FLAGS,
    NEVER_CODES,
    REASON_CHARS,
)
from foxtrot_workers.exchanges.bitfinex.messages import EventMessage

__all__ = ["Requests", "opening_text", "refusal_of", "retry_of", "topic_of_message"]

_INVALID = "invalid"
"""Part of the text of a refusal that no retry changes."""


def opening_text() -> str:
    """Return the first message: it sets the flags of the connection."""
    return msgspec.json.encode({"event": "conf", "flags": CONF_FLAGS}).decode()


def topic_of_message(message: EventMessage) -> str:
    """Return the topic that an answer names; "" if it names none: ``book:SYMBOL:PREC:FREQ:LEN``, ``ticker:SYMBOL``,
    ``trades:SYMBOL``, ``candles:KEY``, ``status:KEY``."""
    if message.channel == "book":
        return f"book:{message.symbol}:{message.precision}:{message.frequency}:{message.length or 25}"
    if message.channel in ("candles", "status"):
        return f"{message.channel}:{message.key}"
    return f"{message.channel}:{message.symbol}" if message.channel else ""


def _parameters(topic: str) -> Mapping[str, str]:
    """Return the parameters that name `topic` in a request."""
    channel, _, rest = topic.partition(":")
    if channel == "book":
        symbol, precision, frequency, length = rest.rsplit(":", 3)
        return {"channel": channel, "symbol": symbol, "prec": precision, "freq": frequency, "len": length}
    return {"channel": channel, "key" if channel in ("candles", "status") else "symbol": rest}


def retry_of(code: int, text: str = "") -> Retry:
    """Return whether a refused request can succeed later. Unknown codes: it can."""
    return "never" if code in NEVER_CODES or _INVALID in text else "later"


def refusal_of(message: EventMessage, known: Iterable[str]) -> tuple[tuple[str, ...], Refused]:
    """Return the topics that a refusal is about, and what it means; `known`: topics of the connection.

    A refusal of a book may leave out what else names it: then it is about all books of its symbol.
    """
    topic = topic_of_message(message)
    topics = tuple(each for each in known if each == topic)
    if not topics and message.channel == "book":
        topics = tuple(each for each in known if each.startswith(f"book:{message.symbol}:"))
    reason = f"{message.code}: {message.text}"[:REASON_CHARS]
    return topics, Refused((), reason, retry_of(message.code, message.text), exact=bool(topics))


class Requests:
    """Channel numbers of one connection, and the topics that are to be unsubscribed."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        """By topic: its latest channel number."""
        self._leaving: set[str] = set()
        """Topics that were unsubscribed, and not subscribed since."""

    def subscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that subscribe these topics."""
        self._leaving.difference_update(topics)
        return [msgspec.json.encode({"event": "subscribe", **_parameters(topic)}).decode() for topic in topics]

    def unsubscribe(self, topics: Sequence[str]) -> list[str]:
        """Return the texts that unsubscribe those of these topics that have a channel number."""
        self._leaving.update(topics)
        return [self._unsubscribe_text(self._numbers[topic]) for topic in topics if topic in self._numbers]

    @staticmethod
    def _unsubscribe_text(number: int) -> str:
        return msgspec.json.encode({"event": "unsubscribe", "chanId": number}).decode()

    def subscribed(self, topic: str, number: int) -> str:
        """Take the number of a topic; return the text to send where the topic is to be unsubscribed, else ""."""
        self._numbers[topic] = number
        return self._unsubscribe_text(number) if topic in self._leaving else ""

    def unsubscribed(self, topic: str, number: int) -> bool:
        """Forget the number of a topic; return whether the topic has ended: it was not subscribed again since."""
        if self._numbers.get(topic) == number:
            del self._numbers[topic]
        if topic not in self._leaving:
            return False
        self._leaving.discard(topic)
        return True
