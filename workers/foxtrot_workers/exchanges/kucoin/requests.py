"""Access, subscription requests, and what their answers mean ("WebSocket API", "Introduction")."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import structs

from foxtrot_workers.adapter import Acknowledged, Limits, Refused, Retry, Topic
from foxtrot_workers.adapter.sent_requests import SentRequests
from foxtrot_workers.adapter.shared_topics import SharedTopics
from foxtrot_workers.exchanges.kucoin.constants import (
    NEVER_CODES,
    PING_INTERVAL_S_MAX,
    PING_INTERVAL_S_MIN,
    SUCCESS_CODE,
    UNIFIED_DEPTH,
)
from foxtrot_workers.exchanges.kucoin.messages import ActionRequest, OtherMessage, TopicRequest, decode_access

__all__ = ["UNIFIED_PREFIX", "Requests", "read_access", "retry_of"]

UNIFIED_PREFIX = "obu:"
"""What stands before the symbol in the wire name of a book of the unified feed."""

_REASON_CHARS_MAX = 200


def read_access(body: bytes, limits: Limits, url: str | None) -> tuple[str, Limits]:
    """Return the address to connect to, and the limits of that connection, from the answer to ``bullet-public``.

    Args:
        body: the answer.
        limits: of the exchange; the answer sets pings and silence.
        url: connect there; None: to the server that the answer names.

    Raises:
        msgspec.DecodeError: the answer cannot be decoded.
        ValueError: the answer is a refusal.
    """
    answer = decode_access(body)
    if answer.code != SUCCESS_CODE or answer.data is None:
        raise ValueError(f"{answer.code}: {answer.msg}"[:_REASON_CHARS_MAX])
    server, token = answer.data.servers[0], answer.data.token
    base = urlsplit(server.endpoint if url is None else url)
    if not base.hostname:
        raise ValueError("the answer names no server")
    interval_s = min(max(server.ping_interval / 1000.0, PING_INTERVAL_S_MIN), PING_INTERVAL_S_MAX)
    timeout_s = min(max(server.ping_timeout / 1000.0, PING_INTERVAL_S_MIN), PING_INTERVAL_S_MAX)
    # the id is shown in the exchange's greeting; each connection has a token, and so an id, of its own
    query = f"token={quote(token, safe='')}&connectId={zlib.crc32(token.encode()):08x}"
    connection = structs.replace(
        limits, silence_s=interval_s + timeout_s, ping_idle_s=interval_s, ping_interval_s=interval_s
    )
    return f"{base.scheme}://{base.netloc}{base.path or '/'}?{query}", connection


def retry_of(code: int | str) -> Retry:
    """Return whether a request refused with this code can succeed later. Unknown codes: it can."""
    return "never" if str(code) in NEVER_CODES else "later"


class Requests:
    """Subscription requests of one connection. Answers name only the id of a request.

    Args:
        symbols_max: symbols in one request, at most.
        trade_type: of the unified feed, ``SPOT`` or ``FUTURES``.
    """

    def __init__(self, symbols_max: int, trade_type: str) -> None:
        self._symbols_max = symbols_max
        self._trade_type = trade_type
        self._sent = SentRequests()
        self.shared = SharedTopics()

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        """Return the texts that subscribe `topics`."""
        return self._texts("subscribe", self.shared.subscribe(topic.wire for topic in topics))

    def unsubscribe(self, topics: Sequence[Topic]) -> tuple[list[str], list[str]]:
        """Return the texts that unsubscribe `topics`, and the wire names that end without a request."""
        leaving, ended = self.shared.unsubscribe(topic.wire for topic in topics)
        return self._texts("unsubscribe", leaving), ended

    def _texts(self, operation: str, topics: Sequence[str]) -> list[str]:
        by_prefix: dict[str, list[str]] = {}
        for topic in topics:
            by_prefix.setdefault(topic.partition(":")[0], []).append(topic)
        texts = []
        for prefix, group in by_prefix.items():
            step = 1 if f"{prefix}:" == UNIFIED_PREFIX else self._symbols_max
            parts = [group[start : start + step] for start in range(0, len(group), step)]
            texts += [self._text(operation, prefix, part) for part in parts]
        return texts

    def _text(self, operation: str, prefix: str, topics: list[str]) -> str:
        number = self._sent.subscribe(topics) if operation == "subscribe" else self._sent.unsubscribe(topics)
        symbols = [topic.partition(":")[2] for topic in topics]
        request: TopicRequest | ActionRequest
        if f"{prefix}:" == UNIFIED_PREFIX:
            request = ActionRequest(str(number), operation, "obu", self._trade_type, symbols[0], UNIFIED_DEPTH)
        else:
            request = TopicRequest(str(number), operation, f"{prefix}:{','.join(symbols)}")
        return msgspec.json.encode(request).decode()

    def take_acknowledgement(self, answer: OtherMessage) -> Acknowledged | None:
        """Return what an acknowledgement means; None if it concerns no topic."""
        topics = self._sent.take(answer.id)
        left = [topic for topic in topics if self._sent.has_left(topic)]
        if left:
            return Acknowledged(tuple(wire for topic in left for wire in self.shared.remove(topic)), subscribed=False)
        wires = tuple(wire for topic in topics for wire in self.shared.wires(topic))
        return Acknowledged(wires) if wires else None

    def take_refusal(self, answer: OtherMessage) -> Refused | None:
        """Return what a refusal means; None for one of an unsubscription."""
        topics = self._sent.take(answer.id)
        if any(self._sent.has_left(topic) for topic in topics):
            return None
        wires = tuple(wire for topic in topics for wire in self.shared.wires(topic))
        code = answer.code or "refused"
        said = answer.message or answer.msg or bytes(answer.data).decode(errors="replace").strip('"')
        retry = retry_of(code)
        # one bad symbol spoils a whole request; a passing refusal means all of it
        exact = retry != "never" or len(topics) == 1
        return Refused(wires, f"{code}: {said}"[:_REASON_CHARS_MAX], retry, exact=exact)
