"""KuCoin spot. Documents: KuCoin documentation, "WebSocket API" and "REST API".

The address of a connection, its token and its ping interval come from a REST request before each connect. Every pushed
frame names its topic, and that name tells which parser the frame needs. Books of 500 levels come from another feed,
without a token, at an address of its own.
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
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_TICKER,
    MarketEvent,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    AccessRequest,
    Acknowledged,
    Adapter,
    Greeted,
    Limits,
    Pong,
    RestRequest,
    SystemStatus,
    SystemTime,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.rest_book import Chain
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.adapter.shared_topics import shared_wire, topic_of
from foxtrot_workers.exchanges.kucoin.books import reader_of, snapshot_request, symbol_of_snapshot
from foxtrot_workers.exchanges.kucoin.constants import (
    ACCESS_PATH,
    ACCESS_WEIGHT,
    ADOPTED_MAX,
    BOOK_CHANNELS,
    FACTS,
    INTERVALS,
    LIMITS,
    LIMITS_UNIFIED,
    PARTIAL_BOOK_CHANNELS,
    SHARED_CHANNELS,
    SPOT_TOPICS,
    UNIFIED_CHANNEL,
)
from foxtrot_workers.exchanges.kucoin.instruments import is_possible_symbol, parse_instruments
from foxtrot_workers.exchanges.kucoin.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.kucoin.messages import OtherMessage, decode_other, decode_unified
from foxtrot_workers.exchanges.kucoin.parsers import (
    SPOT_FACTORIES,
    Factory,
    futures_book_parser,
    instrument_parser,
    spot_book_parser,
    unified_book_parser,
)
from foxtrot_workers.exchanges.kucoin.requests import UNIFIED_PREFIX, Requests, read_access
from foxtrot_workers.exchanges.kucoin.system import STATUS, TIME

__all__ = ["Kucoin"]

HEAD_BYTES = 64
"""Length of a frame's head: enough for most topics, and what follows a short name is the same in each frame."""

HEADS_MAX = 10_000

_TOPIC = b'"topic":"'
_TOPIC_LENGTH = len(_TOPIC)


class Kucoin(Adapter):
    """``exchange = "kucoin"``: spot."""

    name: ClassVar[str] = "kucoin"
    exchange: ClassVar[str] = "KUCOIN"
    channels: ClassVar[frozenset[str]] = frozenset(SPOT_TOPICS) | {UNIFIED_CHANNEL}
    url: ClassVar[str] = "wss://ws-api-spot.kucoin.com/"
    unified_url: ClassVar[str] = "wss://x-push-spot.kucoin.com"
    rest_url: ClassVar[str] = "https://api.kucoin.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"push-private.kucoin.com", "x-push-spot.kucoin.com"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "unique",  # identifiers of old frames are not numbers
        EVENT_BBO: "latest",
        EVENT_BOOK: "update_ids",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
    }
    topic_names: ClassVar[Mapping[str, tuple[str, str]]] = SPOT_TOPICS
    """Channel to what stands before and behind the symbol in its topic."""
    factories: ClassVar[Mapping[str, Factory]] = SPOT_FACTORIES
    trade_type: ClassVar[str] = "SPOT"
    """Name of this market in the unified feed."""
    snapshot_path: ClassVar[str] = "/api/v1/market/orderbook/level2_100"
    list_path: ClassVar[str] = "/api/v2/symbols"
    trades_path: ClassVar[str] = "/api/v1/market/histories"
    quote_path: ClassVar[str] = "/api/v1/market/orderbook/level1"

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._unified = False
        self._connection_limits = self.limits
        self._requests = Requests(self.limits.topics_per_request, self.trade_type)
        self._books = RestBooks(
            self.exchange,
            self.notices,
            lambda symbol: snapshot_request(self.snapshot_path, symbol),
            reader_of(self.exchange),
            Chain.NEXT_OR_SAME,
        )
        self._routes = RouteTable()
        self._by_topic = self._routes.by_key
        self._by_head: dict[bytes, Parser] = {}
        """By the first `HEAD_BYTES` of frames seen: finding the topic's name takes longer than this look-up."""

    # -- topics, access and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        unified = UNIFIED_CHANNEL in channels
        if unified and set(channels) != {UNIFIED_CHANNEL}:
            raise ValueError(f"{UNIFIED_CHANNEL} is served at another address: it needs a connection of its own")
        self._unified = unified
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                wire = self._wire_of(channel, symbol)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def _wire_of(self, channel: str, symbol: str) -> str:
        if channel == UNIFIED_CHANNEL:
            return f"{UNIFIED_PREFIX}{symbol}"
        before, behind = self.topic_names[channel]
        topic = f"{before}{symbol}{behind}"
        return shared_wire(topic, channel) if channel in SHARED_CHANNELS else topic

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if PARTIAL_BOOK_CHANNELS.intersection(channels):
            rules[EVENT_BOOK] = "latest"  # every message is a full book
        return rules

    def address(self, base: str) -> str:
        """Return `base`, or the address of the unified feed for its books."""
        return self.unified_url if self._unified and base == self.url else base

    def access_request(self) -> AccessRequest | None:
        return None if self._unified else AccessRequest("POST", ACCESS_PATH, ACCESS_WEIGHT)

    def on_access(self, base: str, body: bytes) -> str:
        url, self._connection_limits = read_access(body, self.limits, None if base == self.url else base)
        return url

    def connection_limits(self) -> Limits:
        """Return the limits with the pings that the exchange has asked for."""
        return LIMITS_UNIFIED if self._unified else self._connection_limits

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        texts = self._requests.subscribe(topics)
        for topic in dict.fromkeys(topic_of(topic.wire) for topic in topics):
            if topic not in self._routes or len(self._requests.shared.wires(topic)) > 1:
                self._open(topic, self._requests.shared.channels(topic))
        return texts

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        texts, ended = self._requests.unsubscribe(topics)
        if ended:
            for topic in dict.fromkeys(map(topic_of, ended)):
                self._open(topic, self._requests.shared.channels(topic))
            self._end(ended)
        return texts

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_head.get(frame[:HEAD_BYTES]) or self._find_by_topic(frame)
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _find_by_topic(self, frame: bytes) -> Parser | None:
        """Return the parser of the topic that `frame` names, and remember its head; None if there is none."""
        # frames of older recordings name their topic behind the data
        is_old = frame.startswith(b'{"data"')
        start = (frame.rfind if is_old else frame.find)(_TOPIC) + _TOPIC_LENGTH
        end = frame.find(b'"', start)
        parser = self._by_topic.get(frame[start:end])
        if parser is not None and not is_old and end < HEAD_BYTES and len(self._by_head) < HEADS_MAX:
            # the head holds the whole name and the quotation mark after it: no other topic's frame begins so
            self._by_head[frame[:HEAD_BYTES]] = parser
        return parser

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame.startswith(b'{"T":'):
            key = _unified_key(frame)
            parser = self._by_topic.get(key)
            if parser is not None:
                parser(frame, receive_ns, out)
                return
        other = decode_other(frame)
        if other.topic or other.unified:
            parser = self._find(frame, other)
            parser(frame, receive_ns, out)
        elif other.type == "welcome" or other.message == "welcome":
            self.notices.append(Greeted())
        elif other.type == "pong" or other.op == "pong":
            self.notices.append(Pong())
        elif other.type == "ack" or other.result in (True, "true"):
            self._take_acknowledgement(other)
        elif other.type == "error" or other.result is not None:
            refused = self._requests.take_refusal(other)
            if refused is not None:
                self.notices.append(refused)
        else:
            raise UnrecognizedFrame(other.type or other.subject or "message without type and topic")

    def _find(self, frame: bytes, other: OtherMessage) -> Parser:
        """Return the parser of a frame whose topic was not found by its bytes. Raises `UnrecognizedFrame`."""
        wire = other.topic
        if other.unified:
            if not other.unified.startswith("obu."):
                raise UnrecognizedFrame(other.unified)
            wire = f"{UNIFIED_PREFIX}{decode_unified(frame).data.symbol}"
        parser = self._routes.get(wire)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(wire, frozenset({"", *SHARED_CHANNELS}))
        if parser is None:
            raise UnrecognizedFrame(wire)
        if other.unified:
            self._routes.learn(_unified_key(frame), wire)
        return parser

    def _take_acknowledgement(self, other: OtherMessage) -> None:
        notice = self._requests.take_acknowledgement(other)
        if notice is None:
            return
        if not notice.subscribed:
            for wire in notice.wires:
                self._close(wire)
        self.notices.append(notice)

    def _open(self, topic: str, channels: frozenset[str]) -> Parser | None:
        """Accept frames of `topic` from now on, for these channels of it; None if it cannot be a topic."""
        parser = self._make_parser(topic, channels)
        if parser is not None:
            self._routes.remove(topic)
            self._routes.add(topic, parser, topic.encode())
            self._by_head.clear()
        return parser

    def _make_parser(self, topic: str, channels: frozenset[str]) -> Parser | None:
        if topic.startswith(UNIFIED_PREFIX):
            symbol = topic.removeprefix(UNIFIED_PREFIX)
            return unified_book_parser(self, topic, symbol) if is_possible_symbol(symbol) else None
        channel, symbol, interval = self._meaning_of(topic)
        if not is_possible_symbol(symbol):
            return None
        if channel == "book":
            make = futures_book_parser if self.trade_type == "FUTURES" else spot_book_parser
            return make(self, self._books.open(symbol, topic), topic, symbol)
        if channel == "mark_price" and channel not in self.factories:
            return instrument_parser(self, topic, symbol, channels)
        factory = self.factories.get("bar" if interval else channel)
        return None if factory is None else factory(self, topic, symbol, interval)

    def _meaning_of(self, topic: str) -> tuple[str, str, str]:
        """Return channel, symbol and interval ("" where it is not of bars) of a topic; empty texts if it is none."""
        name, _, symbol = topic.partition(":")
        before = f"{name}:"
        for channel, (prefix, _) in self.topic_names.items():
            if prefix != before:
                continue
            if not channel.startswith("bar_"):
                return channel, symbol, ""
            symbol, _, suffix = symbol.rpartition("_")
            interval = next((ours for ours, theirs in INTERVALS.items() if theirs == suffix), "")
            return (f"bar_{interval}", symbol, interval) if interval else ("", "", "")
        return "", "", ""

    def _close(self, wire: str) -> None:
        self._routes.remove(topic_of(wire))
        self._by_head.clear()
        self.last_data_ns.pop(wire, None)
        channel, symbol, _ = self._meaning_of(wire)
        if channel == "book":
            self._books.close(symbol)

    def _end(self, wires: Sequence[str]) -> None:
        """End wire names whose topic goes on for other channels: no request is needed."""
        for wire in wires:
            self.last_data_ns.pop(wire, None)
        self.notices.append(Acknowledged(tuple(wires), subscribed=False))

    # -- REST

    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Take the answer to a snapshot request; others are ignored."""
        symbol = symbol_of_snapshot(path)
        if symbol is None:
            return
        if self._books.get(symbol) is None:
            if not self.adopt or len(self._books) >= ADOPTED_MAX:
                return
            self._books.open(symbol, self._wire_of("book", symbol))
        book = self._books.take_snapshot(symbol, status, body, receive_ns, out)
        if book is not None and book.live:
            self.last_data_ns[book.wire] = receive_ns

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        self._books.resync(topics)
        return [topic for topic in topics if topic.channel == UNIFIED_CHANNEL]

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic, trades_path=self.trades_path, quote_path=self.quote_path)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def system_time(self) -> SystemTime:
        return TIME

    def system_status(self) -> SystemStatus:
        return STATUS

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return self.list_path

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)


def _unified_key(frame: bytes) -> bytes:
    """Return the part of a frame of the unified feed that names its symbol: it stands last."""
    return frame[frame.rfind(b'"s":"') :]
