"""Market events: what a worker publishes and a handler receives.

Every event is a frozen msgspec Struct, encoded as a msgpack array whose first element is its tag. The structs are
generic in the number type ``N``. On the wire ``N`` is ``str``: decimal text, digit for digit as the exchange sent it. A
consumer's decoder makes ``float``, ``Decimal`` or ``str`` of it, by the type it decodes (``Trade[float]``).

Every market event has these fields; times are nanoseconds since 1970 UTC:

* ``exchange``: the adapter's name in upper case, such as ``BINANCE``
* ``symbol``: as the exchange writes it
* ``exchange_ns``: the exchange's time of the event; 0 if it sends none
* ``receive_ns``: when the worker had read the frame's bytes
* ``publish_ns``: when the worker sent the batch; 0 on the wire, the receiver copies it from the batch
* ``redelivered``: the engine had this event in flight when it died, so handlers may have seen it
* ``backfilled``: missed when it happened and fetched over REST, or brought late by another worker; newer events of its
  stream came before it

The last three stand behind an event's own fields, so that encoders in other languages may leave them out.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from foxtrot_protocol.tick_data import TickData

__all__ = [
    "ENGINE_MADE",
    "EVENT_BAR",
    "EVENT_BBO",
    "EVENT_BOOK",
    "EVENT_FEED_STATUS",
    "EVENT_FUNDING",
    "EVENT_GAP",
    "EVENT_LEAK",
    "EVENT_LIQUIDATION",
    "EVENT_LOG",
    "EVENT_MARKET_TRADE",
    "EVENT_MARK_PRICE",
    "EVENT_OPEN_INTEREST",
    "EVENT_TICK",
    "EVENT_TICKER",
    "EVENT_TIMER",
    "EVENT_TYPES",
    "EVENT_WORKER",
    "KINDS_OF_EVENTS",
    "Bar",
    "BookDelta",
    "BookSnapshot",
    "EventKind",
    "FeedState",
    "FeedStatus",
    "Funding",
    "Gap",
    "Leak",
    "Level",
    "Liquidation",
    "MarkPrice",
    "MarketEvent",
    "OpenInterest",
    "Quote",
    "Side",
    "TickData",
    "Ticker",
    "Trade",
    "WorkerStatus",
]

N = TypeVar("N")

Side: TypeAlias = Literal["buy", "sell"]
"""The taker's side."""

FeedState: TypeAlias = Literal[
    "asked",
    "acknowledged",
    "silent",
    "flowing",
    "stale",
    "resubscribed",
    "gap",
    "invalid",
    "demoted",
    "delisted",
    "unsubscribed",
    "maintenance",
]
"""State of a topic.

* ``asked``: requested, not answered yet
* ``acknowledged``: accepted by the exchange, no data yet
* ``silent``: accepted, and no data within the limit for the first event
* ``flowing``: data comes
* ``stale``: no data for longer than the topic's limit
* ``resubscribed``: subscribed again, because it was stale, silent or invalid; its state stays that until data comes
* ``gap``: something is missing
* ``invalid``: refused by the exchange, or its book is broken until the next snapshot
* ``maintenance``: no data, and the exchange says that it is in maintenance; the connection waits for its end
* ``demoted``: from the engine, with the event type as topic: identifiers of this stream leap, its holes are no longer
  announced
* ``delisted``: the exchange lists the symbol no longer; the topic has ended
* ``unsubscribed``: the exchange has confirmed that it sends the topic no longer; not reported while another worker of
  the connection has it
"""

Level: TypeAlias = tuple[N, N]
"""``(price, size)``; in a delta, size 0 removes the level."""

EVENT_MARKET_TRADE = "eMarketTrade."
EVENT_BBO = "eBbo."
EVENT_BOOK = "eBook."
EVENT_TICKER = "eTicker."
EVENT_BAR = "eBar."
EVENT_FUNDING = "eFunding."
EVENT_MARK_PRICE = "eMarkPrice."
EVENT_OPEN_INTEREST = "eOpenInterest."
EVENT_LIQUIDATION = "eLiquidation."
EVENT_TICK = "eTick."
EVENT_FEED_STATUS = "eFeedStatus."
EVENT_GAP = "eGap."
EVENT_WORKER = "eWorker."
EVENT_LEAK = "eLeak."
EVENT_TIMER = "eTimer"
EVENT_LOG = "eLog"


class Trade(Struct, Generic[N], array_like=True, tag="trade", frozen=True, gc=False):
    """One public trade.

    ``price`` is in quote units; ``size`` in base units, or in contracts where the exchange counts contracts; ``side``
    is the taker's. ``trade_id`` is the exchange's identifier (some have 27 digits). ``count``: number of fills that it
    stands for, at least 1; more than 1 only where the exchange merges fills and sends their number.
    """

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    price: N
    size: N
    side: Side
    trade_id: str
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False
    count: int = 1


class Quote(Struct, Generic[N], array_like=True, tag="quote", frozen=True, gc=False):
    """Best bid and ask with their sizes; both None on an empty side.

    ``update_id`` is the exchange's identifier of the update, "" if it sends none.
    """

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    bid: N | None
    bid_size: N | None
    ask: N | None
    ask_size: N | None
    update_id: str
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class BookSnapshot(Struct, Generic[N], array_like=True, tag="snapshot", frozen=True, gc=False):
    """The whole book to the subscribed depth; replaces what was known.

    ``bids`` and ``asks`` are levels, best first. ``first_id`` and ``last_id``: identifiers of the first and last update
    that it contains, None if the exchange sends none. ``checksum``: the exchange's, 0 to 2^32 - 1, or signed where its
    documents sign it (Bitget); None if it sends none.
    """

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    bids: list[tuple[N, N]]
    asks: list[tuple[N, N]]
    first_id: str | None
    last_id: str | None
    checksum: int | None
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class BookDelta(Struct, Generic[N], array_like=True, tag="delta", frozen=True, gc=False):
    """Changed levels of a book with their new, absolute sizes; size 0 removes the level.

    ``first_id``: identifier of the first update in this event or, where the exchange chains updates by naming the one
    before (rule ``chained`` of `identity.IdentityRule`), of that predecessor. ``last_id``: of the last update in this
    event. Both None if the exchange sends none. ``checksum``: of the book after this update, as in `BookSnapshot`.
    """

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    bids: list[tuple[N, N]]
    asks: list[tuple[N, N]]
    first_id: str | None
    last_id: str | None
    checksum: int | None
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class Ticker(Struct, Generic[N], array_like=True, tag="ticker", frozen=True, gc=False):
    """Figures of the last 24 hours; None for what the exchange does not send.

    ``volume`` is in base units, or in contracts where the exchange counts contracts; ``turnover`` in quote units.
    ``bid`` to ``ask_size``: best bid and ask, where the channel has them.
    """

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    last: N | None
    open: N | None
    high: N | None
    low: N | None
    volume: N | None
    turnover: N | None
    bid: N | None = None
    bid_size: N | None = None
    ask: N | None = None
    ask_size: N | None = None
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class Bar(Struct, Generic[N], array_like=True, tag="bar", frozen=True, gc=False):
    """A candle of ``interval`` (such as "1m") that begins at ``start_ns``.

    Sent repeatedly while it runs, the last time with ``closed``. ``volume`` is in base units, or in contracts.
    """

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    interval: str
    start_ns: int
    open: N
    high: N
    low: N
    close: N
    volume: N
    closed: bool
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class Funding(Struct, Generic[N], array_like=True, tag="funding", frozen=True, gc=False):
    """Funding ``rate`` as a fraction (0.0001 is 0.01 %), due at ``next_ns`` (0 if not sent)."""

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    rate: N
    next_ns: int
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class MarkPrice(Struct, Generic[N], array_like=True, tag="mark_price", frozen=True, gc=False):
    """The exchange's mark price, in quote units."""

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    price: N
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class OpenInterest(Struct, Generic[N], array_like=True, tag="open_interest", frozen=True, gc=False):
    """Open interest, in the exchange's own unit (contracts where it counts contracts)."""

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    size: N
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class Liquidation(Struct, Generic[N], array_like=True, tag="liquidation", frozen=True, gc=False):
    """A forced order. ``side`` is that of the order: a liquidated long position sells."""

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    side: Side
    price: N
    size: N
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class FeedStatus(Struct, array_like=True, tag="status", frozen=True, gc=False):
    """The state of a topic has changed.

    ``topic`` is the exchange's name of it. ``age_s``: seconds since its latest data, or since it was requested.
    """

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    topic: str
    state: FeedState
    age_s: float
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class Gap(Struct, array_like=True, tag="gap", frozen=True, gc=False):
    """Events of a stream are missing, or (``filled``) events that were missing have come.

    ``stream`` is the event type concerned, "" if any may be. ``first_id`` and ``last_id``: first and last missing
    identifier, inclusive, None if unknown. ``start_ns`` and ``end_ns``: receive times of the events before and after
    the hole; 0 if unknown. ``cause`` is for people.
    """

    exchange: str
    symbol: str
    exchange_ns: int
    receive_ns: int
    stream: str
    first_id: str | None
    last_id: str | None
    start_ns: int
    end_ns: int
    cause: str
    filled: bool = False
    publish_ns: int = 0
    redelivered: bool = False
    backfilled: bool = False


class WorkerStatus(Struct, array_like=True, tag="worker", frozen=True):
    """A supervised process has changed its state; made by the supervisor, never by a worker."""

    worker: str
    """Name of the process, such as ``binance-spot.a``."""
    incarnation: int
    """From 1; counts its starts."""
    state: str
    """docs/lifecycle.md lists them."""
    cause: str
    """For people; "" if there is none."""
    exit_code: int | None
    """Exit status of an ended process; None while it lives and where a signal ended it."""
    signal: int | None
    """Signal that ended it."""
    rung: str | None
    """Last rung of the stop ladder that was needed; None if it was not stopped."""
    restarts: int
    """Restarts in this run."""


class Leak(Struct, array_like=True, tag="leak", frozen=True):
    """A resource of the engine's process grows, or an object that should be gone is still referenced.

    Made by the leak monitor, never by a worker.
    """

    what: str
    """``rss_bytes``, ``threads``, ``open_fds``, ``tasks``, ``queue_depth``, ``handlers``, ``garbage``, or ``held`` for
    a closed owner that something still refers to."""
    verdict: str
    """``growing``, ``over`` (a limit is exceeded) or ``held``."""
    value: float
    """Present amount, in the unit of `what`."""
    per_hour: float
    """Growth per hour in the same unit; 0 if nothing grows."""
    detail: str
    """Probable causes, one a line."""


MarketEvent: TypeAlias = (
    Trade[N]
    | Quote[N]
    | BookSnapshot[N]
    | BookDelta[N]
    | Ticker[N]
    | Bar[N]
    | Funding[N]
    | MarkPrice[N]
    | OpenInterest[N]
    | Liquidation[N]
    | FeedStatus
    | Gap
)
"""Events that a batch may contain."""

EVENT_TYPES: dict[type, str] = {
    Trade: EVENT_MARKET_TRADE,
    Quote: EVENT_BBO,
    BookSnapshot: EVENT_BOOK,
    BookDelta: EVENT_BOOK,
    Ticker: EVENT_TICKER,
    Bar: EVENT_BAR,
    Funding: EVENT_FUNDING,
    MarkPrice: EVENT_MARK_PRICE,
    OpenInterest: EVENT_OPEN_INTEREST,
    Liquidation: EVENT_LIQUIDATION,
    FeedStatus: EVENT_FEED_STATUS,
    Gap: EVENT_GAP,
    TickData: EVENT_TICK,
    WorkerStatus: EVENT_WORKER,
    Leak: EVENT_LEAK,
}
"""The EventEngine's event type for each struct; names follow vn.py's convention."""

EventKind: TypeAlias = Literal[
    "trade",
    "quote",
    "book",
    "ticker",
    "candle",
    "funding",
    "mark_price",
    "open_interest",
    "liquidation",
    "status",
    "gap",
]
"""Kind of a market event, as in ``events --json``, in topics and in tables of stores."""

KINDS_OF_EVENTS: dict[type, EventKind] = {
    Trade: "trade",
    Quote: "quote",
    BookSnapshot: "book",
    BookDelta: "book",
    Ticker: "ticker",
    Bar: "candle",
    Funding: "funding",
    MarkPrice: "mark_price",
    OpenInterest: "open_interest",
    Liquidation: "liquidation",
    FeedStatus: "status",
    Gap: "gap",
}
"""Kind of each class in `MarketEvent`."""

ENGINE_MADE: frozenset[type] = frozenset((TickData, WorkerStatus, Leak))
"""Types that are made in the engine's process: no batch contains them."""
