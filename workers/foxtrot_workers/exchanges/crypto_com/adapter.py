"""Crypto.com Exchange, market channels of API v1; recordings of v2 are read too. Documents: Crypto.com Exchange API v1.

A frame names its topic before its data, and these bytes tell which parser it needs (`routes`), so that a frame is
decoded once, with the type of its channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    EVENT_TICKER,
    MarketEvent,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    Limits,
    RestRequest,
    SendText,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.adapter.shared_topics import SharedTopics, shared_wire, topic_of
from foxtrot_workers.exchanges.crypto_com.constants import (
    ADOPTED_MAX,
    BOOK_CHANNELS,
    CHANNELS,
    FACTS,
    INSTRUMENTS_PATH,
    LIMITS,
    OPEN_INTEREST,
)
from foxtrot_workers.exchanges.crypto_com.instruments import instrument_of, is_possible_instrument, parse_instruments
from foxtrot_workers.exchanges.crypto_com.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.crypto_com.messages import OtherMessage, ResultHead, decode_other
from foxtrot_workers.exchanges.crypto_com.parsers import ALL_CHANNELS, make_parser
from foxtrot_workers.exchanges.crypto_com.requests import Requests, heartbeat_answer
from foxtrot_workers.exchanges.crypto_com.routes import beginning_of, names_topic

__all__ = ["CryptoCom"]


class CryptoCom(Adapter):
    """``exchange = "crypto_com"``."""

    name: ClassVar[str] = "crypto_com"
    exchange: ClassVar[str] = "CRYPTO_COM"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://stream.crypto.com/exchange/v1/market"
    rest_url: ClassVar[str] = "https://api.crypto.com/exchange/v1"
    hosts: ClassVar[frozenset[str]] = frozenset({"crypto.com"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "unique",  # nothing says that identifiers have an order
        EVENT_BOOK: "chained",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
    }

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._shared = SharedTopics()
        self._requests = Requests(self._shared, self.limits.topics_per_request)
        self._routes = RouteTable()
        self._by_beginning = self._routes.by_key

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_instrument(symbol):
                raise ValueError(f"{symbol!r} cannot be an instrument of {self.name}")
            for channel in channels:
                wire = CHANNELS[channel].format(symbol)
                if channel == OPEN_INTEREST:
                    wire = shared_wire(wire, channel)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        names = self._shared.subscribe(topic.wire for topic in topics)
        for name in names:
            if name not in self._routes or name.startswith("ticker."):
                self._open(name)
        return self._requests.subscribe(names, self.opened_ns)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        names, ended = self._shared.unsubscribe(topic.wire for topic in topics)
        if ended:
            self._forget(ended)
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
            for name in dict.fromkeys(topic_of(wire) for wire in ended):
                self._open(name)
        return self._requests.unsubscribe(names, self.opened_ns)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_beginning.get(beginning_of(frame))
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        if other.method == "public/heartbeat":
            self.notices.append(SendText(heartbeat_answer(other.id)))
        elif other.method not in ("subscribe", "unsubscribe"):
            raise UnrecognizedFrame(f"method {other.method}")
        elif other.code != 0:
            self.notices.append(self._requests.take_refusal(other, self.last_data_ns))
        elif other.result is not None and bytes(other.result.data):
            self._parse_data(other.result, frame, receive_ns, out)
        else:
            self._take_acknowledgement(other)

    def _parse_data(self, result: ResultHead, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        topic = result.subscription
        parser = self._routes.get(topic)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(topic)
        if parser is None:
            raise UnrecognizedFrame(topic or "data without subscription")
        beginning = beginning_of(frame)
        if names_topic(beginning, topic):
            self._routes.learn(beginning, topic)
        parser(frame, receive_ns, out)
        acknowledged = self._requests.take_data(topic)
        if acknowledged is not None:
            self.notices.append(acknowledged)

    def _take_acknowledgement(self, other: OtherMessage) -> None:
        notice, ended = self._requests.take_acknowledgement(other)
        for topic in ended:
            self._routes.remove(topic)
        if notice is not None:
            if not notice.subscribed:
                self._forget(notice.wires)
            self.notices.append(notice)

    def _forget(self, wires: Sequence[str]) -> None:
        for wire in wires:
            self.last_data_ns.pop(wire, None)
            self.held_ns.pop(wire, None)

    def _open(self, topic: str) -> Parser | None:
        """Accept frames of `topic` from now on; None if it cannot be one."""
        channels = ALL_CHANNELS if self.adopt else self._shared.channels(topic)
        parser = make_parser(self, topic, channels)
        if parser is not None:
            self._routes.remove(topic)
            self._routes.add(topic, parser)
        return parser

    # -- REST

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return INSTRUMENTS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base, quote, date and kind."""
        return instrument_of(symbol)
