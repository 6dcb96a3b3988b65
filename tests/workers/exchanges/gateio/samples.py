"""Frames after Gate.io's documents, as the exchange writes them."""

from __future__ import annotations

from foxtrot_workers.exchanges.gateio.constants import INTERVALS
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample

SUBSCRIBE = (
    '{"time": 1650189272, "id": 1, "channel": "spot.order_book_update", "event": "subscribe", '
    '"payload": ["BTC_USDT", "100ms"]}'
)
ACK = (
    '{"time": 1649062304, "id": 1, "channel": "spot.order_book_update", "event": "subscribe", "result": {"status": '
    '"success"}}'
)
UNSUBSCRIBE = (
    '{"time": 1650189272, "channel": "spot.order_book_update", "event": "unsubscribe", "payload": ["BTC_USDT", '
    '"100ms"]}'
)
REFUSED = (
    '{"time": 1739853211, "id": 1, "channel": "spot.trades", "event": "subscribe", "payload": ["LUNARLENS_USDT"], '
    '"error": {"code": 2, "message": "unknown currency pair: LUNARLENS_USDT"}, "result": {"status": "fail"}}'
)
PING = '{"time": 1650189272, "channel": "spot.ping"}'
PONG = '{"time": 1650189272, "channel": "spot.pong", "event": "", "error": null, "result": null}'
UPDATE = (
    '{"time": 1650189272, "channel": "spot.order_book_update", "event": "update", "result": {"t": 1650189272515, "e": '
    '"depthUpdate", "E": 1650189272, "s": "GMT_USDT", "U": 140595902, "u": 140595902, "b": [["2.51518", "228.119"]], '
    '"a": [["2.5182", "4.199"]]}}'
)
SNAPSHOT = b'{"id":%d,"current":1650189272600,"update":1650189272590,"asks":[["2.6","1"]],"bids":[["2.4","2"]]}'
OBU = (
    '{"channel": "spot.obu", "result": {"t": 1777275365213, "full": true, "s": "ob.XRP_USDT.50", "u": 9649549324, "b": '
    '[["1.414", "1397.899"]], "a": [["1.415", "17344.926"]]}, "time_ms": 1777275365214, "event": "update"}'
)
TRADE = (
    '{"time": 1619093546, "channel": "spot.trades", "event": "update", "result": {"id": 816995970, "create_time": '
    '1619093546, "create_time_ms": "1619093546958.116", "side": "buy", "currency_pair": "NEO_BTC", "amount": '
    '"0.5000000000", "price": "0.0018735000"}}'
)
TICKER = (
    '{"time": 1619093533, "channel": "spot.tickers", "event": "update", "result": {"currency_pair": "NEO_BTC", "last": '
    '"0.0018716", "lowest_ask": "0.0018734", "highest_bid": "0.0018697", "change_percentage": "2.9256", "base_volume": '
    '"1138.01640718", "quote_volume": "2.048263365803126", "high_24h": "0.0018754", "low_24h": "0.0017148"}}'
)
CANDLE = (
    '{"time": 1619093534, "channel": "spot.candlesticks", "event": "update", "result": {"t": "1619093520", "v": "0", '
    '"c": "0.0018716", "h": "0.0018717", "l": "0.0018715", "o": "0.0018714", "n": "1m_NEO_BTC"}}'
)
QUOTE = (
    '{"time":1606293275,"time_ms":1606293275723,"channel":"spot.book_ticker","event":"update","result":{"t":'
    '1606293275123,"u":48733182,"s":"BTC_USDT","b":"19177.79","B":"0.0003341504","a":"19179.38","A":"0.09"}}'
)
PARTIAL = (
    '{"time":1606295412,"time_ms":1606295412213,"channel":"spot.order_book","event":"update","result":{"t":'
    '1606295412123,"lastUpdateId":48791820,"s":"BTC_USDT","l":"5","bids":[["19079.55","0.0195"]],'
    '"asks":[["19080.24","0.1638"]]}}'
)

FUTURES_SUBSCRIBE = (
    '{"time": 1684930165, "channel": "futures.order_book_update", "event": "subscribe", "payload": ["DIA_USDT", '
    '"100ms"]}'
)
FUTURES_ACK = (
    '{"time": 1684930165, "time_ms": 0, "channel": "futures.order_book_update", "event": "subscribe", "result": '
    '{"status": "success"}}'
)
FUTURES_PING = '{"time": 1684930165, "channel": "futures.ping"}'
FUTURES_PONG = '{"time": 1684930165, "time_ms": 1684930165254, "channel": "futures.pong", "event": "", "result": null}'
DUPLICATE = (
    '{"time": 1747054611, "channel": "futures.obu", "event": "subscribe", "payload": ["ob.BTC_USDT.50"], "error": '
    '{"code": 2, "message": "Alert sub ob.BTC_USDT.50"}}'
)
FUTURES_UPDATE = (
    '{"time": 1684930165, "time_ms": 1684930165254, "channel": "futures.order_book_update", "event": "update", '
    '"result": {"U": 203083177, "a": [{"p": "0.2983", "s": 0}], "b": [], "s": "RDNT_USDT", "t": 1684930165217, "u": '
    "203083177}}"
)
FUTURES_SNAPSHOT = (
    '{"current": 1684930166.384, "update": 1684930166.35, "id": 203083287, "asks": [{"s": 803, "p": "0.2974"}], '
    '"bids": [{"s": 5383, "p": "0.2972"}]}'
)
FUTURES_QUOTE = (
    '{"time": 1684930165, "time_ms": 1684930165971, "channel": "futures.book_ticker", "event": "update", "result": '
    '{"t": 1684930165960, "u": 203083200, "s": "RDNT_USDT", "b": "0.2972", "B": 5383, "a": "0.2976", "A": 8456}}'
)
FUTURES_OBU = (
    '{"channel": "futures.obu", "result": {"t": 1747054612673, "full": true, "s": "ob.BTC_USDT.50", "u": 73777715168, '
    '"b": [["104027.1", "509392"]], "a": [["104027.2", "44617"]]}, "time_ms": 1747054612695, "event": "update"}'
)
FUTURES_OBU_DELTA = (
    '{"channel": "futures.obu", "result": {"t": 1747054612848, "s": "ob.BTC_USDT.50", "U": 73777715169, "u": '
    '73777715212, "b": [["104027.1", "0"]]}, "time_ms": 1747054612925, "event": "update"}'
)
FUTURES_TRADE = (
    '{"time": 1648771200, "channel": "futures.trades", "event": "update", "result": [{"size": -108, "id": 27753479, '
    '"create_time": 1545136464, "create_time_ms": 1545136464123, "price": "96.4", "contract": "BTC_USD"}]}'
)
FUTURES_TICKER = (
    '{"time": 1648771200, "time_ms": 1648771200123, "channel": "futures.tickers", "event": "update", "result": '
    '[{"contract": "BTC_USDT", "last": "118.4", "funding_rate": "-0.000114", "funding_rate_indicative": "0.01875", '
    '"mark_price": "118.35", "index_price": "118.36", "total_size": "73648"}]}'
)
FUTURES_CANDLE = (
    '{"time":1542162490,"time_ms":1542162490123,"channel":"futures.candlesticks","event":"update","result":[{"t":'
    '1545129300,"v":27525555,"c":"95.4","h":"96.9","l":"89.5","o":"94.3","n":"1m_BTC_USD","a":"314732.87412",'
    '"w":false},{"t":1545129240,"v":"7","c":"95","h":"96","l":"89","o":"94","n":"1m_BTC_USD","w":true}]}'
)
LIQUIDATION = (
    '{"channel":"futures.public_liquidates","event":"update","time":1541505434,"time_ms":1541505434123,"result":'
    '[{"price":215.1,"size":-124,"time_ms":1541486601123,"contract":"BTC_USD"}]}'
)

SPOT_SAMPLES = [
    AdapterSample("trade", "NEO_BTC", TRADE.encode()),
    AdapterSample("quote", "BTC_USDT", QUOTE.encode()),
    AdapterSample("ticker", "NEO_BTC", TICKER.encode()),
    AdapterSample("book", "XRP_USDT", OBU.replace(".50", ".400").encode()),
    AdapterSample("book50_obu", "XRP_USDT", OBU.encode()),
    AdapterSample("book_update", "GMT_USDT", UPDATE.encode(), events=0),
    *(AdapterSample(f"book{levels}", "BTC_USDT", PARTIAL.encode()) for levels in (5, 10, 20, 50, 100)),
    *(AdapterSample(f"bar_{each}", "NEO_BTC", CANDLE.replace("1m_", f"{each}_").encode()) for each in INTERVALS),
]
FUTURES_SAMPLES = [
    AdapterSample("trade", "BTC_USD", FUTURES_TRADE.encode()),
    AdapterSample("quote", "RDNT_USDT", FUTURES_QUOTE.encode()),
    *(
        AdapterSample(channel, "BTC_USDT", FUTURES_TICKER.encode())
        for channel in ("ticker", "funding", "mark_price", "open_interest")
    ),
    AdapterSample("liquidation", "BTC_USD", LIQUIDATION.encode()),
    AdapterSample("book", "BTC_USDT", FUTURES_OBU.replace(".50", ".400").encode()),
    AdapterSample("book50_obu", "BTC_USDT", FUTURES_OBU.encode()),
    AdapterSample("book_update", "RDNT_USDT", FUTURES_UPDATE.encode(), events=0),
    *(
        AdapterSample(f"bar_{each}", "BTC_USD", FUTURES_CANDLE.replace("1m_", f"{each}_").encode(), events=2)
        for each in INTERVALS
    ),
]


def pair_trade(number: int) -> str:
    """A row of ``spot/trades``."""
    return (
        f'{{"id":"{number}","create_time":"1548000000","create_time_ms":"1548000000123.456","currency_pair":"NEO_BTC",'
        '"side":"sell","role":"taker","amount":"1.2","price":"0.0018"}'
    )


def contract_trade(number: int) -> str:
    """A row of ``futures/usdt/trades``."""
    return (
        f'{{"id":{number},"create_time":1514764800.1,"create_time_ms":1514764800.123,"contract":"BTC_USD","size":-100,'
        '"price":"100.123"}'
    )


SPOT_BACKFILLS = [
    BackfillSample("trade", "NEO_BTC", 70, 79, f"[{','.join(map(pair_trade, range(79, 60, -3)))}]".encode())
]
FUTURES_BACKFILLS = [
    BackfillSample("trade", "BTC_USD", 70, 79, f"[{','.join(map(contract_trade, range(79, 60, -1)))}]".encode())
]
