"""OKX v5, public and business channels. Documents: OKX API v5, "WebSocket" and "Public Channel".

Every data frame begins with the argument that was subscribed, and these bytes tell which parser the frame needs
(`routes`), so that a frame is decoded once, with the type of its channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import UNSET

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
    BookSnapshot,
    MarketEvent,
    Trade,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.instruments import Instrument
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    CloseAnnounced,
    Limits,
    Pong,
    RestRequest,
    SendText,
    SystemStatus,
    SystemTime,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.rest_book import Chain
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.adapter.shared_topics import SharedTopics, shared_wire, topic_of
from foxtrot_workers.exchanges.okx.books import read_rest_book, rest_book_request, symbol_of_rest_book
from foxtrot_workers.exchanges.okx.constants import (
    ADOPTED_MAX,
    BOOK_CHANNELS,
    BUSINESS_CHANNELS,
    BUSINESS_PATH,
    CHANNELS,
    CLOSE_CODES,
    FACTS,
    INSTRUMENTS_PATH,
    KIND_CHANNELS,
    LIMITS,
    PARTIAL_BOOK_CHANNELS,
    PUBLIC_PATH,
)
from foxtrot_workers.exchanges.okx.history import history_request, parse_history
from foxtrot_workers.exchanges.okx.instruments import (
    LISTED_KINDS,
    instrument_of,
    instruments_path,
    is_possible_instrument,
    liquidated_kind,
    listed_instruments,
    parse_instruments,
)
from foxtrot_workers.exchanges.okx.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.okx.messages import Arg, OtherMessage, arg_of, decode_other, wire_of
from foxtrot_workers.exchanges.okx.parsers import Parser, Wanted, make_parser
from foxtrot_workers.exchanges.okx.requests import Requests
from foxtrot_workers.exchanges.okx.routes import Routes
from foxtrot_workers.exchanges.okx.system import STATUS, TIME

__all__ = ["Okx"]


class Okx(Adapter):
    """``exchange = "okx"``.

    Bars are served at another path than everything else: a connection has channels of one path. `topics` decides which
    path `address` names, so it must be called first.
    """

    name: ClassVar[str] = "okx"
    exchange: ClassVar[str] = "OKX"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://ws.okx.com:8443" + PUBLIC_PATH
    rest_url: ClassVar[str] = "https://www.okx.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"okx.com", "okex.com"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # a trade may stand for several fills: ids leap
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

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._business = False
        self._requests = Requests(self.limits.topics_per_request)
        self._shared = SharedTopics()
        self._wanted: dict[str, Wanted] = {}
        """By topic of a kind: the instruments that are subscribed."""
        self._fetched = RestBooks(self.exchange, self.notices, rest_book_request, self._read_book, Chain.PREVIOUS)
        """Books whose snapshot the stream does not send."""
        self._routes = Routes()
        self._by_beginning = self._routes.by_beginning

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        business = BUSINESS_CHANNELS.intersection(channels)
        if business and not business.issuperset(channels):
            raise ValueError(
                "bar_… channels and trade_all are served at another address: they need a connection of their own"
            )
        if {"ticker", "index"}.issubset(channels):
            raise ValueError("ticker and index both become eTicker.: give them a connection each")
        self._business = bool(business)
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_instrument(symbol):
                raise ValueError(f"{symbol!r} cannot be an instrument of {self.name}")
            for channel in channels:
                wire = f"{CHANNELS[channel]}:{symbol}"
                if CHANNELS[channel] in KIND_CHANNELS:
                    wire = shared_wire(f"{CHANNELS[channel]}:{liquidated_kind(symbol)}", symbol)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if PARTIAL_BOOK_CHANNELS.intersection(channels):
            rules[EVENT_BOOK] = "latest"  # every message is a full book
        if "trade_all" in channels:
            rules[EVENT_MARKET_TRADE] = "sequence"  # each fill has an id of its own
        return rules

    def address(self, base: str) -> str:
        """Return `base` with the path that the topics need; a path that is not OKX's own is kept."""
        parts = urlsplit(base)
        path = parts.path
        if path in ("", "/", PUBLIC_PATH, BUSINESS_PATH):
            path = BUSINESS_PATH if self._business else PUBLIC_PATH
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        wires = self._shared.subscribe(topic.wire for topic in topics)
        for wire in wires:
            self._note_wanted(wire)
            arg = arg_of(wire)
            if arg not in self._routes:
                self._open(arg)
        return self._requests.subscribe(wires)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        wires, ended = self._shared.unsubscribe(topic.wire for topic in topics)
        if ended:
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
        for wire in ended:
            self._note_wanted(topic_of(wire))
            self.last_data_ns.pop(wire, None)
        return self._requests.unsubscribe(wires)

    def _note_wanted(self, wire: str) -> None:
        """Tell the parser of a topic of a kind which of its instruments are subscribed."""
        self._wanted.setdefault(wire, Wanted()).instruments = self._shared.channels(wire)

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
        if other.arg is None or other.data is UNSET:
            raise UnrecognizedFrame("message without event, argument and data")
        arg = arg_of(wire_of(other.arg))  # without what does not name the topic
        parser = self._routes.get(arg)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(arg)
        if parser is None:
            raise UnrecognizedFrame(other.arg.channel or "argument without channel")
        self._routes.learn(frame, arg)
        parser(frame, receive_ns, out)

    def _take_answer(self, other: OtherMessage) -> None:
        event = other.event
        if event in ("subscribe", "unsubscribe") and other.arg is not None:
            self._take_acknowledgement(arg_of(wire_of(other.arg)), subscribed=event == "subscribe")
        elif event in ("error", "channel-conn-count-error"):
            refused = self._requests.take_refusal(other, known=self._routes)
            wires = tuple(wire for topic in refused.wires for wire in self._shared.wires(topic) or (topic,))
            self.notices.append(msgspec.structs.replace(refused, wires=wires))
        elif event == "notice" and str(other.code) in CLOSE_CODES:
            self.notices.append(CloseAnnounced(f"{other.code}: {other.msg}"))
        elif event != "channel-conn-count":
            raise UnrecognizedFrame(f"event {event} {other.code}")

    def _take_acknowledgement(self, arg: Arg, *, subscribed: bool) -> None:
        wire = wire_of(arg)
        notice = self._requests.take_acknowledgement(wire, subscribed=subscribed)
        if notice is None:
            return
        wires = self._shared.wires(wire) or (wire,)
        if not subscribed:
            self._routes.remove(arg)
            self.frame_kinds.withdraw(wire)
            self._shared.remove(wire)
            self._wanted.pop(wire, None)
            self._fetched.close(arg.instrument)
            for each in wires:
                self.last_data_ns.pop(each, None)
        self.notices.append(msgspec.structs.replace(notice, wires=wires))

    def _open(self, arg: Arg) -> Parser | None:
        """Accept frames of the topic `arg` from now on; None if it cannot be one."""
        parser = make_parser(self, arg, self._fetched, self._wanted.setdefault(wire_of(arg), Wanted()))
        if parser is not None:
            self._routes.add(arg, parser)
        return parser

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        in_step = [topic for topic in topics if topic.channel in BOOK_CHANNELS - PARTIAL_BOOK_CHANNELS]
        self._fetched.resync(in_step)
        return [topic for topic in in_step if self._fetched.get(topic.symbol) is None]

    def _read_book(self, symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
        return read_rest_book(self.exchange, symbol, body, receive_ns)

    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Take the answer to a request for a snapshot; others are ignored."""
        symbol = symbol_of_rest_book(path)
        if symbol is None or self._fetched.get(symbol) is None:
            return
        book = self._fetched.take_snapshot(symbol, status, body, receive_ns, out)
        if book is not None and book.live:
            self.last_data_ns[book.wire] = receive_ns

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        channels = (CHANNELS["trade"], CHANNELS["trade_all"])
        if stream != EVENT_MARKET_TRADE or all(Arg(channel, symbol) not in self._routes for channel in channels):
            return None
        return history_request(symbol, last_id)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def system_time(self) -> SystemTime:
        return TIME

    def system_status(self) -> SystemStatus:
        return STATUS

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return instruments_path(symbols)

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def list_paths(self) -> list[str]:
        return [f"{INSTRUMENTS_PATH}?instType={kind}" for kind in LISTED_KINDS]

    def listed(self, body: bytes) -> list[Instrument]:
        return listed_instruments(body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base, quote, date, strike and kind."""
        return instrument_of(symbol)
