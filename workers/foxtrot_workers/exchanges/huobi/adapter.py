"""HTX (Huobi) spot. Documents: HTX API, "Spot", "Websocket Market Data".

Every frame of the exchange is gzip; inflated, a data frame begins with ``{"ch":"TOPIC"``, and these bytes tell which
parser it needs. Increments of books are served at another path than everything else.
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
    EVENT_MARKET_TRADE,
    EVENT_TICKER,
    MarketEvent,
    Trade,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Adapter,
    BackfillOrder,
    Limits,
    RestRequest,
    SendText,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.gzip_frames import GZIP_MAGIC, inflate_frame
from foxtrot_workers.adapter.held_updates import HeldBytes
from foxtrot_workers.adapter.route_table import Parser, RouteTable
from foxtrot_workers.exchanges.huobi.books import REQUEST_ID, MbpBook, mbp_snapshot_of
from foxtrot_workers.exchanges.huobi.constants import (
    ADOPTED_MAX,
    FACTS,
    FEED_CHANNELS,
    FEED_PATH,
    LIMITS,
    MARKET_PATH,
    MBP_CHANNELS,
    SPOT_CHANNELS,
    SPOT_PARTIAL_BOOK_CHANNELS,
)
from foxtrot_workers.exchanges.huobi.history import history_request, parse_history
from foxtrot_workers.exchanges.huobi.instruments import is_possible_symbol, parse_symbols, spot_instrument
from foxtrot_workers.exchanges.huobi.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.huobi.messages import OtherMessage, decode_book_answer, decode_other
from foxtrot_workers.exchanges.huobi.parsers import SPOT_PARSERS, Factory, make_parser, symbol_of
from foxtrot_workers.exchanges.huobi.requests import Requests
from foxtrot_workers.exchanges.huobi.routes import HEAD_CHARS, head_of

__all__ = ["Huobi"]


class Huobi(Adapter):
    """``exchange = "huobi"``: spot.

    `topics` decides which path `address` names, so it must be called first.
    """

    name: ClassVar[str] = "huobi"
    exchange: ClassVar[str] = "HUOBI"
    channels: ClassVar[frozenset[str]] = frozenset(SPOT_CHANNELS)
    url: ClassVar[str] = "wss://api.huobi.pro" + MARKET_PATH
    symbols_have_dashes: ClassVar[bool] = False
    rest_url: ClassVar[str] = "https://api.huobi.pro"
    hosts: ClassVar[frozenset[str]] = frozenset({"api-aws.huobi.pro", "api.htx.com"})
    symbol_case: ClassVar[SymbolCase] = "lower"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "sequence",  # the short ids count each symbol's trades
        EVENT_BBO: "latest",
        EVENT_BOOK: "latest",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
    }
    backfill_order: ClassVar[BackfillOrder] = "newest"

    wire_names: ClassVar[Mapping[str, str]] = SPOT_CHANNELS
    """Configuration channel to the exchange's."""
    partial_books: ClassVar[frozenset[str]] = SPOT_PARTIAL_BOOK_CHANNELS
    """Channels whose every message is a full picture."""
    chained_books: ClassVar[frozenset[str]] = MBP_CHANNELS
    """Channels of increments."""
    incremental: ClassVar[frozenset[str]] = frozenset()
    """Channels that are requested with ``data_type`` incremental."""
    paths: ClassVar[frozenset[str]] = frozenset({MARKET_PATH, FEED_PATH})
    """Paths of the exchange's own, which `address` replaces."""
    factories: ClassVar[Mapping[str, Factory]] = SPOT_PARSERS

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._path = MARKET_PATH
        self._requests = Requests()
        self._routes = RouteTable()
        self._by_head = self._routes.by_key
        self._books: dict[str, MbpBook] = {}
        self._held_bytes = HeldBytes()

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in self.wire_names]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        books = self.partial_books | self.chained_books
        if len(books.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(books))} fits one connection")
        names = self.canonical(symbols)
        impossible = [name for name in names if not is_possible_symbol(name)]
        if impossible:
            raise ValueError(f"{impossible[0]!r} cannot be a symbol of {self.name}")
        paths = {self.path_of(channel, name) for name in names for channel in channels}
        if len(paths) > 1:
            raise ValueError(
                f"these channels and symbols are served at different addresses ({', '.join(sorted(paths))}): "
                "give them a connection each"
            )
        self._path = next(iter(paths), self._path)
        topics: dict[str, Topic] = {}
        for name in names:
            for channel in channels:
                wire = self.wire_of(channel, name)
                topics.setdefault(wire, Topic(channel, name, wire))
        return list(topics.values())

    def path_of(self, channel: str, symbol: str) -> str:
        """Return the path that serves a channel of a symbol."""
        return FEED_PATH if channel in FEED_CHANNELS else MARKET_PATH

    def wire_of(self, channel: str, symbol: str) -> str:
        """Return the wire name of a topic."""
        return f"market.{symbol}.{self.wire_names[channel]}"

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if self.chained_books.intersection(channels):
            rules[EVENT_BOOK] = "chained"
        return rules

    def address(self, base: str) -> str:
        """Return `base` with the path that the topics need; a path that is not HTX's own is kept."""
        parts = urlsplit(base)
        path = self._path if parts.path in ("", "/") or parts.path in self.paths else parts.path
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            # a book of increments that waits in vain begins again with the subscription
            waiting = self._books.get(topic.wire)
            if topic.wire not in self._routes or (waiting is not None and not waiting.live):
                self._routes.remove(topic.wire)
                self._open(topic.wire)
        return self._requests.subscribe(topics, self.incremental)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.unsubscribe(topics, self.incremental)

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame[:2] == GZIP_MAGIC:
            frame = inflate_frame(frame)
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
        if other.channel:
            self._parse_topic(other.channel, frame, receive_ns, out)
        elif other.ping is not None:
            self.notices.append(SendText(f'{{"pong":{other.ping}}}'))
        elif other.reply or (isinstance(other.id, str) and other.id.startswith(REQUEST_ID)):
            self._take_book(other, frame, receive_ns, out)
        elif other.op:
            self._take_notification(other, frame, receive_ns, out)
        elif other.status == "error":
            self.notices.append(self._requests.take_refusal(other))
        elif other.subbed or other.unsubbed:
            self._take_acknowledgement(other.subbed or other.unsubbed, other.id, subscribed=bool(other.subbed))
        else:
            raise UnrecognizedFrame("message without topic, ping and answer")

    def _parse_topic(self, wire: str, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        parser = self._routes.get(wire)
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(wire)
        if parser is None:
            raise UnrecognizedFrame(wire)
        parser(frame, receive_ns, out)

    def _take_notification(
        self, other: OtherMessage, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]
    ) -> None:
        """A frame of the notification path: its pings, answers and data all name an operation."""
        if other.op == "notify":
            self._parse_topic(other.topic, frame, receive_ns, out)
        elif other.op == "ping":
            self.notices.append(SendText(msgspec.json.encode({"op": "pong", "ts": other.ts}).decode()))
        elif other.op in ("sub", "unsub"):
            if other.error_code:
                self.notices.append(self._requests.take_refusal(other))
            else:
                self._take_acknowledgement(other.topic, other.cid, subscribed=other.op == "sub")
        else:
            raise UnrecognizedFrame(f"operation {other.op}")

    def _take_acknowledgement(self, wire: str, request_id: str | int | None, *, subscribed: bool) -> None:
        notice = self._requests.take_acknowledgement(wire, request_id, subscribed=subscribed)
        if notice is None:
            return
        if not subscribed:
            self._routes.remove(wire)
            self.last_data_ns.pop(wire, None)
            self.held_ns.pop(wire, None)
            if (book := self._books.pop(wire, None)) is not None:
                book.close()
        self.notices.append(notice)

    def _take_book(self, other: OtherMessage, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Take the answer to a request for a snapshot."""
        wire = other.reply or str(other.id).removeprefix(REQUEST_ID)
        if wire not in self._books and self.adopt and len(self._routes) < ADOPTED_MAX:
            self._open(wire)
        book = self._books.get(wire)
        if book is None:
            raise UnrecognizedFrame(f"answer about {wire}")
        if other.status != "ok":
            book.failed(f"its snapshot: {other.error_code}: {other.error_text}", receive_ns)
            return
        try:
            answer = decode_book_answer(frame)
            snapshot = mbp_snapshot_of(self.exchange, symbol_of(wire)[0], answer.time, receive_ns, answer.data)
        except msgspec.DecodeError as error:
            book.failed(f"its snapshot cannot be read: {error}", receive_ns)
            return
        book.snapshot(snapshot, answer.data.last_id, out)
        if book.live:
            self.last_data_ns[wire] = receive_ns

    def _open(self, wire: str) -> Parser | None:
        """Accept frames of the topic `wire` from now on; None if it cannot be one."""
        parser = make_parser(self, wire, self.factories, self._open_book)
        if parser is not None:
            self._routes.add(wire, parser, head_of(wire))
        return parser

    def _open_book(self, symbol: str, wire: str) -> MbpBook:
        if (old := self._books.get(wire)) is not None:
            old.close()
        book = self._books[wire] = MbpBook(self.exchange, symbol, wire, self.notices, self._held_bytes)
        return book

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        for topic in topics:
            if (book := self._books.get(topic.wire)) is not None:
                book.resync()
        # full pictures heal themselves
        return [t for t in topics if t.channel in self.chained_books and t.wire not in self._books]

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or self.wire_of("trade", symbol) not in self._routes:
            return None
        return history_request(symbol, self.rest_path("history/trade", symbol))

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, path, body, receive_ns)

    def rest_path(self, what: str, symbol: str) -> str:
        """Return the REST path of market data about a symbol, up to the symbol."""
        return f"/market/{what}?{'type=step0&depth=5&' if what == 'depth' else ''}symbol="

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        trade_path, depth_path = (self.rest_path(what, topic.symbol) for what in ("trade", "depth"))
        return liveness_request(topic, trade_path, depth_path)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(body)

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        return "/v1/common/symbols"

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_symbols(body)

    def instrument(self, symbol: str) -> str:
        """Split at the quote currency that `symbol` ends with."""
        return spot_instrument(symbol)
