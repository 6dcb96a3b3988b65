"""BitMEX's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Every data frame is an action on a table. Numbers are bare, with exponents; their digits are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.iso_time import IsoTime
from foxtrot_workers.adapter.number_text import Number, NumberLevel, number_decoder

__all__ = [
    "BinRow",
    "BookRow",
    "FeedRequest",
    "FundingRow",
    "InstrumentRow",
    "LiquidationRow",
    "ListedInstrument",
    "OtherMessage",
    "QuoteRow",
    "Table",
    "TenLevelsRow",
    "TradeRow",
    "decode_bins",
    "decode_books",
    "decode_funding",
    "decode_instruments",
    "decode_liquidations",
    "decode_listed",
    "decode_other",
    "decode_quotes",
    "decode_ten_levels",
    "decode_trades",
]

D = TypeVar("D")
"""A row of a table."""

Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Filter(Struct, gc=False):
    """Which symbol a first frame is of."""

    symbol: str = ""


class Table(Struct, Generic[D], gc=False):
    """A frame: rows of a table."""

    action: Literal["partial", "insert", "update", "delete"]
    data: list[D]
    filter: Filter | None = None


class TradeRow(Struct, gc=False):
    """A row of ``trade``."""

    symbol: str
    timestamp: IsoTime
    side: Literal["Buy", "Sell"]
    size: Number
    price: Number
    trade_id: str = field(name="trdMatchID")


class QuoteRow(Struct, gc=False):
    """A row of ``quote``: best bid and ask."""

    symbol: str
    timestamp: IsoTime
    bid: Number = field(name="bidPrice", default=None)
    bid_size: Number = field(name="bidSize", default=None)
    ask: Number = field(name="askPrice", default=None)
    ask_size: Number = field(name="askSize", default=None)


class BookRow(Struct, gc=False):
    """A row of ``orderBookL2``: a level; a deletion has no size, an update or deletion perhaps no price."""

    symbol: str
    id: Id
    side: Literal["Buy", "Sell"]
    size: Number = None
    price: Number = None
    timestamp: IsoTime | None = None


class TenLevelsRow(Struct, gc=False):
    """A row of ``orderBook10``: ten levels of each side."""

    symbol: str
    bids: list[NumberLevel]
    asks: list[NumberLevel]
    timestamp: IsoTime


class InstrumentRow(Struct, gc=False):
    """A row of ``instrument``: what has changed."""

    symbol: str
    timestamp: IsoTime | None = None
    mark_price: Number = field(name="markPrice", default=None)
    open_interest: Number = field(name="openInterest", default=None)


class FundingRow(Struct, gc=False):
    """A row of ``funding``."""

    symbol: str
    timestamp: IsoTime
    rate: Number = field(name="fundingRate")


class LiquidationRow(Struct, gc=False):
    """A row of ``liquidation``: a forced order. An update or deletion names only what has changed."""

    symbol: str
    side: Literal["Buy", "Sell"] | None = None
    price: Number = None
    size: Number = field(name="leavesQty", default=None)


class BinRow(Struct, gc=False):
    """A row of ``tradeBin…``: a finished bar; `timestamp` is its end."""

    symbol: str
    timestamp: IsoTime
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    table: str = ""
    action: str = ""
    success: bool | None = None
    subscribe: str = ""
    unsubscribe: str = ""
    info: str = ""
    error: str = ""
    status: int = 0
    request: Any = None


class FeedRequest(Struct):
    """A subscription request."""

    op: str
    args: list[str]


class ListedInstrument(Struct):
    """One row of REST ``instrument/active``."""

    symbol: str
    underlying: str = ""
    quote: str = field(name="quoteCurrency", default="")
    expiry: IsoTime | None = None


decode_trades: Callable[[bytes], Table[TradeRow]] = number_decoder(Table[TradeRow])
decode_quotes: Callable[[bytes], Table[QuoteRow]] = number_decoder(Table[QuoteRow])
decode_books: Callable[[bytes], Table[BookRow]] = number_decoder(Table[BookRow])
decode_ten_levels: Callable[[bytes], Table[TenLevelsRow]] = number_decoder(Table[TenLevelsRow])
decode_instruments: Callable[[bytes], Table[InstrumentRow]] = number_decoder(Table[InstrumentRow])
decode_funding: Callable[[bytes], Table[FundingRow]] = number_decoder(Table[FundingRow])
decode_liquidations: Callable[[bytes], Table[LiquidationRow]] = number_decoder(Table[LiquidationRow])
decode_bins: Callable[[bytes], Table[BinRow]] = number_decoder(Table[BinRow])
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_listed = msgspec.json.Decoder(list[ListedInstrument]).decode
