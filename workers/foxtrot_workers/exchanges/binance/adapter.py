"""Binance spot. Documents: binance/binance-spot-api-docs, ``web-socket-streams.md`` and ``rest-api.md``.

One connection carries combined streams: every frame is ``{"stream":NAME,"data":{...}}``, and the name alone
tells which parser a frame needs (`routes`). Frames of another form (raw streams, other key order, answers to requests)
take a slower path to the same parsers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import length_hint
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import UNSET

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
from foxtrot_protocol.instruments import Instrument
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter import (
    Acknowledged,
    Adapter,
    CloseAnnounced,
    Limits,
    Notice,
    RestRequest,
    SystemStatus,
    SystemTime,
    Topic,
    UnrecognizedFrame,
    VenueFacts,
)
from foxtrot_workers.adapter.rest_book import Chain
from foxtrot_workers.exchanges.binance.books import Books, symbol_of_snapshot
from foxtrot_workers.exchanges.binance.constants import (
    ADOPTED_MAX,
    AGG_TRADE_HISTORY,
    BOOK_CHANNELS,
    FACTS,
    LIMITS,
    PARTIAL_BOOK_CHANNELS,
    QUOTE_ASSETS,
    SPOT_REST,
    STREAM_NAMES,
    TRADE_HISTORY,
    Rest,
)
from foxtrot_workers.exchanges.binance.history import history_request, parse_history
from foxtrot_workers.exchanges.binance.instruments import (
    instrument_of,
    instruments_path,
    is_possible_symbol,
    listed_instruments,
    parse_instruments,
)
from foxtrot_workers.exchanges.binance.liveness import liveness_request, liveness_token
from foxtrot_workers.exchanges.binance.messages import (
    MICROS,
    MILLIS,
    OtherMessage,
    decode_event_name,
    decode_other,
)
from foxtrot_workers.exchanges.binance.mixed_bursts import SPOT_KINDS, MixedBursts
from foxtrot_workers.exchanges.binance.parsers import Parser, make_parser, symbol_of_book_stream
from foxtrot_workers.exchanges.binance.requests import Requests
from foxtrot_workers.exchanges.binance.routes import HEAD_BYTES, Routes
from foxtrot_workers.exchanges.binance.system import STATUS, system_time
from foxtrot_workers.exchanges.binance.trade_bursts import SPOT_TRADES, TradeBursts

__all__ = ["Binance"]


class Binance(Adapter):
    """``exchange = "binance"``: spot, at stream.binance.com.

    An `address` with ``timeUnit=MICROSECOND`` switches all times of the connection to microseconds.
    """

    name: ClassVar[str] = "binance"
    exchange: ClassVar[str] = "BINANCE"
    channels: ClassVar[frozenset[str]] = frozenset(STREAM_NAMES)
    url: ClassVar[str] = "wss://stream.binance.com:9443"
    symbols_have_dashes: ClassVar[bool] = False
    rest_url: ClassVar[str] = "https://api.binance.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"data-stream.binance.vision", "stream.testnet.binance.vision"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    limits: ClassVar[Limits] = LIMITS
    facts: ClassVar[VenueFacts | None] = FACTS
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "sequence",  # trade ids, and aggregate ids, count each symbol's without a gap
        EVENT_BBO: "latest",
        EVENT_BOOK: "update_ids",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
    }
    offers_status: ClassVar[bool] = True
    """Whether its REST host says whether it is in maintenance; the futures' hosts and Binance.US do not."""
    quote_assets: ClassVar[tuple[str, ...]] = QUOTE_ASSETS
    """Currencies that symbols may end with."""
    stream_names: ClassVar[Mapping[str, str]] = STREAM_NAMES
    """Configuration channel to stream name, without the symbol."""
    rest: ClassVar[Rest] = SPOT_REST
    chain: ClassVar[Chain] = Chain.NEXT
    """How updates of a book identify their predecessor."""
    trade_streams: ClassVar[Mapping[str, str]] = SPOT_TRADES
    """Streams whose bursts are parsed at once (`trade_bursts`)."""
    burst_kinds: ClassVar[Mapping[str, str]] = SPOT_KINDS
    """Streams whose frames are parsed in loops (`mixed_bursts`)."""
    histories: ClassVar[tuple[tuple[str, str, int], ...]] = (TRADE_HISTORY, AGG_TRADE_HISTORY)
    """Streams whose past trades can be fetched: stream name, REST endpoint, weight."""

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._decoders = MILLIS
        self._raw_stream = ""
        """The stream that the address names, where it names one."""
        self._books = Books(self.exchange, self.notices, self.rest, self.chain)
        self._requests = Requests(self.limits.topics_per_request)
        self._routes = Routes()
        self._by_head = self._routes.by_head
        self._bursts = TradeBursts(self.exchange, self.last_data_ns, self.trade_streams)
        self._mixed_bursts = MixedBursts(
            self.exchange,
            self.last_data_ns,
            self.held_ns,
            self.notices,
            self._routes.wire_by_head,
            self.burst_kinds,
        )

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for an unknown channel, an impossible symbol, or channels that exclude each other."""
        unknown = [channel for channel in channels if channel not in self.channels]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError("only one of book, book5, book10 and book20 fits one connection")
        if {"trade", "agg_trade"}.issubset(channels):
            raise ValueError(
                "trade and agg_trade both become eMarketTrade. but count separately: give them a connection each"
            )
        topics: dict[str, Topic] = {}
        for symbol in symbols:
            if not is_possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                wire = f"{symbol.lower()}@{self.stream_names[channel]}"
                topics.setdefault(wire, Topic(channel, symbol.upper(), wire))
        return list(topics.values())

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if PARTIAL_BOOK_CHANNELS.intersection(channels):
            rules[EVENT_BOOK] = "latest"  # every message is a full book
        return rules

    def address(self, base: str) -> str:
        """Return the address of combined streams at `base`; its path and query (``timeUnit``) are kept."""
        parts = urlsplit(base)
        path = parts.path.rstrip("/")
        if "timeunit=microsecond" in parts.query.lower():
            self._decoders = MICROS
        if "/ws/" in path:
            self._raw_stream = path.rpartition("/ws/")[2]
        elif not path.endswith(("/stream", "/ws")):
            path += "/stream"
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            if topic.wire not in self._routes:
                self._open(topic.wire)
        return self._requests.subscribe(topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        return self._requests.unsubscribe(topics)

    def list_subscriptions(self) -> list[str]:
        return self._requests.list_subscriptions()

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if self._bursts.usable and self._bursts.parse((frame,), receive_ns, out):
            return  # what a burst takes must not depend on the frames beside it
        try:
            parser = self._by_head.get(frame[:HEAD_BYTES]) or self._routes.find(frame)
            if parser is None:
                self._parse_other(frame, receive_ns, out)
            else:
                parser(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def parse_burst(
        self, frames: Sequence[bytes], start: int, stop: int, receive_ns: int, out: list[MarketEvent[str]]
    ) -> int:
        burst = frames[start:stop]
        if self._bursts.usable:
            if self._bursts.parse(burst, receive_ns, out):
                return stop
        else:
            parsed = self._mixed_bursts.parse(burst, receive_ns, out)
            if parsed:
                return start + parsed
        parser_of, notices = self._by_head.get, self.notices
        left = iter(burst)
        try:
            for frame in left:
                parser = parser_of(frame[:HEAD_BYTES])
                if parser is None:
                    return stop - length_hint(left) - 1
                parser(frame, receive_ns, out)
                if notices:
                    break
        except (msgspec.MsgspecError, RecursionError, ValueError):
            # decoding failed, before anything was done: `parse` raises it again
            return stop - length_hint(left) - 1
        return stop - length_hint(left)

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = decode_other(frame)
        if other.stream is not UNSET and other.data is not UNSET:
            self._parse_combined(other.stream, frame, other.data, receive_ns, out)
        elif other.id is not UNSET or other.error is not UNSET or other.code is not UNSET:
            self._take_answer(other)
        elif other.event == "serverShutdown":
            self.notices.append(CloseAnnounced("serverShutdown"))
        else:
            wire = self._routes.stream_of(other, self._raw_stream)
            combined = b'{"stream":%b,"data":%b}' % (msgspec.json.encode(wire), frame)
            self._parse_combined(wire, combined, msgspec.Raw(frame), receive_ns, out)

    def _parse_combined(
        self, wire: str, frame: bytes, data: msgspec.Raw, receive_ns: int, out: list[MarketEvent[str]]
    ) -> None:
        parser = self._routes.get(wire)
        if parser is None and wire == "!serverShutdown":
            self.notices.append(CloseAnnounced("serverShutdown"))
            return
        if parser is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            parser = self._open(wire)
        if parser is None:
            raise UnrecognizedFrame(decode_event_name(data).event or wire)
        parser(frame, receive_ns, out)

    def _take_answer(self, other: OtherMessage) -> None:
        notice: Notice | None
        notice = self._requests.take_list(other) if self._requests.lists(other) else self._requests.take_answer(other)
        if notice is None:
            return
        if isinstance(notice, Acknowledged) and not notice.subscribed:
            for wire in notice.wires:
                self._close(wire)
        self.notices.append(notice)

    def _open(self, wire: str) -> Parser | None:
        """Accept frames of the stream `wire` from now on; None if it cannot be one."""
        parser = self._make_parser(wire)
        if parser is not None:
            self._routes.add(wire, parser)
            self._bursts.opened(wire, self._decoders)
            book = self._books.get(symbol_of_book_stream(wire) or "")
            self._mixed_bursts.opened(wire, self._decoders, book, parser)
        return parser

    def _make_parser(self, wire: str) -> Parser | None:
        return make_parser(self, self._decoders, self._books, wire)

    def _close(self, wire: str) -> None:
        self._routes.remove(wire)
        self._bursts.closed(wire)
        self._mixed_bursts.closed(wire)
        self.frame_kinds.withdraw(wire)
        self.last_data_ns.pop(wire, None)
        symbol = symbol_of_book_stream(wire)
        if symbol is not None:
            self._books.close(symbol)

    # -- REST

    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Take the answer to a snapshot request; others are ignored."""
        symbol = symbol_of_snapshot(path)
        if symbol is None:
            return
        if self._books.get(symbol) is None:
            if not self.adopt or len(self._books) >= ADOPTED_MAX:
                return
            self._books.open(symbol, f"{symbol.lower()}@{self.stream_names['book']}")
        book = self._books.take_snapshot(symbol, status, body, receive_ns, out)
        if book is not None and book.live:
            self.last_data_ns[book.wire] = receive_ns

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        self._books.resync(topics)
        return []  # partial-depth streams need nothing: every message is a full book

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE:
            return None
        for suffix, endpoint, weight in self.histories:
            if f"{symbol.lower()}@{suffix}" in self._routes:
                return history_request(self.rest.prefix, symbol, endpoint, weight, first_id, last_id)
        return None

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        return parse_history(self.exchange, path, body, receive_ns)

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return liveness_request(self.rest, topic)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        return liveness_token(topic, body)

    def system_time(self) -> SystemTime:
        return system_time(self.rest.prefix)

    def system_status(self) -> SystemStatus | None:
        return STATUS if self.offers_status else None

    def instruments_path(self, symbols: Sequence[str]) -> str:
        return instruments_path(symbols)

    def instruments(self, body: bytes) -> dict[str, str]:
        return parse_instruments(body)

    def listed(self, body: bytes) -> list[Instrument]:
        return listed_instruments(body, lambda symbol, pair: pair)

    def instrument(self, symbol: str) -> str:
        """Split at the longest quote currency that `symbol` ends with."""
        return instrument_of(symbol, self.quote_assets)
