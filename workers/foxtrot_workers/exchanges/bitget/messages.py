"""Bitget's wire messages of v1 (recordings), v2 and v3, and their decoders. Fields that nothing reads are left out.

Times and identifiers come as numbers or as text, and are decoded alike. Texts of prices and sizes are passed on
unchecked: the consumer that decodes one into a number validates it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.exchanges.bitget.constants import MS

__all__ = [
    "Answer",
    "Arg",
    "ArgRow",
    "BookRow",
    "CandleRow",
    "FeedRequest",
    "LiquidationRow",
    "ListedSymbol",
    "OtherMessage",
    "PastTradeRow",
    "Push",
    "TickerRow",
    "TradeRow",
    "UnifiedArg",
    "UnifiedBookRow",
    "UnifiedCandleRow",
    "UnifiedTickerRow",
    "UnifiedTradeRow",
    "decode_beginning",
    "decode_books",
    "decode_candles",
    "decode_instruments",
    "decode_levels",
    "decode_liquidations",
    "decode_other",
    "decode_past_trades",
    "decode_tickers",
    "decode_trade_arrays",
    "decode_trades",
    "decode_unified_books",
    "decode_unified_candles",
    "decode_unified_tickers",
    "decode_unified_trades",
]

D = TypeVar("D")
"""A row of a frame, or the data of an answer."""

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Number = str | None
"""Text of a number; "" and null for none."""


class Push(Struct, Generic[D], gc=False):
    """A pushed frame; its argument is read from the bytes."""

    data: list[D]
    action: Literal["snapshot", "update"] = "update"
    time: Millis = field(name="ts", default=0)


class TradeArray(Struct, array_like=True, gc=False):
    """``trade`` of v1."""

    time: Millis
    price: str
    size: str
    side: Literal["buy", "sell"]


class TradeRow(Struct, gc=False):
    """``trade`` of v2: one trade; `side` is the taker's."""

    time: Millis = field(name="ts")
    price: str
    size: str
    side: Literal["buy", "sell"]
    trade_id: Id = field(name="tradeId")


class UnifiedTradeRow(Struct, gc=False):
    """``publicTrade`` of v3."""

    time: Millis = field(name="T")
    price: str = field(name="p")
    size: str = field(name="v")
    side: Literal["buy", "sell"] = field(name="S")
    trade_id: Id = field(name="i")


class BookRow(Struct, gc=False):
    """``books``, ``books1``, ``books5``, ``books15`` of v1 and v2; `checksum` is signed, 0 for none."""

    asks: list[tuple[str, str]]
    bids: list[tuple[str, str]]
    time: Millis = field(name="ts")
    checksum: Annotated[int, Meta(ge=-(2**31), lt=2**32)] = 0
    seq: Id | None = None


class UnifiedBookRow(Struct, gc=False):
    """``books``, ``books1``, ``books5``, ``books50`` of v3; an update follows the one whose `seq` is its `previous`."""

    asks: list[tuple[str, str]] = field(name="a")
    bids: list[tuple[str, str]] = field(name="b")
    time: Millis = field(name="ts")
    seq: Id
    previous: Id = field(name="pseq", default=0)


class TickerRow(Struct, gc=False):
    """``ticker`` of v1 (spot and mix) and v2."""

    time: Millis | None = field(name="ts", default=None)
    system_time: Millis | None = field(name="systemTime", default=None)
    last: Number = None
    last_v2: Number = field(name="lastPr", default=None)
    open: Number = field(name="open24h", default=None)
    high: Number = field(name="high24h", default=None)
    low: Number = field(name="low24h", default=None)
    volume: Number = field(name="baseVolume", default=None)
    turnover: Number = field(name="quoteVolume", default=None)
    bid: Number = field(name="bestBid", default=None)
    ask: Number = field(name="bestAsk", default=None)
    bid_v2: Number = field(name="bidPr", default=None)
    ask_v2: Number = field(name="askPr", default=None)
    bid_size: Number = field(name="bidSz", default=None)
    ask_size: Number = field(name="askSz", default=None)
    funding_rate_v1: Number = field(name="capitalRate", default=None)
    funding_rate: Number = field(name="fundingRate", default=None)
    funding_due_v1: Millis | Literal[""] | None = field(name="nextSettleTime", default=None)
    funding_due: Millis | Literal[""] | None = field(name="nextFundingTime", default=None)
    mark_price: Number = field(name="markPrice", default=None)
    holding_v1: Number = field(name="holding", default=None)
    holding: Number = field(name="holdingAmount", default=None)


class UnifiedTickerRow(Struct, gc=False):
    """``ticker`` of v3. Updates may leave out what has not changed."""

    last: Number = field(name="lastPrice", default=None)
    open: Number = field(name="openPrice24h", default=None)
    high: Number = field(name="highPrice24h", default=None)
    low: Number = field(name="lowPrice24h", default=None)
    volume: Number = field(name="volume24h", default=None)
    turnover: Number = field(name="turnover24h", default=None)
    bid: Number = field(name="bid1Price", default=None)
    ask: Number = field(name="ask1Price", default=None)
    bid_size: Number = field(name="bid1Size", default=None)
    ask_size: Number = field(name="ask1Size", default=None)
    funding_rate: Number = field(name="fundingRate", default=None)
    funding_due: Millis | Literal[""] | None = field(name="nextFundingTime", default=None)
    mark_price: Number = field(name="markPrice", default=None)
    open_interest: Number = field(name="openInterest", default=None)


class CandleRow(Struct, array_like=True, gc=False):
    """``candle…`` of v1 and v2: start, open, high, low, close, volume in base units; v2 has turnovers behind."""

    start: Millis
    open: str
    high: str
    low: str
    close: str
    volume: str


class UnifiedCandleRow(Struct, gc=False):
    """``kline`` of v3."""

    start: Millis
    open: str
    high: str
    low: str
    close: str
    volume: str


class LiquidationRow(Struct, gc=False):
    """``liquidation`` of v3; `side` is that of the position."""

    symbol: str
    side: Literal["buy", "sell"]
    price: str
    amount: str
    time: Millis = field(name="ts")


class Arg(Struct, frozen=True, omit_defaults=True):
    """What a v1 or v2 topic is subscribed by."""

    kind: str = field(name="instType", default="")
    channel: str = ""
    symbol: str = field(name="instId", default="")


class UnifiedArg(Struct, frozen=True, omit_defaults=True):
    """What a v3 topic is subscribed by."""

    kind: str = field(name="instType", default="")
    topic: str = ""
    symbol: str = ""
    interval: str = ""


class ArgRow(Struct, frozen=True):
    """The argument of a frame of any version."""

    kind: str = field(name="instType", default="")
    channel: str = ""
    instrument: str = field(name="instId", default="")
    topic: str = ""
    symbol: str = ""
    interval: str = ""


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    event: str = ""
    arg: ArgRow | None = None
    code: int | str = ""
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class Beginning(Struct):
    """The beginning of a frame, completed."""

    arg: ArgRow | None = None


class FeedRequest(Struct):
    """A subscription request; `args` are `Arg` or `UnifiedArg`."""

    op: str
    args: list[Any]


class Answer(Struct, Generic[D]):
    """An answer of the REST API: `data` where `code` is 00000."""

    code: str = ""
    msg: str = ""
    data: D | None = None


class PastTradeRow(Struct, gc=False):
    """A row of REST ``fills-history``."""

    trade_id: Id = field(name="tradeId")
    symbol: str
    side: Literal["buy", "sell", "Buy", "Sell"]
    price: str
    size: str
    time: Millis = field(name="ts")


class RestLevels(Struct):
    """The best levels by REST."""

    asks: list[msgspec.Raw]
    bids: list[msgspec.Raw]


class ListedSymbol(Struct):
    """One instrument of the lists of spot symbols and of contracts; v1 has a suffix behind the symbol."""

    symbol: str
    base: str = field(name="baseCoin")
    quote: str = field(name="quoteCoin")
    name: str = field(name="symbolName", default="")
    symbol_type: str = field(name="symbolType", default="")
    delivery: Number = field(name="deliveryTime", default=None)
    is_contract: msgspec.Raw = field(name="pricePlace", default=msgspec.Raw(b""))


def _decoder(message: type[D]) -> Callable[[bytes], D]:
    """Return a decoder that takes whole numbers as text too."""
    return msgspec.json.Decoder(message, strict=False).decode


decode_trade_arrays = _decoder(Push[TradeArray])
decode_trades = _decoder(Push[TradeRow])
decode_unified_trades = _decoder(Push[UnifiedTradeRow])
decode_books = _decoder(Push[BookRow])
decode_unified_books = _decoder(Push[UnifiedBookRow])
decode_tickers = _decoder(Push[TickerRow])
decode_unified_tickers = _decoder(Push[UnifiedTickerRow])
decode_candles = _decoder(Push[CandleRow])
decode_unified_candles = _decoder(Push[UnifiedCandleRow])
decode_liquidations = _decoder(Push[LiquidationRow])
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_beginning = msgspec.json.Decoder(Beginning).decode
decode_past_trades = _decoder(Answer[list[PastTradeRow]])
decode_levels = _decoder(Answer[RestLevels])
decode_instruments = _decoder(Answer[list[ListedSymbol]])
