"""What Binance's documents say: channels, limits, request weights, refusal codes. Data only.

Sources: binance/binance-spot-api-docs, ``web-socket-streams.md`` (streams), ``rest-api.md`` (REST), ``errors.md``
(error codes); for futures the developer documents of USDⓈ-M and COIN-M, "Websocket Market Streams" and "Market Data".
"""

from __future__ import annotations

from msgspec import Struct, structs

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "AGG_TRADE_HISTORY",
    "BOOK_CHANNELS",
    "COINM_REST",
    "DEPTH_LEVELS",
    "FACTS",
    "FACTS_COINM",
    "FACTS_US",
    "FACTS_USDM",
    "FUTURES_AGG_TRADE_HISTORY",
    "FUTURES_STREAM_NAMES",
    "HISTORY_TRADES",
    "INSTRUMENTS_LISTED_MAX",
    "INTERVALS",
    "LIMITS",
    "LIMITS_FUTURES",
    "LIVENESS_LEVELS",
    "MONTHS",
    "MS",
    "NEVER_CODES",
    "PARTIAL_BOOK_CHANNELS",
    "PUBLIC_CHANNELS",
    "QUOTE_ASSETS",
    "QUOTE_ASSETS_FUTURES",
    "QUOTE_ASSETS_US",
    "REASON_BYTES",
    "REQUESTS_MAX",
    "SPOT_REST",
    "STALE_CHANNEL_S",
    "STREAM_NAMES",
    "SYMBOL_CHARS_MAX",
    "TRADE_HISTORY",
    "US",
    "USDM_REST",
    "WRONG_REQUEST_CODES",
    "Rest",
]

MS = 1_000_000
US = 1_000
"""Nanoseconds in a millisecond and in a microsecond."""

# ---- channels

INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
"""Intervals of bars (``web-socket-streams.md``, "Kline/Candlestick chart intervals")."""

STREAM_NAMES = {
    "trade": "trade",
    "agg_trade": "aggTrade",
    "quote": "bookTicker",
    "book": "depth@100ms",
    "book5": "depth5@100ms",
    "book10": "depth10@100ms",
    "book20": "depth20@100ms",
    "ticker": "ticker",
    **{f"bar_{interval}": f"kline_{interval}" for interval in INTERVALS},
}
"""Configuration channel to stream name, without the symbol."""

PARTIAL_BOOK_CHANNELS = frozenset({"book5", "book10", "book20"})
"""Partial-depth streams: every message is a full top-N book."""

BOOK_CHANNELS = PARTIAL_BOOK_CHANNELS | {"book"}

FUTURES_STREAM_NAMES = {
    **{channel: name for channel, name in STREAM_NAMES.items() if channel != "bar_1s"},
    "mark_price": "markPrice@1s",
    "funding": "markPrice",
    "liquidation": "forceOrder",
}
"""The same for futures. Mark prices and funding come together, each second or each three seconds."""

PUBLIC_CHANNELS = BOOK_CHANNELS | {"quote", "trade"}
"""Channels of USDⓈ-M futures that are served at the path ``/public``; all others are at ``/market``
("Important WebSocket Change Notice: Base URL Split")."""

# ---- limits

STALE_CHANNEL_S = {"quote": 30.0, "book": 30.0, "book5": 30.0, "book10": 30.0, "book20": 30.0, "ticker": 60.0}
"""Seconds without data after which a topic of this channel is stale. Quotes and books of a liquid symbol change many
times a second, 24-hour tickers are pushed each second. Trades, and bars with them, may rest: they count only towards
the silence of the whole connection."""

LIMITS = Limits(  # sources: FACTS
    silence_s=45.0,
    send_interval_s=0.5,
    topics_max=1024,
    topics_per_request=200,
    lifetime_s=24 * 3600.0,
    connects=Budget(300, 300.0),
    rest_weight=Budget(6000, 60.0),
    instruments_weight=20,
    stale_channel_s=STALE_CHANNEL_S,
)

LIMITS_FUTURES = Limits(  # sources: FACTS_USDM
    silence_s=400.0,
    send_interval_s=0.2,
    topics_max=200,
    topics_per_request=100,
    lifetime_s=24 * 3600.0,
    connects=Budget(300, 300.0),
    rest_weight=Budget(2400, 60.0),
    stale_channel_s={**STALE_CHANNEL_S, "mark_price": 30.0, "funding": 30.0},
)

DEPTH_LEVELS = 1000
LIVENESS_LEVELS = 5


class Rest(Struct, frozen=True):
    """A REST interface: the path that its requests have in common, and the weights of requests."""

    prefix: str
    depth_weight: int
    """Of `DEPTH_LEVELS`."""
    liveness_weight: int
    """Of `LIVENESS_LEVELS`."""
    agg_trades_weight: int


SPOT_REST = Rest("/api/v3", 50, 5, 4)
"""A snapshot of 5,000 levels costs 250 of the 6,000 a minute that one address may spend, of 1,000 levels 50, of up to
100 levels 5 (``rest-api.md``, "Order book")."""

USDM_REST = Rest("/fapi/v1", 20, 2, 20)
COINM_REST = Rest("/dapi/v1", 20, 2, 20)
"""Of 2,400 a minute ("Order Book", "Compressed/Aggregate Trades List")."""

TRADE_HISTORY = ("trade", "historicalTrades", 25)
AGG_TRADE_HISTORY = ("aggTrade", "aggTrades", 4)
"""Stream name, REST endpoint of its past trades, and the weight of one request."""

FUTURES_AGG_TRADE_HISTORY = ("aggTrade", "aggTrades", 20)

HISTORY_TRADES = 1_000
"""Past trades in one answer, at most (``rest-api.md``, "Old trade lookup")."""

INSTRUMENTS_LISTED_MAX = 100
"""Symbols named in one exchangeInfo request; for more, the whole list is fetched."""

# ---- facts for people, and the sources of the limits

_BOOKS = {
    "book": BookFacts(snapshot="rest", order="U = previous u + 1"),
    "book5": BookFacts(snapshot="every", levels=5),
    "book10": BookFacts(snapshot="every", levels=10),
    "book20": BookFacts(snapshot="every", levels=20),
}

_ABSENT = {
    **dict.fromkeys(("funding", "mark_price", "open_interest", "liquidation"), "this is a spot market"),
    "trade_all": "each trade is one fill",
}

_SOURCES = {
    "silence_s": "web-socket-streams.md, General WSS information: a ping each 20 s; two missed",
    "send_interval_s": "ours: messages 250 ms apart were measured to end in a close with 1008",
    "topics_max": "web-socket-streams.md, WebSocket Limits",
    "topics_per_request": "ours: keeps one request small",
    "lifetime_s": "web-socket-streams.md, General WSS information",
    "connects": "web-socket-streams.md, WebSocket Limits: for one address",
    "rest_weight": "rest-api.md, IP Limits: for one address",
    "instruments_weight": "rest-api.md, Exchange information",
    "stale_channel_s": "web-socket-streams.md: update speed of each stream, with a margin",
    "keep_alive": "web-socket-streams.md, General WSS information",
    "closes": "web-socket-streams.md, General WSS information",
    "messages": "web-socket-streams.md, WebSocket Limits",
    "testnet_url": "testnet.binance.vision",
    "testnet_rest_url": "testnet.binance.vision",
    "books": "web-socket-streams.md, How to manage a local order book correctly; Partial Book Depth Streams",
    "backfill": "rest-api.md, Old trade lookup; Compressed/Aggregate trades list",
}

FACTS = VenueFacts(
    title="Binance spot",
    documentation="binance/binance-spot-api-docs: web-socket-streams.md, rest-api.md, errors.md",
    keep_alive="The exchange pings (frame) each 20 s; the pong is due within 60 s",
    closes="Message `serverShutdown`, without a promised lead time",
    testnet_url="wss://stream.testnet.binance.vision",
    testnet_rest_url="https://testnet.binance.vision",
    messages=Budget(5, 1.0),
    books=_BOOKS,
    backfill={"trade": "1,000 trades a request, from an id", "agg_trade": "1,000 trades a request, from an id"},
    remarks={
        "agg_trade": "Fills of one taker order at one price, with their number",
        "quote": "Without a time of the exchange",
        "book5": "Without a time of the exchange",
        "book10": "Without a time of the exchange",
        "book20": "Without a time of the exchange",
    },
    absent=_ABSENT,
    sources=_SOURCES,
)

FACTS_US = VenueFacts(
    title="Binance.US spot",
    documentation="docs.binance.us",
    keep_alive=FACTS.keep_alive,
    closes=FACTS.closes,
    messages=FACTS.messages,
    books=_BOOKS,
    backfill={"agg_trade": "1,000 trades a request, from an id"},
    remarks={**FACTS.remarks, "trade": "Past trades are for holders of an API key: no backfill"},
    absent=_ABSENT,
    sources={
        field: source
        for field, source in _SOURCES.items()
        if field not in ("testnet_url", "testnet_rest_url", "rest_weight")
    }
    | {"rest_weight": "docs.binance.us, REST API, Limits: for one address"},
)

_FUTURES_BOOKS = {
    **_BOOKS,
    "book": BookFacts(snapshot="rest", order="pu = previous u"),
}

_FUTURES_REMARKS = {
    "trade": "Not in the documents of the exchange; agg_trade is. Fills that are not of the order book are left out",
    "agg_trade": "Fills of one taker order at one price, with their number",
    "mark_price": "Each second",
    "funding": "Each three seconds",
    "liquidation": "At most one for each symbol and second",
}

_FUTURES_SOURCES = {
    "silence_s": "Connect: a ping each 3 minutes; two missed. Data are judged by stale_channel_s",
    "send_interval_s": "ours: half of what is allowed",
    "topics_max": "Connect: 200 streams in older versions of the page, 1024 in newer ones",
    "lifetime_s": "Connect",
    "connects": "as spot: for one address",
    "rest_weight": "exchangeInfo, rateLimits: for one address",
    "stale_channel_s": "Websocket Market Streams: update speed of each stream, with a margin",
    "keep_alive": "Connect",
    "closes": "Connect",
    "messages": "Connect",
    "testnet_url": "General Info, Testnet",
    "testnet_rest_url": "General Info, Testnet",
    "books": "How to manage a local order book correctly; Partial Book Depth Streams",
    "backfill": "Compressed/Aggregate Trades List",
}

FACTS_USDM = VenueFacts(
    title="Binance USDⓈ-M futures",
    documentation="Binance developer documents: USDⓈ-M Futures",
    keep_alive="The exchange pings (frame) each 3 minutes; the pong is due within 10 minutes",
    closes=FACTS.closes,
    endpoints=("wss://fstream.binance.com/public", "wss://fstream.binance.com/market"),
    testnet_url="wss://fstream.binancefuture.com/stream",
    testnet_rest_url="https://testnet.binancefuture.com",
    messages=Budget(10, 1.0),
    books=_FUTURES_BOOKS,
    backfill={"agg_trade": "1,000 trades a request, from an id"},
    remarks={
        **_FUTURES_REMARKS,
        "quote": "Quotes, books and trade are at another address than all other channels: connections of their own",
    },
    absent={"open_interest": "by REST only", "index": "by REST only"},
    sources={**_FUTURES_SOURCES, "endpoints": "Important WebSocket Change Notice: Base URL Split, of 2026"},
)

FACTS_COINM = structs.replace(
    FACTS_USDM,
    title="Binance COIN-M futures",
    documentation="Binance developer documents: COIN-M Futures",
    endpoints=(),
    testnet_url="wss://dstream.binancefuture.com",
    remarks={**_FUTURES_REMARKS, "ticker": "Volumes are contracts; there is no turnover in quote units"},
    sources=_FUTURES_SOURCES,
)

# ---- refusals

NEVER_CODES = frozenset({0, 1, 2, 3})
"""Error codes of the stream itself: unknown property, wrong type, invalid request, invalid JSON
(``web-socket-streams.md``, "Error Messages")."""

WRONG_REQUEST_CODES = range(-1199, -1099)
"""The request itself is wrong, such as an unknown symbol, -1121 (``errors.md``, "11xx - Request issues").

All other codes are retried later, such as those of ``errors.md``, "10xx - General Server or Network issues": -1000
(unknown), -1001 (disconnected, internal error), -1003 (too many requests), -1006 (unexpected response), -1007
(timeout), -1008 (server busy), -1015 (too many orders), -1016 (service shutting down)."""

# ---- bounds of ours

REQUESTS_MAX = 1_000
"""Unanswered requests that are remembered; beyond it the oldest is forgotten."""

ADOPTED_MAX = 10_000
"""Streams, and books, adopted in replay."""

SYMBOL_CHARS_MAX = 64

REASON_BYTES = 200
"""Bytes of a refusal's text that are passed on."""

# ---- symbols

QUOTE_ASSETS = (
    *("FDUSD", "USDT", "BUSD", "USDC", "TUSD", "USDP", "USDS", "USD1", "EURI", "GYEN", "IDRT", "BIDR", "BKRW", "BVND"),
    *("DAI", "UST", "VAI", "PAX", "BTC", "ETH", "BNB", "TRX", "XRP", "DOT", "DOGE", "SOL", "EUR", "GBP", "AUD", "TRY"),
    *("BRL", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON", "ARS", "JPY", "MXN", "CZK", "COP"),
)
"""Currencies that Binance has quoted in: used to split a symbol where no instrument list is at hand."""

QUOTE_ASSETS_US = ("USDT", "BUSD", "USDC", "USD", "DAI", "BTC", "ETH", "BNB")

QUOTE_ASSETS_FUTURES = ("USDT", "BUSD", "USDC", "USD1", "USD", "BTC")

MONTHS = "FGHJKMNQUVXZ"
"""The month letters of futures, January to December."""
