"""Kraken Futures, public feeds. Documents: Kraken API Center, "Derivatives".

A frame names feed and product in its first bytes, which tell the parser (`routes`), so that a frame is decoded once,
with the type of its feed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import (
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
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    Limits,
    RestRequest,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.adapter.shared_topics import SharedTopics, shared_wire, topic_of
from foxtrot_workers.exchanges.kraken_futures.constants import (
    ADOPTED_MAX,
    FACTS,
    FEEDS,
    INSTRUMENTS_PATH,
    LIMITS,
    SHARED_CHANNELS,
)
from foxtrot_workers.exchanges.kraken_futures.instruments import (
    instrument_of,
    is_possible_product,
    parse_instruments,
)
from foxtrot_workers.exchanges.kraken_futures.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.kraken_futures.messages import OtherMessage, decode_other
from foxtrot_workers.exchanges.kraken_futures.parsers import ALL_CHANNELS, make_parser
from foxtrot_workers.exchanges.kraken_futures.requests import Requests
from foxtrot_workers.exchanges.kraken_futures.routes import beginning_of, topic_name

__all__ = ["KrakenFutures"]


class KrakenFutures(Adapter):
    """``exchange = "kraken_futures"``.

    Frames name products in upper case. The exchange's list wrote them in lower case until 2022: a replay with such a
    list names them as the list does.
    """

    name: ClassVar[str] = "kraken_futures"
    exchange: ClassVar[str] = "KRAKEN_FUTURES"
    channels: ClassVar[frozenset[str]] = frozenset(FEEDS)
    url: ClassVar[str] = "wss://futures.kraken.com/ws/v1"
    symbols_have_dashes: ClassVar[bool] = False
    rest_url: ClassVar[str] = "https://futures.kraken.com"
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "unique",
        EVENT_BOOK: "update_ids",
        EVENT_TICKER: "latest",
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
        self._by_beginning = self._routes.by_key
        self._listed: dict[str, str] = {}
        """Names of products as the list writes them, by those of frames."""

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel or an impossible symbol."""
        unknown = [channel for channel in channels if channel not in FEEDS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_product(symbol):
                raise ValueError(f"{symbol!r} cannot be a product of {self.name}")
            for channel in channels:
                wire = topic_name(FEEDS[channel], symbol)
                if channel in SHARED_CHANNELS:
                    wire = shared_wire(wire, channel)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        names = self._shared.subscribe(topic.wire for topic in topics)
        for name in names:
            if name not in self._routes or self._shared.channels(name) & SHARED_CHANNELS:
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
            parser = self._by_beginning.get(beginning_of(frame))
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        if other.event:
            self._take_answer(other)
        elif other.feed and other.product:
            self._parse_data(topic_name(other.feed, other.product), frame, receive_ns, out)
        elif other.feed != "heartbeat":
            raise UnrecognizedFrame(other.feed or "message without event and feed")

    def _parse_data(self, topic: str, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        parser = self._routes.get(topic)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(topic)
        if parser is None:
            raise UnrecognizedFrame(topic)
        parser(frame, receive_ns, out)

    def _take_answer(self, other: OtherMessage) -> None:
        if other.event in ("subscribed", "unsubscribed"):
            notice, ended = self._requests.take_acknowledgement(
                other.feed, other.products, subscribed=other.event == "subscribed"
            )
            for topic in ended:
                self._routes.remove(topic)
            if notice is not None:
                if not notice.subscribed:
                    self._forget(notice.wires)
                self.notices.append(notice)
        elif other.event in ("error", "subscribed_failed", "unsubscribed_failed"):
            self.notices.append(self._requests.take_refusal(other.message or other.event))
        elif other.event not in ("info", "alert"):
            raise UnrecognizedFrame(f"event {other.event}")

    def _forget(self, wires: Sequence[str]) -> None:
        for wire in wires:
            self.last_data_ns.pop(wire, None)
            self.held_ns.pop(wire, None)

    def _open(self, topic: str) -> Parser | None:
        """Accept frames of `topic` from now on; None if it cannot be one."""
        feed, _, product = topic.partition(":")
        if not is_possible_product(product):
            return None
        channels = ALL_CHANNELS if self.adopt else self._shared.channels(topic)
        parser = make_parser(self, topic, self._listed.get(product, product), channels)
        if parser is not None:
            self._routes.remove(topic)
            self._routes.add(
                topic,
                parser,
                *(
                    b'{"feed":"%b","product_id":"%b"' % (name.encode(), product.encode())
                    for name in (feed, f"{feed}_snapshot")
                ),
            )
        return parser

    # -- REST

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return INSTRUMENTS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        listed = parse_instruments(body)
        if self.adopt:
            self._listed.update({symbol.upper(): symbol for symbol in listed})
            return listed
        return {symbol.upper(): instrument for symbol, instrument in listed.items()}

    def instrument(self, symbol: str) -> str:
        """The name itself says base, quote, date and kind."""
        return instrument_of(symbol)
