"""Gate.io's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Sizes of contracts are bare numbers, or text on connections that ask for it; both are decoded alike. Texts of prices and
sizes are passed on unchecked: the consumer that decodes one into a number validates it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.number_text import Number
from foxtrot_workers.exchanges.gateio.constants import MS, SECOND

__all__ = [
    "BookTicker",
    "Candle",
    "ContractLevel",
    "ContractTicker",
    "ContractTrade",
    "ErrorBody",
    "Frame",
    "FuturesBook",
    "FuturesDepthUpdate",
    "LiquidatedOrder",
    "ListedContract",
    "ListedPair",
    "Obu",
    "OtherMessage",
    "PartialBook",
    "PastContractTrade",
    "PastPairTrade",
    "RequestMessage",
    "SpotBook",
    "SpotDepthUpdate",
    "SpotTicker",
    "SpotTrade",
    "decode_book_ticker",
    "decode_candles",
    "decode_contract_tickers",
    "decode_contract_trades",
    "decode_contracts",
    "decode_futures_book",
    "decode_futures_depth_update",
    "decode_liquidations",
    "decode_obu",
    "decode_other",
    "decode_pairs",
    "decode_partial_book",
    "decode_past_contract_trades",
    "decode_past_pair_trades",
    "decode_spot_book",
    "decode_spot_depth_update",
    "decode_spot_tickers",
    "decode_spot_trades",
]

D = TypeVar("D")
"""What a frame carries."""

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Seconds = Annotated[int, Meta(ge=0, le=(2**63 - 1) // SECOND)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
TextLevel = tuple[str, str]


class Frame(Struct, Generic[D], gc=False):
    """A pushed message; its channel is read from the bytes. Older frames have the time in seconds only."""

    result: D
    time: Seconds = 0
    time_ms: Millis = 0

    @property
    def time_ns(self) -> int:
        """Time of the message, in nanoseconds since 1970."""
        return self.time_ms * MS or self.time * SECOND


class SpotTrade(Struct, gc=False):
    """``spot.trades``: one trade; `side` is the taker's. `time` has milliseconds and a fraction."""

    id: Id
    side: Literal["buy", "sell"]
    pair: str = field(name="currency_pair")
    size: str = field(name="amount")
    price: str
    time: Number = field(name="create_time_ms")


class ContractTrade(Struct, gc=False):
    """``futures.trades``: one trade; a negative size means that the taker sold."""

    id: Id
    size: Number
    price: str
    contract: str
    time: Number = field(name="create_time_ms", default=None)
    time_s: Number = field(name="create_time", default=None)


class BookTicker(Struct, gc=False):
    """``book_ticker``: best bid and ask; an empty side is ``""``, 0, or missing."""

    update_id: Id = field(name="u")
    symbol: str = field(name="s")
    bid: str | None = field(name="b", default=None)
    bid_size: Number = field(name="B", default=None)
    ask: str | None = field(name="a", default=None)
    ask_size: Number = field(name="A", default=None)
    time: Millis = field(name="t", default=0)


class SpotTicker(Struct, gc=False):
    """``spot.tickers``: figures of the last 24 hours."""

    pair: str = field(name="currency_pair")
    last: str | None = None
    ask: str | None = field(name="lowest_ask", default=None)
    bid: str | None = field(name="highest_bid", default=None)
    high: str | None = field(name="high_24h", default=None)
    low: str | None = field(name="low_24h", default=None)
    volume: str | None = field(name="base_volume", default=None)
    turnover: str | None = field(name="quote_volume", default=None)


class ContractTicker(Struct, gc=False):
    """``futures.tickers``: figures of the last 24 hours, funding rate, mark price and open interest (`total_size`)."""

    contract: str
    last: Number = None
    ask: Number = field(name="lowest_ask", default=None)
    ask_size: Number = field(name="lowest_size", default=None)
    bid: Number = field(name="highest_bid", default=None)
    bid_size: Number = field(name="highest_size", default=None)
    high: Number = field(name="high_24h", default=None)
    low: Number = field(name="low_24h", default=None)
    volume: Number = field(name="volume_24h", default=None)
    turnover: Number = field(name="volume_24h_quote", default=None)
    funding_rate: Number = None
    mark_price: Number = None
    total_size: Number = None


class LiquidatedOrder(Struct, gc=False):
    """``futures.public_liquidates``: a forced order; a negative size sells."""

    price: Number
    size: Number
    contract: str
    time_ms: Millis = 0


class SpotDepthUpdate(Struct, gc=False):
    """``spot.order_book_update``: changed levels, or all of them where `full`."""

    symbol: str = field(name="s")
    first: Id = field(name="U")
    last: Id = field(name="u")
    bids: list[TextLevel] = field(name="b")
    asks: list[TextLevel] = field(name="a")
    time: Millis = field(name="t", default=0)
    full: bool = False


class ContractLevel(Struct, gc=False):
    """A level of a futures book: price, contracts."""

    price: Number = field(name="p")
    size: Number = field(name="s")


class FuturesDepthUpdate(Struct, gc=False):
    """``futures.order_book_update``: changed levels, or all of them where `full`."""

    symbol: str = field(name="s")
    first: Id = field(name="U")
    last: Id = field(name="u")
    bids: list[ContractLevel] = field(name="b")
    asks: list[ContractLevel] = field(name="a")
    time: Millis = field(name="t", default=0)
    full: bool = False


class Obu(Struct, gc=False):
    """``obu``: changed levels of a book, or all of them where `full`; ``s`` names book and depth, ``ob.X.400``."""

    stream: str = field(name="s")
    last: Id = field(name="u")
    first: Id | None = field(name="U", default=None)
    bids: list[TextLevel] = field(name="b", default=[])
    asks: list[TextLevel] = field(name="a", default=[])
    time: Millis = field(name="t", default=0)
    full: bool = False


class PartialBook(Struct, gc=False):
    """``spot.order_book``: a full top-N book."""

    symbol: str = field(name="s")
    last_id: Id = field(name="lastUpdateId")
    bids: list[TextLevel]
    asks: list[TextLevel]
    time: Millis = field(name="t", default=0)


class Candle(Struct, gc=False):
    """``candlesticks``: the current bar of ``n``, interval and symbol.

    `amount` is in base units; older frames have only `volume`, which counts contracts in futures and quote units in
    spot. `closed` is missing in older frames.
    """

    name: str = field(name="n")
    start: Seconds = field(name="t")
    open: str = field(name="o")
    high: str = field(name="h")
    low: str = field(name="l")
    close: str = field(name="c")
    volume: Number = field(name="v")
    amount: Number = field(name="a", default=None)
    closed: bool = field(name="w", default=False)


class ErrorBody(Struct):
    """Code and text of a refusal."""

    code: int | str | None = None
    message: str = ""


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    channel: str = ""
    event: str = ""
    id: int | str | None = None
    error: ErrorBody | None = None
    payload: list[str] | None = None


class RequestMessage(Struct):
    """A subscription request; `time` in seconds."""

    time: int
    id: int
    channel: str
    event: str
    payload: list[str]


class SpotBook(Struct):
    """The answer to REST ``spot/order_book``."""

    id: Id
    bids: list[TextLevel]
    asks: list[TextLevel]
    time: Millis = field(name="update", default=0)


class FuturesBook(Struct):
    """The answer to REST ``futures/…/order_book``; `update` in seconds with a fraction."""

    id: Id
    bids: list[ContractLevel]
    asks: list[ContractLevel]
    update: Number = None


class PastPairTrade(Struct, gc=False):
    """A row of REST ``spot/trades``."""

    id: Id
    side: Literal["buy", "sell"]
    size: str = field(name="amount")
    price: str
    time: Number = field(name="create_time_ms")


class PastContractTrade(Struct, gc=False):
    """A row of REST ``futures/…/trades``; times in seconds with a fraction."""

    id: Id
    size: Number
    price: str
    time: Number = field(name="create_time_ms", default=None)
    time_s: Number = field(name="create_time", default=None)


class ListedPair(Struct):
    """One row of REST ``spot/currency_pairs``."""

    id: str
    base: str
    quote: str


class ListedContract(Struct):
    """One row of REST ``futures/…/contracts``."""

    name: str


def _decoder(message: type[D]) -> Callable[[bytes], D]:
    """Return a decoder that takes whole numbers as text too, and keeps the digits of all other numbers."""
    return msgspec.json.Decoder(message, float_hook=str, strict=False).decode


decode_spot_trades = _decoder(Frame[SpotTrade | list[SpotTrade]])
decode_contract_trades = _decoder(Frame[list[ContractTrade]])
decode_book_ticker = _decoder(Frame[BookTicker])
decode_spot_tickers = _decoder(Frame[SpotTicker])
decode_contract_tickers = _decoder(Frame[list[ContractTicker]])
decode_liquidations = _decoder(Frame[LiquidatedOrder | list[LiquidatedOrder]])
decode_spot_depth_update = _decoder(Frame[SpotDepthUpdate])
decode_futures_depth_update = _decoder(Frame[FuturesDepthUpdate])
decode_obu = _decoder(Frame[Obu])
decode_partial_book = _decoder(Frame[PartialBook])
decode_candles = _decoder(Frame[Candle | list[Candle]])
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_spot_book = _decoder(SpotBook)
decode_futures_book = _decoder(FuturesBook)
decode_past_pair_trades = _decoder(list[PastPairTrade])
decode_past_contract_trades = _decoder(list[PastContractTrade])
decode_pairs = msgspec.json.Decoder(list[ListedPair]).decode
decode_contracts = msgspec.json.Decoder(list[ListedContract]).decode
