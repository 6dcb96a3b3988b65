"""dYdX's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Texts of prices and sizes are passed on unchecked, but for those of books.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from foxtrot_workers.adapter.iso_time import IsoTime

__all__ = [
    "BookChange",
    "BookPicture",
    "CandleList",
    "CandleRow",
    "Head",
    "LivenessAnswer",
    "Market",
    "MarketList",
    "MarketsChange",
    "OraclePrice",
    "PictureLevel",
    "Request",
    "TradeList",
    "TradeRow",
    "decode_book",
    "decode_books",
    "decode_candle",
    "decode_candle_list",
    "decode_candles",
    "decode_head",
    "decode_liveness",
    "decode_market_list",
    "decode_markets",
    "decode_markets_changes",
    "decode_markets_of_v3",
    "decode_picture",
    "decode_trade_lists",
    "decode_trades",
]


class Head(Struct):
    """Any message: ``contents`` are decoded by the type of the channel."""

    kind: str = field(name="type", default="")
    message_id: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    connection_id: str = ""
    channel: str = ""
    id: str = ""
    contents: msgspec.Raw | UnsetType = UNSET
    text: str = field(name="message", default="")


class PictureLevel(Struct, gc=False):
    """A level of a snapshot. `offset`: of v3 only."""

    price: str
    size: str
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class BookPicture(Struct, gc=False):
    """The first contents of ``orderbook``."""

    bids: list[PictureLevel] = []
    asks: list[PictureLevel] = []


class BookChange(Struct, gc=False):
    """Later contents of ``orderbook``. `offset`: of v3 only."""

    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class TradeRow(Struct, gc=False):
    """A trade. `id`: of v4 only; `liquidation`: of v3 only."""

    side: Literal["BUY", "SELL"]
    price: str
    size: str
    time: IsoTime = field(name="createdAt")
    id: str = ""
    kind: str = field(name="type", default="")
    liquidation: bool = False


class TradeList(Struct, gc=False):
    """Contents of ``trades``."""

    trades: list[TradeRow]


class CandleRow(Struct, gc=False):
    """A bar."""

    start: IsoTime = field(name="startedAt")
    open: str
    high: str
    low: str
    close: str
    volume: str = field(name="baseTokenVolume")


class CandleList(Struct, gc=False):
    """The first contents of ``candles``: past bars, the newest first."""

    candles: list[CandleRow]


class OraclePrice(Struct, gc=False):
    """A new oracle price."""

    price: str = field(name="oraclePrice")
    time: IsoTime | None = field(name="effectiveAt", default=None)


class Market(Struct, gc=False):
    """What is known of a market, or has changed."""

    oracle_price: str | None = field(name="oraclePrice", default=None)
    funding: str | None = field(name="nextFundingRate", default=None)
    open_interest: str | None = field(name="openInterest", default=None)
    funding_due: IsoTime | None = field(name="nextFundingAt", default=None)
    """Of v3 only."""


class MarketsChange(Struct, gc=False):
    """Contents of ``markets``: all markets at first, then what has changed."""

    markets: dict[str, Market] = {}
    trading: dict[str, Market] = {}
    oracle_prices: dict[str, OraclePrice] = field(name="oraclePrices", default={})


class Request(Struct, omit_defaults=True):
    """A request to subscribe, or to unsubscribe."""

    kind: str = field(name="type")
    channel: str
    id: str = ""


class MarketList(Struct):
    """The answer to REST ``perpetualMarkets``."""

    markets: dict[str, msgspec.Raw]


class LivenessAnswer(Struct):
    """The answer to a liveness request."""

    trades: list[dict[str, msgspec.Raw]] = []
    bids: list[dict[str, msgspec.Raw]] = []
    asks: list[dict[str, msgspec.Raw]] = []
    markets: dict[str, Market] = {}


decode_head = msgspec.json.Decoder(Head).decode
decode_picture = msgspec.json.Decoder(BookPicture, strict=False).decode  # offsets are text
decode_book = msgspec.json.Decoder(BookChange, strict=False).decode
decode_books = msgspec.json.Decoder(list[BookChange], strict=False).decode
decode_trades = msgspec.json.Decoder(TradeList).decode
decode_trade_lists = msgspec.json.Decoder(list[TradeList]).decode
decode_candle = msgspec.json.Decoder(CandleRow).decode
decode_candles = msgspec.json.Decoder(list[CandleRow]).decode
decode_candle_list = msgspec.json.Decoder(CandleList).decode
decode_markets = msgspec.json.Decoder(MarketsChange).decode
decode_markets_changes = msgspec.json.Decoder(list[MarketsChange]).decode
decode_markets_of_v3 = msgspec.json.Decoder(dict[str, Market]).decode
decode_market_list = msgspec.json.Decoder(MarketList).decode
decode_liveness = msgspec.json.Decoder(LivenessAnswer).decode
