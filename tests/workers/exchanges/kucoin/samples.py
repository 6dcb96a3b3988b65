"""Frames after KuCoin's documents, as the exchange writes them."""

from __future__ import annotations

from foxtrot_workers.exchanges.kucoin.constants import FUTURES_TOPICS, INTERVALS, SPOT_TOPICS
from foxtrot_workers.testing.conformance import AdapterSample

ACCESS = (
    '{"code": "200000", "data": {"token": "t", "instanceServers": [{"endpoint": "wss://ws-api-spot.kucoin.com/", '
    '"encrypt": true, "protocol": "websocket", "pingInterval": 18000, "pingTimeout": 10000}]}}'
)
WELCOME = '{"id": "abc", "type": "welcome"}'
ACK = '{"id": "1", "type": "ack"}'
PONG = '{"id": "2", "type": "pong"}'
ERROR = '{"id": "1", "type": "error", "code": 415, "data": "type is not supported"}'
SUBSCRIBE = (
    '{"id": "1", "type": "subscribe", "topic": "/market/level2:BTC-USDT,ETH-USDT", "privateChannel": false, '
    '"response": true}'
)
UNSUBSCRIBE = (
    '{"id": "3", "type": "unsubscribe", "topic": "/market/level2:BTC-USDT", "privateChannel": false, "response": true}'
)
LEVEL2 = (
    '{"type": "message", "topic": "/market/level2:BTC-USDT", "subject": "trade.l2update", "data": {"sequenceStart": '
    '1545896669105, "sequenceEnd": 1545896669106, "symbol": "BTC-USDT", "changes": {"asks": [["6", "1", '
    '"1545896669105"]], "bids": [["4", "1", "1545896669106"]]}, "time": 1729816425625}}'
)
OLD_LEVEL2 = (
    '{"data":{"sequenceStart":7,"symbol":"BTC-USDT","changes":{"asks":[["0","0","7"]],"bids":[]},"sequenceEnd":7},'
    '"subject":"trade.l2update","topic":"/market/level2:BTC-USDT","type":"message"}'
)
MATCH = (
    '{"type": "message", "topic": "/market/match:DAPPT-BTC", "subject": "trade.l3match", "data": {"symbol": '
    '"DAPPT-BTC", "sequence": "1612701563869", "side": "buy", "size": "81.8814", "price": "0.0000001117", '
    '"takerOrderId": "6085c097", "time": "1619378327739050725", "type": "match", "makerOrderId": "6085c061", '
    '"tradeId": "6085c09769bc506996295e36"}}'
)
TICKER = (
    '{"type": "message", "topic": "/market/ticker:SNX-BTC", "subject": "trade.ticker", "data": {"sequence": '
    '"1612844051653", "bestAsk": "0.00028717", "size": "0.01745248", "bestBidSize": "3.70422021", "price": '
    '"0.00028676", "time": 1619378326323, "bestAskSize": "14.04274325", "bestBid": "0.00028678"}}'
)
CANDLES = (
    '{"type": "message", "topic": "/market/candles:DAPPT-BTC_1min", "subject": "trade.candles.update", "data": '
    '{"symbol": "DAPPT-BTC", "candles": ["1619378280", "0.0000001117", "0.0000001126", "0.0000001126", '
    '"0.0000001117", "3799.1984", "0.00042624222239"], "time": 1619378332805085744}}'
)
LEVEL1 = (
    '{"topic":"/spotMarket/level1:BTC-USDT","type":"message","subject":"level1","data":{"asks":["68145.8",'
    '"0.51987471"],"bids":["68145.7","1.29267802"],"timestamp":1729816058766}}'
)
DEPTH5 = (
    '{"topic":"/spotMarket/level2Depth5:BTC-USDT","type":"message","subject":"level2","data":{"asks":[["67996.7",'
    '"1.14213262"],["67996.8","0.21748212"]],"bids":[["67996.6","0.37969491"]],"timestamp":1729822226746}}'
)
MARK = (
    '{"topic":"/indicator/markPrice:USDT-BTC","type":"message","subject":"trade.indicator","data":{"symbol":'
    '"USDT-BTC","granularity":5000,"timestamp":1551770400000,"value":1.61E-5}}'
)
UNIFIED_SUBSCRIBE = (
    '{"id": "1", "action": "subscribe", "channel": "obu", "tradeType": "SPOT", "symbol": "BTC-USDT", "depth": '
    '"increment@10ms"}'
)
UNIFIED_WELCOME = '{"sessionId": "ddfb0cbd-f7a7-40c2-9129-445bbb830c54", "message": "welcome", "pingInterval": 18000}'
UNIFIED_SNAPSHOT = (
    '{"T": "obu.SPOT", "dp": "increment@10ms", "t": "snapshot", "P": "1774624848680504909", "d": {"C": 20452522782, '
    '"M": "1774624848673000000", "O": 20452522782, "a": [["66532.5", "0.46243848"]], "b": [["66532.4", "0.09489"]], '
    '"s": "BTC-USDT"}}'
)
UNIFIED_DELTA = (
    '{"T": "obu.SPOT", "dp": "increment@10ms", "t": "delta", "P": "1774624848690504909", "d": {"C": 20452522785, "M": '
    '"1774624848683000000", "O": 20452522783, "a": [["66532.5", "0"]], "b": [], "s": "BTC-USDT"}}'
)
SPOT_BOOK = '{"code":"200000","data":{"time":1729816425000,"sequence":"%d","bids":[["3","1"]],"asks":[["7","2"]]}}'

FUTURES_SUBSCRIBE = (
    '{"id": "1", "type": "subscribe", "topic": "/contractMarket/level2:XBTUSDTM,ETHUSDTM", "response": true}'
)
FUTURES_LEVEL2 = (
    '{"topic": "/contractMarket/level2:C98USDTM", "type": "message", "subject": "level2", "sn": 1694868048361, "data": '
    '{"sequence": 1694868048361, "change": "0.2353,buy,146", "timestamp": 1705881600096}}'
)
FUTURES_BOOK = (
    '{"code": "200000", "data": {"sequence": 1694868048360, "symbol": "C98USDTM", "bids": [[0.2353, 100]], "asks": '
    '[[0.2354, 50]], "ts": 1705881597161000000}}'
)
EXECUTION = (
    '{"topic": "/contractMarket/execution:COMPUSDTM", "type": "message", "subject": "match", "sn": 1694749771273, '
    '"data": {"symbol": "COMPUSDTM", "sequence": 1694749771273, "side": "buy", "size": 102, "price": "57.75", '
    '"takerOrderId": "1379", "makerOrderId": "1378", "tradeId": "1694749771273", "ts": 1705708799996000000}}'
)
QUOTE_V2 = (
    '{"topic": "/contractMarket/tickerV2:BCHUSDTM", "type": "message", "subject": "tickerV2", "sn": 1695158749093, '
    '"data": {"symbol": "BCHUSDTM", "sequence": 1695158749093, "bestBidSize": 480, "bestBidPrice": "236.76", '
    '"bestAskPrice": "236.77", "bestAskSize": 126, "ts": 1705708800078000000}}'
)
FUTURES_MARK = (
    '{"topic": "/contract/instrument:XAIUSDTM", "type": "message", "subject": "mark.index.price", "data": {"markPrice":'
    ' 0.80694, "indexPrice": 0.80695, "granularity": 1000, "timestamp": 1705881600000}}'
)
FUNDING = (
    '{"topic": "/contract/instrument:BAKEUSDTM", "type": "message", "subject": "funding.rate", "data": {"granularity": '
    '28800000, "fundingRate": 0.000105, "timestamp": 1705982400000}}'
)
CONTRACT_TICKER = (
    '{"topic":"/contractMarket/ticker:XBTUSDTM","type":"message","subject":"ticker","sn":1697895963339,"data":{"symbol"'
    ':"XBTUSDTM","sequence":1697895963339,"side":"sell","size":4,"price":"67969.8","bestBidSize":1283,"bestBidPrice":'
    '"67969.7","bestAskPrice":"67969.8","tradeId":"1697895963339","bestAskSize":4,"ts":1729163001780000000}}'
)
LIMIT_CANDLE = (
    '{"topic":"/contractMarket/limitCandle:XBTUSDTM_1min","type":"message","subject":"candle.stick","data":{"symbol":'
    '"XBTUSDTM","candles":["1729839600","67644.9","67437.6","67724.8","67243.8","44849","0"],"time":1729842192785}}'
)
FUTURES_DEPTH5 = (
    '{"topic":"/contractMarket/level2Depth5:XBTUSDTM","type":"message","subject":"level2","sn":1731680019099,"data":'
    '{"bids":[["89720.9",513]],"sequence":1709294490099,"timestamp":1731680019100,"ts":1731680019100,"asks":'
    '[["89721",906]]}}'
)


def _retopic(frame: str, topics: dict[str, tuple[str, str]], channel: str) -> str:
    """Return `frame`, of a similar channel, with the topic name of `channel`."""
    before = frame.partition('"topic":')[2].split('"')[1].partition(":")[0]
    return frame.replace(f"{before}:", topics[channel][0])


SPOT_SAMPLES = [
    AdapterSample("trade", "DAPPT-BTC", MATCH.encode()),
    AdapterSample("quote", "BTC-USDT", LEVEL1.encode()),
    AdapterSample("book", "BTC-USDT", LEVEL2.encode(), events=0),
    AdapterSample("book5", "BTC-USDT", DEPTH5.encode()),
    AdapterSample("book50", "BTC-USDT", _retopic(DEPTH5, SPOT_TOPICS, "book50").encode()),
    AdapterSample("book500", "BTC-USDT", UNIFIED_SNAPSHOT.encode()),
    AdapterSample("ticker", "SNX-BTC", TICKER.encode()),
    AdapterSample("mark_price", "USDT-BTC", MARK.encode()),
    *(
        AdapterSample(f"bar_{ours}", "DAPPT-BTC", CANDLES.replace("_1min", f"_{theirs}").encode())
        for ours, theirs in INTERVALS.items()
    ),
]

FUTURES_SAMPLES = [
    AdapterSample("trade", "COMPUSDTM", EXECUTION.encode()),
    AdapterSample("quote", "BCHUSDTM", QUOTE_V2.encode()),
    AdapterSample("book", "C98USDTM", FUTURES_LEVEL2.encode(), events=0),
    AdapterSample("book5", "XBTUSDTM", FUTURES_DEPTH5.encode()),
    AdapterSample("book50", "XBTUSDTM", _retopic(FUTURES_DEPTH5, FUTURES_TOPICS, "book50").encode()),
    AdapterSample("book500", "BTC-USDT", UNIFIED_SNAPSHOT.replace("obu.SPOT", "obu.FUTURES").encode()),
    AdapterSample("ticker", "XBTUSDTM", CONTRACT_TICKER.encode()),
    AdapterSample("mark_price", "XAIUSDTM", FUTURES_MARK.encode()),
    AdapterSample("funding", "BAKEUSDTM", FUNDING.encode()),
    *(
        AdapterSample(f"bar_{ours}", "XBTUSDTM", LIMIT_CANDLE.replace("_1min", f"_{theirs}").encode())
        for ours, theirs in INTERVALS.items()
    ),
]
