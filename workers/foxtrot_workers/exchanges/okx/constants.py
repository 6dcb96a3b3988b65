"""What OKX's documents say: channels, limits, request weights, refusal codes. Data only.

Sources: OKX API v5, "WebSocket" (connecting, limits), "Public Channel" (channels), "Error Code".
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "BOOK_CHANNELS",
    "BOOK_LEVELS",
    "BOOK_PATH",
    "BUSINESS_CHANNELS",
    "BUSINESS_PATH",
    "CHANNELS",
    "CHECKSUM_LEVELS",
    "CLOSE_CODES",
    "FACTS",
    "HISTORY_PATH",
    "HISTORY_TRADES",
    "HISTORY_WEIGHT",
    "INSTRUMENTS_PATH",
    "INSTRUMENT_CHARS_MAX",
    "INTERVALS",
    "KIND_CHANNELS",
    "LIMITS",
    "LIVENESS_PATHS",
    "MONTHS",
    "MS",
    "NEVER_CODES",
    "NOW_CODES",
    "PARTIAL_BOOK_CHANNELS",
    "PUBLIC_PATH",
    "REQUESTS_MAX",
    "REQUEST_BYTES_MAX",
    "SNAPSHOT_WAIT_S",
    "SPELLINGS_MAX",
    "STALE_CHANNEL_S",
]

MS = 1_000_000
"""Nanoseconds in a millisecond."""

# ---- channels

INTERVALS = (
    *("1s", "1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H", "6H", "12H", "1D", "2D", "3D", "5D", "1W", "1M", "3M"),
    *("6Hutc", "12Hutc", "1Dutc", "2Dutc", "3Dutc", "5Dutc", "1Wutc", "1Mutc", "3Mutc"),
)
"""Intervals of bars ("Candlesticks channel"). Days begin at 00:00 UTC in those with ``utc``, else at 00:00 UTC+8."""

CHANNELS = {
    "trade": "trades",
    "trade_all": "trades-all",
    "quote": "bbo-tbt",
    "book": "books",
    "book5": "books5",
    "book50_l2_tbt": "books50-l2-tbt",
    "book_l2_tbt": "books-l2-tbt",
    "book_elp": "books-elp",
    "ticker": "tickers",
    "index": "index-tickers",
    "funding": "funding-rate",
    "mark_price": "mark-price",
    "open_interest": "open-interest",
    "liquidation": "liquidation-orders",
    **{f"bar_{interval}": f"candle{interval}" for interval in INTERVALS},
}
"""Configuration channel to the exchange's."""

PARTIAL_BOOK_CHANNELS = frozenset({"book5"})
"""Partial-depth streams: every message is a full top-N book."""

BOOK_CHANNELS = PARTIAL_BOOK_CHANNELS | {"book", "book50_l2_tbt", "book_l2_tbt", "book_elp"}

BUSINESS_CHANNELS = frozenset(channel for channel in CHANNELS if channel.startswith("bar_")) | {"trade_all"}
"""Served at another path: they need a connection of their own."""

KIND_CHANNELS = frozenset({"liquidation-orders"})
"""Channels of the exchange that are subscribed for all instruments of one kind together."""

PUBLIC_PATH = "/ws/v5/public"
BUSINESS_PATH = "/ws/v5/business"

CHECKSUM_LEVELS = 25
"""Levels of each side that a checksum covers."""

# ---- limits

STALE_CHANNEL_S = {
    **dict.fromkeys(("quote", "book", "book5", "book50_l2_tbt", "book_l2_tbt", "book_elp"), 30.0),
    **dict.fromkeys(("ticker", "index", "mark_price", "open_interest"), 60.0),
    "funding": 300.0,
}
"""Seconds without data after which a topic of this channel is stale. Books and quotes are pushed each 10 to 100 ms
while they change, prices and open interest at least each few seconds, funding each minute or so. Trades and bars may
rest."""

LIMITS = Limits(  # sources: FACTS
    silence_s=30.0,
    ping_text="ping",
    ping_idle_s=15.0,
    send_interval_s=0.1,
    topics_per_request=100,
    connects=Budget(3, 1.0),
    rest_weight=Budget(40, 2.0),
    stale_channel_s=STALE_CHANNEL_S,
)

REQUEST_BYTES_MAX = 60 * 1024
"""Bytes of one request. The exchange takes 64 KB of arguments ("Subscribe")."""

BOOK_PATH = "/api/v5/market/books"
BOOK_LEVELS = 400
"""Levels of each side in an answer, at most ("Get order book")."""

SNAPSHOT_WAIT_S = 10.0
"""Seconds without a snapshot on the stream, after a book was lost, after which it is fetched by REST. The exchange has
announced the end of snapshots on the stream (change log of 12 February 2026), and has sent them since."""

INSTRUMENTS_PATH = "/api/v5/public/instruments"

HISTORY_PATH = "/api/v5/market/history-trades"
HISTORY_WEIGHT = 2
"""20 requests in 2 s are allowed ("Get trades history"), half of the requests that weigh 1."""
HISTORY_TRADES = 100
"""Past trades in one answer, at most."""

LIVENESS_PATHS = {
    **dict.fromkeys(("trade", "trade_all"), "/api/v5/market/trades?limit=1&"),
    "ticker": "/api/v5/market/ticker?",
    "quote": "/api/v5/market/books?sz=1&",
    **dict.fromkeys(BOOK_CHANNELS, "/api/v5/market/books?sz=5&"),
    **dict.fromkeys(BUSINESS_CHANNELS, "/api/v5/market/trades?limit=1&"),
    "index": "/api/v5/market/index-tickers?",
}
"""By channel: path of a cheap request for the same data, without the instrument. Bars move with trades."""

# ---- facts for people, and the sources of the limits

_SEQUENCED = "prevSeqId = previous seqId"
_CHECKSUM = "CRC32 of 25 levels; always 0, and then not compared, since 23 June 2026"

FACTS = VenueFacts(
    title="OKX v5",
    documentation="OKX API v5: WebSocket, Public Channel, Error Code",
    keep_alive="The worker sends the text `ping` after 15 s of silence; the exchange closes after 30 s",
    closes="Notice 64008 before a service upgrade",
    endpoints=("wss://ws.okx.com:8443" + BUSINESS_PATH,),
    testnet_url="wss://wspap.okx.com:8443" + PUBLIC_PATH,
    messages=Budget(480, 3600.0),
    books={
        "book": BookFacts(snapshot="stream", levels=400, order=_SEQUENCED, checksum=_CHECKSUM),
        "book5": BookFacts(snapshot="every", levels=5),
        "book50_l2_tbt": BookFacts(snapshot="stream", levels=50, order=_SEQUENCED, checksum=_CHECKSUM),
        "book_l2_tbt": BookFacts(snapshot="stream", levels=400, order=_SEQUENCED, checksum=_CHECKSUM),
        "book_elp": BookFacts(snapshot="stream", levels=400, order=_SEQUENCED),
    },
    backfill=dict.fromkeys(("trade", "trade_all"), "100 trades a request, before an id"),
    remarks={
        "trade": "One event may stand for several fills of one taker order at one price, with their number",
        "book50_l2_tbt": "For logged-in clients of fee tier VIP4",
        "book_l2_tbt": "For logged-in clients of fee tier VIP5",
        "book": "If the stream sends no snapshot, one is fetched by REST; so it is for all other books in step",
        "book_elp": "With enhanced liquidity program orders",
        "bar": "At an address of their own, with trade_all: they need a connection of their own",
        "trade_all": "Each fill; at the address of bars",
        "index": "Figures of the index of this name (BTC-USDT), as `Ticker`: not beside ticker on one connection",
        "liquidation": "Subscribed for all instruments of a kind; those that were not asked for are left out",
    },
    sources={
        "silence_s": "Connect: the exchange closes a connection to which it has pushed nothing for 30 s",
        "ping_text": "Connect: a text, not a control frame",
        "ping_idle_s": "ours: half of those 30 s, the other half is left for the answer",
        "send_interval_s": "ours",
        "connects": "Connect: for one address",
        "rest_weight": "Get order book; requests that are allowed less often weigh more",
        "stale_channel_s": "Public Channel: push interval of each channel, with a margin",
        "keep_alive": "Connect",
        "closes": "Notification",
        "messages": "Connection limit: requests of one connection, whatever they contain",
        "endpoints": "WebSocket",
        "testnet_url": "Demo Trading Services",
        "books": "Order book channel; the end of the checksum: announcement of 21 May 2026",
        "backfill": "Get trades history",
    },
)

# ---- refusals and notices

NEVER_CODES = frozenset(
    {"60008", "60011", "60012", "60013", "60018", "60019", "60027", "60028", "60029", "60030", "64003"}
)
"""Refusals that no retry changes: wrong address, login needed, illegal request or arguments, channel or instrument that
does not exist, not entitled ("Error Code", "WebSocket").

All other codes are retried later, such as 50001 (maintenance), 50011 and 60014 (too many requests), 50013 and 50026
(busy, system error), 63999 (internal error)."""

NOW_CODES = frozenset({"50004"})
"""Refusals that may be retried at once: the endpoint timed out."""

CLOSE_CODES = frozenset({"64008"})
"""Notices that the connection will be closed: a service upgrade ("Notification")."""

# ---- bounds of ours

REQUESTS_MAX = 1_000
"""Requests whose arguments are remembered in case they are refused; beyond it the oldest is forgotten."""

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SPELLINGS_MAX = 4 * ADOPTED_MAX
"""Beginnings of frames that are remembered, of all topics together."""

# ---- symbols

INSTRUMENT_CHARS_MAX = 64

MONTHS = "FGHJKMNQUVXZ"
"""The month letters of futures, January to December."""
