"""Frames after Bitget's documents, as the exchange writes them: v2, v3 (``U_``), and v1 of recordings (``OLD_``)."""

from __future__ import annotations

from foxtrot_workers.exchanges.bitget.constants import INTERVALS
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample

SUBSCRIBE = (
    '{"op": "subscribe", "args": [{"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}, {"instType": '
    '"USDT-FUTURES", "channel": "ticker", "instId": "BTCUSDT"}]}'
)
ACK = '{"event": "subscribe", "arg": {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}}'
UNSUBSCRIBED = '{"event": "unsubscribe", "arg": {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}}'
ERROR = (
    '{"event": "error", "arg": {"instType": "SPOT", "channel": "books", "instId": "XXUSDT"}, "code": 30001, "msg": '
    '"instType:SPOT,channel:books,instId:XXUSDT doesn\'t exist", "op": "subscribe"}'
)
BOOK = (
    '{"action": "snapshot", "arg": {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}, "data": [{"asks": '
    '[["27000.5", "8.760"]], "bids": [["27000.0", "2.710"]], "checksum": 0, "seq": 123, "ts": "1695716059516"}], "ts": '
    "1695716059516}"
)
BOOK_UPDATE = (
    '{"action": "update", "arg": {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}, "data": [{"asks": '
    '[["27000.5", "0"]], "bids": [], "checksum": -1816604544, "seq": 124, "ts": "1695716059616"}], "ts": 1695716059617}'
)
TRADE = (
    '{"action": "update", "arg": {"instType": "SPOT", "channel": "trade", "instId": "OPUSDT"}, "data": [{"ts": '
    '"1730332800983", "price": "1.717", "size": "56.16", "side": "buy", "tradeId": "1235670816495050754"}], "ts": '
    "1730332800989}"
)
TICKER = (
    '{"action": "snapshot", "arg": {"instType": "COIN-FUTURES", "channel": "ticker", "instId": "BTCUSD"}, "data": '
    '[{"instId": "BTCUSD", "lastPr": "72331.5", "bidPr": "72331.5", "askPr": "72331.8", "bidSz": "7.296", "askSz": '
    '"0.02", "open24h": "72047.8", "high24h": "72934.8", "low24h": "71422.8", "change24h": "-0.00561", "fundingRate": '
    '"0.000116", "nextFundingTime": "1730361600000", "markPrice": "72330.1", "indexPrice": "72340.2", "holdingAmount": '
    '"2100.5", "baseVolume": "7543.376", "quoteVolume": "544799876.924", "ts": "1730332823217"}], "ts": 1730332823220}'
)
CANDLE = (
    '{"action":"update","arg":{"instType":"SPOT","channel":"candle1m","instId":"BTCUSDT"},"data":[["1695685500000",'
    '"27000","27000.5","26999","27000.4","0.057","1539.0155","1539.0155"]],"ts":1695715462250}'
)
BOOK1 = (
    '{"action":"snapshot","arg":{"instType":"SPOT","channel":"books1","instId":"BTCUSDT"},"data":[{"asks":[["27000.5",'
    '"8.760"]],"bids":[["27000.0","2.710"]],"checksum":0,"seq":123,"ts":"1695716059516"}],"ts":1695716059516}'
)

U_SUBSCRIBE = (
    '{"op": "subscribe", "args": [{"instType": "usdt-futures", "topic": "publicTrade", "symbol": "BTCUSDT"}, '
    '{"instType": "usdt-futures", "topic": "liquidation"}]}'
)
U_BOOK = (
    '{"action": "snapshot", "arg": {"instType": "usdt-futures", "topic": "books", "symbol": "BTCUSDT"}, "data": [{"a": '
    '[["117000.5", "8.760"]], "b": [["117000.0", "2.710"]], "checksum": 0, "pseq": 0, "seq": "1343064377779269632", '
    '"ts": "1755937421270"}], "ts": 1755937421337}'
)
U_BOOK_UPDATE = (
    '{"action":"update","arg":{"instType":"usdt-futures","topic":"books","symbol":"BTCUSDT"},"data":[{"a":[],"b":'
    '[["117000.0","0"]],"checksum":0,"pseq":"1343064377779269632","seq":"1343064377779269700","ts":"1755937421370"}],'
    '"ts":1755937421437}'
)
U_TRADE = (
    '{"action": "update", "arg": {"instType": "usdt-futures", "topic": "publicTrade", "symbol": "BTCUSDT"}, "data": '
    '[{"i": "1235670816495050754", "p": "117000.5", "v": "0.01", "S": "buy", "T": "1755937421270", "L": '
    '"1235670816495050754", "isRPI": "no"}], "ts": 1755937421337}'
)
U_LIQUIDATION = (
    '{"action": "update", "arg": {"instType": "usdt-futures", "topic": "liquidation"}, "data": [{"symbol": "BTCUSDT", '
    '"side": "buy", "price": "117000.5", "amount": "0.5", "ts": "1755937421270"}], "ts": 1755937421337}'
)
U_TICKER = (
    '{"action":"snapshot","arg":{"instType":"usdt-futures","topic":"ticker","symbol":"BTCUSDT"},"data":[{"lastPrice":'
    '"117000.5","openPrice24h":"116000","highPrice24h":"118000","lowPrice24h":"115000","ask1Price":"117000.5",'
    '"bid1Price":"117000.4","bid1Size":"1.5","ask1Size":"2.5","volume24h":"1000","turnover24h":"117000000",'
    '"fundingRate":"0.0001","nextFundingTime":"1755964800000","markPrice":"117001","openInterest":"30000"}],'
    '"ts":1755937421337}'
)
U_CANDLE = (
    '{"action":"update","arg":{"instType":"usdt-futures","topic":"kline","symbol":"BTCUSDT","interval":"1m"},"data":'
    '[{"start":"1755937380000","open":"117000","close":"117000.5","high":"117001","low":"116999","volume":"0.5",'
    '"turnover":"58500"}],"ts":1755937421337}'
)

OLD_SUBSCRIBE = '{"op": "subscribe", "args": [{"instType": "SP", "channel": "books", "instId": "EOSUSDT"}]}'
OLD_TRADE = (
    '{"action": "update", "arg": {"instType": "sp", "channel": "trade", "instId": "HOTUSDT"}, "data": '
    '[["1649290077777", "0.005613", "890.8", "buy"]]}'
)
OLD_CANDLE = (
    '{"action": "update", "arg": {"instType": "sp", "channel": "candle1m", "instId": "HOTUSDT"}, "data": '
    '[["1649290020000", "0.00562", "0.005623", "0.005613", "0.005613", "8587.44"]]}'
)
OLD_TICKER = (
    '{"action": "snapshot", "arg": {"instType": "sp", "channel": "ticker", "instId": "CULTUSDT"}, "data": [{"instId": '
    '"CULTUSDT", "last": "0.00003511", "open24h": "0.00004340", "high24h": "0.00004397", "low24h": "0.00003500", '
    '"bestBid": "0.000036", "bestAsk": "0.000036", "baseVolume": "13526500963", "quoteVolume": "557426", "ts": '
    '1649290076193, "labeId": 0}]}'
)
OLD_MIX_TICKER = (
    '{"action": "snapshot", "arg": {"instType": "mc", "channel": "ticker", "instId": "DASHUSDT"}, "data": [{"instId": '
    '"DASHUSDT", "last": "113.370", "bestAsk": "113.41", "bestBid": "113.36", "priceChangePercent": "-0.036", '
    '"capitalRate": "-0.000100", "nextSettleTime": 1649314800000, "systemTime": 1649290077309, "markPrice": "113.381", '
    '"indexPrice": "113.427", "holding": "21957.17"}]}'
)


def of_channel(frame: str, channel: str, **changes: str) -> bytes:
    """`frame` as one of another channel of v2, with further changes of its argument."""
    before = frame.partition('"channel": "' if '"channel": "' in frame else '"channel":"')[2].partition('"')[0]
    frame = frame.replace(f'"{before}"', f'"{channel}"', 1)
    for old, new in changes.items():
        frame = frame.replace(old, new)
    return frame.encode()


SPOT_SAMPLES = [
    AdapterSample("trade", "OPUSDT", TRADE.encode()),
    AdapterSample("quote", "BTCUSDT", BOOK1.encode()),
    AdapterSample("book", "BTCUSDT", BOOK.encode()),
    AdapterSample("book5", "BTCUSDT", of_channel(BOOK, "books5")),
    AdapterSample("book15", "BTCUSDT", of_channel(BOOK, "books15")),
    AdapterSample("book50", "BTCUSDT", U_BOOK.replace("usdt-futures", "spot").replace('"books"', '"books50"').encode()),
    AdapterSample("ticker", "BTCUSD", TICKER.replace("COIN-FUTURES", "SPOT").encode()),
    *(AdapterSample(f"bar_{each}", "BTCUSDT", of_channel(CANDLE, f"candle{each}")) for each in INTERVALS),
]
FUTURES_SAMPLES = [
    *(
        AdapterSample(sample.channel, sample.symbol, sample.frame.replace(b'"SPOT"', b'"USDT-FUTURES"'))
        for sample in SPOT_SAMPLES
        if sample.channel not in ("book", "book50")
    ),
    AdapterSample("book", "BTCUSDT", U_BOOK.encode()),
    AdapterSample("book50", "BTCUSDT", U_BOOK.replace('"books"', '"books50"').encode()),
    *(AdapterSample(channel, "BTCUSDT", U_TICKER.encode()) for channel in ("funding", "mark_price", "open_interest")),
    AdapterSample("liquidation", "BTCUSDT", U_LIQUIDATION.encode()),
]


def past_trade(number: int, symbol: str = "OPUSDT") -> str:
    """A row of ``fills-history``."""
    return f'{{"tradeId":"{number}","symbol":"{symbol}","side":"Sell","price":"1.7","size":"2","ts":"1730332800983"}}'


BACKFILLS = [
    BackfillSample(
        "trade",
        "OPUSDT",
        1235670816495050700,
        1235670816495050720,
        '{{"code":"00000","msg":"success","requestTime":1,"data":[{}]}}'.format(
            ",".join(past_trade(number) for number in range(1235670816495050720, 1235670816495050690, -7))
        ).encode(),
    )
]
