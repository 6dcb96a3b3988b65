"""Bybit's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Texts of prices and sizes are passed on unchecked: the consumer that decodes one into a number validates it. Sizes of
inverse contracts are US dollars.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from foxtrot_workers.exchanges.bybit.constants import MS

__all__ = [
    "BookData",
    "BookFrame",
    "CommandData",
    "FrameBeginning",
    "FullBook",
    "FullBookAnswer",
    "Id",
    "InstrumentList",
    "InstrumentPage",
    "InstrumentRow",
    "KlineRow",
    "LiquidationRow",
    "LivenessAnswer",
    "LivenessResult",
    "Millis",
    "OldLiquidation",
    "OtherMessage",
    "RequestMessage",
    "RowsFrame",
    "RpiBookData",
    "TickerData",
    "TickerFrame",
    "TradeRow",
    "decode_beginning",
    "decode_book",
    "decode_command",
    "decode_full_book",
    "decode_instruments",
    "decode_klines",
    "decode_liquidations",
    "decode_liveness",
    "decode_old_liquidation",
    "decode_other",
    "decode_rpi_book",
    "decode_ticker",
    "decode_trades",
]

D = TypeVar("D")

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class BookData(Struct, gc=False):
    """The levels of an ``orderbook`` frame."""

    bids: list[tuple[str, str]] = field(name="b")
    asks: list[tuple[str, str]] = field(name="a")
    update_id: Id = field(name="u")


class RpiBookData(Struct, gc=False):
    """The levels of an ``orderbook.rpi`` frame: price, size without and with retail price improvement."""

    bids: list[tuple[str, str, str]] = field(name="b")
    asks: list[tuple[str, str, str]] = field(name="a")
    update_id: Id = field(name="u")


class BookFrame(Struct, Generic[D], gc=False):
    """A frame of ``orderbook``. `engine_time`: the matching engine's, which older frames do not have."""

    kind: Literal["snapshot", "delta"] = field(name="type")
    time: Millis = field(name="ts")
    data: D
    engine_time: Millis | None = field(name="cts", default=None)


class RowsFrame(Struct, Generic[D], gc=False):
    """A frame whose data are rows."""

    data: list[D]
    time: Millis = field(name="ts")


class TradeRow(Struct, gc=False):
    """A row of ``publicTrade``: one fill."""

    trade_id: str = field(name="i")
    symbol: str = field(name="s")
    price: str = field(name="p")
    size: str = field(name="v")
    side: Literal["Buy", "Sell"] = field(name="S")
    time: Millis = field(name="T")


class KlineRow(Struct, gc=False):
    """A row of ``kline``."""

    start: Millis
    open: str
    high: str
    low: str
    close: str
    volume: str
    closed: bool = field(name="confirm")


class LiquidationRow(Struct, gc=False):
    """A row of ``allLiquidation``. `position`: the side of the position that was liquidated."""

    position: Literal["Buy", "Sell"] = field(name="S")
    price: str = field(name="p")
    size: str = field(name="v")
    time: Millis = field(name="T")


class OldLiquidationData(Struct, gc=False):
    position: Literal["Buy", "Sell"] = field(name="side")
    price: str
    size: str
    time: Millis = field(name="updatedTime")


class OldLiquidation(Struct, gc=False):
    """A frame of ``liquidation``, which ``allLiquidation`` has replaced."""

    data: OldLiquidationData


class TickerData(Struct, gc=False):
    """What a ``tickers`` frame says; in a delta, what is missing has not changed.

    Options name the best levels without a digit.
    """

    last: str | None = field(name="lastPrice", default=None)
    open: str | None = field(name="prevPrice24h", default=None)
    high: str | None = field(name="highPrice24h", default=None)
    low: str | None = field(name="lowPrice24h", default=None)
    volume: str | None = field(name="volume24h", default=None)
    turnover: str | None = field(name="turnover24h", default=None)
    bid: str | None = field(name="bid1Price", default=None)
    bid_size: str | None = field(name="bid1Size", default=None)
    ask: str | None = field(name="ask1Price", default=None)
    ask_size: str | None = field(name="ask1Size", default=None)
    option_bid: str | None = field(name="bidPrice", default=None)
    option_bid_size: str | None = field(name="bidSize", default=None)
    option_ask: str | None = field(name="askPrice", default=None)
    option_ask_size: str | None = field(name="askSize", default=None)
    mark_price: str | None = field(name="markPrice", default=None)
    open_interest: str | None = field(name="openInterest", default=None)
    funding_rate: str | None = field(name="fundingRate", default=None)
    funding_due: Millis | None = field(name="nextFundingTime", default=None)


class TickerFrame(Struct, gc=False):
    """A frame of ``tickers``."""

    data: TickerData
    time: Millis = field(name="ts")
    kind: Literal["snapshot", "delta"] = field(name="type", default="snapshot")


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    topic: str = ""
    op: str = ""
    success: bool | None = None
    text: str = field(name="ret_msg", default="")
    request_id: str = field(name="req_id", default="")
    kind: str = field(name="type", default="")
    data: msgspec.Raw | UnsetType = UNSET


class CommandData(Struct):
    """The answer of ``COMMAND_RESP``."""

    failed: list[str] = field(name="failTopics", default=[])
    succeeded: list[str] = field(name="successTopics", default=[])


class FrameBeginning(Struct):
    """A frame up to the end of its first value."""

    topic: str


class RequestMessage(Struct):
    """A subscription request."""

    req_id: str
    op: str
    args: list[str]


class FullBook(Struct):
    """The book of REST ``full_orderbook``."""

    bids: list[tuple[str, str]] = field(name="b")
    asks: list[tuple[str, str]] = field(name="a")
    update_id: Id = field(name="u")
    time: Millis = field(name="ts", default=0)
    engine_time: Millis | None = field(name="cts", default=None)


class FullBookAnswer(Struct):
    """The answer to REST ``full_orderbook``."""

    code: int = field(name="retCode")
    text: str = field(name="retMsg", default="")
    result: FullBook | None = None


class LivenessResult(Struct):
    """What changes with new data. Times are left out: an answer carries the time of its request."""

    rows: list[dict[str, msgspec.Raw]] = field(name="list", default=[])
    bids: list[tuple[str, str]] = field(name="b", default=[])
    asks: list[tuple[str, str]] = field(name="a", default=[])


class LivenessAnswer(Struct):
    """The answer to a liveness request."""

    code: int = field(name="retCode")
    text: str = field(name="retMsg", default="")
    result: LivenessResult | None = None


class PriceFilter(Struct):
    """Steps of prices."""

    tick_size: str = field(name="tickSize", default="")


class LotFilter(Struct):
    """Steps of sizes: of spot, and of everything else."""

    precision: str = field(name="basePrecision", default="")
    step: str = field(name="qtyStep", default="")


class InstrumentRow(Struct):
    """One instrument of REST ``instruments-info``. `delivery`: milliseconds, "0" where there is none."""

    symbol: str
    base: str = field(name="baseCoin")
    quote: str = field(name="quoteCoin")
    contract: str = field(name="contractType", default="")
    delivery: str = field(name="deliveryTime", default="0")
    status: str = "Trading"
    prices: PriceFilter = field(name="priceFilter", default_factory=PriceFilter)
    lots: LotFilter = field(name="lotSizeFilter", default_factory=LotFilter)


class InstrumentPage(Struct):
    """A page of the instrument list; `next_page` is empty on the last."""

    rows: list[InstrumentRow] = field(name="list")
    next_page: str = field(name="nextPageCursor", default="")


class InstrumentList(Struct):
    """The answer to REST ``instruments-info``."""

    result: InstrumentPage


decode_book = msgspec.json.Decoder(BookFrame[BookData]).decode
decode_rpi_book = msgspec.json.Decoder(BookFrame[RpiBookData]).decode
decode_trades = msgspec.json.Decoder(RowsFrame[TradeRow]).decode
decode_klines = msgspec.json.Decoder(RowsFrame[KlineRow]).decode
decode_liquidations = msgspec.json.Decoder(RowsFrame[LiquidationRow]).decode
decode_old_liquidation = msgspec.json.Decoder(OldLiquidation).decode
decode_ticker = msgspec.json.Decoder(TickerFrame, strict=False).decode  # times are text in it
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_command = msgspec.json.Decoder(CommandData).decode
decode_beginning = msgspec.json.Decoder(FrameBeginning).decode
decode_full_book = msgspec.json.Decoder(FullBookAnswer).decode
decode_liveness = msgspec.json.Decoder(LivenessAnswer).decode
decode_instruments = msgspec.json.Decoder(InstrumentList).decode
