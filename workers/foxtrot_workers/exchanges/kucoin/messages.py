"""KuCoin's wire messages, and their decoders. Fields that nothing reads are left out: decoders skip them.

Numbers that stand as text in some frames and bare in others are decoded alike. Texts of prices and sizes are passed on
unchecked: the consumer that decodes one into a number validates it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from foxtrot_workers.adapter.number_text import Number, NumberLevel
from foxtrot_workers.exchanges.kucoin.constants import MS

__all__ = [
    "Access",
    "AccessServer",
    "ActionRequest",
    "Answer",
    "BestLevels",
    "Candles",
    "ContractTicker",
    "Execution",
    "Frame",
    "FuturesChange",
    "IndicatorValue",
    "InstrumentData",
    "Level2Update",
    "ListedSymbol",
    "Match",
    "OtherMessage",
    "PartialBook",
    "PastTrade",
    "QuoteV2",
    "RestBook",
    "SpotTicker",
    "TopicRequest",
    "UnifiedBook",
    "decode_access",
    "decode_candles",
    "decode_contract_ticker",
    "decode_executions",
    "decode_futures_change",
    "decode_futures_partial_book",
    "decode_indicator",
    "decode_instrument",
    "decode_instruments",
    "decode_level1",
    "decode_level2",
    "decode_liveness_quote",
    "decode_liveness_trades",
    "decode_match",
    "decode_other",
    "decode_partial_book",
    "decode_quote_v2",
    "decode_rest_book",
    "decode_spot_ticker",
    "decode_unified",
]

D = TypeVar("D")
"""What a frame carries."""

Millis = Annotated[int, Meta(ge=0, le=(2**63 - 1) // MS)]
Nanos = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seconds = Annotated[int, Meta(ge=0, le=(2**63 - 1) // 1_000_000_000)]
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
TextLevel = tuple[str, str]


class Frame(Struct, Generic[D], gc=False):
    """A pushed message; its topic is read from the bytes. `subject` is the symbol in topics of all symbols."""

    data: D
    subject: str = ""


class Match(Struct, gc=False):
    """``/market/match``: one trade; `side` is the taker's."""

    side: Literal["buy", "sell"]
    price: str
    size: str
    time: Nanos
    trade_id: str = field(name="tradeId")


class Changes(Struct, gc=False):
    """Changed levels: price, size, sequence."""

    asks: list[tuple[str, str, str]]
    bids: list[tuple[str, str, str]]


class Level2Update(Struct, gc=False):
    """``/market/level2``: changes of a spot book; frames before 2022 have no time."""

    first: Id = field(name="sequenceStart")
    last: Id = field(name="sequenceEnd")
    changes: Changes
    time: Millis = 0


class BestLevels(Struct, gc=False):
    """``/spotMarket/level1``: price and size of the best ask and bid; empty where there is none."""

    asks: list[str]
    bids: list[str]
    time: Millis = field(name="timestamp", default=0)


class PartialBook(Struct, gc=False):
    """``level2Depth5`` and ``level2Depth50``: a full top-N book, of spot (numbers as text) and futures (bare)."""

    asks: list[NumberLevel]
    bids: list[NumberLevel]
    sequence: Id | None = None
    timestamp: Millis = 0


class TextPartialBook(Struct, gc=False):
    """The same of spot, where levels are text: they need no conversion."""

    asks: list[TextLevel]
    bids: list[TextLevel]
    timestamp: Millis = 0


class SpotTicker(Struct, gc=False):
    """``/market/ticker``: last price, best bid and ask."""

    price: str | None = None
    bid: str | None = field(name="bestBid", default=None)
    bid_size: str | None = field(name="bestBidSize", default=None)
    ask: str | None = field(name="bestAsk", default=None)
    ask_size: str | None = field(name="bestAskSize", default=None)
    time: Millis = 0


class Candles(Struct, gc=False):
    """``/market/candles`` (time in ns) and ``/contractMarket/limitCandle`` (ms): the current bar."""

    candles: list[Number]
    time: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


class IndicatorValue(Struct, gc=False):
    """``/indicator/markPrice``."""

    value: Number
    timestamp: Millis = 0


class Execution(Struct, gc=False):
    """``/contractMarket/execution``: one trade; `side` is the taker's."""

    side: Literal["buy", "sell"]
    price: Number
    size: Number
    time: Nanos = field(name="ts")
    trade_id: Annotated[str, Meta(min_length=1)] = field(name="tradeId")


class FuturesChange(Struct, gc=False):
    """``/contractMarket/level2``: one change, ``price,side,size``."""

    sequence: Id
    change: str
    timestamp: Millis = 0


class QuoteV2(Struct, gc=False):
    """``/contractMarket/tickerV2``: best bid and ask."""

    sequence: Id
    bid: Number | None = field(name="bestBidPrice", default=None)
    bid_size: Number | None = field(name="bestBidSize", default=None)
    ask: Number | None = field(name="bestAskPrice", default=None)
    ask_size: Number | None = field(name="bestAskSize", default=None)
    time: Nanos = field(name="ts", default=0)


class ContractTicker(Struct, gc=False):
    """``/contractMarket/ticker``: the last trade, best bid and ask."""

    price: Number | None = None
    bid: Number | None = field(name="bestBidPrice", default=None)
    bid_size: Number | None = field(name="bestBidSize", default=None)
    ask: Number | None = field(name="bestAskPrice", default=None)
    ask_size: Number | None = field(name="bestAskSize", default=None)
    time: Nanos = field(name="ts", default=0)


class InstrumentData(Struct, gc=False):
    """``/contract/instrument``: mark and index price, or a funding rate."""

    mark_price: Number | None = field(name="markPrice", default=None)
    funding_rate: Number | None = field(name="fundingRate", default=None)
    granularity: int = 0
    timestamp: Millis = 0


class UnifiedLevels(Struct, gc=False):
    """The book within a frame of the unified feed: levels, first and last sequence, symbol."""

    asks: list[TextLevel] = field(name="a")
    bids: list[TextLevel] = field(name="b")
    first: Id = field(name="O")
    last: Id = field(name="C")
    symbol: str = field(name="s")
    time: Nanos = field(name="M", default=0)


class UnifiedBook(Struct, gc=False):
    """``obu`` of the unified feed: a whole book, or changes of it."""

    topic: str = field(name="T")
    kind: Literal["snapshot", "delta"] = field(name="t")
    data: UnifiedLevels = field(name="d")
    depth: str = field(name="dp")


class OtherMessage(Struct):
    """A message outside the fast path: every field that can identify it."""

    id: int | str | None = None
    type: str = ""
    topic: str = ""
    subject: str = ""
    code: int | str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")
    op: str = ""
    result: bool | str | None = None
    message: str = ""
    msg: str = ""
    unified: str = field(name="T", default="")


class TopicRequest(Struct):
    """A subscription request."""

    id: str
    type: str
    topic: str
    private: bool = field(name="privateChannel", default=False)
    response: bool = True


class ActionRequest(Struct):
    """A subscription request of the unified feed."""

    id: str
    action: str
    channel: str
    trade_type: str = field(name="tradeType")
    symbol: str
    depth: str


class Answer(Struct, Generic[D]):
    """An answer of the REST API: `data` where `code` is 200000."""

    code: str = ""
    msg: str = ""
    data: D | None = None


class AccessServer(Struct):
    """A server to connect to; times in milliseconds."""

    endpoint: str
    ping_interval: Annotated[float, Meta(gt=0)] = field(name="pingInterval")
    ping_timeout: Annotated[float, Meta(gt=0)] = field(name="pingTimeout")


class Access(Struct):
    """The answer to ``bullet-public``."""

    token: Annotated[str, Meta(min_length=1)]
    servers: Annotated[list[AccessServer], Meta(min_length=1)] = field(name="instanceServers")


class RestBook(Struct):
    """A snapshot: ``level2_100`` of spot (time in ms), ``level2/snapshot`` of futures (in ns)."""

    sequence: Id
    asks: list[NumberLevel]
    bids: list[NumberLevel]
    time: Millis = 0
    time_ns: Nanos = field(name="ts", default=0)


class PastTrade(Struct):
    """A row of the newest trades: enough to recognize it."""

    sequence: Id


class BestPrices(Struct):
    """Best levels by REST: enough to see whether they have changed."""

    sequence: Id


class ListedSymbol(Struct):
    """One instrument of the list of spot symbols or of contracts."""

    symbol: str
    base: str = field(name="baseCurrency")
    quote: str = field(name="quoteCurrency")
    expires: Millis | None = field(name="expireDate", default=None)
    is_contract: Number = field(name="multiplier", default=None)


def _decoder(message: type[D]) -> Callable[[bytes], D]:
    """Return a decoder that takes whole numbers as text too, and keeps the digits of all other numbers."""
    return msgspec.json.Decoder(message, float_hook=str, strict=False).decode


decode_match = _decoder(Frame[Match])
decode_level2 = _decoder(Frame[Level2Update])
decode_level1 = _decoder(Frame[BestLevels])
decode_partial_book = _decoder(Frame[TextPartialBook])
decode_spot_ticker = _decoder(Frame[SpotTicker])
decode_candles = _decoder(Frame[Candles])
decode_indicator = _decoder(Frame[IndicatorValue])
decode_executions = _decoder(Frame[Execution])
decode_futures_change = _decoder(Frame[FuturesChange])
decode_futures_partial_book = _decoder(Frame[PartialBook])
decode_quote_v2 = _decoder(Frame[QuoteV2])
decode_contract_ticker = _decoder(Frame[ContractTicker])
decode_instrument = _decoder(Frame[InstrumentData])
decode_unified = _decoder(UnifiedBook)
decode_other = msgspec.json.Decoder(OtherMessage).decode
decode_access = msgspec.json.Decoder(Answer[Access]).decode
decode_rest_book = _decoder(Answer[RestBook])
decode_instruments = _decoder(Answer[list[ListedSymbol]])
decode_liveness_trades = _decoder(Answer[list[PastTrade]])
decode_liveness_quote = _decoder(Answer[BestPrices])
