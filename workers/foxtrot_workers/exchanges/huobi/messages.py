"""HTX's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Numbers are bare, with exponents and up to 37 digits: they are kept as text (`adapter.number_text`). Sizes of swaps are
contracts.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.number_text import Number, NumberLevel, number_decoder
from foxtrot_workers.exchanges.huobi.constants import MS, S

__all__ = [
    "BarTick",
    "BookAnswer",
    "BookTick",
    "ChannelFrame",
    "ContractRow",
    "FundingRow",
    "InstrumentList",
    "LiquidationRow",
    "LivenessAnswer",
    "MbpTick",
    "Millis",
    "NotifyFrame",
    "OtherMessage",
    "PastTradesAnswer",
    "SpotQuoteTick",
    "SpotTickerTick",
    "SwapQuoteTick",
    "SwapTickerTick",
    "SymbolRow",
    "TradeRow",
    "TradesTick",
    "decode_bar",
    "decode_book",
    "decode_book_answer",
    "decode_contracts",
    "decode_funding",
    "decode_liquidations",
    "decode_liveness",
    "decode_mbp",
    "decode_other",
    "decode_past_trades",
    "decode_spot_quote",
    "decode_spot_ticker",
    "decode_swap_quote",
    "decode_swap_ticker",
    "decode_symbols",
    "decode_trades",
]

T = TypeVar("T")

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Seconds = Annotated[int, Meta(ge=0, le=(2**63 - 1) // S)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class ChannelFrame(Struct, Generic[T], gc=False):
    """A data frame: ``{"ch":…,"ts":…,"tick":{…}}``; the topic is read from the bytes."""

    tick: T
    time: Millis = field(name="ts")


class TradeRow(Struct, gc=False):
    """A trade. Spot ids have more than 20 digits; there ``tradeId`` is the short one, which counts the symbol's trades.

    ``direction`` is the taker's.
    """

    id: Number
    price: Number
    amount: Number
    direction: Literal["buy", "sell"]
    time: Millis = field(name="ts")
    short_id: Id | None = field(name="tradeId", default=None)


class TradesTick(Struct, gc=False):
    """The tick of ``trade.detail``; spot sends the newest trade first, swaps the oldest."""

    data: list[TradeRow]


class BookTick(Struct, gc=False):
    """The tick of ``depth.…``. In ``depth.step0`` of swaps ``version`` is a time in seconds, and ``mrid`` rises."""

    bids: list[NumberLevel] | None = None
    asks: list[NumberLevel] | None = None
    version: Id | None = None
    match_id: Id | None = field(name="mrid", default=None)
    event: Literal["snapshot", "update"] | None = None


class MbpTick(Struct, gc=False):
    """The tick of ``mbp.…``, and the snapshot that a ``req`` returns."""

    last_id: Id = field(name="seqNum")
    previous_id: Id | None = field(name="prevSeqNum", default=None)
    bids: list[NumberLevel] | None = None
    asks: list[NumberLevel] | None = None


class SpotQuoteTick(Struct, gc=False):
    """The tick of ``bbo``, spot."""

    bid: Number = None
    bid_size: Number = field(name="bidSize", default=None)
    ask: Number = None
    ask_size: Number = field(name="askSize", default=None)
    sequence: Id | None = field(name="seqId", default=None)
    time: Millis = field(name="quoteTime", default=0)


class SwapQuoteTick(Struct, gc=False):
    """The tick of ``bbo``, swaps."""

    bid: NumberLevel | None = None
    ask: NumberLevel | None = None
    match_id: Id | None = field(name="mrid", default=None)
    time: Millis = field(name="ts", default=0)


class SpotTickerTick(Struct, gc=False):
    """The tick of ``ticker``, spot: ``amount`` in base units, ``vol`` in quote units."""

    open: Number = None
    high: Number = None
    low: Number = None
    last: Number = field(name="lastPrice", default=None)
    amount: Number = None
    turnover: Number = field(name="vol", default=None)
    bid: Number = None
    bid_size: Number = field(name="bidSize", default=None)
    ask: Number = None
    ask_size: Number = field(name="askSize", default=None)


class SwapTickerTick(Struct, gc=False):
    """The tick of ``detail``, swaps: ``vol`` in contracts."""

    open: Number = None
    high: Number = None
    low: Number = None
    close: Number = None
    volume: Number = field(name="vol", default=None)
    turnover: Number = field(name="trade_turnover", default=None)
    bid: NumberLevel | None = None
    ask: NumberLevel | None = None


class BarTick(Struct, gc=False):
    """The tick of ``kline.…`` and ``mark_price.…``: ``id`` is the start; ``vol`` in quote units (spot) or contracts."""

    start: Seconds = field(name="id")
    open: Number
    high: Number
    low: Number
    close: Number
    amount: Number = None
    volume: Number = field(name="vol", default=None)


class NotifyFrame(Struct, Generic[T], gc=False):
    """A frame of the notification path: ``{"op":"notify","topic":…,"ts":…,"data":[…]}``."""

    data: list[T]
    time: Millis = field(name="ts")


class FundingRow(Struct, gc=False):
    """A row of ``funding_rate``; times are text."""

    rate: Number = field(name="funding_rate")
    due: str = field(name="settlement_time", default="")


class LiquidationRow(Struct, gc=False):
    """A row of ``liquidation_orders``; ``direction`` is that of the forced order."""

    direction: Literal["buy", "sell"]
    volume: Number
    price: Number
    time: Millis = field(name="created_at")


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    channel: str = field(name="ch", default="")
    ping: int | None = None
    op: str = ""
    topic: str = ""
    ts: str | int | None = None
    id: str | int | None = None
    cid: str | int | None = None
    status: str = ""
    subbed: str = ""
    unsubbed: str = ""
    reply: str = field(name="rep", default="")
    error_code: str | int | None = field(name="err-code", default=None)
    error_text: str = field(name="err-msg", default="")


class BookAnswer(Struct):
    """The answer to ``req`` of an ``mbp`` topic."""

    data: MbpTick
    time: Millis = field(name="ts", default=0)


class PastTradeRow(TradeRow, gc=False, kw_only=True):
    """A row of REST ``history/trade``; spot names the short id with a hyphen."""

    hyphen_id: Id | None = field(name="trade-id", default=None)


class PastTrades(Struct):
    """Trades that one order made."""

    data: list[PastTradeRow]


class PastTradesAnswer(Struct):
    """The answer to REST ``history/trade``."""

    data: list[PastTrades] = []
    status: str = ""
    error_text: str = field(name="err-msg", default="")


class LivenessTick(Struct):
    """What changes with new data."""

    id: Number = None
    version: Number = None
    match_id: Number = field(name="mrid", default=None)
    bids: list[NumberLevel] | None = None
    asks: list[NumberLevel] | None = None


class LivenessAnswer(Struct):
    """The answer to REST ``trade`` or ``depth``."""

    tick: LivenessTick | None = None
    status: str = ""
    error_text: str = field(name="err-msg", default="")


class SymbolRow(Struct):
    """A row of REST ``symbols``, spot."""

    symbol: str
    base: str = field(name="base-currency")
    quote: str = field(name="quote-currency")


class ContractRow(Struct):
    """A row of REST ``swap_contract_info``."""

    code: str = field(name="contract_code")
    symbol: str


R = TypeVar("R")


class InstrumentList(Struct, Generic[R]):
    """The answer to REST ``symbols`` or ``swap_contract_info``."""

    data: list[R]


decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_trades = number_decoder(ChannelFrame[TradesTick])
decode_book = number_decoder(ChannelFrame[BookTick])
decode_mbp = number_decoder(ChannelFrame[MbpTick])
decode_spot_quote = number_decoder(ChannelFrame[SpotQuoteTick])
decode_swap_quote = number_decoder(ChannelFrame[SwapQuoteTick])
decode_spot_ticker = number_decoder(ChannelFrame[SpotTickerTick])
decode_swap_ticker = number_decoder(ChannelFrame[SwapTickerTick])
decode_bar = number_decoder(ChannelFrame[BarTick])
decode_funding = number_decoder(NotifyFrame[FundingRow])
decode_liquidations = number_decoder(NotifyFrame[LiquidationRow])
decode_book_answer = number_decoder(BookAnswer)
decode_past_trades = number_decoder(PastTradesAnswer)
decode_liveness = number_decoder(LivenessAnswer)
decode_symbols = msgspec.json.Decoder(InstrumentList[SymbolRow]).decode
decode_contracts = msgspec.json.Decoder(InstrumentList[ContractRow]).decode
