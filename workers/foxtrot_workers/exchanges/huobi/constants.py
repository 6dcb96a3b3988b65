"""What HTX's documents say: channels, limits, paths, refusal codes. Data only.

Sources: HTX API, "Spot: Websocket Market Data", "Coin Margined Swaps" and "USDT Margined Contracts": "WebSocket Market
Data", "WebSocket System Status". Intervals and figures that the documents leave open say so.
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "FACTS",
    "FACTS_SWAP",
    "FEED_CHANNELS",
    "FEED_PATH",
    "HISTORY_TRADES",
    "INDEX_CHANNELS",
    "INDEX_PATH",
    "INTERVALS",
    "LIMITS",
    "MARKET_PATH",
    "MBP_CHANNELS",
    "MS",
    "NEVER_CODES",
    "NOTIFICATION_CHANNELS",
    "REASON_CHARS",
    "SPOT_CHANNELS",
    "SPOT_PARTIAL_BOOK_CHANNELS",
    "SWAP_CHAINED_BOOK_CHANNELS",
    "SWAP_CHANNELS",
    "SWAP_PARTIAL_BOOK_CHANNELS",
    "SYMBOL_CHARS_MAX",
    "S",
]

MS = 1_000_000
S = 1_000_000_000
"""Nanoseconds in a millisecond and in a second."""

# ---- channels

INTERVALS = {
    "1m": "1min",
    "5m": "5min",
    "15m": "15min",
    "30m": "30min",
    "1h": "60min",
    "4h": "4hour",
    "1d": "1day",
    "1w": "1week",
    "1M": "1mon",
    "1y": "1year",
}
"""Interval of bars to the exchange's name ("Market Candlestick")."""

SPOT_CHANNELS = {
    "trade": "trade.detail",
    "quote": "bbo",
    "book": "mbp.150",
    "book400": "mbp.400",
    "book20_tbt": "mbp.20",
    "book5_tbt": "mbp.5",
    "book5": "mbp.refresh.5",
    "book10": "mbp.refresh.10",
    "book20": "mbp.refresh.20",
    "book150_step0": "depth.step0",
    "ticker": "ticker",
    **{f"bar_{interval}": f"kline.{name}" for interval, name in INTERVALS.items()},
}
"""Configuration channel to the exchange's, spot. Increments of 5 and 20 levels are sent tick by tick, those of 150 and
400 levels each 100 ms; all but those of 150 for a part of the symbols only ("Market By Price (incremental update)")."""

MBP_CHANNELS = frozenset({"book", "book400", "book20_tbt", "book5_tbt"})
"""Increments, whose snapshot is requested on the same connection."""

SPOT_PARTIAL_BOOK_CHANNELS = frozenset({"book5", "book10", "book20", "book150_step0"})
"""Every message is a full picture."""

FEED_CHANNELS = MBP_CHANNELS
"""Served at another path than everything else."""

SWAP_CHANNELS = {
    "trade": "trade.detail",
    "quote": "bbo",
    "book": "depth.size_150.high_freq",
    "book20": "depth.size_20.high_freq",
    "book150_step0": "depth.step0",
    "ticker": "detail",
    "funding": "funding_rate",
    "liquidation": "liquidation_orders",
    "mark_price": "mark_price.1min",
    **{f"bar_{interval}": f"kline.{name}" for interval, name in INTERVALS.items() if interval != "1y"},
}
"""Configuration channel to the exchange's, swaps. The mark price is the close of its running bar."""

SWAP_CHAINED_BOOK_CHANNELS = frozenset({"book"})
"""Snapshot on the stream, then updates with consecutive versions (``data_type`` incremental)."""

SWAP_PARTIAL_BOOK_CHANNELS = frozenset({"book20", "book150_step0"})

NOTIFICATION_CHANNELS = frozenset({"funding", "liquidation"})
INDEX_CHANNELS = frozenset({"mark_price"})
"""Served at paths of their own: each needs a connection of its own."""

MARKET_PATH = "/ws"
FEED_PATH = "/feed"
INDEX_PATH = "/ws_index"

# ---- limits

LIMITS = Limits(  # sources: FACTS
    silence_s=15.0,
    send_interval_s=0.05,
    topics_per_request=1,
    rest_weight=Budget(120, 3.0),
    stale_channel_s={
        **dict.fromkeys(("book150_step0", "ticker"), 60.0),
        **dict.fromkeys(("quote", "book", "book5", "book10", "book20", "book20_tbt", "book5_tbt", "book400"), 60.0),
        "mark_price": 120.0,
    },
)

HISTORY_TRADES = 2_000
"""Past trades in one answer, at most, always the newest ("Get the Most Recent Trades")."""

# ---- refusals

NEVER_CODES = frozenset({"bad-request", "invalid-command", "invalid-parameter"})
"""Refusals that no retry changes: the topic or the request is wrong. All other codes are retried later."""

# ---- bounds of ours

REASON_CHARS = 200
"""Characters of a refusal's text that are passed on."""

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

SYMBOL_CHARS_MAX = 64

# ---- facts for people, and the sources of the limits

_SEQUENCED = "prevSeqNum = previous seqNum"

_SOURCES = {
    "silence_s": "Websocket Market Data, Heartbeat: a ping each 5 s (measured), closed after two without a pong",
    "send_interval_s": "ours: the documents allow 50 requests a second to a connection",
    "topics_per_request": "Subscribe to Topic: a request names one topic",
    "rest_weight": "USDT swaps, API Rate Limit Illustration: other public requests, for one address",
    "stale_channel_s": "ours: quotes and books are sent while they change; trades, bars and funding may rest",
    "keep_alive": "Websocket Market Data, Heartbeat and Connection",
    "endpoints": "Websocket Market Data, Introduction",
    "books": "Market By Price; Market Depth",
    "backfill": "Get the Most Recent Trades",
}

FACTS = VenueFacts(
    title="HTX (Huobi) spot",
    documentation="HTX API: Spot, Websocket Market Data",
    keep_alive='The exchange sends the text `{"ping":n}` each 5 s; it closes after two without a pong',
    endpoints=("wss://api.huobi.pro" + FEED_PATH,),
    books={
        "book": BookFacts(snapshot="stream", levels=150, order=_SEQUENCED),
        "book400": BookFacts(snapshot="stream", levels=400, order=_SEQUENCED),
        "book20_tbt": BookFacts(snapshot="stream", levels=20, order=_SEQUENCED),
        "book5_tbt": BookFacts(snapshot="stream", levels=5, order=_SEQUENCED),
        "book5": BookFacts(snapshot="every", levels=5),
        "book10": BookFacts(snapshot="every", levels=10),
        "book20": BookFacts(snapshot="every", levels=20),
        "book150_step0": BookFacts(snapshot="every", levels=150),
    },
    backfill={"trade": "the newest 2,000 trades"},
    remarks={
        "book": "Increments are served at an address of their own: they need a connection of their own",
        "book400": "A part of the symbols only",
        "book20_tbt": "Tick by tick; a part of the symbols only",
        "book5_tbt": "Tick by tick; a part of the symbols only",
        "bar": "Nothing says that a bar is closed",
    },
    absent={"funding": "spot has none; see huobi_swap"},
    sources=_SOURCES,
)

FACTS_SWAP = VenueFacts(
    title="HTX (Huobi) swaps, coin-margined and USDT-margined",
    documentation="HTX API: Coin Margined Swaps, USDT Margined Contracts",
    keep_alive='The exchange sends the text `{"ping":n}` each 5 s; it closes after two without a pong',
    endpoints=(
        "wss://api.hbdm.com/linear-swap-notification",
        "wss://api.hbdm.com/swap-ws",
        "wss://api.hbdm.com/swap-notification",
        "wss://api.hbdm.com" + INDEX_PATH,
    ),
    books={
        "book": BookFacts(snapshot="stream", levels=150, order="version = previous version + 1"),
        "book20": BookFacts(snapshot="every", levels=20),
        "book150_step0": BookFacts(snapshot="every", levels=150),
    },
    backfill={"trade": "the newest 2,000 trades"},
    remarks={
        "trade": "Sizes are contracts",
        "funding": "Served at an address of its own: needs a connection of its own",
        "liquidation": "At the same address as funding",
        "mark_price": "The close of the running 1-minute bar; served at an address of its own",
        "bar": "Volumes are contracts; nothing says that a bar is closed",
    },
    absent={"open_interest": "offered by REST only"},
    sources=_SOURCES,
)
