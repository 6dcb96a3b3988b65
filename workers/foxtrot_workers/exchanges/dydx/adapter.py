"""dYdX v4, the indexer's public channels, and v3 of recordings. Documents: dYdX, "Indexer API", "Websocket".

Every message has a number that counts those of the connection: a jump means that messages are missing, of topics that
nobody can tell. Then every book is lost, and a gap in each stream of trades announced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import UNSET

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    MarketEvent,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_workers.adapter import Acknowledged, Adapter, Limits, RestRequest, Topic, UnrecognizedFrame, VenueFacts
from foxtrot_workers.adapter.shared_topics import SharedTopics, topic_of
from foxtrot_workers.exchanges.dydx.constants import (
    ADOPTED_MAX,
    CHANNELS,
    FACTS,
    INTERVALS,
    LIMITS,
    MARKET_CHANNELS,
    MARKETS_PATH,
    SUBSCRIPTIONS_MAX,
    TRADE_CHANNELS,
)
from foxtrot_workers.exchanges.dydx.instruments import instrument_of, is_possible_symbol, parse_instruments
from foxtrot_workers.exchanges.dydx.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.dydx.messages import Head, decode_head
from foxtrot_workers.exchanges.dydx.parsers import TopicParser, Wanted, make_parser, market_wire, trade_wire
from foxtrot_workers.exchanges.dydx.requests import Requests, topic_name

__all__ = ["Dydx"]

_DATA = frozenset({"subscribed", "channel_data", "channel_batch_data"})


class Dydx(Adapter):
    """``exchange = "dydx"``: perpetuals of dYdX v4. Sizes are in the base coin."""

    name: ClassVar[str] = "dydx"
    exchange: ClassVar[str] = "DYDX"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://indexer.dydx.trade/v4/ws"
    rest_url: ClassVar[str] = "https://indexer.dydx.trade"
    hosts: ClassVar[frozenset[str]] = frozenset({"dydx.trade", "dydx.exchange"})
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "unique",
        EVENT_BOOK: "one_side",  # numbers of messages are those of one connection
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
        EVENT_LIQUIDATION: "content",
    }

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests()
        self._shared = SharedTopics()
        self._wanted: dict[str, Wanted] = {}
        self._parsers: dict[str, TopicParser] = {}
        """By topic."""
        self._connection = ""
        self._next_id: int | None = None
        """Number that the next message must have; None before the first."""
        self._owed: list[MarketEvent[str]] = []
        """Gaps noticed at a message that was refused: they are published with the next one."""

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or too many topics for one connection."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a market of {self.name}")
            for channel in channels:
                wire = _wire(channel, symbol)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        counts = Counter(topic.partition(":")[0] for topic in {topic_of(wire) for wire in topics})
        for name, count in counts.items():
            if count > SUBSCRIPTIONS_MAX:
                raise ValueError(f"{name} has at most {SUBSCRIPTIONS_MAX} topics on one connection, these are {count}")
        return list(topics.values())

    def address(self, base: str) -> str:
        """Return `base`, with the exchange's path if it has none."""
        parts = urlsplit(base)
        return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/v4/ws", parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        names = self._shared.subscribe(topic.wire for topic in topics)
        for name in names:
            self._note_wanted(name)
            if name not in self._parsers:
                self._open(name)
        return self._requests.subscribe(names)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        names, ended = self._shared.unsubscribe(topic.wire for topic in topics)
        if ended:
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
        for wire in ended:
            self._note_wanted(topic_of(wire))
            self.last_data_ns.pop(wire, None)
        return self._requests.unsubscribe(names)

    def _note_wanted(self, name: str) -> None:
        """Tell the parser of a topic which of its channels are subscribed."""
        channels = frozenset(channel or "trade" for channel in self._shared.channels(name))
        self._wanted.setdefault(name, Wanted()).channels = channels

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            head = decode_head(frame)
            self._check_number(head, receive_ns)
            self._parse(head, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse(self, head: Head, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if head.kind in _DATA:
            self._parse_data(head, receive_ns, out)
            return
        if head.kind == "unsubscribed":
            self._take_end(topic_name(head.channel, head.id))
        elif head.kind == "error":
            notice = self._requests.take_error(head.text)
            wires = tuple(wire for name in notice.wires for wire in self._wires(name))
            self.notices.append(msgspec.structs.replace(notice, wires=wires))
        elif head.kind != "connected":
            raise UnrecognizedFrame(head.kind or "message without type")
        self._pay(out)

    def _parse_data(self, head: Head, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        name = topic_name(head.channel, head.id)
        parser = self._parsers.get(name)
        if parser is None and self.adopt and len(self._parsers) < ADOPTED_MAX:
            parser = self._open(name)
        if parser is None or head.contents is UNSET:
            raise UnrecognizedFrame(name or head.kind)
        events: list[MarketEvent[str]] = []
        try:
            parser.parse(head, head.contents, receive_ns, events)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            if parser.lose is not None:  # its number is right: nothing else shows that it is missing
                parser.lose("a message could not be read", receive_ns, self._owed)
            raise
        if head.kind == "subscribed":
            self.notices.append(Acknowledged(self._wires(name)))
        self._pay(out)
        out += events

    def _pay(self, out: list[MarketEvent[str]]) -> None:
        out += self._owed
        self._owed.clear()

    def _check_number(self, head: Head, receive_ns: int) -> None:
        """Note what is lost if messages between the last one and this are missing."""
        number, expected = head.message_id, self._next_id
        if number is None:
            return
        self._next_id = number + 1
        is_new = head.connection_id != self._connection
        self._connection = head.connection_id
        if expected is None or number == expected or (is_new and self.adopt):
            return
        if number < expected and self.adopt:
            return  # unrelated frames
        reason = f"message {number} came instead of {expected}"
        for parser in self._parsers.values():
            if parser.lose is not None:
                parser.lose(reason, receive_ns, self._owed)

    def _take_end(self, name: str) -> None:
        if not self._requests.has_left(name):
            return
        wires = self._wires(name)
        self._parsers.pop(name, None)
        self._wanted.pop(name, None)
        self._shared.remove(name)
        for wire in wires:
            self.last_data_ns.pop(wire, None)
        self.notices.append(Acknowledged(wires, subscribed=False))

    def _wires(self, name: str) -> tuple[str, ...]:
        return self._shared.wires(name) or (name,)

    def _open(self, name: str) -> TopicParser | None:
        """Accept frames of the topic `name` from now on; None if it cannot be one."""
        parser = make_parser(self, name, self._wanted.setdefault(name, Wanted()))
        if parser is not None:
            self._parsers[name] = parser
        return parser

    # -- REST

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(body)

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return MARKETS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        """All markets are perpetuals."""
        return instrument_of(symbol)


def _wire(channel: str, symbol: str) -> str:
    name = CHANNELS[channel]
    if channel in MARKET_CHANNELS:
        return market_wire(name, channel, symbol)
    if channel in TRADE_CHANNELS:
        return trade_wire(f"{name}:{symbol}", channel)
    interval = channel.removeprefix("bar_")
    return f"{name}:{symbol}/{INTERVALS[interval]}" if interval in INTERVALS else f"{name}:{symbol}"
