"""Binance's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Texts of prices and sizes are passed on unchecked: the consumer that decodes one into a number validates it.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from foxtrot_workers.exchanges.binance.constants import MS, US

__all__ = [
    "MICROS",
    "MILLIS",
    "AggTradeData",
    "BookTickerData",
    "CombinedFrame",
    "DayTickerData",
    "Decoders",
    "DepthData",
    "ErrorBody",
    "EventName",
    "ForceOrderData",
    "ForcedOrder",
    "ForcedSymbol",
    "FuturesBookTickerData",
    "FuturesDepthData",
    "FuturesTradeData",
    "Id",
    "InstrumentList",
    "KlineBar",
    "KlineData",
    "KlineInterval",
    "Levels",
    "ListedSymbol",
    "MarkPriceData",
    "Micros",
    "Millis",
    "NamedFrame",
    "OtherMessage",
    "PartialBook",
    "PastTradeRow",
    "RequestMessage",
    "TradeData",
    "decode_event_name",
    "decode_force_order",
    "decode_forced_symbol",
    "decode_futures_depth",
    "decode_futures_quote",
    "decode_futures_trade",
    "decode_instruments",
    "decode_mark_price",
    "decode_messages",
    "decode_other",
    "decode_partial_book",
    "decode_past_agg_trades",
    "decode_past_trades",
]

T = TypeVar("T", bound=int)
D = TypeVar("D")
"""T: a time in the unit of the connection. D: what a combined frame carries."""

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Micros = Annotated[int, Meta(ge=0, le=(2**63 - 1) // US)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Levels: TypeAlias = list[tuple[str, str]]


class CombinedFrame(Struct, Generic[D], gc=False):
    """A frame of a combined stream: ``{"stream":NAME,"data":{...}}``; the name is read from the bytes."""

    data: D


class NamedFrame(Struct, Generic[D], gc=False, forbid_unknown_fields=True):
    """A frame of a combined stream with its name, and nothing else."""

    stream: str
    data: D


class TradeData(Struct, Generic[T], gc=False):
    """``<symbol>@trade``: one trade. The maker bought where `buyer_is_maker`."""

    trade_id: Id = field(name="t")
    price: str = field(name="p")
    size: str = field(name="q")
    time: T = field(name="T")
    buyer_is_maker: bool = field(name="m")


class AggTradeData(Struct, Generic[T], gc=False):
    """``<symbol>@aggTrade``: fills of one taker order at one price. Also a row of REST ``aggTrades``."""

    trade_id: Id = field(name="a")
    price: str = field(name="p")
    size: str = field(name="q")
    time: T = field(name="T")
    buyer_is_maker: bool = field(name="m")


class BookTickerData(Struct, Generic[T], gc=False):
    """``<symbol>@bookTicker``: best bid and ask. It carries no time."""

    update_id: Id = field(name="u")
    bid: str = field(name="b")
    bid_size: str = field(name="B")
    ask: str = field(name="a")
    ask_size: str = field(name="A")


class DepthData(Struct, Generic[T], gc=False):
    """``<symbol>@depth@100ms``: changed levels of the book, ids `first_id` to `last_id`."""

    event_time: T = field(name="E")
    first_id: Id = field(name="U")
    last_id: Id = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")


class PartialBook(Struct, gc=False):
    """A full top-N book: a frame of a partial-depth stream, or the answer to REST ``depth``."""

    last_id: Id = field(name="lastUpdateId")
    bids: Levels
    asks: Levels
    event_time: Millis = field(name="E", default=0)
    """Sent by REST of futures only."""


class FuturesTradeData(TradeData[T], Generic[T], kw_only=True, gc=False):
    """``<symbol>@trade`` of futures. `kind`: trades that are not ``MARKET`` did not happen in the order book."""

    kind: str = field(name="X", default="MARKET")


class FuturesBookTickerData(BookTickerData[T], Generic[T], kw_only=True, gc=False):
    """``<symbol>@bookTicker`` of futures: it carries a time."""

    event_time: T = field(name="E")


class FuturesDepthData(DepthData[T], Generic[T], kw_only=True, gc=False):
    """``<symbol>@depth…`` of futures: `previous_id` is the last id of the update before. Of partial depth too."""

    previous_id: Id = field(name="pu")


class MarkPriceData(Struct, gc=False):
    """``<symbol>@markPrice``. Contracts with delivery have no funding: its rate is empty."""

    event_time: Millis = field(name="E")
    mark_price: str = field(name="p")
    funding_rate: str = field(name="r", default="")
    funding_due: Millis = field(name="T", default=0)


class ForcedOrder(Struct, gc=False):
    """The order within a ``forceOrder`` frame."""

    side: Literal["BUY", "SELL"] = field(name="S")
    size: str = field(name="q")
    price: str = field(name="p")
    time: Millis = field(name="T")
    average_price: str = field(name="ap", default="0")


class ForceOrderData(Struct, gc=False):
    """``<symbol>@forceOrder``: a liquidation."""

    order: ForcedOrder = field(name="o")


class ForcedSymbol(Struct):
    """The symbol of a forced order: enough to name its stream."""

    symbol: str = field(name="s", default="")


class KlineBar(Struct, Generic[T], gc=False):
    """The bar within a ``kline`` frame."""

    start: T = field(name="t")
    interval: str = field(name="i")
    open: str = field(name="o")
    close: str = field(name="c")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")
    closed: bool = field(name="x")


class KlineData(Struct, Generic[T], gc=False):
    """``<symbol>@kline_<interval>``: the current bar."""

    event_time: T = field(name="E")
    kline: KlineBar[T] = field(name="k")


class DayTickerData(Struct, Generic[T], gc=False):
    """``<symbol>@ticker``: figures of the last 24 hours."""

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


class ErrorBody(Struct):
    """Code and text of a refusal."""

    code: int | str | None = None
    msg: str | None = None


class KlineInterval(Struct):
    """The interval of a bar: enough to name its stream."""

    interval: str = field(name="i", default="")


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    stream: str | UnsetType = UNSET
    data: msgspec.Raw | UnsetType = UNSET
    id: int | str | UnsetType | None = UNSET
    error: ErrorBody | UnsetType | None = UNSET
    code: int | str | UnsetType = UNSET
    msg: str | UnsetType = UNSET
    result: msgspec.Raw | UnsetType = UNSET
    event: str = field(name="e", default="")
    symbol: str = field(name="s", default="")
    update_id: msgspec.Raw | UnsetType = field(name="u", default=UNSET)
    order: msgspec.Raw | UnsetType = field(name="o", default=UNSET)
    bid: msgspec.Raw | UnsetType = field(name="b", default=UNSET)
    kline: KlineInterval | UnsetType = field(name="k", default=UNSET)
    last_update_id: msgspec.Raw | UnsetType = field(name="lastUpdateId", default=UNSET)


class EventName(Struct):
    """The type of an event."""

    event: str = field(name="e", default="")


class ListedFilter(Struct):
    """A rule of orders in REST ``exchangeInfo``; each kind has other fields."""

    kind: str = field(name="filterType", default="")
    tick_size: str = field(name="tickSize", default="")
    step_size: str = field(name="stepSize", default="")


class ListedSymbol(Struct):
    """One instrument of REST ``exchangeInfo``.

    `contract_status`: in place of `status` where sizes are contracts. `delivery_ms`: far away for perpetuals.
    """

    symbol: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    status: str = ""
    contract_status: str = field(name="contractStatus", default="")
    contract_size: Raw = field(name="contractSize", default_factory=Raw)
    delivery_ms: int = field(name="deliveryDate", default=0)
    filters: list[ListedFilter] = []


class InstrumentList(Struct):
    """The answer to REST ``exchangeInfo``."""

    symbols: list[ListedSymbol]


class PastTradeRow(Struct, gc=False):
    """A row of REST ``historicalTrades``."""

    trade_id: Id = field(name="id")
    price: str
    size: str = field(name="qty")
    time: Millis
    buyer_is_maker: bool = field(name="isBuyerMaker")


class RequestMessage(Struct):
    """A subscription request."""

    method: str
    params: list[str]
    id: int


class ListMessage(Struct):
    """A request for the streams of this connection."""

    id: int
    method: str = "LIST_SUBSCRIPTIONS"


decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_event_name = msgspec.json.Decoder(EventName).decode
decode_partial_book = msgspec.json.Decoder(PartialBook).decode
decode_past_trades = msgspec.json.Decoder(list[PastTradeRow]).decode
decode_past_agg_trades = msgspec.json.Decoder(list[AggTradeData[Millis]]).decode
decode_instruments = msgspec.json.Decoder(InstrumentList).decode
decode_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_mark_price = msgspec.json.Decoder(CombinedFrame[MarkPriceData]).decode
decode_force_order = msgspec.json.Decoder(CombinedFrame[ForceOrderData]).decode
decode_forced_symbol = msgspec.json.Decoder(ForcedSymbol).decode
decode_futures_trade = msgspec.json.Decoder(CombinedFrame[FuturesTradeData[Millis]]).decode
decode_futures_quote = msgspec.json.Decoder(CombinedFrame[FuturesBookTickerData[Millis]]).decode
decode_futures_depth = msgspec.json.Decoder(CombinedFrame[FuturesDepthData[Millis]]).decode


class Decoders:
    """Decoders for one unit of time: all times of a connection are in milliseconds, or all in microseconds.

    Args:
        unit: the annotated integer that a time is decoded as.
        ns: nanoseconds in that unit.
    """

    def __init__(self, unit: Any, ns: int) -> None:
        self.ns = ns
        self.trade = msgspec.json.Decoder(CombinedFrame[TradeData[unit]]).decode
        self.agg_trade = msgspec.json.Decoder(CombinedFrame[AggTradeData[unit]]).decode
        self.named_trade = msgspec.json.Decoder(NamedFrame[TradeData[unit]]).decode
        self.named_agg_trade = msgspec.json.Decoder(NamedFrame[AggTradeData[unit]]).decode
        self.book_ticker = msgspec.json.Decoder(CombinedFrame[BookTickerData[unit]]).decode
        self.depth = msgspec.json.Decoder(CombinedFrame[DepthData[unit]]).decode
        self.partial_book = msgspec.json.Decoder(CombinedFrame[PartialBook]).decode
        self.kline = msgspec.json.Decoder(CombinedFrame[KlineData[unit]]).decode
        self.day_ticker = msgspec.json.Decoder(CombinedFrame[DayTickerData[unit]]).decode


MILLIS = Decoders(Millis, MS)
MICROS = Decoders(Micros, US)
