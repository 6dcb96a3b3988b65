"""OKX v5, public and business channels.

Documentation: OKX v5 API, WebSocket, "Public Channel" and "Connect"; order book checksum as documented until
its end in June 2026.

Every data frame begins with ``{"arg":{"channel":…,"instId":…}``; these bytes, as they come, are the key to the
frame's parser, so that the frame is decoded once, with the type of its channel. The first frame of an
unfamiliar spelling (other key order, further keys, white space) is read twice, and its spelling remembered.

Sizes of derivatives are contracts. Text of prices and sizes is passed on unchecked; whoever decodes it into a
number finds out.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from foxtrot_protocol.events import (
    EVENT_BAR,
    EVENT_BBO,
    EVENT_BOOK,
    EVENT_FUNDING,
    EVENT_MARK_PRICE,
    EVENT_MARKET_TRADE,
    EVENT_OPEN_INTEREST,
    EVENT_TICKER,
    Bar,
    BookDelta,
    BookSnapshot,
    Funding,
    MarketEvent,
    MarkPrice,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from foxtrot_protocol.identity import IdentityRule
from foxtrot_protocol.order_book import OrderBook
from foxtrot_protocol.symbols import SymbolCase
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.adapter.limits import Budget, Limits, Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    CloseAnnounced,
    Pong,
    Refused,
    RestRequest,
    Retry,
    SendText,
    UnrecognizedFrame,
)
from foxtrot_workers.adapter.quote_side import EMPTY_SIDE, price_or_none, quoted

__all__ = ["Okx", "book_checksum"]

# ---- constants and limits

INTERVALS = (
    *("1s", "1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H", "6H", "12H", "1D", "2D", "3D", "5D", "1W", "1M", "3M"),
    *("6Hutc", "12Hutc", "1Dutc", "2Dutc", "3Dutc", "5Dutc", "1Wutc", "1Mutc", "3Mutc"),
)

CHANNELS = {
    "trade": "trades",
    "quote": "bbo-tbt",
    "book": "books",
    "book5": "books5",
    "book50_l2_tbt": "books50-l2-tbt",
    "book_l2_tbt": "books-l2-tbt",
    "ticker": "tickers",
    "funding": "funding-rate",
    "mark_price": "mark-price",
    "open_interest": "open-interest",
    **{f"bar_{interval}": f"candle{interval}" for interval in INTERVALS},
}
"""Configuration channel to the exchange's."""

BOOK_CHANNELS = frozenset({"book", "book5", "book50_l2_tbt", "book_l2_tbt"})

BUSINESS_CHANNELS = frozenset(channel for channel in CHANNELS if channel.startswith("bar_"))
"""Served at another path: they need a connection of their own."""

PUBLIC_PATH = "/ws/v5/public"
BUSINESS_PATH = "/ws/v5/business"

CHECKSUM_LEVELS = 25

INSTRUMENTS_PATH = "/api/v5/public/instruments"
HISTORY_PATH = "/api/v5/market/history-trades"
HISTORY_TRADES = 100
"""Past trades in one answer."""
HISTORY_WEIGHT = 2
"""Of past trades 20 requests in 2 s are allowed, of what weighs 1 twice as many."""

NEVER_CODES = frozenset(
    {"60008", "60011", "60012", "60013", "60018", "60019", "60027", "60028", "60029", "60030", "64003"}
)
"""Refusals that no repetition changes: wrong address, login needed, illegal request or arguments, channel or instrument
that does not exist, not entitled (exchange documents, "WebSocket error codes"). All others are retried later, as 50001
(maintenance), 50011 and 60014 (too many requests), 50013 and 50026 (busy, system error), 63999 (internal error)."""

NOW_CODES = frozenset({"50004"})
"""Refusals that allow another attempt at once: the endpoint timed out."""

STALE_CHANNEL_S = {
    **dict.fromkeys(("quote", "book", "book5", "book50_l2_tbt", "book_l2_tbt"), 30.0),
    **dict.fromkeys(("ticker", "mark_price", "open_interest"), 60.0),
    "funding": 300.0,
}
"""Seconds. Pushes come each 10 to 100 ms while a book or quote changes, at least each few seconds for prices and open
interest, each minute or so for funding. Trades and candles may rest."""

REQUEST_BYTES_MAX = 60 * 1024
"""The exchange takes 64 KB of arguments in one request."""

REQUESTS_MAX = 1_000
"""Requests whose arguments are remembered in case they are refused; the oldest is forgotten beyond it."""

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SPELLINGS_MAX = 4 * ADOPTED_MAX
"""Beginnings of frames that are remembered, all topics together."""

INSTRUMENT_CHARS_MAX = 64

MONTHS = "FGHJKMNQUVXZ"

MS = 1_000_000

# ---- wire messages

R = TypeVar("R")

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
"""Sent as text; the decoders are not strict, hence read it as a number."""
Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class _Level(Struct, array_like=True, gc=False):
    """Then follow a "0" and the number of orders."""

    price: str
    size: str


class _Push(Struct, Generic[R], gc=False):
    data: list[R]
    action: Literal["snapshot", "update"] | None = None


class _Trade(Struct, gc=False):
    trade_id: str = field(name="tradeId")
    price: str = field(name="px")
    size: str = field(name="sz")
    side: Literal["buy", "sell"]
    time: Millis = field(name="ts")
    count: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """Fills that are merged in this trade; older recordings have none."""


class _Book(Struct, gc=False):
    asks: list[_Level]
    bids: list[_Level]
    time: Millis = field(name="ts")
    checksum: Annotated[int, Meta(ge=-(2**31), le=2**32 - 1)] | None = None
    previous_id: Id | None = field(name="prevSeqId", default=None)
    last_id: Id | None = field(name="seqId", default=None)


class _Ticker(Struct, gc=False):
    last: str
    time: Millis = field(name="ts")
    ask: str | None = field(name="askPx", default=None)
    ask_size: str | None = field(name="askSz", default=None)
    bid: str | None = field(name="bidPx", default=None)
    bid_size: str | None = field(name="bidSz", default=None)
    open: str | None = field(name="open24h", default=None)
    high: str | None = field(name="high24h", default=None)
    low: str | None = field(name="low24h", default=None)
    turnover: str | None = field(name="volCcy24h", default=None)
    volume: str | None = field(name="vol24h", default=None)


class _Candle(Struct, array_like=True, gc=False):
    """Before 2022 the last two were not sent, and nothing told whether a candle was closed."""

    start: Millis
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str = ""
    turnover_quote: str = ""
    confirm: str = "0"


class _Funding(Struct, gc=False):
    rate: str = field(name="fundingRate")
    due: Millis = field(name="fundingTime")
    time: Millis | None = field(name="ts", default=None)


class _MarkPrice(Struct, gc=False):
    price: str = field(name="markPx")
    time: Millis = field(name="ts")


class _OpenInterest(Struct, gc=False):
    size: str = field(name="oi")
    time: Millis = field(name="ts")


class _Arg(Struct, frozen=True):
    channel: str = ""
    instrument: str = field(name="instId", default="")


class _Other(Struct):
    """Whatever did not take the fast path: every field that can tell what it is."""

    arg: _Arg | None = None
    event: str = ""
    data: msgspec.Raw | UnsetType = UNSET
    id: str | None = None
    code: str | int = ""
    msg: str = ""


class _Beginning(Struct):
    arg: _Arg


class _Request(Struct):
    id: str
    op: str
    args: list[_Arg]


class _PastTrade(_Trade, gc=False, kw_only=True):
    instrument: str = field(name="instId")


class _PastTrades(Struct):
    data: list[_PastTrade] = []
    code: str | int = ""
    msg: str = ""


class _LivenessRow(Struct):
    """What changes with new data; times do not count, since an answer bears that of the request."""

    trade_id: str = field(name="tradeId", default="")
    last: str = ""
    last_size: str = field(name="lastSz", default="")
    asks: list[list[str]] = []
    bids: list[list[str]] = []


class _Liveness(Struct):
    data: list[_LivenessRow] = []
    code: str | int = ""
    msg: str = ""


_LIVENESS = {
    "trade": "trades?limit=1&",
    "ticker": "ticker?",
    "quote": "books?sz=1&",
    "book": "books?sz=5&",
}
"""By channel: the end of the path of a cheap look at the same data."""


class _Instrument(Struct):
    instrument: str = field(name="instId")


class _InstrumentList(Struct):
    data: list[_Instrument]


def _decoder(row: Any) -> Callable[[bytes], _Push[Any]]:
    decode: Callable[[bytes], _Push[Any]] = msgspec.json.Decoder(_Push[row], strict=False).decode
    return decode


_decode_other = msgspec.json.Decoder(_Other).decode
_decode_beginning = msgspec.json.Decoder(_Beginning).decode
_decode_liveness = msgspec.json.Decoder(_Liveness).decode
_decode_instruments = msgspec.json.Decoder(_InstrumentList).decode
_decode_past_trades = msgspec.json.Decoder(_PastTrades, strict=False).decode
_decode_trades = _decoder(_Trade)
_decode_books = _decoder(_Book)
_decode_tickers = _decoder(_Ticker)
_decode_candles = _decoder(_Candle)
_decode_funding = _decoder(_Funding)
_decode_mark_prices = _decoder(_MarkPrice)
_decode_open_interest = _decoder(_OpenInterest)

# ---- parsers: each is made for one topic and appends what its frames mean

Parser: TypeAlias = Callable[[bytes, int, list[MarketEvent[str]]], None]

_REFUSED_ARG = re.compile(r"channel:(?P<channel>[^,\s]+),\s*instId:(?P<instrument>[^,\s]+)")

_SERVICE_UPGRADE = "64008"


def book_checksum(book: OrderBook[str]) -> int:
    """CRC32 over the best 25 levels, bid and ask by turns, in the exchange's own digits; unsigned."""
    bids = book.best_bids(CHECKSUM_LEVELS)
    asks = book.best_asks(CHECKSUM_LEVELS)
    pairs = zip_longest(bids, asks, fillvalue=())
    return zlib.crc32(":".join(chain.from_iterable(chain.from_iterable(pairs))).encode())


class Okx(Adapter):
    """``exchange = "okx"``.

    Candles are served at another path than everything else. `topics` settles which one `address` names, so
    it comes first, and a connection has either kind of channel.
    """

    name: ClassVar[str] = "okx"
    exchange: ClassVar[str] = "OKX"
    channels: ClassVar[frozenset[str]] = frozenset(CHANNELS)
    url: ClassVar[str] = "wss://ws.okx.com:8443" + PUBLIC_PATH
    rest_url: ClassVar[str] = "https://www.okx.com"
    symbol_case: ClassVar[SymbolCase] = "upper"
    backfill_order: ClassVar[Literal["forward", "backward"]] = "backward"
    hosts: ClassVar[frozenset[str]] = frozenset({"okx.com", "okex.com"})
    identities: ClassVar[Mapping[str, IdentityRule]] = {
        EVENT_MARKET_TRADE: "increasing",  # a frame may stand for several fills: ids leap
        EVENT_BBO: "latest",
        EVENT_BOOK: "chained",
        EVENT_TICKER: "latest",
        EVENT_BAR: "latest",
        EVENT_FUNDING: "latest",
        EVENT_MARK_PRICE: "latest",
        EVENT_OPEN_INTEREST: "latest",
    }
    limits: ClassVar[Limits] = Limits(
        silence_s=30.0,
        send_interval_s=0.1,
        topics_per_request=100,
        ping_text="ping",
        connects=Budget(3, 1.0),
        rest_weight=Budget(40, 2.0),  # books; what allows less weighs more
        stale_channel_s=STALE_CHANNEL_S,
        ping_idle_s=15.0,  # the server closes at 30 s: this leaves as long for the answer
    )

    def __init__(self, *, adopt: bool = False) -> None:
        super().__init__(adopt=adopt)
        self._parsers: dict[_Arg, Parser] = {}
        self._routes: dict[bytes, Parser] = {}
        """By the beginning of a frame, up to the end of its argument."""
        self._spellings: dict[_Arg, list[bytes]] = {}
        self._requests: dict[str, tuple[str, ...]] = {}
        self._last_request = 0
        self._leaving: set[_Arg] = set()
        self._business = False

    # -- topics and requests

    def topics(self, channels: Sequence[str], symbols: Sequence[str]) -> list[Topic]:
        """Raises ValueError for a channel or symbol that cannot be, or channels that do not go together."""
        unknown = [channel for channel in channels if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"{self.name} has no channel {unknown[0]!r}")
        if len(BOOK_CHANNELS.intersection(channels)) > 1:
            raise ValueError(f"only one of {', '.join(sorted(BOOK_CHANNELS))} fits one connection")
        business = BUSINESS_CHANNELS.intersection(channels)
        if business and not business.issuperset(channels):
            raise ValueError("bar_… channels are served at another address: they need a connection of their own")
        self._business = bool(business)
        topics: dict[str, Topic] = {}
        for symbol in self.canonical(symbols):
            if not _possible_instrument(symbol):
                raise ValueError(f"{symbol!r} cannot be an instrument of {self.name}")
            for channel in channels:
                wire = f"{CHANNELS[channel]}:{symbol}"
                topics.setdefault(wire, Topic(channel, symbol, wire))
        return list(topics.values())

    def identity_rules(self, channels: Sequence[str]) -> dict[str, IdentityRule]:
        rules = super().identity_rules(channels)
        if "book5" in channels:
            rules[EVENT_BOOK] = "latest"  # each picture stands for itself
        return rules

    def address(self, base: str) -> str:
        """`base` with the path that the topics need; a path of another kind is kept."""
        parts = urlsplit(base)
        path = parts.path
        if path in ("", "/", PUBLIC_PATH, BUSINESS_PATH):
            path = BUSINESS_PATH if self._business else PUBLIC_PATH
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    def subscribe(self, topics: Sequence[Topic]) -> list[str]:
        for topic in topics:
            arg = _arg_of(topic.wire)
            self._leaving.discard(arg)
            if arg not in self._parsers:
                self._open(arg)
        return self._request("subscribe", topics)

    def unsubscribe(self, topics: Sequence[Topic]) -> list[str]:
        self._leaving.update(_arg_of(topic.wire) for topic in topics)
        return self._request("unsubscribe", topics)

    def _request(self, operation: str, topics: Sequence[Topic]) -> list[str]:
        texts: list[str] = []
        batch: list[Topic] = []
        size_bytes = 0
        for topic in topics:
            topic_bytes = len(topic.wire.encode()) + len('{"channel":"","instId":""},')
            if len(batch) == self.limits.topics_per_request or size_bytes + topic_bytes > REQUEST_BYTES_MAX:
                texts.append(self._request_text(operation, batch))
                batch, size_bytes = [], 0
            batch.append(topic)
            size_bytes += topic_bytes
        if batch:
            texts.append(self._request_text(operation, batch))
        return texts

    def _request_text(self, operation: str, batch: Sequence[Topic]) -> str:
        self._last_request += 1
        request_id = str(self._last_request)
        if len(self._requests) >= REQUESTS_MAX:
            del self._requests[next(iter(self._requests))]
        self._requests[request_id] = tuple(topic.wire for topic in batch)
        args = [_arg_of(topic.wire) for topic in batch]
        return msgspec.json.encode(_Request(request_id, operation, args)).decode()

    # -- frames

    def parse(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        try:
            route = self._routes.get(frame[: frame.find(b"}")])
            if route is None:
                self._parse_other(frame, receive_ns, out)
            else:
                route(frame, receive_ns, out)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None

    def _parse_other(self, frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        if frame == b"pong":
            self.notices.append(Pong())
            return
        if frame == b"ping":
            self.notices.append(SendText("pong"))
            return
        other = _decode_other(frame)
        if other.event:
            self._parse_answer(other)
            return
        if other.arg is None or other.data is UNSET:
            raise UnrecognizedFrame("message without event, argument and data")
        parser = self._parsers.get(other.arg)
        if parser is None and self.adopt and len(self._parsers) < ADOPTED_MAX:
            parser = self._open(other.arg)
        if parser is None:
            raise UnrecognizedFrame(other.arg.channel or "argument without channel")
        self._learn(frame, other.arg, parser)
        parser(frame, receive_ns, out)

    def _parse_answer(self, other: _Other) -> None:
        event = other.event
        if event in ("subscribe", "unsubscribe") and other.arg is not None:
            self._acknowledged(other.arg, subscribed=event == "subscribe")
        elif event in ("error", "channel-conn-count-error"):
            named = self._named_wires(other)
            wires = named or (self._requests.pop(other.id, ()) if other.id is not None else ())
            self.notices.append(Refused(wires, f"{other.code}: {other.msg}", _retry_of(other), exact=bool(named)))
        elif event == "notice" and str(other.code) == _SERVICE_UPGRADE:
            self.notices.append(CloseAnnounced(f"{other.code}: {other.msg}"))
        elif event != "channel-conn-count":
            raise UnrecognizedFrame(f"event {event} {other.code}")

    def _acknowledged(self, arg: _Arg, *, subscribed: bool) -> None:
        if subscribed:
            self.notices.append(Acknowledged((_wire_of(arg),)))
        elif arg in self._leaving:  # else it was asked for again since then
            self._forget(arg)
            self.notices.append(Acknowledged((_wire_of(arg),), subscribed=False))

    def _named_wires(self, other: _Other) -> tuple[str, ...]:
        """The topic that a refusal names; empty where it names none."""
        if other.arg is not None and other.arg.channel:
            return (_wire_of(other.arg),)
        named = _REFUSED_ARG.search(other.msg)
        if named is not None and (arg := _Arg(named["channel"], named["instrument"])) in self._parsers:
            return (_wire_of(arg),)
        return ()

    # -- routes

    def _open(self, arg: _Arg) -> Parser | None:
        make = _PARSERS.get(arg.channel)
        if make is None or not _possible_instrument(arg.instrument):
            return None
        parser = make(self, arg)
        self._parsers[arg] = parser
        usual = b'{"arg":{"channel":%b,"instId":%b' % (
            msgspec.json.encode(arg.channel),
            msgspec.json.encode(arg.instrument),
        )
        self._remember(usual, arg, parser)
        return parser

    def _learn(self, frame: bytes, arg: _Arg, parser: Parser) -> None:
        """Remember how this frame begins, if its beginning is just this argument."""
        start = frame[: frame.find(b"}")]
        try:
            begins_so = _decode_beginning(start + b"}}").arg == arg
        except msgspec.DecodeError:
            return
        if begins_so and len(self._routes) < SPELLINGS_MAX:
            self._remember(start, arg, parser)

    def _remember(self, start: bytes, arg: _Arg, parser: Parser) -> None:
        self._routes[start] = parser
        self._spellings.setdefault(arg, []).append(start)

    def _forget(self, arg: _Arg) -> None:
        self._leaving.discard(arg)
        self._parsers.pop(arg, None)
        for start in self._spellings.pop(arg, ()):
            self._routes.pop(start, None)
        self.last_data_ns.pop(_wire_of(arg), None)

    # -- REST

    def resync(self, topics: Sequence[Topic]) -> list[Topic]:
        return [topic for topic in topics if topic.channel in BOOK_CHANNELS and topic.channel != "book5"]

    def backfill_request(self, symbol: str, stream: str, first_id: int, last_id: int) -> RestRequest | None:
        if stream != EVENT_MARKET_TRADE or _Arg(CHANNELS["trade"], symbol) not in self._parsers:
            return None
        # "after" means older than
        path = f"{HISTORY_PATH}?instId={quote(symbol)}&type=1&after={last_id + 1}&limit={HISTORY_TRADES}"
        return RestRequest(f"trades {symbol}", path, HISTORY_WEIGHT)

    def on_backfill(self, path: str, body: bytes, receive_ns: int) -> list[Trade[str]]:
        """Each fill by itself, where the stream may have merged several."""
        try:
            answer = _decode_past_trades(body)
        except (RecursionError, UnicodeDecodeError) as error:
            raise msgspec.DecodeError(str(error)) from None
        if str(answer.code) != "0":
            raise ValueError(f"{answer.code}: {answer.msg}")
        return [
            Trade(
                self.exchange,
                row.instrument,
                row.time * MS,
                receive_ns,
                row.price,
                row.size,
                row.side,
                row.trade_id,
            )
            for row in answer.data
        ]

    def instruments_path(self, symbols: Sequence[str]) -> str | None:
        """The list of one kind of instrument; None for several kinds, and for options, which are listed by family."""
        kinds = {_instrument_kind(symbol) for symbol in symbols}
        kind = kinds.pop() if len(kinds) == 1 else None
        return None if kind is None else f"{INSTRUMENTS_PATH}?instType={kind}"

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        """The newest trade, the best levels, or the ticker, whichever the channel follows."""
        name = _LIVENESS.get("book" if topic.channel in BOOK_CHANNELS else topic.channel)
        if name is None and topic.channel not in BUSINESS_CHANNELS:
            return None
        path = f"/api/v5/market/{name or _LIVENESS['trade']}instId={quote(topic.symbol)}"
        return RestRequest("liveness", path)

    def liveness_token(self, topic: Topic, body: bytes) -> str:
        answer = _decode_liveness(body)
        if str(answer.code) != "0" or not answer.data:
            raise ValueError(f"{answer.code}: {answer.msg}")
        return str(answer.data[0])

    def instruments(self, body: bytes) -> dict[str, str]:
        """Names tell everything here; the list says which exist."""
        return {row.instrument: self.instrument(row.instrument) for row in _decode_instruments(body).data}

    def instrument(self, symbol: str) -> str:
        """``BTC-USD-SWAP`` → ``BTC-USD-PERP``; ``-220527`` → ``-22K27``; options as base, quote, strike, date, kind."""
        parts = symbol.split("-")
        if len(parts) == 3 and parts[2] == "SWAP":
            return f"{parts[0]}-{parts[1]}-PERP"
        date = _date_code(parts[2]) if len(parts) in (3, 5) else None
        if date is None:
            return symbol
        if len(parts) == 3:
            return f"{parts[0]}-{parts[1]}-{date}"
        kind = {"C": "call", "P": "put"}.get(parts[4])
        return f"{parts[0]}-{parts[1]}-{parts[3]}-{date}-{kind}" if kind else symbol


def _instrument_kind(symbol: str) -> str | None:
    """The kind by the shape of the name; None for an option and for anything else."""
    parts = symbol.split("-")
    if len(parts) == 3:
        return "SWAP" if parts[2] == "SWAP" else "FUTURES"
    return "SPOT" if len(parts) <= 2 else None


def _retry_of(other: _Other) -> Retry:
    """What a refusal means."""
    code = str(other.code)
    if code in NEVER_CODES:
        return "never"
    return "now" if code in NOW_CODES else "later"


def _date_code(text: str) -> str | None:
    """``220527`` (year, month, day) as ``22K27``, with the month letters of futures."""
    if not re.fullmatch(r"[0-9]{6}", text) or not 1 <= int(text[2:4]) <= 12:
        return None
    return f"{text[:2]}{MONTHS[int(text[2:4]) - 1]}{text[4:]}"


def _possible_instrument(symbol: str) -> bool:
    return 0 < len(symbol) <= INSTRUMENT_CHARS_MAX and symbol.isprintable() and not set(symbol) & set(" :,\"'{}\\")


def _wire_of(arg: _Arg) -> str:
    return f"{arg.channel}:{arg.instrument}"


def _arg_of(wire: str) -> _Arg:
    channel, _, instrument = wire.partition(":")
    return _Arg(channel, instrument)


def _pairs(levels: list[_Level]) -> list[tuple[str, str]]:
    return [(level.price, level.size) for level in levels]


def _trades_parser(adapter: Okx, arg: _Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_trades(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Trade(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    row.price,
                    row.size,
                    row.side,
                    row.trade_id,
                    count=row.count,
                )
                for row in _decode_trades(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_trades


def _quotes_parser(adapter: Okx, arg: _Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_quotes(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        for row in _decode_books(frame).data:
            bid, bid_size = quoted(row.bids[0].price, row.bids[0].size) if row.bids else EMPTY_SIDE
            ask, ask_size = quoted(row.asks[0].price, row.asks[0].size) if row.asks else EMPTY_SIDE
            out.append(
                Quote(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    bid,
                    bid_size,
                    ask,
                    ask_size,
                    "" if row.last_id is None else str(row.last_id),
                )
            )
        last_data_ns[wire] = receive_ns

    return parse_quotes


def _pictures_parser(adapter: Okx, arg: _Arg) -> Parser:
    """Full pictures: each frame replaces the book and needs no continuity."""
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_book_pictures(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend([_book_snapshot(exchange, symbol, receive_ns, row) for row in _decode_books(frame).data])
        last_data_ns[wire] = receive_ns

    return parse_book_pictures


def _books_parser(adapter: Okx, arg: _Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns
    held_ns = adapter.held_ns
    notices = adapter.notices
    book = ChainedBook(exchange, symbol, wire, book_checksum)

    def parse_books(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        push = _decode_books(frame)
        if push.action is None:
            raise msgspec.ValidationError("a book frame without `action`")
        for row in push.data:
            if push.action == "snapshot":
                book.snapshot(_book_snapshot(exchange, symbol, receive_ns, row), row.last_id, out, notices)
                continue
            delta = _book_delta(exchange, symbol, receive_ns, row)
            if not row.bids and not row.asks and row.previous_id is not None and row.previous_id == row.last_id:
                book.quiet(delta, row.previous_id, out, notices)
            else:
                book.update(delta, row.previous_id, row.last_id, out, notices)
        if book.live:  # a book that waits for its snapshot does not flow
            last_data_ns[wire] = receive_ns
        else:
            held_ns[wire] = receive_ns

    return parse_books


def _checksum(row: _Book) -> int | None:
    """Unsigned; 0 is what the exchange sends since it stopped computing it."""
    return row.checksum & 0xFFFFFFFF if row.checksum else None


def _book_snapshot(exchange: str, symbol: str, receive_ns: int, row: _Book) -> BookSnapshot[str]:
    last_id = None if row.last_id is None else str(row.last_id)
    return BookSnapshot(
        exchange,
        symbol,
        row.time * MS,
        receive_ns,
        _pairs(row.bids),
        _pairs(row.asks),
        None,
        last_id,
        _checksum(row),
    )


def _book_delta(exchange: str, symbol: str, receive_ns: int, row: _Book) -> BookDelta[str]:
    return BookDelta(
        exchange,
        symbol,
        row.time * MS,
        receive_ns,
        _pairs(row.bids),
        _pairs(row.asks),
        None if row.previous_id is None else str(row.previous_id),
        None if row.last_id is None else str(row.last_id),
        _checksum(row),
    )


def _tickers_parser(adapter: Okx, arg: _Arg) -> Parser:
    """Emits only `Ticker`: it carries the best bid and ask, and a `Quote` beside it would tell them twice."""
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_tickers(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Ticker(
                    exchange,
                    symbol,
                    row.time * MS,
                    receive_ns,
                    row.last or None,
                    row.open or None,
                    row.high or None,
                    row.low or None,
                    row.volume or None,
                    row.turnover or None,
                    price_or_none(row.bid),
                    row.bid_size or None,
                    price_or_none(row.ask),
                    row.ask_size or None,
                )
                for row in _decode_tickers(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_tickers


def _candles_parser(adapter: Okx, arg: _Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns
    interval = arg.channel.removeprefix("candle")

    def parse_bars(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Bar(
                    exchange,
                    symbol,
                    0,
                    receive_ns,
                    interval,
                    row.start * MS,
                    row.open,
                    row.high,
                    row.low,
                    row.close,
                    row.volume,
                    row.confirm == "1",
                )
                for row in _decode_candles(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_bars


def _funding_parser(adapter: Okx, arg: _Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_funding(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                Funding(exchange, symbol, (row.time or 0) * MS, receive_ns, row.rate, row.due * MS)
                for row in _decode_funding(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_funding


def _mark_prices_parser(adapter: Okx, arg: _Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_mark_prices(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                MarkPrice(exchange, symbol, row.time * MS, receive_ns, row.price)
                for row in _decode_mark_prices(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_mark_prices


def _open_interest_parser(adapter: Okx, arg: _Arg) -> Parser:
    exchange, symbol, wire = adapter.exchange, arg.instrument, _wire_of(arg)
    last_data_ns = adapter.last_data_ns

    def parse_open_interest(frame: bytes, receive_ns: int, out: list[MarketEvent[str]]) -> None:
        out.extend(
            [
                OpenInterest(exchange, symbol, row.time * MS, receive_ns, row.size)
                for row in _decode_open_interest(frame).data
            ]
        )
        last_data_ns[wire] = receive_ns

    return parse_open_interest


_PARSERS: dict[str, Callable[[Okx, _Arg], Parser]] = {
    "trades": _trades_parser,
    "bbo-tbt": _quotes_parser,
    "books": _books_parser,
    "books5": _pictures_parser,
    "books50-l2-tbt": _books_parser,
    "books-l2-tbt": _books_parser,
    "tickers": _tickers_parser,
    "funding-rate": _funding_parser,
    "mark-price": _mark_prices_parser,
    "open-interest": _open_interest_parser,
    **{f"candle{interval}": _candles_parser for interval in INTERVALS},
}
