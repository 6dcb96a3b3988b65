"""Bybit v5, public topics. Documents: Bybit API v5, "WebSocket Stream".

A connection serves one category of instruments, which its path names; so does the REST request of a category.
Nearly every data frame begins with its topic, and these bytes tell which parser the frame needs, so that a frame is
decoded once, with the type of its topic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
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
    BookSnapshot,
    MarketEvent,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.instruments import Instrument
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    Limits,
    Pong,
    RestRequest,
    SystemStatus,
    SystemTime,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.rest_books import RestBooks
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.adapter.shared_topics import SharedTopics, topic_of
from foxtrot_workers.exchanges.bybit.books import full_book_request, read_full_book, symbol_of_full_book
from foxtrot_workers.exchanges.bybit.constants import (
    ADOPTED_MAX,
    ARGS_CHARS_MAX,
    CATEGORIES,
    FACTS_SPOT,
    HOST,
    LIMITS,
    PATH,
    SPOT_CHANNELS,
    TICKER_CHANNELS,
    TOPICS,
)
from foxtrot_workers.exchanges.bybit.instruments import (
    instrument_of,
    instruments_path,
    is_possible_symbol,
    listed_instruments,
    next_page_path,
    parse_instruments,
)
from foxtrot_workers.exchanges.bybit.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.bybit.messages import OtherMessage, decode_beginning, decode_other
from foxtrot_workers.exchanges.bybit.parsers import Channels, make_parser, ticker_wire
from foxtrot_workers.exchanges.bybit.requests import Requests
from foxtrot_workers.exchanges.bybit.system import STATUS, TIME

__all__ = ["Bybit"]


class Bybit(Adapter):
    """``exchange = "bybit"``: spot. `variants` has the other categories."""

    name: ClassVar[str] = "bybit"
    exchange: ClassVar[str] = "BYBIT"
    channels: ClassVar[frozenset[str]] = SPOT_CHANNELS
    url: ClassVar[str] = f"{HOST}{PATH}spot"
    rest_url: ClassVar[str] = "https://api.bybit.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"bybit.com", "bytick.com"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS_SPOT
    category: ClassVar[str] = "spot"
    """Category of the instruments, unless the address names another one."""
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "unique",  # ids have no order, and several trades may share a `seq`
        EVENT_BBO: "latest",
        EVENT_BOOK: "update_ids",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
        EVENT_LIQUIDATION: "content",
    }

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._category = self.category
        self._requests = Requests(self.limits.topics_per_request)
        self._shared = SharedTopics()
        self._channels: dict[str, Channels] = {}
        """By ``tickers`` topic: the channels that are subscribed."""
        self._full_books = RestBooks(self.exchange, self.notices, self._request_full_book, self._read_full_book)
        self._routes = RouteTable()
        self._by_beginning = self._routes.by_key

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or too many topics for one connection."""
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        books = [channel for channel in dict.fromkeys(channels) if channel.startswith("book")]
        if len(books) > 1:
            raise ValueError(f"only one of {', '.join(books)} fits one connection")
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                wire = f"{TOPICS[channel]}.{symbol}"
                if channel in TICKER_CHANNELS:
                    wire = ticker_wire(wire, channel)
                topics.setdefault(wire, Topic(channel, symbol, wire))
        chars = sum(map(len, {topic_of(wire) for wire in topics}))
        if chars > ARGS_CHARS_MAX:
            raise ValueError(f"topics of one connection may have {ARGS_CHARS_MAX} characters, these have {chars}")
        return list(topics.values())

    def address(self, base: str) -> str:
        """Return `base`, with the path of the category if it has none."""
        parts = urlsplit(base)
        path = parts.path.rstrip("/") or f"{PATH}{self.category}"
        named = path.rpartition("/")[2]
        self._category = named if named in CATEGORIES else self.category
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        args = self._shared.subscribe(topic.wire for topic in topics)
        for arg in args:
            self._note_channels(arg)
            if arg not in self._routes:
                self._open(arg)
        return self._requests.subscribe(args)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        args, ended = self._shared.unsubscribe(topic.wire for topic in topics)
        if ended:
            self.notices.append(Acknowledged(tuple(ended), subscribed=False))
            for wire in ended:
                self._note_channels(topic_of(wire))
                self.last_data_ns.pop(wire, None)
        return self._requests.unsubscribe(args)

    def _note_channels(self, arg: str) -> None:
        """Tell the parser of a ``tickers`` topic which of its channels are subscribed."""
        wanted = frozenset(channel or "ticker" for channel in self._shared.channels(arg))
        self._channels.setdefault(arg, Channels(wanted)).wanted = wanted

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            parser = self._by_beginning.get(frame[: frame.find(b'",')])
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        if not other.topic:
            self._take_answer(other)
            return
        parser = self._routes.get(other.topic)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(other.topic)
        if parser is None:
            raise UnrecognizedFrame(other.topic)
        self._learn(frame, other.topic)
        parser(frame, receive_ns, out)

    def _learn(self, frame: bytes, topic: str) -> None:
        """Remember how `frame`, which is of `topic`, begins, if its beginning is just its topic."""
        beginning = frame[: frame.find(b'",')]
        try:
            if decode_beginning(beginning + b'"}').topic == topic:
                self._routes.learn(beginning, topic)
        except msgspec.DecodeError:
            return

    def _take_answer(self, other: OtherMessage) -> None:
        if other.op == "pong" or (other.op == "ping" and other.text == "pong"):
            self.notices.append(Pong())
            return
        if other.op not in ("subscribe", "unsubscribe", "") or (other.success is None and not other.kind):
            raise UnrecognizedFrame(other.op or "message without topic and operation")
        for notice in self._requests.take_answer(other):
            if isinstance(notice, Acknowledged) and not notice.subscribed:
                notice = Acknowledged(tuple(self._close(notice.wires)), subscribed=False)
            elif isinstance(notice, Acknowledged):
                notice = Acknowledged(self._wires(notice.wires))
            else:
                notice = msgspec.structs.replace(notice, wires=self._wires(notice.wires))
            self.notices.append(notice)

    def _wires(self, args: Sequence[str]) -> tuple[str, ...]:
        return tuple(wire for arg in args for wire in self._shared.wires(arg) or (arg,))

    def _open(self, arg: str) -> Parser | None:
        """Accept frames of the topic `arg` from now on; None if it cannot be one."""
        channels = self._channels.setdefault(arg, Channels(TICKER_CHANNELS if self.adopt else frozenset()))
        parser = make_parser(self, arg, channels, self._full_books)
        if parser is not None:
            self._routes.add(arg, parser, b'{"topic":%b' % msgspec.json.encode(arg)[:-1])
        return parser

    def _close(self, args: Sequence[str]) -> list[str]:
        wires: list[str] = []
        for arg in args:
            self._routes.remove(arg)
            self.frame_kinds.withdraw(arg)
            self._channels.pop(arg, None)
            wires += self._shared.remove(arg)
            kind, _, symbol = arg.rpartition(".")
            if kind == TOPICS["book_full"]:
                self._full_books.close(symbol)
        for wire in wires:
            self.last_data_ns.pop(wire, None)
        return wires

    # -- REST

    def _request_full_book(self, symbol: str) -> RestRequest:
        return full_book_request(self._category, symbol)

    def _read_full_book(self, symbol: str, body: bytes, receive_ns: int) -> BookSnapshot[str]:
        return read_full_book(self.exchange, symbol, body, receive_ns)

    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Take the answer to a request for a whole book; others are ignored."""
        symbol = symbol_of_full_book(path)
        if symbol is None:
            return
        if self._full_books.get(symbol) is None:
            if not self.adopt or len(self._full_books) >= ADOPTED_MAX:
                return
            self._full_books.open(symbol, f"{TOPICS['book_full']}.{symbol}")
        book = self._full_books.take_snapshot(symbol, status, body, receive_ns, out)
        if book is not None and book.live:
            self.last_data_ns[book.wire] = receive_ns

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        self._full_books.resync([topic for topic in topics if topic.channel == "book_full"])
        return [topic for topic in topics if topic.channel.startswith("book") and topic.channel != "book_full"]

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(self._category, topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(body)

    def system_time(self) -> SystemTime:
        return TIME

    def system_status(self) -> SystemStatus:
        return STATUS

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return instruments_path(self._category, symbols)

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def listed(self, body: bytes) -> list[Instrument]:
        return listed_instruments(body)

    def next_list_path(self, path: str, body: bytes) -> str | None:
        return next_page_path(path, body)

    def instrument(self, symbol: str) -> str:
        """The name itself says base, quote, date, strike and kind; the category says whether it is a perpetual."""
        return instrument_of(symbol, self._category)
