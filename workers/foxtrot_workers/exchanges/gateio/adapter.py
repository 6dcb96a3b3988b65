"""Gate.io spot. Documents: Gate API v4, "Spot WebSocket v4" and REST.

Every pushed frame names its channel at the beginning, and these bytes tell which parser the frame needs; the parser
finds the symbol in the data that it decodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

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
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.adapter.route_table import Parser
from foxtrot_workers.adapter.shared_topics import shared_wire, topic_of
from foxtrot_workers.exchanges.gateio.books import reader_of, snapshot_request, symbol_of_snapshot
from foxtrot_workers.exchanges.gateio.constants import (
    ADOPTED_MAX,
    BOOK_CHANNELS,
    BOOK_LEVELS,
    FACTS,
    INTERVALS,
    LIMITS,
    PARTIAL_BOOK_CHANNELS,
    SECOND,
    SHARED_CHANNELS,
    SPOT_CHANNELS,
)
from foxtrot_workers.exchanges.gateio.history import history_request, parse_pair_history
from foxtrot_workers.exchanges.gateio.instruments import is_possible_symbol, pair_of, parse_pairs
from foxtrot_workers.exchanges.gateio.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.gateio.messages import OtherMessage, decode_other
from foxtrot_workers.exchanges.gateio.parsers import SPOT_FACTORIES, Factory, Stream
from foxtrot_workers.exchanges.gateio.requests import Requests

__all__ = ["Gateio"]

_CHANNEL = b'"channel":"'
_CHANNEL_LENGTH = len(_CHANNEL)

_SPELLINGS_MAX = 1_000
"""Beginnings of frames that are remembered."""


class Gateio(Adapter):
    """``exchange = "gateio"``: spot."""

    name: ClassVar[str] = "gateio"
    exchange: ClassVar[str] = "GATEIO"
    channels: ClassVar[frozenset[str]] = frozenset(SPOT_CHANNELS)
    url: ClassVar[str] = "wss://api.gateio.ws/ws/v4/"
    symbols_have_dashes: ClassVar[bool] = False
    rest_url: ClassVar[str] = "https://api.gateio.ws"
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # identifiers of all symbols count together
        EVENT_BBO: "latest",
        EVENT_BOOK: "update_ids",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
        EVENT_LIQUIDATION: "content",
    }
    backfill_order: ClassVar[Literal["forward", "backward"]] = "backward"
    market: ClassVar[str] = "spot"
    """What stands before the point in the exchange's channels."""
    channel_names: ClassVar[Mapping[str, str]] = SPOT_CHANNELS
    factories: ClassVar[Mapping[str, Factory]] = SPOT_FACTORIES
    symbol_key: ClassVar[str] = "currency_pair"
    """The parameter of REST requests that names a symbol."""

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._rest_prefix = "/api/v4/spot"
        self._requests = Requests(self.limits.topics_per_request, self._now_s, self._payload_of)
        self._books = RestBooks(
            self.exchange,
            self.notices,
            lambda symbol: snapshot_request(self._rest_prefix, self.symbol_key, symbol),
            reader_of(self.exchange, futures=self.market == "futures"),
        )
        self._streams: dict[str, dict[str, Stream]] = {channel: {} for channel in self.factories}
        self._parsers: dict[str, Parser] = {
            channel: make(self, self._streams[channel], lambda name, channel=channel: self._adopt(channel, name))  # type: ignore[misc]
            for channel, make in self.factories.items()
        }
        self._by_beginning: dict[bytes, Parser] = {}
        """By the part of a frame from its channel to its data."""
        for channel, parser in self._parsers.items():
            beginning = f'{self.market}.{channel}",'
            self._by_beginning[beginning.encode()] = parser
            self._by_beginning[f'{beginning}"event":"update",'.encode()] = parser

    def _now_s(self) -> int:
        """Return the newest time that is known, in seconds since 1970; requests carry it."""
        return max(self.opened_ns, *self.last_data_ns.values(), 0) // SECOND

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS & self.channels))} fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                wire = self._wire_of(channel, symbol)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def _wire_of(self, channel: str, symbol: str) -> str:
        """Return ``CHANNEL:NAME``: frames of the topic have this name; partial books are ``CHANNEL:NAME@LEVELS``."""
        name = symbol
        if channel in BOOK_LEVELS:
            name = f"ob.{symbol}.{BOOK_LEVELS[channel]}"
        elif channel in PARTIAL_BOOK_CHANNELS:
            name = f"{symbol}@{channel.removeprefix('book')}"
        elif channel.startswith("bar_"):
            name = f"{channel.removeprefix('bar_')}_{symbol}"
        topic = f"{self.market}.{self.channel_names[channel]}:{name}"
        return shared_wire(topic, channel) if channel in SHARED_CHANNELS else topic

    def _payload_of(self, topic: str) -> list[str]:
        channel, _, name = topic.partition(":")
        kind = channel.partition(".")[2]
        if kind == "candlesticks":
            interval, _, symbol = name.partition("_")
            return [interval, symbol]
        if kind == "order_book":
            symbol, _, levels = name.partition("@")
            return [symbol, levels, "100ms"]
        return [name, "100ms"] if kind == "order_book_update" else [name]

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if PARTIAL_BOOK_CHANNELS.intersection(channels):
            rules[EVENT_BOOK] = "latest"  # every message is a full book
        return rules

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        texts = self._requests.subscribe(topics)
        for topic in dict.fromkeys(topic_of(topic.wire) for topic in topics):
            self._open(topic, self._requests.shared.channels(topic))
        return texts

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        texts, ended = self._requests.unsubscribe(topics)
        if ended:
            for topic in dict.fromkeys(map(topic_of, ended)):
                self._open(topic, self._requests.shared.channels(topic))
            for wire in ended:
                self.last_data_ns.pop(wire, None)
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
        return texts

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            start = frame.find(_CHANNEL) + _CHANNEL_LENGTH
            parser = self._by_beginning.get(frame[start : frame.find(b'"result"', start)])
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        market, _, kind = other.channel.partition(".")
        if market != self.market:
            raise UnrecognizedFrame(other.channel or "message without channel")
        if kind == "pong":
            self.notices.append(Pong())
        elif other.event in ("subscribe", "unsubscribe"):
            self._take_answer(other)
        elif other.event == "update" and kind in self._parsers:
            self._parsers[kind](frame, receive_ns, out)
            self._learn(frame, kind)
        else:
            raise UnrecognizedFrame(f"{other.channel} {other.event}")

    def _learn(self, frame: bytes, kind: str) -> None:
        """Remember how `frame`, an update, spells its beginning, if that names nothing but channel and event."""
        start = frame.find(_CHANNEL) + _CHANNEL_LENGTH
        beginning = frame[start : frame.find(b'"result"', start)]
        if b'"event":"update"' in beginning and len(self._by_beginning) < _SPELLINGS_MAX:
            self._by_beginning[beginning] = self._parsers[kind]

    def _take_answer(self, other: OtherMessage) -> None:
        notice = self._requests.take_answer(other)
        if notice is None:
            return
        if isinstance(notice, Acknowledged) and not notice.subscribed:
            for wire in notice.wires:
                self._close(wire)
        self.notices.append(notice)

    def _adopt(self, kind: str, name: str) -> Stream:
        """Return a new stream for a name that frames have. Raises `UnrecognizedFrame`."""
        wire = f"{self.market}.{kind}:{name}"
        if self.adopt and sum(map(len, self._streams.values())) < ADOPTED_MAX:
            stream = self._open(wire, frozenset({"", *SHARED_CHANNELS}))
            if stream is not None:
                return stream
        raise UnrecognizedFrame(wire)

    def _open(self, topic: str, channels: frozenset[str]) -> Stream | None:
        """Accept frames of `topic` from now on, for these channels of it; None if it cannot be a topic."""
        kind = topic.partition(":")[0].partition(".")[2]
        name, symbol = _names_of(kind, topic.partition(":")[2])
        if not is_possible_symbol(symbol):
            return None
        known = self._streams[kind].get(name)
        if known is not None and known.wire == topic:
            known.channels = channels
            return known
        chained = ChainedBook(self.exchange, symbol, topic) if kind == "obu" else None
        rest = self._books.open(symbol, topic) if kind == "order_book_update" else None
        stream = self._streams[kind][name] = Stream(symbol, topic, channels, chained, rest)
        return stream

    def _close(self, wire: str) -> None:
        topic = topic_of(wire)
        kind = topic.partition(":")[0].partition(".")[2]
        name, symbol = _names_of(kind, topic.partition(":")[2])
        self._streams[kind].pop(name, None)
        self.last_data_ns.pop(wire, None)
        if kind == "order_book_update":
            self._books.close(symbol)

    # -- REST

    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Take the answer to a snapshot request; others are ignored."""
        symbol = symbol_of_snapshot(path, self.symbol_key)
        if symbol is None:
            return
        if self._books.get(symbol) is None:
            if not self.adopt or len(self._books) >= ADOPTED_MAX:
                return
            self._open(self._wire_of("book_update", symbol), frozenset({""}))
        book = self._books.take_snapshot(symbol, status, body, receive_ns, out)
        if book is not None and book.live:
            self.last_data_ns[book.wire] = receive_ns

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        self._books.resync(topics)
        return [topic for topic in topics if topic.channel in BOOK_LEVELS]

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or symbol not in self._streams["trades"]:
            return None
        path = f"{self._rest_prefix}/trades"
        return history_request(symbol, path, self.symbol_key, last_id, reverse=self.market == "spot")

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_pair_history(self.exchange, path, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic, self._rest_prefix, self.symbol_key)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body, futures=self.market == "futures")

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return f"{self._rest_prefix}/currency_pairs"

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_pairs(body)

    def instrument(self, symbol: str) -> str:
        return pair_of(symbol)


def _names_of(kind: str, rest: str) -> tuple[str, str]:
    """Return the name that frames of a topic have, and its symbol; `rest`: what follows the channel in its name."""
    if kind == "candlesticks":
        interval, _, symbol = rest.partition("_")
        return rest, symbol if interval in INTERVALS else ""
    if kind == "obu":
        parts = rest.split(".")
        return rest, parts[1] if len(parts) == 3 and parts[0] == "ob" else ""
    symbol = rest.partition("@")[0] if kind == "order_book" else rest
    return symbol, symbol
