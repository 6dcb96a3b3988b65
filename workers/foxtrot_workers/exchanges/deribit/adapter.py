"""Deribit. Documents: Deribit API v2, "Subscriptions" and "Notifications".

JSON-RPC 2.0: a request has an id, its answer the same one; data are notifications, which begin with their channel's
name, and these bytes tell which parser they need (`routes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_LIQUIDATION,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    EVENT_TICKER,
    MarketEvent,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.instruments import Instrument
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    CloseAnnounced,
    Limits,
    RestRequest,
    SendText,
    SystemTime,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.adapter.shared_topics import SharedTopics, shared_wire, topic_of
from foxtrot_workers.exchanges.deribit.constants import (
    ADOPTED_MAX,
    CHANNELS,
    FACTS,
    LIMITS,
    OWN_ID,
    PARTIAL_BOOK_CHANNELS,
    PLATFORM_CHANNEL,
    SHARED_CHANNELS,
    STREAM_BOOK_CHANNELS,
)
from foxtrot_workers.exchanges.deribit.instruments import (
    instrument_of,
    instruments_path,
    is_possible_instrument,
    listed_instruments,
    parse_instruments,
)
from foxtrot_workers.exchanges.deribit.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.deribit.messages import Head, OtherMessage, decode_other, decode_platform_state
from foxtrot_workers.exchanges.deribit.parsers import ALL_CHANNELS, make_parser
from foxtrot_workers.exchanges.deribit.requests import Requests, answer_to_test, opening_texts
from foxtrot_workers.exchanges.deribit.routes import HEAD_CHARS, head_of
from foxtrot_workers.exchanges.deribit.system import TIME

__all__ = ["Deribit"]


class Deribit(Adapter):
    """``exchange = "deribit"``: options, futures, perpetuals and spot."""

    name: ClassVar[str] = "deribit"
    exchange: ClassVar[str] = "DERIBIT"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://www.deribit.com/ws/api/v2"
    rest_url: ClassVar[str] = "https://www.deribit.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"deribit.com"})
    symbol_case: ClassVar[SymbolCase] = "exact"  # strikes with a decimal point have a lower-case letter
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "unique",  # some ids have letters, and those of one currency's instruments count together
        EVENT_BBO: "latest",
        EVENT_BOOK: "chained",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
        EVENT_LIQUIDATION: "content",
    }

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._shared = SharedTopics()
        self._requests = Requests(self._shared, self.limits.topics_per_request)
        self._routes = RouteTable()
        self._by_head = self._routes.by_key

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        books = STREAM_BOOK_CHANNELS | PARTIAL_BOOK_CHANNELS
        if len(books.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(books))} fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_instrument(symbol):
                raise ValueError(f"{symbol!r} cannot be an instrument of {self.name}")
            for channel in channels:
                wire = CHANNELS[channel].format(symbol)
                if channel in SHARED_CHANNELS:
                    wire = shared_wire(wire, channel)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if PARTIAL_BOOK_CHANNELS.intersection(channels):
            rules[EVENT_BOOK] = "latest"  # every message is a full picture
        return rules

    def address(self, base: str) -> str:
        return base

    def opening(self) -> list[str]:
        return opening_texts()

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        names = self._shared.subscribe(topic.wire for topic in topics)
        for name in names:
            parser = self._routes.get(name)
            if parser is None or self._shared.channels(name) & SHARED_CHANNELS:
                self._open(name)
        return self._requests.subscribe(names)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        names, ended = self._shared.unsubscribe(topic.wire for topic in topics)
        if ended:
            self._forget(ended)
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
            for name in dict.fromkeys(topic_of(wire) for wire in ended):
                self._open(name)
        return self._requests.unsubscribe(names)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_head.get(frame[: frame.find(b'"', HEAD_CHARS)])
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        if other.method == "subscription" and other.params is not None:
            self._parse_notification(other.params, frame, receive_ns, out)
        elif other.method == "heartbeat" and other.params is not None:
            if other.params.type == "test_request":
                self.notices.append(SendText(answer_to_test()))
        elif not other.method and (other.error is not None or other.result is not None):
            self._take_answer(other)
        else:
            raise UnrecognizedFrame(f"method {other.method}")

    def _parse_notification(self, params: Head, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        topic = params.channel
        if topic == PLATFORM_CHANNEL:
            if decode_platform_state(params.data).maintenance:
                self.notices.append(CloseAnnounced("maintenance"))
            return
        parser = self._routes.get(topic)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(topic)
        if parser is None:
            raise UnrecognizedFrame(topic or "notification without channel")
        parser(frame, receive_ns, out)

    def _take_answer(self, other: OtherMessage) -> None:
        if other.error is not None:
            if other.id == OWN_ID:
                raise UnrecognizedFrame(f"error {other.error.code}: {other.error.message}")
            self.notices.append(self._requests.take_error(other.id, other.error))
        elif isinstance(other.result, list):
            notices, ended = self._requests.take_result(other.id, other.result)
            for topic in ended:
                self._routes.remove(topic)
            for notice in notices:
                if isinstance(notice, Acknowledged) and not notice.subscribed:
                    self._forget(notice.wires)
            self.notices.extend(notices)
        elif other.id != OWN_ID:
            raise UnrecognizedFrame(f"answer to request {other.id}")

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
            self._routes.add(topic, parser, head_of(topic))
        return parser

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        return [topic for topic in topics if topic.channel in STREAM_BOOK_CHANNELS]

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(body)

    def system_time(self) -> SystemTime:
        return TIME

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return instruments_path(symbols)

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def listed(self, body: bytes) -> list[Instrument]:
        return listed_instruments(body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base, quote, date, strike and kind."""
        return instrument_of(symbol)
