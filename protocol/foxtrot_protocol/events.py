"""Market events: what a worker publishes and a handler receives.

Every event is a frozen msgspec Struct, encoded as a msgpack array whose first element is its tag. The
structs are generic in the number type ``N``: on the wire ``N`` is ``str``, the exchange's own decimal
text, so nothing is rounded on the way; the consumer's decoder makes ``float``, ``Decimal`` or ``str`` of
it, by the type it decodes with (``Trade[float]``).

Times are integers, nanoseconds since 1970 UTC:

* ``exchange_ns``: the exchange's own time of the event; 0 where the exchange gives none
* ``receive_ns``: when the worker had read the frame's bytes
* ``publish_ns``: when the worker sent the batch; 0 on the wire, stamped from the batch by the receiver

``redelivered`` marks an event that the engine had in hand when it died; ``backfilled`` one that was
fetched over REST afterwards. These three fields stand last, in every market event, so that encoders of
other languages may leave them out.
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
    "Bar",
    "BookDelta",
    "BookSnapshot",
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

FeedState: TypeAlias = Literal["asked", "acknowledged", "silent", "flowing", "stale", "gap", "invalid", "demoted"]

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
    """One public trade. ``trade_id`` is the exchange's, as text (some have 27 digits).

    ``count``: fills that it stands for, where the exchange merges them and says so.
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
    """Best bid and ask; None where nobody is on that side. ``update_id`` is "" where none is sent."""

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
    """The whole book (to the subscribed depth), best first: replaces what was known.

    ``first_id`` and ``last_id`` are the exchange's update identifiers, as text, None where it sends none.
    ``checksum`` is the exchange's, as unsigned 32 bit, None where it sends none.
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
    """Changed levels with absolute sizes; size 0 removes the level.

    ``first_id``: the first update in this event, or, where the exchange chains updates by naming the one
    before, that predecessor. ``last_id``: the last update in this event.
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
    """Figures of the last 24 hours; ``volume`` in base units (contracts where counted so), ``turnover`` in quote."""

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
    """A candle of ``interval`` ("1m") from ``start_ns``; repeats until ``closed``."""

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
    """Funding ``rate`` (a fraction, not percent), due at ``next_ns`` (0 where not sent)."""

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
    """The exchange's mark price."""

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
    """A forced order; ``side`` is the order's side (a liquidated long sells)."""

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
    """A topic's state changed. ``age_s``: seconds since its last data, or since it was asked for."""

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
    """Something was missed. ``stream`` is the event type concerned.

    ``first_id`` and ``last_id``: the exchange identifiers that are missing, inclusive, None where unknown.
    ``start_ns`` and ``end_ns``: receive times around the hole. ``filled``: backfill has closed it.
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
    """A supervised process changed its state; made by the supervisor, never by a worker."""

    worker: str
    incarnation: int
    state: str
    cause: str
    exit_code: int | None
    signal: int | None
    rung: str | None
    restarts: int


class Leak(Struct, array_like=True, tag="leak", frozen=True):
    """Something grows that should not, or lives on that should be gone; made by a leak monitor, never by a worker.

    `what`: ``rss_bytes``, ``threads``, ``open_fds``, ``tasks``, ``queue_depth``, ``handlers``, ``garbage``, or ``held``
    for a closed owner that something still refers to. `verdict`: ``growing``, ``over`` (a bound is passed) or ``held``.
    `value`: how much there is now; `per_hour`: how fast it grows (0 where nothing grows). `detail`: what was found to
    blame, one a line.
    """

    what: str
    verdict: str
    value: float
    per_hour: float
    detail: str


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
"""What a batch holds."""

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
"""The EventEngine's event type for each struct (names: design, in the vn.py tradition)."""

ENGINE_MADE: frozenset[type] = frozenset((TickData, WorkerStatus, Leak))
"""Those that no worker sends: they are made in the engine's process and stand in no batch."""
