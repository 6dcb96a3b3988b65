"""What dYdX's documents say: channels, limits, refusals. Data only.

Sources: dYdX documents, "Indexer API": "Websocket", "HTTP", "Rate limits". Protocol v3 ended in 2024: its recordings
are replayed.
"""

from __future__ import annotations

from foxtrot_workers.adapter import BookFacts, Budget, Limits, VenueFacts

__all__ = [
    "ADOPTED_MAX",
    "AGES_MAX",
    "ALREADY_TEXT",
    "CHANNELS",
    "FACTS",
    "INTERVALS",
    "LIMITS",
    "LIVENESS_PATHS",
    "MARKETS_PATH",
    "MARKET_CHANNELS",
    "NEVER_TEXT",
    "SUBSCRIPTIONS_MAX",
    "SYMBOL_CHARS_MAX",
    "TRADE_CHANNELS",
]

# ---- channels

INTERVALS = {
    "1m": "1MIN",
    "5m": "5MINS",
    "15m": "15MINS",
    "30m": "30MINS",
    "1h": "1HOUR",
    "4h": "4HOURS",
    "1d": "1DAY",
}
"""Interval of bars to the exchange's resolution ("Candles")."""

MARKET_CHANNELS = frozenset({"funding", "mark_price", "open_interest"})
"""Channels that one topic carries together, for all markets."""

TRADE_CHANNELS = frozenset({"trade", "liquidation"})
"""Channels that one topic carries together, for one market: a liquidation is a trade of a certain type."""

CHANNELS = {
    "book": "v4_orderbook",
    **dict.fromkeys(sorted(TRADE_CHANNELS), "v4_trades"),
    **dict.fromkeys(sorted(MARKET_CHANNELS), "v4_markets"),
    **{f"bar_{interval}": "v4_candles" for interval in INTERVALS},
}
"""Configuration channel to the exchange's."""

# ---- limits

SUBSCRIPTIONS_MAX = 32
"""Subscriptions of one channel of the exchange on one connection ("Rate limits")."""

LIMITS = Limits(  # sources: FACTS
    silence_s=45.0,
    send_interval_s=0.6,
    topics_max=200,
    topics_per_request=1,
    rest_weight=Budget(100, 10.0),
    stale_channel_s={"book": 60.0},
)

MARKETS_PATH = "/v4/perpetualMarkets"

LIVENESS_PATHS = {
    "book": "/v4/orderbooks/perpetualMarket/{}",
    **dict.fromkeys(sorted(TRADE_CHANNELS), "/v4/trades/perpetualMarket/{}?limit=1"),
    **{f"bar_{interval}": "/v4/trades/perpetualMarket/{}?limit=1" for interval in INTERVALS},
    **dict.fromkeys(sorted(MARKET_CHANNELS), MARKETS_PATH + "?ticker={}"),
}
"""By channel: path of a request for the same data, with a place for the market. Bars move with trades."""

# ---- facts for people, and the sources of the limits

FACTS = VenueFacts(
    title="dYdX v4",
    documentation="dYdX documents: Indexer API",
    keep_alive="The exchange pings (frame) each 30 s; the pong is due within 10 s",
    testnet_url="wss://indexer.v4testnet.dydx.exchange/v4/ws",
    testnet_rest_url="https://indexer.v4testnet.dydx.exchange",
    messages=Budget(2, 1.0),
    books={
        "book": BookFacts(snapshot="stream", order="message_id of the connection = previous message_id + 1"),
    },
    remarks={
        "trade": "The first message of each market has its latest trades before the subscription",
        "book": "Uncrossed here: of a bid and an ask that cross, the older is removed. Without a time of the exchange",
        "funding": "The expected rate of the hour",
        "mark_price": "The oracle price",
        "liquidation": "Trades of type LIQUIDATED",
        "bar": "Closed by the first message about the next bar: the exchange does not say when a bar is closed",
    },
    absent={
        "quote": "book has the best levels",
        "ticker": "figures of a day come only when they change; see funding, mark_price and open_interest",
        "backfill": "trade ids have no decimal order",
    },
    sources={
        "silence_s": "Websocket: a ping each 30 s, with a margin",
        "send_interval_s": "Rate limits: 2 subscriptions a second",
        "topics_max": "ours; Rate limits: 32 of each channel on a connection, which the worker keeps",
        "topics_per_request": "Websocket: a request names one channel of one market",
        "rest_weight": "Rate limits: for one address",
        "stale_channel_s": "ours: books of all markets change many times a minute",
        "keep_alive": "Websocket",
        "testnet_url": "Websocket",
        "testnet_rest_url": "HTTP",
        "messages": "Rate limits: for one channel and market; here for all together",
        "books": "Websocket: Orderbook; Guides: How to uncross the orderbook",
    },
)

# ---- refusals, by their text

ALREADY_TEXT = "already subscribed"

NEVER_TEXT = "Invalid"
"""Beginning of refusals that no retry changes. All others are retried later."""

# ---- bounds of ours

ADOPTED_MAX = 10_000
"""Topics adopted in replay."""

AGES_MAX = 40_000
"""Levels of one side, removed ones among them, whose age is remembered."""

SYMBOL_CHARS_MAX = 128
"""Markets that anybody may open have long names."""
