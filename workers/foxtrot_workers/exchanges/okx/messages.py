"""OKX's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Texts of prices and sizes are passed on unchecked: the consumer that decodes one into a number validates it. Sizes of
derivatives are contracts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from foxtrot_workers.exchanges.okx.constants import KIND_CHANNELS, MS

__all__ = [
    "Arg",
    "BookRow",
    "CandleRow",
    "FrameBeginning",
    "FundingRow",
    "Id",
    "IndexRow",
    "InstrumentList",
    "InstrumentRow",
    "Level",
    "LiquidationDetail",
    "LiquidationRow",
    "LivenessAnswer",
    "LivenessRow",
    "MarkPriceRow",
    "Millis",
    "OpenInterestRow",
    "OtherMessage",
    "PastTradeRow",
    "PastTradesAnswer",
    "PushFrame",
    "RequestMessage",
    "RestBookAnswer",
    "TickerRow",
    "TradeRow",
    "arg_of",
    "decode_beginning",
    "decode_books",
    "decode_candles",
    "decode_funding",
    "decode_index",
    "decode_instruments",
    "decode_liquidations",
    "decode_liveness",
    "decode_mark_prices",
    "decode_open_interest",
    "decode_other",
    "decode_past_trades",
    "decode_rest_book",
    "decode_tickers",
    "decode_trades",
    "wire_of",
]

R = TypeVar("R")

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
"""Sent as text; the decoders that read it are not strict: they take it as a number."""
Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Level(Struct, array_like=True, gc=False):
    """A level of a book. A deprecated "0" and the number of orders follow; nothing reads them."""

    price: str
    size: str


class PushFrame(Struct, Generic[R], gc=False):
    """A data frame: ``{"arg":…,"action":…,"data":[…]}``; the argument is read from the bytes."""

    data: list[R]
    action: Literal["snapshot", "update"] | None = None


class TradeRow(Struct, gc=False):
    """A row of ``trades``."""

    trade_id: str = field(name="tradeId")
    price: str = field(name="px")
    size: str = field(name="sz")
    side: Literal["buy", "sell"]
    time: Millis = field(name="ts")
    count: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    """Fills merged in this trade; older recordings do not have it."""


class BookRow(Struct, gc=False):
    """A row of ``books``, ``books5``, ``books50-l2-tbt``, ``books-l2-tbt`` or ``bbo-tbt``."""

    asks: list[Level]
    bids: list[Level]
    time: Millis = field(name="ts")
    checksum: Annotated[int, Meta(ge=-(2**31), le=2**32 - 1)] | None = None
    previous_id: Id | None = field(name="prevSeqId", default=None)
    last_id: Id | None = field(name="seqId", default=None)


class TickerRow(Struct, gc=False):
    """A row of ``tickers``: figures of the last 24 hours."""

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


class CandleRow(Struct, array_like=True, gc=False):
    """A row of ``candle…``. Before 2022 the last two fields were not sent: nothing said whether a bar was closed."""

    start: Millis
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str = ""
    turnover_quote: str = ""
    confirm: str = "0"


class FundingRow(Struct, gc=False):
    """A row of ``funding-rate``."""

    rate: str = field(name="fundingRate")
    due: Millis = field(name="fundingTime")
    time: Millis | None = field(name="ts", default=None)


class MarkPriceRow(Struct, gc=False):
    """A row of ``mark-price``."""

    price: str = field(name="markPx")
    time: Millis = field(name="ts")


class OpenInterestRow(Struct, gc=False):
    """A row of ``open-interest``."""

    size: str = field(name="oi")
    time: Millis = field(name="ts")


class IndexRow(Struct, gc=False):
    """A row of ``index-tickers``: figures of the last 24 hours."""

    price: str = field(name="idxPx")
    time: Millis = field(name="ts")
    open: str | None = field(name="open24h", default=None)
    high: str | None = field(name="high24h", default=None)
    low: str | None = field(name="low24h", default=None)


class LiquidationDetail(Struct, gc=False):
    """One liquidation, at the bankruptcy price. `side` is that of the order."""

    side: Literal["buy", "sell"]
    price: str = field(name="bkPx")
    size: str = field(name="sz")
    time: Millis = field(name="ts")


class LiquidationRow(Struct, gc=False):
    """A row of ``liquidation-orders``."""

    instrument: str = field(name="instId")
    details: list[LiquidationDetail]


class Arg(Struct, frozen=True, omit_defaults=True):
    """A channel of an instrument, or of a kind of instruments, as requests and frames name it."""

    channel: str = ""
    instrument: str = field(name="instId", default="")
    kind: str = field(name="instType", default="")


def wire_of(arg: Arg) -> str:
    """Return the wire name of a topic: ``CHANNEL:INSTRUMENT``, or ``CHANNEL:KIND``."""
    return f"{arg.channel}:{arg.kind if arg.channel in KIND_CHANNELS else arg.instrument}"


def arg_of(wire: str) -> Arg:
    """Return the argument that names the topic `wire` in requests."""
    channel, _, instrument = wire.partition(":")
    return Arg(channel, kind=instrument) if channel in KIND_CHANNELS else Arg(channel, instrument)


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    arg: Arg | None = None
    event: str = ""
    data: msgspec.Raw | UnsetType = UNSET
    id: str | None = None
    code: str | int = ""
    msg: str = ""


class FrameBeginning(Struct):
    """A frame up to the end of its argument."""

    arg: Arg


class RequestMessage(Struct):
    """A subscription request."""

    id: str
    op: str
    args: list[Arg]


class PastTradeRow(TradeRow, gc=False, kw_only=True):
    """A row of REST ``history-trades``: one fill."""

    instrument: str = field(name="instId")


class PastTradesAnswer(Struct):
    """The answer to REST ``history-trades``."""

    data: list[PastTradeRow] = []
    code: str | int = ""
    msg: str = ""


class RestBookAnswer(Struct):
    """The answer to REST ``books``."""

    data: list[BookRow] = []
    code: str | int = ""
    msg: str = ""


class LivenessRow(Struct):
    """What changes with new data. Times are left out: an answer carries the time of its request."""

    trade_id: str = field(name="tradeId", default="")
    last: str = ""
    last_size: str = field(name="lastSz", default="")
    asks: list[list[str]] = []
    bids: list[list[str]] = []


class LivenessAnswer(Struct):
    """The answer to a liveness request."""

    data: list[LivenessRow] = []
    code: str | int = ""
    msg: str = ""


class InstrumentRow(Struct):
    """One instrument of REST ``instruments``; texts are empty where they mean nothing. `expiry`: milliseconds."""

    instrument: str = field(name="instId")
    state: str = ""
    tick_size: str = field(name="tickSz", default="")
    lot_size: str = field(name="lotSz", default="")
    contract_value: str = field(name="ctVal", default="")
    expiry: str = field(name="expTime", default="")


class InstrumentList(Struct):
    """The answer to REST ``instruments``."""

    data: list[InstrumentRow]


def _decoder_of(row: Any) -> Callable[[bytes], PushFrame[Any]]:
    decode: Callable[[bytes], PushFrame[Any]] = msgspec.json.Decoder(PushFrame[row], strict=False).decode
    return decode


decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_beginning = msgspec.json.Decoder(FrameBeginning).decode
decode_liveness = msgspec.json.Decoder(LivenessAnswer).decode
decode_instruments = msgspec.json.Decoder(InstrumentList).decode
decode_past_trades = msgspec.json.Decoder(PastTradesAnswer, strict=False).decode
decode_trades = _decoder_of(TradeRow)
decode_books = _decoder_of(BookRow)
decode_tickers = _decoder_of(TickerRow)
decode_candles = _decoder_of(CandleRow)
decode_funding = _decoder_of(FundingRow)
decode_mark_prices = _decoder_of(MarkPriceRow)
decode_open_interest = _decoder_of(OpenInterestRow)
decode_index = _decoder_of(IndexRow)
decode_liquidations = _decoder_of(LiquidationRow)
decode_rest_book = msgspec.json.Decoder(RestBookAnswer, strict=False).decode
