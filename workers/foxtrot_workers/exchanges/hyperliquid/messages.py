"""Hyperliquid's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Texts of prices and sizes are passed on unchecked: the consumer that decodes one into a number validates it. Sizes are
in the base coin.
"""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from foxtrot_workers.exchanges.hyperliquid.constants import MS

__all__ = [
    "BboData",
    "BookData",
    "CandleData",
    "ContextData",
    "ContextFigures",
    "Frame",
    "FrameName",
    "FrameNames",
    "Level",
    "Millis",
    "OtherMessage",
    "Request",
    "Response",
    "Subscription",
    "TradeRow",
    "decode_bbo",
    "decode_book",
    "decode_candle",
    "decode_context",
    "decode_name",
    "decode_names",
    "decode_other",
    "decode_response",
    "decode_subscription",
    "decode_text",
    "decode_trades",
]

D = TypeVar("D")

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]


class Frame(Struct, Generic[D], gc=False):
    """A data frame: ``{"channel":…,"data":…}``; the channel is read from the bytes."""

    data: D


class Level(Struct, gc=False):
    """A level of a book. The number of orders follows; nothing reads it."""

    price: str = field(name="px")
    size: str = field(name="sz")


class TradeRow(Struct, gc=False):
    """A row of ``trades``. `side`: of the taker, who bought in ``B`` and sold in ``A``."""

    coin: str
    side: Literal["A", "B"]
    price: str = field(name="px")
    size: str = field(name="sz")
    time: Millis
    trade_id: Annotated[int, Meta(ge=0)] = field(name="tid")


class BookData(Struct, gc=False):
    """``l2Book``: bids, asks."""

    time: Millis
    levels: tuple[list[Level], list[Level]]


class BboData(Struct, gc=False):
    """``bbo``: the best bid and ask; None on an empty side."""

    time: Millis
    bbo: tuple[Level | None, Level | None]


class ContextFigures(Struct, gc=False):
    """The figures of an asset; those of perpetuals only are None for spot."""

    mark_price: str | None = field(name="markPx", default=None)
    day_open: str | None = field(name="prevDayPx", default=None)
    day_volume: str | None = field(name="dayBaseVlm", default=None)
    day_turnover: str | None = field(name="dayNtlVlm", default=None)
    funding: str | None = None
    open_interest: str | None = field(name="openInterest", default=None)


class ContextData(Struct, gc=False):
    """``activeAssetCtx`` and ``activeSpotAssetCtx``."""

    context: ContextFigures = field(name="ctx")


class CandleData(Struct, gc=False):
    """``candle``: the current bar."""

    start: Millis = field(name="t")
    open: str = field(name="o")
    close: str = field(name="c")
    high: str = field(name="h")
    low: str = field(name="l")
    volume: str = field(name="v")


class FrameName(Struct):
    """What names the topic of a frame."""

    coin: str = ""
    candle_coin: str = field(name="s", default="")
    interval: str = field(name="i", default="")
    fast: bool | None = None


class FrameNames(Struct):
    """The same of the first row of a list."""

    coin: str = ""


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    channel: str = ""
    data: msgspec.Raw | UnsetType = UNSET
    coin: str = ""
    levels: msgspec.Raw | UnsetType = UNSET


class Subscription(Struct, omit_defaults=True):
    """What is subscribed."""

    kind: str = field(name="type")
    coin: str = ""
    interval: str = ""
    fast: bool | None = None


class Request(Struct):
    """A request to subscribe, or to unsubscribe."""

    method: str
    subscription: Subscription


class Response(Struct):
    """The answer to a request, ``subscriptionResponse``."""

    method: str
    subscription: Subscription


decode_trades = msgspec.json.Decoder(Frame[list[TradeRow]]).decode
decode_book = msgspec.json.Decoder(Frame[BookData]).decode
decode_bbo = msgspec.json.Decoder(Frame[BboData]).decode
decode_context = msgspec.json.Decoder(Frame[ContextData]).decode
decode_candle = msgspec.json.Decoder(Frame[CandleData]).decode
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_name = msgspec.json.Decoder(FrameName).decode
decode_names = msgspec.json.Decoder(list[FrameNames]).decode
decode_response = msgspec.json.Decoder(Response).decode
decode_subscription = msgspec.json.Decoder(Subscription).decode
decode_text = msgspec.json.Decoder(str).decode
