"""Frames after Upbit's documents, compact as the exchange writes them, in both formats."""

from __future__ import annotations

import msgspec

from foxtrot_workers.exchanges.upbit.constants import CHANNELS
from foxtrot_workers.testing.conformance import AdapterSample


def compact(text: str) -> bytes:
    """The frame without white space between its parts."""
    return msgspec.json.format(text.encode(), indent=-1)


TRADE = compact(
    '{"type": "trade", "code": "KRW-DOGE", "timestamp": 1614729599905, "trade_date": "2021-03-02", "trade_time": '
    '"23:59:59", "trade_timestamp": 1614729599000, "trade_price": 58.4, "trade_volume": 836.12040133, "ask_bid": '
    '"ASK", "prev_closing_price": 57.5, "change": "RISE", "change_price": 0.9, "sequential_id": 1614729599000000, '
    '"stream_type": "REALTIME"}'
)
ORDERBOOK = compact(
    '{"type": "orderbook", "code": "KRW-DOT", "timestamp": 1614729599677, "total_ask_size": 1415.12521016, '
    '"total_bid_size": 8058.44442437, "orderbook_units": [{"ask_price": 41000.0, "bid_price": 40990.0, "ask_size": '
    '1.5, "bid_size": 2.5}], "stream_type": "REALTIME"}'
)
SHORT_TRADE = compact(
    '{"ty": "trade", "cd": "KRW-LAMB", "tms": 1618678262712, "td": "2021-04-17", "ttm": "16:51:02", "ttms": '
    '1618678262000, "tp": 127.0, "tv": 46.48838371, "ab": "BID", "pcp": 123.00000000, "c": "RISE", "cp": 4.00000000, '
    '"sid": 1618678262000003, "st": "REALTIME"}'
)
SHORT_ORDERBOOK = compact(
    '{"ty": "orderbook", "cd": "KRW-LAMB", "tms": 1618678262640, "tas": 25752275.55420627, "tbs": 14407925.20098682, '
    '"obu": [{"ap": 127.0, "bp": 126.0, "as": 280460.37885666, "bs": 688682.44561413}]}'
)
TICKER = compact(
    '{"type": "ticker", "code": "KRW-BTC", "opening_price": 31883000, "high_price": 32310000, "low_price": 31855000, '
    '"trade_price": 32287000, "acc_trade_volume_24h": 4307.83, "acc_trade_price_24h": 78039261076.51, "timestamp": '
    '1676965220712, "stream_type": "SNAPSHOT"}'
)
SHORT_TICKER = compact(
    '{"ty": "ticker", "cd": "KRW-BTC", "op": 31883000, "hp": 32310000, "lp": 31855000, "tp": 32287000, "atv24h": '
    '4307.83, "atp24h": 78039261076.51, "tms": 1676965220712, "st": "SNAPSHOT"}'
)
BAR = compact(
    '{"type": "candle.1s", "code": "KRW-BTC", "candle_date_time_utc": "2025-01-02T04:28:05", "candle_date_time_kst": '
    '"2025-01-02T13:28:05", "opening_price": 142009000.0, "high_price": 142009001.5, "low_price": 142009000.0, '
    '"trade_price": 142009000.0, "candle_acc_trade_volume": 0.00606119, "candle_acc_trade_price": 860743.53, '
    '"timestamp": 1735792085824, "stream_type": "REALTIME"}'
)
SHORT_BAR = compact(
    '{"ty": "candle.1s", "cd": "KRW-BTC", "cdttmu": "2025-01-02T04:28:05", "op": 142009000.0, "hp": 142009001.5, "lp": '
    '142009000.0, "tp": 142009000.0, "catv": 0.00606119, "tms": 1735792085824, "st": "REALTIME"}'
)


def channel_sample(channel: str) -> AdapterSample:
    """The sample of a configuration channel."""
    kind = CHANNELS[channel]
    if kind == "orderbook":
        return AdapterSample(channel, "KRW-DOT", ORDERBOOK, distinct=channel != "quote")
    if kind == "trade":
        return AdapterSample(channel, "KRW-DOGE", TRADE)
    frame = TICKER if kind == "ticker" else BAR.replace(b"candle.1s", kind.encode())
    return AdapterSample(channel, "KRW-BTC", frame)


SAMPLES = [channel_sample(channel) for channel in CHANNELS]
