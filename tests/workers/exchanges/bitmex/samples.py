"""Frames after BitMEX's documents, as the exchange wrote them."""

from __future__ import annotations

from foxtrot_workers.exchanges.bitmex.constants import INTERVALS
from foxtrot_workers.testing.conformance import AdapterSample

SUBSCRIBE = '{"op": "subscribe", "args": ["orderBookL2:XBTUSD", "trade:XBTUSD"]}'
WELCOME = (
    '{"info": "Welcome to the BitMEX Realtime API.", "version": "2021-07-14T01:26:29.000Z", "timestamp": '
    '"2021-07-22T22:36:07.865Z", "docs": "https://www.bitmex.com/app/wsAPI", "limit": {"remaining": 39}}'
)
ACK = (
    '{"success": true, "subscribe": "orderBookL2:XBTUSD", "request": {"op": "subscribe", "args": '
    '["orderBookL2:XBTUSD"]}}'
)
ERROR = '{"status": 400, "error": "Unknown table: foo", "meta": {}, "request": {"op": "subscribe", "args": ["foo"]}}'
PARTIAL = (
    '{"table": "orderBookL2", "action": "partial", "keys": ["symbol", "id", "side"], "types": {"symbol": "symbol", '
    '"id": "long", "side": "symbol", "size": "long", "price": "float"}, "filter": {"symbol": "XRPU21"}, "data": '
    '[{"symbol": "XRPU21", "id": 56799989301, "side": "Sell", "size": 3000, "price": 0.00010699}]}'
)
INSERT = (
    '{"table": "orderBookL2", "action": "insert", "data": [{"symbol": "SOLUSDT", "id": 54899972480, "side": "Sell", '
    '"size": 991, "price": 27.52}]}'
)
UPDATE = (
    '{"table": "orderBookL2", "action": "update", "data": [{"symbol": "UNIUSDT", "id": 51999982703, "side": "Sell", '
    '"size": 123}]}'
)
DELETE = (
    '{"table": "orderBookL2", "action": "delete", "data": [{"symbol": "BCHUSD", "id": 40199991245, "side": "Buy"}]}'
)
TRADE = (
    '{"table": "trade", "action": "insert", "data": [{"timestamp": "2021-07-22T22:36:10.014Z", "symbol": "UNIUSDT", '
    '"side": "Buy", "size": 52, "price": 17.297, "tickDirection": "PlusTick", "trdMatchID": '
    '"39744121-c20e-44ba-8cc8-a6b8cdf72885", "grossValue": 899444, "homeNotional": 16.73101673101673, '
    '"foreignNotional": 289.39639639639637}]}'
)
QUOTE = (
    '{"table": "quote", "action": "insert", "data": [{"timestamp": "2021-07-22T22:36:10.014Z", "symbol": "UNIUSDT", '
    '"bidSize": 750, "bidPrice": 17.277, "askPrice": 17.297, "askSize": 123}]}'
)
INSTRUMENT = (
    '{"table":"instrument","action":"update","data":[{"symbol":"XBTUSD","lastPrice":95123.5,"markPrice":95125.7,'
    '"openInterest":123456789,"timestamp":"2024-11-25T12:00:00.000Z"}]}'
)
FUNDING = (
    '{"table":"funding","action":"insert","data":[{"timestamp":"2024-11-25T04:00:00.000Z","symbol":"XBTUSD",'
    '"fundingInterval":"2000-01-01T08:00:00.000Z","fundingRate":0.0001,"fundingRateDaily":0.0003}]}'
)
LIQUIDATION = (
    '{"table":"liquidation","action":"insert","data":[{"orderID":"550e8400-e29b-41d4-a716-446655440099","symbol":'
    '"XBTUSD","side":"Buy","price":95000.0,"leavesQty":1000}]}'
)
TEN_LEVELS = (
    '{"table":"orderBook10","action":"update","data":[{"symbol":"XBTUSD","bids":[[98490.3,22400]],"asks":'
    '[[98490.4,17600]],"timestamp":"2024-11-24T08:19:13.513Z"}]}'
)
BIN = (
    '{"table":"tradeBin1m","action":"insert","data":[{"timestamp":"2024-11-23T20:07:00.000Z","symbol":"XBTUSD","open":'
    '97550.0,"high":97584.4,"low":97550.0,"close":97570.1,"trades":20,"volume":84000}]}'
)

SAMPLES = [
    AdapterSample("trade", "UNIUSDT", TRADE.encode()),
    AdapterSample("quote", "UNIUSDT", QUOTE.encode()),
    AdapterSample("book", "XRPU21", PARTIAL.encode()),
    AdapterSample("book25", "XRPU21", PARTIAL.replace('"orderBookL2"', '"orderBookL2_25"').encode()),
    AdapterSample("book10", "XBTUSD", TEN_LEVELS.encode()),
    AdapterSample("mark_price", "XBTUSD", INSTRUMENT.encode()),
    AdapterSample("open_interest", "XBTUSD", INSTRUMENT.encode()),
    AdapterSample("funding", "XBTUSD", FUNDING.encode()),
    AdapterSample("liquidation", "XBTUSD", LIQUIDATION.encode()),
    *(AdapterSample(f"bar_{each}", "XBTUSD", BIN.replace("Bin1m", f"Bin{each}").encode()) for each in INTERVALS),
]
