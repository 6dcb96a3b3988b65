"""Subscription requests, and what their answers mean ("Websocket API", "Subscribe")."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from foxtrot_workers.adapter import Acknowledged, Refused, Retry, Topic
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.adapter.shared_topics import SharedTopics
from foxtrot_workers.exchanges.bitget.constants import NEVER_CODES, UNIFIED_NAMES
from foxtrot_workers.exchanges.bitget.messages import Arg, ArgRow, FeedRequest, OtherMessage, UnifiedArg

__all__ = ["Requests", "arg_of", "retry_of", "topic_named_by", "unified_arg_of"]

_UNIFIED_TOPICS = {channel: topic for topic, channel in UNIFIED_NAMES.items()}

_REASON_CHARS_MAX = 200


def retry_of(code: int | str) -> Retry:
    """Return whether a request refused with this code can succeed later. Unknown codes: it can."""
    return "never" if str(code) in NEVER_CODES else "later"


def arg_of(topic: str) -> Arg:
    """Return what subscribes a topic, ``SPOT:books:BTCUSDT``, in v2."""
    kind, channel, symbol = topic.split(":")
    return Arg(kind, channel, symbol)


def unified_arg_of(topic: str) -> UnifiedArg:
    """Return what subscribes a topic in v3."""
    kind, channel, symbol = topic.split(":")
    if channel.startswith("candle"):
        return UnifiedArg(kind.lower(), "kline", symbol, channel.removeprefix("candle"))
    return UnifiedArg(kind.lower(), _UNIFIED_TOPICS.get(channel, channel), symbol)


def topic_named_by(arg: ArgRow) -> str:
    """Return the topic, ``SPOT:books:BTCUSDT``, that the argument of a frame names, in any version."""
    kind = arg.kind.upper()
    if not arg.topic:
        return f"{kind}:{arg.channel}:{arg.instrument}"
    channel = f"candle{arg.interval}" if arg.topic == "kline" else UNIFIED_NAMES.get(arg.topic, arg.topic)
    return f"{kind}:{channel}:{arg.symbol}"


class Requests:
    """Subscription requests of one connection. An answer names its topic.

    Args:
        topics_max: topics in one request, at most.
    """

    def __init__(self, topics_max: int) -> None:
        self._topics_max = topics_max
        self._sent = SentRequests()
        self.shared = SharedTopics()
        self.unified = False
        """Whether the connection is one of the unified feed."""

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        joining = self.shared.subscribe(topic.wire for topic in topics)
        if joining:
            self._sent.subscribe(joining)
        return self._texts("subscribe", joining)

    def unsubscribe(self, topics: Sequence[Topic]) -> tuple[list[str], list[str]]:
        """Return the texts that unsubscribe `topics`, and the wire names that end without a request."""
        leaving, ended = self.shared.unsubscribe(topic.wire for topic in topics)
        if leaving:
            self._sent.unsubscribe(leaving)
        return self._texts("unsubscribe", leaving), ended

    def _texts(self, operation: str, topics: Sequence[str]) -> list[str]:
        args = [unified_arg_of(topic) if self.unified else arg_of(topic) for topic in topics]
        parts = [args[start : start + self._topics_max] for start in range(0, len(args), self._topics_max)]
        return [msgspec.json.encode(FeedRequest(operation, part)).decode() for part in parts]

    def take_acknowledgement(self, topic: str, *, subscribed: bool) -> Acknowledged | None:
        """Return what the answer about a topic means; None if it concerns none, or one subscribed again since."""
        if subscribed:
            wires = self.shared.wires(topic)
        elif self._sent.has_left(topic):
            wires = self.shared.remove(topic)
        else:
            wires = ()
        return Acknowledged(wires, subscribed=subscribed) if wires else None

    def take_refusal(self, answer: OtherMessage) -> Refused:
        """Return what a refusal means: of the topic that it names, else of no known topic."""
        wires = () if answer.arg is None else self.shared.wires(topic_named_by(answer.arg))
        reason = f"{answer.code}: {answer.msg}"[:_REASON_CHARS_MAX]
        return Refused(wires, reason, retry_of(answer.code), exact=bool(wires))
