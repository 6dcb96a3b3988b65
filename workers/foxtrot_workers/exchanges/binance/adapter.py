"""Binance spot, its American sister, and the simulated exchange that speaks the same protocol.

Documentation: binance/binance-spot-api-docs, ``web-socket-streams.md`` and ``rest-api.md``.

One connection carries combined streams: every frame is ``{"stream":NAME,"data":{...}}``, and the name alone
tells which parser a frame needs. Frames shaped otherwise (raw streams, other key order, answers to requests)
take a slower path to the same parsers. Text of prices and sizes is passed on unchecked: whoever decodes it
into a number finds out, and one frame in a million does not pay for the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field, structs

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_MARKET_TRADE,
    EVENT_TICKER,
    Bar,
    BookDelta,
    BookSnapshot,
    MarketEvent,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.held_updates import HeldBytes
from foxtrot_workers.adapter.limits import Budget, Limits, Topic
from foxtrot_workers.adapter.notices import Acknowledged, CloseAnnounced, Refused, RestRequest, Retry, UnrecognizedFrame
from foxtrot_workers.adapter.quote_side import price_or_none, quoted
from foxtrot_workers.adapter.rest_book import RestBook

__all__ = ["Binance", "BinanceUs", "Sim"]

# ---- constants and limits

INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")

SUFFIXES = {
    "trade": "trade",
    "agg_trade": "aggTrade",
    "quote": "bookTicker",
    "book": "depth@100ms",
    "book5": "depth5@100ms",
    "book10": "depth10@100ms",
    "book20": "depth20@100ms",
    "ticker": "ticker",
    **{f"bar_{interval}": f"kline_{interval}" for interval in INTERVALS},
}
"""Configuration channel to stream name, without the symbol."""

PICTURE_CHANNELS = frozenset({"book5", "book10", "book20"})
"""Whole books of few levels, each time anew."""

BOOK_CHANNELS = PICTURE_CHANNELS | {"book"}

DEPTH_LEVELS = 1000
DEPTH_WEIGHT = 50
"""A snapshot of 5,000 levels costs 250 of the 6,000 a minute that one address may spend; 1,000 cost 50."""

STALE_CHANNEL_S = {"quote": 30.0, "book": 30.0, "book5": 30.0, "book10": 30.0, "book20": 30.0, "ticker": 60.0}
"""Seconds. Quotes and books of a liquid symbol change many times a second, the day's figures each second. Trades, and
with them bars, may rest: the connection as a whole is judged by them."""

NEVER_CODES = frozenset({0, 1, 2, 3})
"""Error codes of the stream's own: unknown property, wrong type, invalid request, invalid JSON (exchange documents,
"Live subscribing to streams", error messages)."""

PASSING_CODES = frozenset({-1000, -1001, -1003, -1006, -1007, -1008, -1015, -1016})
"""General codes that pass: unknown, disconnected (internal error), too many requests, unexpected response, timeout,
server busy, too many orders, service shutting down (exchange documents, "Error codes", section 10xx)."""

LIVENESS_LEVELS = 5
LIVENESS_DEPTH_WEIGHT = 5

HISTORY_TRADES = 1_000
"""Past trades in one answer."""

TRADE_HISTORY = ("trade", "historicalTrades", 25)
AGG_TRADE_HISTORY = ("aggTrade", "aggTrades", 4)
"""Stream, where its past is, and what a request for it costs of the 6,000 a minute."""

REQUESTS_MAX = 1_000
"""Requests whose answer is still out; the oldest is forgotten beyond it."""

ADOPTED_MAX = 10_000
"""Streams adopted in replay."""

SYMBOL_CHARS_MAX = 64

REASON_BYTES = 200
"""Of a reason that comes from outside."""

INSTRUMENTS_ASKED_MAX = 100
"""Symbols named in one exchangeInfo request; for more, the whole list is fetched."""

QUOTE_ASSETS = (
    *("FDUSD", "USDT", "BUSD", "USDC", "TUSD", "USDP", "USDS", "USD1", "EURI", "GYEN", "IDRT", "BIDR", "BKRW", "BVND"),
    *("DAI", "UST", "VAI", "PAX", "BTC", "ETH", "BNB", "TRX", "XRP", "DOT", "DOGE", "SOL", "EUR", "GBP", "AUD", "TRY"),
    *("BRL", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON", "ARS", "JPY", "MXN", "CZK", "COP"),
)
"""What Binance has quoted in. Only for want of an instrument list."""

QUOTE_ASSETS_US = ("USDT", "BUSD", "USDC", "USD", "DAI", "BTC", "ETH", "BNB")

MS = 1_000_000
US = 1_000

# ---- wire messages

_PREFIX = b'{"stream":"'
_PREFIX_LENGTH = len(_PREFIX)

HEAD_BYTES = 35
"""Of a frame: long enough for most names, short enough that what follows a short name is the same in each frame."""

HEADS_MAX = 10_000

T = TypeVar("T", bound=int)
D = TypeVar("D")

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Micros = Annotated[int, Meta(ge=0, le=(2**63 - 1) // US)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Levels: TypeAlias = list[tuple[str, str]]


class _Combined(Struct, Generic[D], gc=False):
    data: D


class _Trade(Struct, Generic[T], gc=False):
    trade_id: Id = field(name="t")
    price: str = field(name="p")
    size: str = field(name="q")
    time: T = field(name="T")
    buyer_is_maker: bool = field(name="m")


class _AggTrade(Struct, Generic[T], gc=False):
    trade_id: Id = field(name="a")
    price: str = field(name="p")
    size: str = field(name="q")
    time: T = field(name="T")
    buyer_is_maker: bool = field(name="m")


class _BookTicker(Struct, Generic[T], gc=False):
    update_id: Id = field(name="u")
    bid: str = field(name="b")
    bid_size: str = field(name="B")
    ask: str = field(name="a")
    ask_size: str = field(name="A")


class _Depth(Struct, Generic[T], gc=False):
    event_time: T = field(name="E")
    first_id: Id = field(name="U")
    last_id: Id = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")


class _Picture(Struct, gc=False):
    """A whole book: a partial depth stream's frame, or the answer to a depth request."""

    last_id: Id = field(name="lastUpdateId")
    bids: Levels
    asks: Levels


class _Kline(Struct, Generic[T], gc=False):
    start: T = field(name="t")
    interval: str = field(name="i")
    open: str = field(name="o")
    close: str = field(name="c")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    closed: bool = field(name="x")


class _KlineEvent(Struct, Generic[T], gc=False):
    event_time: T = field(name="E")
    kline: _Kline[T] = field(name="k")


class _DayTicker(Struct, Generic[T], gc=False):
    event_time: T = field(name="E")
    last: str = field(name="c")
    bid: str | None = field(name="b", default=None)
    bid_size: str | None = field(name="B", default=None)
    ask: str | None = field(name="a", default=None)
    ask_size: str | None = field(name="A", default=None)
    open: str | None = field(name="o", default=None)
    high: str | None = field(name="h", default=None)
    low: str | None = field(name="l", default=None)
    volume: str | None = field(name="v", default=None)
    turnover: str | None = field(name="q", default=None)


class _ErrorBody(Struct):
    code: int | str | None = None
    msg: str | None = None


class _Interval(Struct):
    interval: str = field(name="i", default="")


class _Other(Struct):
    """Whatever did not take the fast path: every field that can tell what it is."""

    stream: str | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    id: int | str | UnsetType | None = UNSET
    error: _ErrorBody | UnsetType | None = UNSET
    code: int | str | UnsetType = UNSET
    msg: str | UnsetType = UNSET
    event: str = field(name="e", default="")
    symbol: str = field(name="s", default="")
    update_id: msgspec.Raw | UnsetType = field(name="u", default=UNSET)
    bid: msgspec.Raw | UnsetType = field(name="b", default=UNSET)
    kline: _Interval | UnsetType = field(name="k", default=UNSET)
    last_update_id: msgspec.Raw | UnsetType = field(name="lastUpdateId", default=UNSET)


class _EventName(Struct):
    event: str = field(name="e", default="")


class _Asset(Struct):
    symbol: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")


class _ExchangeInfo(Struct):
    symbols: list[_Asset]


class _PastTrade(Struct, gc=False):
    trade_id: Id = field(name="id")
    price: str
    size: str = field(name="qty")
    time: Millis
    buyer_is_maker: bool = field(name="isBuyerMaker")


class _Request(Struct):
    method: str
    params: list[str]
    id: int


_decode_other = msgspec.json.Decoder(_Other).decode
_decode_event_name = msgspec.json.Decoder(_EventName).decode
_decode_picture = msgspec.json.Decoder(_Picture).decode
_decode_past_trades = msgspec.json.Decoder(list[_PastTrade]).decode
_decode_past_agg_trades = msgspec.json.Decoder(list[_AggTrade[Millis]]).decode
_decode_exchange_info = msgspec.json.Decoder(_ExchangeInfo).decode

# ---- parsers: each is made for one stream and appends what its frames mean

Parser: TypeAlias = Callable[[bytes, int, list[MarketEvent[str]]], None]

_SUFFIX = re.compile(
    r"(?P<kind>trade|aggTrade|bookTicker|ticker|depth|depth5|depth10|depth20|"
    rf"kline_(?:{'|'.join(INTERVALS)}))(?:@100ms|@1000ms)?"
)


def _retry_of(code: int | str | None) -> Retry:
    """What a refusal with this error code means; those without a known meaning are retried."""
    try:
        number = int(code) if code is not None else -1000
    except ValueError:
        return "later"
    if number in NEVER_CODES or (number not in PASSING_CODES and -1199 <= number <= -1100):
        return "never"  # -11xx: the request itself is wrong, as an unknown symbol (-1121)
    return "later"


class _Decoders:
    """Decoders for one unit of time: a connection says milliseconds or microseconds, never both."""

    def __init__(self, unit: Any, ns: int) -> None:
        self.ns = ns
        self.trade = msgspec.json.Decoder(_Combined[_Trade[unit]]).decode
        self.agg_trade = msgspec.json.Decoder(_Combined[_AggTrade[unit]]).decode
        self.book_ticker = msgspec.json.Decoder(_Combined[_BookTicker[unit]]).decode
        self.depth = msgspec.json.Decoder(_Combined[_Depth[unit]]).decode
        self.picture = msgspec.json.Decoder(_Combined[_Picture]).decode
        self.kline = msgspec.json.Decoder(_Combined[_KlineEvent[unit]]).decode
        self.day_ticker = msgspec.json.Decoder(_Combined[_DayTicker[unit]]).decode


_MILLIS = _Decoders(Millis, MS)
_MICROS = _Decoders(Micros, US)


class Binance(Adapter):
    """``exchange = "binance"``: spot, at stream.binance.com.

    An `address` with ``timeUnit=MICROSECOND`` switches all times of the connection.
    """

    name: ClassVar[str] = "binance"
    exchange: ClassVar[str] = "BINANCE"
    channels: ClassVar[frozenset[str]] = frozenset(SUFFIXES)
    url: ClassVar[str] = "wss://stream.binance.com:9443"
    rest_url: ClassVar[str] = "https://api.binance.com"
    hosts: ClassVar[frozenset[str]] = frozenset({"data-stream.binance.vision", "stream.testnet.binance.vision"})
    symbol_case: ClassVar[SymbolCase] = "upper"
    quote_assets: ClassVar[tuple[str, ...]] = QUOTE_ASSETS
    histories: ClassVar[tuple[tuple[str, str, int], ...]] = (TRADE_HISTORY, AGG_TRADE_HISTORY)
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "sequence",  # trade ids, and aggregate ids, count each symbol's without a hole
        EVENT_BBO: "latest",
        EVENT_BOOK: "update_ids",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
    }
    limits: ClassVar[Limits] = Limits(
        silence_s=45.0,  # the server pings every 20 s: two missed
        send_interval_s=0.5,  # 5 a second are allowed, yet 250 ms apart was measured to be closed with 1008
        topics_max=1024,
        topics_per_request=200,
        lifetime_s=24 * 3600.0,
        connects=Budget(300, 300.0),
        rest_weight=Budget(6000, 60.0),
        instruments_weight=20,
        stale_channel_s=STALE_CHANNEL_S,
    )

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._decoders = _MILLIS
        self._routes: dict[bytes, Parser] = {}
        """By the beginning of a frame, up to the end of the stream's name: one look-up checks it all."""
        self._heads: dict[bytes, Parser] = {}
        """Routes again, by so many first bytes of frames seen: to look for the name's end takes longer than this."""
        self._books: dict[str, RestBook] = {}
        self._held_bytes = HeldBytes()
        self._requests: dict[int, tuple[bool, tuple[str, ...]]] = {}
        self._last_request = 0
        self._leaving: set[str] = set()
        self._raw_stream = ""

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for a channel or symbol that cannot be, or two books of one symbol."""
        unknown = [channel for channel in channels if channel not in SUFFIXES]
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
            if not _possible_symbol(symbol):
                raise ValueError(f"{symbol!r} cannot be a symbol of {self.name}")
            for channel in channels:
                wire = f"{symbol.lower()}@{SUFFIXES[channel]}"
                topics.setdefault(wire, Topic(channel, symbol.upper(), wire))
        return list(topics.values())

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if PICTURE_CHANNELS.intersection(channels):
            rules[EVENT_BOOK] = "latest"  # each picture stands for itself
        return rules

    def address(self, base: str) -> str:
        """Combined streams at `base`; what stands there already (path, timeUnit) is kept."""
        parts = urlsplit(base)
        path = parts.path.rstrip("/")
        if "timeunit=microsecond" in parts.query.lower():
            self._decoders = _MICROS
        if "/ws/" in path:
            self._raw_stream = path.rpartition("/ws/")[2]
        elif not path.endswith(("/stream", "/ws")):
            path += "/stream"
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            self._leaving.discard(topic.wire)
            if _start(topic.wire) not in self._routes:
                self._route(topic.wire)
        return self._request("SUBSCRIBE", topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        self._leaving.update(topic.wire for topic in topics)
        return self._request("UNSUBSCRIBE", topics)

    def _request(self, method: str, topics: Sequence[Topic]) -> list[str]:
        texts = []
        step = self.limits.topics_per_request
        for start in range(0, len(topics), step):
            wires = tuple(topic.wire for topic in topics[start : start + step])
            self._last_request += 1
            if len(self._requests) >= REQUESTS_MAX:
                del self._requests[next(iter(self._requests))]
            self._requests[self._last_request] = (method == "SUBSCRIBE", wires)
            texts.append(msgspec.json.encode(_Request(method, list(wires), self._last_request)).decode())
        return texts

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            route = self._heads.get(frame[:HEAD_BYTES]) or self._find_route(frame)
            if route is None:
                self._parse_other(frame, receive_ns, out)
            else:
                route(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _find_route(self, frame: bytes) -> Parser | None:
        end = frame.find(b'"', _PREFIX_LENGTH)
        route = self._routes.get(frame[:end])
        if route is not None and end < HEAD_BYTES and len(self._heads) < HEADS_MAX:
            # the head holds the whole name and the quotation mark after it: no other stream's frame begins so
            self._heads[frame[:HEAD_BYTES]] = route
        return route

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        other = _decode_other(frame)
        if other.stream is not UNSET and other.data is not UNSET:
            self._parse_named(other.stream, frame, other.data, receive_ns, out)
        elif other.id is not UNSET or other.error is not UNSET or other.code is not UNSET:
            self._parse_answer(other)
        elif other.event == "serverShutdown":
            self.notices.append(CloseAnnounced("serverShutdown"))
        else:
            wire = self._wire_of(other)
            combined = b'{"stream":%b,"data":%b}' % (msgspec.json.encode(wire), frame)
            self._parse_named(wire, combined, msgspec.Raw(frame), receive_ns, out)

    def _parse_named(
        self, wire: str, frame: bytes, data: msgspec.Raw, receive_ns: int, out: list[MarketEvent[str]]
    ) -> None:
        route = self._routes.get(_start(wire))
        if route is None and wire == "!serverShutdown":
            self.notices.append(CloseAnnounced("serverShutdown"))
            return
        if route is None and self.adopt and len(self._routes) < ADOPTED_MAX:
            route = self._route(wire)
        if route is None:
            raise UnrecognizedFrame(_decode_event_name(data).event or wire)
        route(frame, receive_ns, out)

    def _parse_answer(self, other: _Other) -> None:
        error = other.error or None
        if error is None and other.code is not UNSET:
            error = _ErrorBody(other.code, other.msg or None)
        request = self._requests.pop(other.id, None) if isinstance(other.id, int) else None
        if other.id in (UNSET, None) and error is not None and self._requests:
            # an error without the request's id: requests are answered in their order
            request = self._requests.pop(next(iter(self._requests)))
        subscribed, wires = request or (True, ())
        if error is not None:
            if subscribed:
                retry = _retry_of(error.code)
                # one bad stream spoils a whole request; a passing refusal means all of it
                self.notices.append(Refused(wires, f"{error.code}: {error.msg}", retry, exact=retry != "never"))
        elif request is not None and subscribed:
            self.notices.append(Acknowledged(wires))
        elif request is not None:
            # a stream asked for again since then has not left
            gone = tuple(wire for wire in wires if wire in self._leaving)
            for wire in gone:
                self._forget(wire)
            if gone:
                self.notices.append(Acknowledged(gone, subscribed=False))

    def _wire_of(self, other: _Other) -> str:
        """The stream of a frame that does not name it."""
        symbol = other.symbol.lower()
        if other.event in ("trade", "aggTrade"):
            return f"{symbol}@{other.event}"
        if other.event == "24hrTicker":
            return f"{symbol}@ticker"
        if other.event == "kline" and other.kline is not UNSET:
            return f"{symbol}@kline_{other.kline.interval}"
        if other.event == "depthUpdate":
            fast = f"{symbol}@depth@100ms"
            slow = f"{symbol}@depth"
            return slow if _start(slow) in self._routes and _start(fast) not in self._routes else fast
        if other.event in ("", "bookTicker") and symbol and other.update_id is not UNSET and other.bid is not UNSET:
            return f"{symbol}@bookTicker"
        if other.last_update_id is not UNSET and self._raw_stream:
            return self._raw_stream
        raise UnrecognizedFrame(other.event or "message without event name")

    # -- routes

    def _route(self, wire: str) -> Parser | None:
        symbol, _, suffix = wire.partition("@")
        match = _SUFFIX.fullmatch(suffix)
        if match is None or not _possible_symbol(symbol):
            return None
        kind = match["kind"]
        make = _PARSERS.get(kind) or (_partial_parser if kind.startswith("depth") else _kline_parser)
        parser = make(self, wire, symbol.upper())
        self._routes[_start(wire)] = parser
        return parser

    def _forget(self, wire: str) -> None:
        self._leaving.discard(wire)
        self._routes.pop(_start(wire), None)
        self._heads.clear()
        self.last_data_ns.pop(wire, None)
        symbol, _, suffix = wire.partition("@")
        if suffix in ("depth", "depth@100ms"):
            book = self._books.pop(symbol.upper(), None)
            if book is not None:
                book.close()

    def _book(self, symbol: str, wire: str) -> RestBook:
        book = self._books.get(symbol)
        if book is None:
            path = f"/api/v3/depth?symbol={quote(symbol)}&limit={DEPTH_LEVELS}"
            request = RestRequest(f"depth {symbol}", path, DEPTH_WEIGHT)
            book = RestBook(self.exchange, symbol, wire, request, shared=self._held_bytes)
            self._books[symbol] = book
        return book

    # -- REST

    def on_rest(self, path: str, status: int, body: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        """Takes ``…/depth?symbol=…`` of any API version; other answers are not its business."""
        parts = urlsplit(path)
        symbol = parse_qs(parts.query).get("symbol", [""])[0].upper()
        if not parts.path.endswith("/depth") or not _possible_symbol(symbol):
            return
        book = self._books.get(symbol)
        if book is None:
            if not self.adopt or len(self._books) >= ADOPTED_MAX:
                return
            book = self._book(symbol, f"{symbol.lower()}@depth@100ms")
        if status != 200:
            said = body[:REASON_BYTES].decode(errors="replace")
            book.failed(f"its snapshot: status {status}" if status else f"its snapshot: {said}", self.notices)
            return
        try:
            picture = _decode_picture(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            book.failed(f"its snapshot cannot be read: {error}"[:REASON_BYTES], self.notices)
            return
        snapshot = BookSnapshot(
            self.exchange, symbol, 0, receive_ns, picture.bids, picture.asks, None, str(picture.last_id), None
        )
        book.snapshot(snapshot, picture.last_id, out, self.notices)
        if book.live:
            self.last_data_ns[book.wire] = receive_ns

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        for topic in topics:
            book = self._books.get(topic.symbol.upper())
            if book is not None and book.wire == topic.wire:
                book.resync(self.notices)
        return []  # pictures stand for themselves

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE:
            return None
        for suffix, name, weight in self.histories:
            if _start(f"{symbol.lower()}@{suffix}") in self._routes:
                # one more than is asked for: if it comes, the exchange has no others
                limit = min(last_id - first_id + 2, HISTORY_TRADES)
                path = f"/api/v3/{name}?symbol={quote(symbol)}&fromId={first_id}&limit={limit}"
                return RestRequest(f"trades {symbol}", path, weight)
        return None

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        """Times of REST are milliseconds, whatever unit the stream has."""
        parts = urlsplit(path)
        symbol = parse_qs(parts.query).get("symbol", [""])[0]
        decode: Callable[[bytes], Sequence[_PastTrade | _AggTrade[Any]]]
        decode = _decode_past_agg_trades if parts.path.endswith("/aggTrades") else _decode_past_trades
        try:
            rows = decode(body)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None
        return [
            Trade(
                self.exchange,
                symbol,
                row.time * MS,
                receive_ns,
                row.price,
                row.size,
                "sell" if row.buyer_is_maker else "buy",
                str(row.trade_id),
            )
            for row in rows
        ]

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        """The newest trade, or the best levels, whichever the channel follows."""
        symbol = quote(topic.symbol)
        if topic.channel == "quote" or topic.channel in BOOK_CHANNELS:
            path = f"/api/v3/depth?symbol={symbol}&limit={LIVENESS_LEVELS}"
            return RestRequest("liveness", path, LIVENESS_DEPTH_WEIGHT)
        _, name, weight = AGG_TRADE_HISTORY
        return RestRequest("liveness", f"/api/v3/{name}?symbol={symbol}&limit=1", weight)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        if topic.channel == "quote" or topic.channel in BOOK_CHANNELS:
            picture = _decode_picture(body)
            if topic.channel == "book":
                return str(picture.last_id)
            shown = 1 if topic.channel == "quote" else LIVENESS_LEVELS
            return f"{picture.bids[:shown]} {picture.asks[:shown]}"
        return " ".join(str(row.trade_id) for row in _decode_past_agg_trades(body))

    def instruments_path(self, symbols: Sequence[str]) -> str:
        if not 0 < len(symbols) <= INSTRUMENTS_ASKED_MAX:
            return "/api/v3/exchangeInfo"
        names = msgspec.json.encode([symbol.upper() for symbol in symbols]).decode()
        return f"/api/v3/exchangeInfo?symbols={quote(names)}"

    def instruments(self, body: bytes) -> dict[str, str]:
        return {asset.symbol: f"{asset.base}-{asset.quote}" for asset in _decode_exchange_info(body).symbols}

    def instrument(self, symbol: str) -> str:
        """Split at the longest quote currency that `symbol` ends with."""
        fitting = [asset for asset in self.quote_assets if symbol.endswith(asset) and len(symbol) > len(asset)]
        if not fitting:
            return symbol
        asset = max(fitting, key=len)
        return f"{symbol.removesuffix(asset)}-{asset}"


class BinanceUs(Binance):
    """``exchange = "binance_us"``."""

    name: ClassVar[str] = "binance_us"
    exchange: ClassVar[str] = "BINANCE_US"
    url: ClassVar[str] = "wss://stream.binance.us:9443"
    rest_url: ClassVar[str] = "https://api.binance.us"
    quote_assets: ClassVar[tuple[str, ...]] = QUOTE_ASSETS_US
    limits: ClassVar[Limits] = structs.replace(Binance.limits, rest_weight=Budget(1200, 60.0))
    histories: ClassVar[tuple[tuple[str, str, int], ...]] = (AGG_TRADE_HISTORY,)  # the other one asks for a key
    hosts: ClassVar[frozenset[str]] = frozenset()


class Sim(Binance):
    """``exchange = "sim"``: the simulated exchange; its addresses are filled in when it has started."""

    name: ClassVar[str] = "sim"
    exchange: ClassVar[str] = "SIM"
    url: ClassVar[str] = "ws://127.0.0.1"
    limits: ClassVar[Limits] = structs.replace(Binance.limits, connects=Budget(), rest_weight=Budget())
    rest_url: ClassVar[str] = "http://127.0.0.1"
    hosts: ClassVar[frozenset[str]] = frozenset()


def _start(wire: str) -> bytes:
    """How a combined frame of this stream begins, before the quotation mark that ends the name."""
    return _PREFIX + wire.encode()


def _possible_symbol(symbol: str) -> bool:
    """Letters of any script occur in symbols; what would break a stream name or a query does not."""
    return 0 < len(symbol) <= SYMBOL_CHARS_MAX and symbol.isprintable() and not set(symbol) & set(" @/!&?#\"'\\%")


def _trade_parser(adapter: Binance, wire: str, symbol: str) -> Parser:
    decoders = adapter._decoders
    return _make_trade_parser(adapter, wire, symbol, decoders.trade, decoders.ns)


def _agg_trade_parser(adapter: Binance, wire: str, symbol: str) -> Parser:
    decoders = adapter._decoders
    return _make_trade_parser(adapter, wire, symbol, decoders.agg_trade, decoders.ns)


def _make_trade_parser(
    adapter: Binance, wire: str, symbol: str, decode: Callable[[bytes], _Combined[Any]], ns: int
) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns

    def parse_trade(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        out.append(
            Trade(
                exchange,
                symbol,
                data.time * ns,
                receive_ns,
                data.price,
                data.size,
                "sell" if data.buyer_is_maker else "buy",  # the maker's counterpart is the taker
                str(data.trade_id),
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_trade


def _quote_parser(adapter: Binance, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    decode = adapter._decoders.book_ticker

    def parse_quote(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        bid: str | None
        ask: str | None
        bid_size: str | None
        ask_size: str | None
        price, size = bid, bid_size = data.bid, data.bid_size
        # No zero passes these comparisons, however it is written; they take a tenth of the call that they spare.
        if (price < "1" and (price < "0.1" or price >= "0/")) or (size < "1" and (size < "0.1" or size >= "0/")):
            bid, bid_size = quoted(price, size)
        price, size = ask, ask_size = data.ask, data.ask_size
        if (price < "1" and (price < "0.1" or price >= "0/")) or (size < "1" and (size < "0.1" or size >= "0/")):
            ask, ask_size = quoted(price, size)
        out.append(Quote(exchange, symbol, 0, receive_ns, bid, bid_size, ask, ask_size, str(data.update_id)))
        last_data_ns[wire] = receive_ns

    return parse_quote


def _depth_parser(adapter: Binance, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    held_ns = adapter.held_ns
    notices = adapter.notices
    decode = adapter._decoders.depth
    ns = adapter._decoders.ns
    book = adapter._book(symbol, wire)

    def parse_book_delta(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        first = data.first_id
        last = data.last_id
        event = BookDelta(
            exchange,
            symbol,
            data.event_time * ns,
            receive_ns,
            data.bids,
            data.asks,
            str(first),
            str(last),
            None,
        )
        book.delta(event, first, last, None, out, notices)
        if book.live:  # a book that waits for its snapshot does not flow
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_book_delta


def _partial_parser(adapter: Binance, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    decode = adapter._decoders.picture

    def parse_book_picture(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        out.append(BookSnapshot(exchange, symbol, 0, receive_ns, data.bids, data.asks, None, str(data.last_id), None))
        last_data_ns[wire] = receive_ns

    return parse_book_picture


def _kline_parser(adapter: Binance, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    decode = adapter._decoders.kline
    ns = adapter._decoders.ns

    def parse_bar(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        bar = data.kline
        out.append(
            Bar(
                exchange,
                symbol,
                data.event_time * ns,
                receive_ns,
                bar.interval,
                bar.start * ns,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                bar.closed,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_bar


def _ticker_parser(adapter: Binance, wire: str, symbol: str) -> Parser:
    exchange = adapter.exchange
    last_data_ns = adapter.last_data_ns
    decode = adapter._decoders.day_ticker
    ns = adapter._decoders.ns

    def parse_ticker(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        data = decode(frame).data
        out.append(
            Ticker(
                exchange,
                symbol,
                data.event_time * ns,
                receive_ns,
                data.last,
                data.open,
                data.high,
                data.low,
                data.volume,
                data.turnover,
                price_or_none(data.bid),
                data.bid_size,
                price_or_none(data.ask),
                data.ask_size,
            )
        )
        last_data_ns[wire] = receive_ns

    return parse_ticker


_PARSERS: dict[str, Callable[[Binance, str, str], Parser]] = {
    "trade": _trade_parser,
    "aggTrade": _agg_trade_parser,
    "bookTicker": _quote_parser,
    "depth": _depth_parser,
    "ticker": _ticker_parser,
}
