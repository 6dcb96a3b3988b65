"""Deribit's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Numbers are bare: they are kept as text (`adapter.number_text`).
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from foxtrot_workers.adapter.number_text import Number, NumberLevel, number_decoder
from foxtrot_workers.exchanges.deribit.constants import MS

__all__ = [
    "BookChange",
    "BookData",
    "BookPicture",
    "ChartData",
    "Head",
    "InstrumentList",
    "LivenessAnswer",
    "OtherMessage",
    "Params",
    "PlatformState",
    "Push",
    "QuoteData",
    "Rpc",
    "TickerData",
    "TradeRow",
    "decode_book",
    "decode_chart",
    "decode_instruments",
    "decode_liveness",
    "decode_other",
    "decode_picture",
    "decode_platform_state",
    "decode_quote",
    "decode_ticker",
    "decode_trades",
]

T = TypeVar("T")

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Params(Struct, Generic[T], gc=False):
    """The parameters of a notification; its channel is read from the bytes."""

    data: T


class Push(Struct, Generic[T], gc=False):
    """A data frame: ``{"jsonrpc":…,"method":"subscription","params":{"channel":…,"data":…}}``."""

    params: Params[T]


class BookChange(Struct, array_like=True, gc=False):
    """A changed level: ``["new", price, amount]``."""

    action: Literal["new", "change", "delete"]
    price: Number
    amount: Number


class BookData(Struct, gc=False):
    """The data of ``book.INSTRUMENT.INTERVAL``."""

    time: Millis = field(name="timestamp")
    change_id: Id
    bids: list[BookChange]
    asks: list[BookChange]
    type: Literal["snapshot", "change"] | None = None
    previous_id: Id | None = field(name="prev_change_id", default=None)


class BookPicture(Struct, gc=False):
    """The data of ``book.INSTRUMENT.GROUP.DEPTH.INTERVAL``: every message is a full picture."""

    time: Millis = field(name="timestamp")
    change_id: Id
    bids: list[NumberLevel]
    asks: list[NumberLevel]


class TradeRow(Struct, gc=False):
    """A row of ``trades``. ``direction`` is the taker's; ``liquidation`` says which sides were liquidated: ``M`` the
    maker's, ``T`` the taker's, ``MT`` both."""

    time: Millis = field(name="timestamp")
    price: Number
    amount: Number
    direction: Literal["buy", "sell"]
    trade_id: str
    instrument: str = field(name="instrument_name")
    liquidation: str | None = None


class QuoteData(Struct, gc=False):
    """The data of ``quote``. An empty side has no price, or a price of 0."""

    time: Millis = field(name="timestamp")
    bid: Number = field(name="best_bid_price", default=None)
    bid_size: Number = field(name="best_bid_amount", default=None)
    ask: Number = field(name="best_ask_price", default=None)
    ask_size: Number = field(name="best_ask_amount", default=None)


class Stats(Struct, gc=False):
    """Figures of the last 24 hours."""

    high: Number = None
    low: Number = None
    volume: Number = None
    turnover: Number = field(name="volume_usd", default=None)


class TickerData(QuoteData, gc=False, kw_only=True):
    """The data of ``ticker``."""

    stats: Stats | None = None
    last: Number = field(name="last_price", default=None)
    mark_price: Number = None
    open_interest: Number = None
    funding: Number = field(name="current_funding", default=None)


class ChartData(Struct, gc=False):
    """The data of ``chart.trades``; ``tick`` is the start."""

    start: Millis = field(name="tick")
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number


class Head(Struct):
    """The parameters of any notification."""

    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class PlatformState(Struct):
    """The data of ``platform_state``."""

    maintenance: bool = False


class Rpc(Struct):
    """The error of an answer."""

    code: int = 0
    message: str = ""
    data: Any = None


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    method: str = ""
    params: Head | None = None
    id: int | str | None = None
    result: Any = None
    error: Rpc | None = None


class InstrumentRow(Struct):
    """A row of REST ``get_instruments``. `expiry_ms`: far away for perpetuals."""

    name: str = field(name="instrument_name")
    is_active: bool = True
    tick_size: Raw = field(default_factory=Raw)
    lot_size: Raw = field(name="min_trade_amount", default_factory=Raw)
    contract_size: Raw = field(default_factory=Raw)
    expiry_ms: int = field(name="expiration_timestamp", default=0)


class InstrumentList(Struct):
    """The answer to REST ``get_instruments``."""

    result: list[InstrumentRow]


class LivenessBook(Struct):
    """What changes with new data in the answer to ``get_order_book``."""

    change_id: int | None = None
    trades: list[dict[str, Any]] = []


class LivenessAnswer(Struct):
    """The answer to a liveness request."""

    result: LivenessBook | None = None
    error: Rpc | None = None


decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_platform_state = msgspec.json.Decoder(PlatformState).decode
decode_book = number_decoder(Push[BookData])
decode_picture = number_decoder(Push[BookPicture])
decode_trades = number_decoder(Push[list[TradeRow]])
decode_quote = number_decoder(Push[QuoteData])
decode_ticker = number_decoder(Push[TickerData])
decode_chart = number_decoder(Push[ChartData])
decode_instruments = msgspec.json.Decoder(InstrumentList).decode
decode_liveness = msgspec.json.Decoder(LivenessAnswer).decode
