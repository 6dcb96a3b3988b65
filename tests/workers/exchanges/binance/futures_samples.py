"""Frames of Binance's futures after its documents: raw, as single streams send them."""

from __future__ import annotations

from foxtrot_workers.exchanges.binance.constants import FUTURES_STREAM_NAMES
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample

AGG_TRADE = (
    '{"e":"aggTrade","E":123456789,"s":"BTCUSDT","a":5933014,"p":"0.001","q":"100","f":100,"l":105,"T":123456785,'
    '"m":true,"st":1}'
)
TRADE = (
    '{"e":"trade","E":123456789,"T":123456785,"s":"BTCUSDT","t":5933014,"p":"0.001","q":"100","X":"MARKET","m":true}'
)
QUOTE = (
    '{"e":"bookTicker","u":400900217,"E":1568014460893,"T":1568014460891,"s":"BTCUSDT","b":"25.35190000",'
    '"B":"31.21000000","a":"25.36520000","A":"40.66000000"}'
)
DEPTH = (
    '{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["0.0024","10"]],'
    '"a":[["0.0026","100"]]}'
)
MARK_PRICE = (
    '{"e":"markPriceUpdate","E":1562305380000,"s":"BTCUSDT","p":"11794.15000000","i":"11784.62659091",'
    '"P":"11784.25641265","r":"0.00038167","T":1562306400000}'
)
FORCE_ORDER = (
    '{"e":"forceOrder","E":1568014460893,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC","q":"0.014","p":"9910",'
    '"ap":"9910.5","X":"FILLED","l":"0.014","z":"0.014","T":1568014460893}}'
)
TICKER = (
    '{"e":"24hrTicker","E":1672515782136,"s":"BTCUSDT","p":"-131.40000000","P":"-0.786","w":"16628.97377498",'
    '"c":"16584.60000000","Q":"0.002","o":"16716.00000000","h":"16764.89000000","l":"16456.51000000","v":"122474.816",'
    '"q":"2036102085.69746400","O":1672429382136,"C":1672515782136,"F":2289691,"L":2432543,"n":142853,"st":1}'
)
KLINE = (
    '{"e":"kline","E":1638747660000,"s":"BTCUSDT","k":{"t":1638747660000,"T":1638747719999,"s":"BTCUSDT","i":"1m",'
    '"f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0010","v":"1000","n":100,"x":true,"q":"1.0000",'
    '"V":"500","Q":"0.500","B":"123456"}}'
)
RAW = {
    "trade": TRADE,
    "agg_trade": AGG_TRADE,
    "quote": QUOTE,
    "mark_price": MARK_PRICE,
    "funding": MARK_PRICE,
    "liquidation": FORCE_ORDER,
    "ticker": TICKER,
}
"""By channel; all others are bars and books."""

COINM_FRAMES = (
    '{"stream":"bchusd_perp@bookTicker","data":{"u":167006084895,"e":"bookTicker","s":"BCHUSD_PERP","ps":"BCHUSD",'
    '"b":"427.84","B":"24","a":"427.90","A":"669","T":1626916403864,"E":1626916403871}}',
    '{"stream":"bchusd_perp@depth@100ms","data":{"e":"depthUpdate","E":1626916403873,"T":1626916403864,'
    '"s":"BCHUSD_PERP","ps":"BCHUSD","U":167006084465,"u":167006084895,"pu":167006084238,"b":[["427.27","0"]],'
    '"a":[["427.90","669"]]}}',
    '{"stream":"bchusd_perp@aggTrade","data":{"e":"aggTrade","E":1626916404006,"a":11285749,"s":"BCHUSD_PERP",'
    '"p":"427.91","q":"3","f":16034449,"l":16034449,"T":1626916403852,"m":true}}',
)
COINM_SNAPSHOT = (
    '{"lastUpdateId":167006084500,"E":1626916404580,"T":1626916404574,"symbol":"BCHUSD_PERP","pair":"BCHUSD",'
    '"bids":[["427.90","169"]],"asks":[["427.91","24"]]}'
)


def raw_frame(channel: str) -> str:
    """A frame of `channel`, as a single stream sends it."""
    if channel.startswith("bar_"):
        return KLINE.replace('"1m"', f'"{channel.removeprefix("bar_")}"')
    return RAW.get(channel, DEPTH)


def combined_frame(channel: str) -> bytes:
    """The same as a combined stream sends it."""
    return f'{{"stream":"btcusdt@{FUTURES_STREAM_NAMES[channel]}","data":{raw_frame(channel)}}}'.encode()


SAMPLES = [
    AdapterSample(channel, "BTCUSDT", combined_frame(channel), events=0 if channel == "book" else 1)
    for channel in FUTURES_STREAM_NAMES
]
BACKFILLS = [
    BackfillSample(
        "agg_trade",
        "BTCUSDT",
        26129,
        26130,
        b'[{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true},'
        b'{"a":26130,"p":"0.01633102","q":"4.70443515","f":27782,"l":27782,"T":1498793709154,"m":false}]',
    )
]
