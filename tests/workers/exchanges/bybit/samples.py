"""Frames after Bybit's documents, written as the exchange writes them."""

from __future__ import annotations

from foxtrot_workers.exchanges.bybit.constants import INTERVALS
from foxtrot_workers.testing.conformance import AdapterSample

BOOK = (
    '{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT",'
    '"b":[["16493.50","0.006"]],"a":[["16611.00","0.029"]],"u":18521288,"seq":7961638724},"cts":1672304484976}'
)
BOOK_DELTA = (
    '{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1687940967466,"data":{"s":"BTCUSDT","b":[["30240.00","0"]],'
    '"a":[["30249.30","0.892"]],"u":177400507,"seq":66544703342},"cts":1687940967464}'
)
RPI_BOOK = (
    '{"topic":"orderbook.rpi.BTCUSDT","ts":1752462190540,"type":"snapshot","data":{"s":"BTCUSDT",'
    '"b":[["117962.40","0.006","0.5"],["117962.30","0","2.400"]],"a":[["117962.50","1","0"]],"u":5,"seq":8},'
    '"cts":1752462190538}'
)
FULL_DELTA = (
    '{"topic":"orderbook.full.BTCUSDT","ts":1784103477732,"type":"delta","data":{"s":"BTCUSDT",'
    '"b":[["62998.0","2342.47"]],"a":[],"u":439926,"seq":1501100579},"cts":1784103477730}'
)
FULL_ANSWER = (
    '{"retCode":0,"retMsg":"OK","result":{"s":"BTCUSDT","a":[["62998.2","0.198738"]],"b":[["62998.1","0.396837"]],'
    '"ts":1784103578352,"u":439925,"seq":2164890076,"cts":1784103578350},"retExtInfo":{},"time":1784103579732}'
)
QUOTE = BOOK.replace("orderbook.50", "orderbook.1")
TRADE = (
    '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT",'
    '"S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,'
    '"RPI":false,"seq":1783284617}]}'
)
TICKER_DELTA = (
    '{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","bid1Price":"17215.50",'
    '"bid1Size":"84.489"},"cs":24987956059,"ts":1673272861686}'
)
TICKER = (
    '{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","tickDirection":"PlusTick",'
    '"lastPrice":"17216.00","prevPrice24h":"16926.50","highPrice24h":"17281.50","lowPrice24h":"16915.00",'
    '"markPrice":"17217.33","indexPrice":"17227.36","openInterest":"68744.761","turnover24h":"1570383121.943499",'
    '"volume24h":"91705.276","nextFundingTime":"1673280000000","fundingRate":"-0.000212","bid1Price":"17215.00",'
    '"bid1Size":"4.489","ask1Price":"17216.00","ask1Size":"83.020"},"cs":24987956059,"ts":1673272861686}'
)
OPTION_TICKER = (
    '{"id":"tickers.BTC-6JAN23-17500-C-2480334983-1672917511074","topic":"tickers.BTC-6JAN23-17500-C",'
    '"ts":1672917511074,"data":{"symbol":"BTC-6JAN23-17500-C","bidPrice":"0","bidSize":"0","askPrice":"10",'
    '"askSize":"5.1","lastPrice":"10","markPrice":"7.86976724","openInterest":"49.85","volume24h":"26.55"},'
    '"type":"snapshot"}'
)
KLINE = (
    '{"topic":"kline.5.BTCUSDT","data":[{"start":1672324800000,"end":1672325099999,"interval":"5","open":"16649.5",'
    '"close":"16677","high":"16677","low":"16608","volume":"2.081","turnover":"34666.4005","confirm":false,'
    '"timestamp":1672324988882}],"ts":1672324988882,"type":"snapshot"}'
)
LIQUIDATION = (
    '{"topic":"allLiquidation.BTCUSDT","type":"snapshot","ts":1739502303204,"data":[{"T":1739502302929,'
    '"s":"BTCUSDT","S":"Sell","v":"20000","p":"0.04499"},{"T":1739502302930,"s":"BTCUSDT","S":"Buy","v":"1",'
    '"p":"0.0445"}]}'
)
OLD_LIQUIDATION = (
    '{"data":{"price":"0.03803","side":"Buy","size":"1637","symbol":"GALAUSDT","updatedTime":1673251091822},'
    '"topic":"liquidation.GALAUSDT","ts":1673251091822,"type":"snapshot"}'
)

SPOT_SAMPLES = [
    AdapterSample("trade", "BTCUSDT", TRADE.encode()),
    AdapterSample("quote", "BTCUSDT", QUOTE.encode()),
    AdapterSample("book", "BTCUSDT", BOOK.replace("orderbook.50", "orderbook.200").encode()),
    AdapterSample("book50", "BTCUSDT", BOOK.encode()),
    AdapterSample("book1000", "BTCUSDT", BOOK.replace("orderbook.50", "orderbook.1000").encode()),
    AdapterSample("book_rpi", "BTCUSDT", RPI_BOOK.encode()),
    AdapterSample("book_full", "BTCUSDT", FULL_DELTA.encode(), events=0),
    AdapterSample("ticker", "BTCUSDT", TICKER.encode()),
    *(
        AdapterSample(f"bar_{interval}", "BTCUSDT", KLINE.replace("kline.5.", f"kline.{wire}.").encode())
        for interval, wire in INTERVALS.items()
    ),
]
DERIVATIVE_SAMPLES = [
    *(sample for sample in SPOT_SAMPLES if sample.channel != "book_full"),
    AdapterSample("funding", "BTCUSDT", TICKER.encode()),
    AdapterSample("mark_price", "BTCUSDT", TICKER.encode()),
    AdapterSample("open_interest", "BTCUSDT", TICKER.encode()),
    AdapterSample("liquidation", "BTCUSDT", LIQUIDATION.encode(), events=2),
]
