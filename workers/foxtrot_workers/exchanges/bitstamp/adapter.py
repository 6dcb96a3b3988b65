"""Bitstamp. Documents: Bitstamp, "WebSocket API v2" and "HTTP API".

A data frame ends with the name of its channel, and these bytes tell which parser it needs (`routes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import msgspec

from foxtrot_protocol.events import EVENT_BOOK, EVENT_FUNDING, EVENT_MARKET_TRADE, MarketEvent, Trade
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Adapter,
    BackfillOrder,
    CloseAnnounced,
    Limits,
    Pong,
    RestRequest,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.exchanges.bitstamp.books import read_snapshot, snapshot_request, symbol_of_snapshot
from foxtrot_workers.exchanges.bitstamp.constants import (
    ADOPTED_MAX,
    BOOK_CHANNELS,
    CHANNELS,
    FACTS,
    INSTRUMENTS_PATH,
    LIMITS,
)
from foxtrot_workers.exchanges.bitstamp.history import history_request, parse_history
from foxtrot_workers.exchanges.bitstamp.instruments import instrument_of, is_possible_symbol, parse_instruments
from foxtrot_workers.exchanges.bitstamp.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.bitstamp.messages import OtherMessage, decode_other
from foxtrot_workers.exchanges.bitstamp.parsers import channel_of, make_parser
from foxtrot_workers.exchanges.bitstamp.requests import Requests
from foxtrot_workers.exchanges.bitstamp.routes import names_channel, tail_of

__all__ = ["Bitstamp"]

_ANSWERS = {"bts:subscription_succeeded": True, "bts:unsubscription_succeeded": False}


class Bitstamp(Adapter):
    """``exchange = "bitstamp"``: spot and perpetuals."""

    name: ClassVar[str] = "bitstamp"
    exchange: ClassVar[str] = "BITSTAMP"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://ws.bitstamp.net"
    symbols_have_dashes: ClassVar[bool] = False
    rest_url: ClassVar[str] = "https://www.bitstamp.net"
    hosts: ClassVar[frozenset[str]] = frozenset({"bitstamp.net"})
    symbol_case: ClassVar[SymbolCase] = "lower"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # ids count the trades of all markets
        EVENT_BOOK: "update_ids",  # times stand for identifiers
        EVENT_FUNDING: "latest",
    }
    backfill_order: ClassVar[BackfillOrder] = "newest"

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._requests = Requests()
        self._routes = RouteTable()
        self._by_tail = self._routes.by_key
        self._books = RestBooks(self.exchange, self.notices, snapshot_request, partial(read_snapshot, self.exchange))

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
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a market of {self.name}")
            for channel in channels:
                wire = CHANNELS[channel] + symbol
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if "book100" in channels:
            rules[EVENT_BOOK] = "latest"  # every message is a full picture
        return rules

    def address(self, base: str) -> str:
        return base

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            if topic.wire in self._routes and topic.channel == "book":
                # differences may have been missed meanwhile, and nothing would show it
                self._routes.remove(topic.wire)
                self._books.close(topic.symbol)
            if topic.wire not in self._routes:
                self._open(topic.wire)
        return self._requests.subscribe(topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.unsubscribe(topics)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_tail.get(frame[frame.rfind(b"}", 0, -1) :])
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        if other.event.startswith("bts:"):
            self._take_answer(other)
            return
        wire = other.channel
        parser = self._routes.get(wire)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(wire)
        if parser is None:
            raise UnrecognizedFrame(wire or f"event {other.event} without channel")
        parser(frame, receive_ns, out)
        tail = tail_of(frame)
        if names_channel(tail, wire):
            self._routes.learn(tail, wire)

    def _take_answer(self, other: OtherMessage) -> None:
        if other.event in _ANSWERS:
            self._take_acknowledgement(other.channel, subscribed=_ANSWERS[other.event])
        elif other.event == "bts:heartbeat":
            self.notices.append(Pong())
        elif other.event == "bts:request_reconnect":
            self.notices.append(CloseAnnounced("the exchange asks to connect again"))
        elif other.event == "bts:error":
            self.notices.append(self._requests.take_error(other))
        else:
            raise UnrecognizedFrame(other.event)

    def _take_acknowledgement(self, wire: str, *, subscribed: bool) -> None:
        notice = self._requests.take_acknowledgement(wire, subscribed=subscribed)
        if notice is None:
            return
        if not subscribed:
            self._routes.remove(wire)
            self.last_data_ns.pop(wire, None)
            self.held_ns.pop(wire, None)
            channel, symbol = channel_of(wire)
            if channel == "book":
                self._books.close(symbol)
        self.notices.append(notice)

    def _open(self, wire: str) -> Parser | None:
        """Accept frames of the topic `wire` from now on; None if it cannot be one."""
        parser = make_parser(self, wire, self._books)
        if parser is not None:
            self._routes.add(wire, parser)
        return parser

    # -- REST

    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Take the answer to a snapshot request; others are ignored."""
        symbol = symbol_of_snapshot(path)
        if not symbol:
            return
        if self._books.get(symbol) is None:
            if not self.adopt or len(self._books) >= ADOPTED_MAX:
                return
            self._books.open(symbol, CHANNELS["book"] + symbol)
        book = self._books.take_snapshot(symbol, status, body, receive_ns, out)
        if book is not None and book.live:
            self.last_data_ns[book.wire] = receive_ns

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        self._books.resync(topics)
        return []  # full pictures heal themselves

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or CHANNELS["trade"] + symbol not in self._routes:
            return None
        return history_request(symbol)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, path, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return INSTRUMENTS_PATH

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def instrument(self, symbol: str) -> str:
        """Split at the quote currency that `symbol` ends with."""
        return instrument_of(symbol)
