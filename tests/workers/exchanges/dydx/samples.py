"""Messages after dYdX's documents, written as the exchange writes them."""

from __future__ import annotations

from foxtrot_workers.exchanges.dydx.constants import INTERVALS
from foxtrot_workers.testing.conformance import AdapterSample

CONNECTED = '{"type":"connected","connection_id":"c","message_id":0}'
BOOK = (
    '{"type":"subscribed","connection_id":"c","message_id":1,"channel":"v4_orderbook","id":"BTC-USD","contents":'
    '{"bids":[{"price":"43240.0","size":"1.5"}],"asks":[{"price":"43250.0","size":"1.2"}]}}'
)
BOOK_UPDATE = (
    '{"type":"channel_data","connection_id":"c","message_id":2,"id":"BTC-USD","channel":"v4_orderbook",'
    '"version":"1.0.0","contents":{"bids":[["43240.0","2.0"]],"asks":[["43250.0","0.0"]]}}'
)
BOOK_BATCH = (
    '{"type":"channel_batch_data","connection_id":"c","message_id":3,"id":"BTC-USD","channel":"v4_orderbook",'
    '"version":"1.0.0","contents":[{"bids":[["43240.0","2.0"]]},{"asks":[["43251.0","4"]]}]}'
)
TRADES = (
    '{"type":"channel_data","connection_id":"c","message_id":4,"id":"BTC-USD","channel":"v4_trades",'
    '"version":"2.1.0","contents":{"trades":[{"id":"0165e6170000000200000002","size":"0.0001","price":"60392",'
    '"side":"BUY","createdAt":"2024-08-23T00:00:57.627Z","type":"LIMIT"}]}}'
)
PAST_TRADES = (
    '{"type":"subscribed","connection_id":"c","message_id":1,"channel":"v4_trades","id":"BTC-USD","contents":'
    '{"trades":[{"id":"b","size":"1","price":"2","side":"SELL","createdAt":"2024-01-01T00:00:02.000Z","type":"LIMIT"},'
    '{"id":"a","size":"3","price":"4","side":"BUY","createdAt":"2024-01-01T00:00:01.000Z","type":"LIMIT"}]}}'
)
ORACLE_PRICES = (
    '{"type":"channel_data","connection_id":"c","message_id":5,"channel":"v4_markets","version":"1.0.0","contents":'
    '{"oraclePrices":{"BTC-USD":{"oraclePrice":"43300.00","effectiveAt":"2024-01-01T00:01:00.000Z",'
    '"effectiveAtHeight":"12345679","marketId":0}}}}'
)
TRADING = (
    '{"type":"channel_data","connection_id":"c","message_id":6,"channel":"v4_markets","version":"1.0.0","contents":'
    '{"trading":{"ETH-USD":{"openInterest":"123.4","nextFundingRate":"0.00008"}}}}'
)
MARKETS = (
    '{"type":"subscribed","connection_id":"c","message_id":1,"channel":"v4_markets","id":"v4_markets","contents":'
    '{"markets":{"BTC-USD":{"clobPairId":"0","ticker":"BTC-USD","status":"ACTIVE","oraclePrice":"43250.00",'
    '"nextFundingRate":"0.0001","openInterest":"987654321.0"},"ETH-USD":{"oraclePrice":"2250.00"}}}}'
)
CANDLE = (
    '{"type":"channel_data","connection_id":"c","message_id":7,"id":"BTC-USD/1MIN","channel":"v4_candles",'
    '"version":"1.0.0","contents":{"startedAt":"2024-01-01T00:01:00.000Z","ticker":"BTC-USD","resolution":"1MIN",'
    '"low":"43350.0","high":"43600.0","open":"43400.0","close":"43550.0","baseTokenVolume":"8.765",'
    '"usdVolume":"381000.25","trades":98,"startingOpenInterest":"1000100.0"}}'
)
UNSUBSCRIBED = '{"type":"unsubscribed","connection_id":"c","message_id":9,"channel":"v4_orderbook","id":"BTC-USD"}'

V3_BOOK = (
    '{"type":"subscribed","connection_id":"22be6448","message_id":1,"channel":"v3_orderbook","id":"1INCH-USD",'
    '"contents":{"bids":[{"price":"5","offset":"118546101","size":"50"}],"asks":[{"price":"7","offset":"120842096",'
    '"size":"20"}]}}'
)
V3_BOOK_UPDATE = (
    '{"type":"channel_data","connection_id":"22be6448","message_id":2,"id":"1INCH-USD","channel":"v3_orderbook",'
    '"contents":{"offset":"125090042","bids":[["5","0"]],"asks":[]}}'
)

SAMPLES = [
    AdapterSample("book", "BTC-USD", BOOK.encode()),
    AdapterSample("trade", "BTC-USD", TRADES.encode()),
    AdapterSample("liquidation", "BTC-USD", TRADES.replace("LIMIT", "LIQUIDATED").encode()),
    *(AdapterSample(channel, "BTC-USD", MARKETS.encode()) for channel in ("funding", "mark_price", "open_interest")),
    *(
        AdapterSample(f"bar_{interval}", "BTC-USD", CANDLE.replace("/1MIN", f"/{resolution}").encode())
        for interval, resolution in INTERVALS.items()
    ),
]


def numbered(message: str, number: int) -> str:
    """The message with another `message_id`."""
    head, _, rest = message.partition('"message_id":')
    return f'{head}"message_id":{number}{rest.lstrip("0123456789")}'
