"""Frames after Deribit's documents, as the exchange writes them: without white space."""

from __future__ import annotations

from typing import Any

import msgspec

from foxtrot_workers.exchanges.deribit.constants import CHANNELS
from foxtrot_workers.testing.conformance import AdapterSample

INSTRUMENT = "BTC-PERPETUAL"


def frame(channel: str, data: Any) -> bytes:
    """A notification."""
    params = {"channel": channel, "data": data}
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "subscription", "params": params})


SNAPSHOT: dict[str, Any] = {
    "type": "snapshot",
    "instrument_name": INSTRUMENT,
    "timestamp": 1699999999000,
    "change_id": 123456789,
    "bids": [["new", 42500.0, 1000.0]],
    "asks": [["new", 42501.0, 800.0]],
}
CHANGE: dict[str, Any] = {
    "type": "change",
    "instrument_name": INSTRUMENT,
    "timestamp": 1699999999500,
    "change_id": 123456790,
    "prev_change_id": 123456789,
    "bids": [["change", 42500.0, 950.0]],
    "asks": [["delete", 42501.0, 0.0]],
}
PICTURE: dict[str, Any] = {
    "instrument_name": INSTRUMENT,
    "timestamp": 1769246173071,
    "change_id": 136725664747,
    "bids": [[89532.5, 254900.0]],
    "asks": [[89533.0, 1000.0]],
}
TRADE: dict[str, Any] = {
    "timestamp": 1765531356452,
    "price": 92294.5,
    "amount": 10.0,
    "direction": "sell",
    "index_price": 92276.75,
    "instrument_name": INSTRUMENT,
    "trade_seq": 271252854,
    "mark_price": 92287.11,
    "tick_direction": 2,
    "contracts": 1.0,
    "trade_id": "403691824",
}
QUOTE: dict[str, Any] = {
    "timestamp": 1765541767174,
    "instrument_name": INSTRUMENT,
    "best_ask_price": 92288.5,
    "best_bid_price": 92288.0,
    "best_ask_amount": 99470.0,
    "best_bid_amount": 133440.0,
}
CHART: dict[str, Any] = {
    "tick": 1767200040000,
    "open": 87490.0,
    "high": 87500.0,
    "low": 87465.0,
    "close": 87474.0,
    "volume": 0.95978896,
    "cost": 83970.0,
}
TICKER: dict[str, Any] = {
    **QUOTE,
    "state": "open",
    "stats": {"high": 93612.0, "low": None, "volume": 11897.27640428, "volume_usd": 1092371540.0},
    "last_price": 92283.5,
    "open_interest": 1132329370.0,
    "mark_price": 92281.78,
    "index_price": 92263.55,
    "current_funding": 0.0,
    "funding_8h": 1.742e-05,
}


def channel_frame(channel: str) -> bytes:
    """The frame of a configuration channel."""
    topic = CHANNELS[channel].format(INSTRUMENT)
    data: Any
    if channel.startswith("bar_"):
        data = CHART
    elif channel.startswith("book"):
        data = PICTURE if ".none." in topic else SNAPSHOT
    elif topic.startswith("ticker."):
        data = TICKER
    else:
        data = {"trade": [TRADE], "liquidation": [{**TRADE, "liquidation": "T"}], "quote": QUOTE}[channel]
    return frame(topic, data)


SAMPLES = [AdapterSample(channel, INSTRUMENT, channel_frame(channel)) for channel in CHANNELS]
