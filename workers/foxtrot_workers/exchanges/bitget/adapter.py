"""Bitget spot. Documents: Bitget API, "Websocket API" of v2 and of the unified account (v3); v1 for recordings.

Every data frame begins with its action and the argument that was subscribed, and these bytes tell which parser the
frame needs, so that a frame is decoded once, with the type of its topic and version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

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
    Trade,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    Limits,
    Pong,
    RestRequest,
    SendText,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.adapter.shared_topics import shared_wire, topic_of
from foxtrot_workers.exchanges.bitget.constants import (
    ADOPTED_MAX,
    BOOK_CHANNELS,
    FACTS,
    LIMITS,
    PARTIAL_BOOK_CHANNELS,
    SHARED_CHANNELS,
    SPOT_CHANNELS,
    UNIFIED_CHANNELS,
    UNIFIED_PATH,
    V2_CHANNELS,
    V2_PATH,
)
from foxtrot_workers.exchanges.bitget.history import history_request, parse_history
from foxtrot_workers.exchanges.bitget.instruments import instrument_of, is_possible_symbol, parse_instruments
from foxtrot_workers.exchanges.bitget.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.bitget.messages import ArgRow, OtherMessage, decode_beginning, decode_other
from foxtrot_workers.exchanges.bitget.parsers import LIQUIDATION, Version, make_parser
from foxtrot_workers.exchanges.bitget.requests import Requests, topic_named_by

__all__ = ["Bitget"]


class Bitget(Adapter):
    """``exchange = "bitget"``: spot."""

    name: ClassVar[str] = "bitget"
    exchange: ClassVar[str] = "BITGET"
    channels: ClassVar[frozenset[str]] = frozenset(SPOT_CHANNELS)
    url: ClassVar[str] = "wss://ws.bitget.com" + V2_PATH
    rest_url: ClassVar[str] = "https://api.bitget.com"
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # identifiers of all symbols count together
        EVENT_BBO: "latest",
        EVENT_BOOK: "chained",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
        EVENT_LIQUIDATION: "content",
    }
    backfill_order: ClassVar[Literal["forward", "backward"]] = "backward"
    channel_names: ClassVar[Mapping[str, str]] = SPOT_CHANNELS
    kind: ClassVar[str] = "SPOT"
    """``instType`` of the instruments."""
    rest_prefix: ClassVar[str] = "/api/v2/spot/market"
    rest_book: ClassVar[str] = "orderbook"
    list_path: ClassVar[str] = "/api/v2/spot/public/symbols"

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._needs_unified = False
        self._requests = Requests(self.limits.topics_per_request)
        self._routes = RouteTable()
        self._by_beginning = self._routes.by_key
        self._kinds: dict[str, str] = {}
        """``instType`` of the symbols that have been opened: in replay it may be any."""

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        self._needs_unified = bool(UNIFIED_CHANNELS.intersection(channels))
        if self._needs_unified and V2_CHANNELS.intersection(channels):
            raise ValueError("book15 is served by v2, liquidation by v3: they need a connection each")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                wire = self._wire_of(channel, symbol)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def _wire_of(self, channel: str, symbol: str) -> str:
        if channel == LIQUIDATION:
            return shared_wire(f"{self.kind}:{LIQUIDATION}:", symbol)
        topic = f"{self.kind}:{self.channel_names[channel]}:{symbol}"
        return shared_wire(topic, channel) if channel in SHARED_CHANNELS else topic

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if PARTIAL_BOOK_CHANNELS.intersection(channels):
            rules[EVENT_BOOK] = "latest"  # every message is a full book
        return rules

    def address(self, base: str) -> str:
        """Return `base` with the path of the version that the topics need; other paths than the default's are kept."""
        parts = urlsplit(base)
        path = parts.path
        if path in ("", "/") or base == self.url:
            path = UNIFIED_PATH if self._needs_unified else V2_PATH
        self._requests.unified = "/v3/" in path
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        texts = self._requests.subscribe(topics)
        for topic in dict.fromkeys(topic_of(topic.wire) for topic in topics):
            self._open_all(topic)
        return texts

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        texts, ended = self._requests.unsubscribe(topics)
        if ended:
            for topic in dict.fromkeys(map(topic_of, ended)):
                self._open_all(topic)
            for wire in ended:
                self.last_data_ns.pop(wire, None)
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
        return texts

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_beginning.get(frame[: frame.find(b"}")])
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame == b"pong":
            self.notices.append(Pong())
            return
        if frame == b"ping":
            self.notices.append(SendText("pong"))
            return
        other = decode_other(frame)
        if other.event:
            self._take_answer(other)
            return
        if other.arg is None or not bytes(other.data):
            raise UnrecognizedFrame("message without event, argument and data")
        topic = topic_named_by(other.arg)
        version = _version_of(other.arg)
        parser = self._routes.get(_route(topic, version))
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(topic, version, frozenset({"", *SHARED_CHANNELS}))
        if parser is None:
            raise UnrecognizedFrame(topic)
        self._learn(frame, other.arg, _route(topic, version))
        parser(frame, receive_ns, out)

    def _learn(self, frame: bytes, arg: ArgRow, route: str) -> None:
        """Remember how `frame` begins, up to the end of its argument, if its beginning is action and argument."""
        beginning = frame[: frame.find(b"}")]
        try:
            is_whole = decode_beginning(beginning + b"}}").arg == arg
        except msgspec.DecodeError:
            return
        if is_whole:
            self._routes.learn(beginning, route)

    def _take_answer(self, other: OtherMessage) -> None:
        if other.event in ("subscribe", "unsubscribe") and other.arg is not None:
            topic, subscribed = topic_named_by(other.arg), other.event == "subscribe"
            notice = self._requests.take_acknowledgement(topic, subscribed=subscribed)
            if notice is None:
                return
            if not subscribed:
                for version in _VERSIONS:
                    self._routes.remove(_route(topic, version))
                for wire in notice.wires:
                    self.last_data_ns.pop(wire, None)
            self.notices.append(notice)
        elif other.event == "error":
            self.notices.append(self._requests.take_refusal(other))
        else:
            raise UnrecognizedFrame(f"event {other.event}")

    def _open_all(self, topic: str) -> None:
        """Accept frames of `topic` in any version from now on."""
        for version in _VERSIONS:
            self._open(topic, version, self._requests.shared.channels(topic))

    def _open(self, topic: str, version: Version, channels: frozenset[str]) -> Parser | None:
        """Accept frames of `topic` in `version` from now on; None if it cannot be a topic."""
        kind, channel, symbol = topic.split(":") if topic.count(":") == 2 else ("", "", "")
        if channel != LIQUIDATION and not is_possible_symbol(symbol):
            return None
        route = _route(topic, version)
        known = self._routes.get(route)
        if known is not None and channel != "ticker" and channel != LIQUIDATION:
            return known
        parser = make_parser(self, topic, version, channels)
        if parser is not None:
            self._routes.remove(route)
            self._routes.add(route, parser)
            self._kinds[symbol] = kind
        return parser

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        return [topic for topic in topics if topic.channel == "book"]

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or _route(f"{self.kind}:trade:{symbol}", 2) not in self._routes:
            return None
        return history_request(self.rest_prefix, symbol, self._product(), last_id)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic, self.rest_prefix, self.rest_book, self._product())

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def _product(self) -> str:
        """Return the parameters of REST queries that name the kind of contract; "" for spot."""
        return "" if self.kind == "SPOT" else f"&productType={self.kind}"

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return self.list_path if self.kind == "SPOT" else f"{self.list_path}?productType={self.kind}"

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        return instrument_of(symbol, contract=self._kinds.get(symbol, self.kind) not in ("SPOT", "SP"))


_VERSIONS: tuple[Version, ...] = (2, 3)
"""Versions in which an exchange's frames may come today."""


def _version_of(arg: ArgRow) -> Version:
    if arg.topic:
        return 3
    return 1 if arg.kind in ("sp", "mc") else 2


def _route(topic: str, version: Version) -> str:
    return f"v{version} {topic}"
