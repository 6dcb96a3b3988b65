"""Frames after Hyperliquid's documents, written as the exchange writes them."""

from __future__ import annotations

from foxtrot_workers.exchanges.hyperliquid.constants import INTERVALS
from foxtrot_workers.testing.conformance import AdapterSample

BOOK = (
    '{"channel":"l2Book","data":{"coin":"BTC","time":1710131872708,"levels":[[{"px":"68674.0","sz":"0.97139","n":4}],'
    '[{"px":"68675.0","sz":"0.04396","n":1}]]}}'
)
FAST_BOOK = BOOK.replace('"time"', '"fast":true,"time"')
BBO = '{"channel":"bbo","data":{"coin":"BTC","time":1710131872708,"bbo":[{"px":"68674.0","sz":"0.97139","n":4},null]}}'
TRADES = (
    '{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"68517.0","sz":"0.005","time":1710125266669,'
    '"hash":"0xc872699f116e","tid":981894269203506}]}'
)
CONTEXT = (
    '{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"dayNtlVlm":"1169046.29406","prevDayPx":"15.322",'
    '"markPx":"14.3161","midPx":"14.314","oraclePx":"14.32","funding":"0.0000125","openInterest":"688.11",'
    '"premium":"0.00031774","impactPxs":["14.3047","14.3444"]}}}'
)
SPOT_CONTEXT = (
    '{"channel":"activeSpotAssetCtx","data":{"coin":"PURR/USDC","ctx":{"dayNtlVlm":"8906.0","prevDayPx":"0.20432",'
    '"markPx":"0.14","midPx":"0.209265","circulatingSupply":"1000000000.0"}}}'
)
CANDLE = (
    '{"channel":"candle","data":{"t":1681923600000,"T":1681923659999,"s":"BTC","i":"1m","o":"29195.0","c":"29192.0",'
    '"h":"29196.0","l":"29190.0","v":"4.5","n":12}}'
)
ALL_MIDS = '{"channel":"allMids","data":{"mids":{"@142":"80907.5","BTC":"80868.5","PURR/USDC":"0.067131"}}}'

SAMPLES = [
    AdapterSample("trade", "BTC", TRADES.encode()),
    AdapterSample("quote", "BTC", BBO.encode()),
    AdapterSample("book", "BTC", BOOK.encode()),
    AdapterSample("book_fast", "BTC", FAST_BOOK.encode()),
    *(
        AdapterSample(channel, "BTC", CONTEXT.encode())
        for channel in ("ticker", "funding", "mark_price", "open_interest")
    ),
    *(
        AdapterSample(f"bar_{interval}", "BTC", CANDLE.replace('"1m"', f'"{interval}"').encode())
        for interval in INTERVALS
    ),
]
