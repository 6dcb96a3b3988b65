"""Exchanges that send one flat object for an event, some within the name of its stream. Data only.

Sources: the exchanges' documentation of their public WebSocket channels, as each adapter names it.
"""

from __future__ import annotations

from foxtrot_workers.benchmark.venue_frames.series import FrameSeries, VenueFrames

__all__ = ["FLAT_OBJECTS", "REFERENCES"]

_BINANCE_TRADE = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":%(ms)d,"s":"BTCUSDT","t":%(id)d,"p":"%(price)s","q":"%(size)s",'
    '"T":%(ms)d,"m":true,"M":true}}'
)
_BINANCE_QUOTE = (
    '{"stream":"btcusdt@bookTicker","data":{"u":%(id)d,"s":"BTCUSDT","b":"42500.00","B":"%(size)s","a":"42501.00",'
    '"A":"%(size)s"}}'
)
_BINANCE_DELTA = (
    '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":%(ms)d,"s":"BTCUSDT","U":%(id)d,"u":%(id)d,'
    '"b":[%(bids)s],"a":[%(asks)s]}}'
)
_BINANCE_SNAPSHOT = '{"lastUpdateId":%(id)d,"bids":[%(bids)s],"asks":[%(asks)s]}'

_TRADE = FrameSeries("trade", "BTCUSDT", _BINANCE_TRADE, "trade")
_QUOTE = FrameSeries("quote", "BTCUSDT", _BINANCE_QUOTE, "quote")
_DELTA = FrameSeries("book", "BTCUSDT", _BINANCE_DELTA, "delta", before=(_BINANCE_DELTA,), answer=_BINANCE_SNAPSHOT)

REFERENCES = (
    _TRADE,
    _QUOTE,
    _DELTA,
    FrameSeries(
        "book",
        "BTCUSDT",
        _BINANCE_DELTA.replace("[%(bids)s]", '[["%(price)s","%(size)s"]]').replace("%(asks)s", ""),
        "delta",
        levels=1,
        before=(_BINANCE_DELTA,),
        answer=_BINANCE_SNAPSHOT,
    ),
    FrameSeries(
        "book10",
        "BTCUSDT",
        '{"stream":"btcusdt@depth10@100ms","data":{"lastUpdateId":%(id)d,"bids":[%(bids)s],"asks":[%(asks)s]}}',
        "snapshot",
    ),
    FrameSeries(
        "ticker",
        "BTCUSDT",
        '{"stream":"btcusdt@ticker","data":{"e":"24hrTicker","E":%(ms)d,"s":"BTCUSDT","p":"94.99","P":"0.22",'
        '"w":"42480.4","x":"42405.01","c":"%(price)s","Q":"%(size)s","b":"42500.00","B":"%(size)s","a":"42501.00",'
        '"A":"%(size)s","o":"42310.79","h":"42613.80","l":"42280.52","v":"24553.79269678","q":"1043072113.21","O":0,'
        '"C":%(ms)d,"F":0,"L":%(id)d,"n":1815000}}',
        "ticker",
    ),
)
"""Binance's frames that those of others are compared with: of the same event and number of levels."""


def _binance_futures(symbol: str, pair: str) -> VenueFrames:
    wire = symbol.lower()
    delta = (
        f'{{"stream":"{wire}@depth@100ms","data":{{"e":"depthUpdate","E":%(ms)d,"T":%(ms)d,"s":"{symbol}",{pair}'
        '"U":%(id)d,"u":%(id)d,"pu":%(previous)d,"b":[%(bids)s],"a":[%(asks)s]}}'
    )
    return VenueFrames(
        trade=FrameSeries(
            "agg_trade",
            symbol,
            f'{{"stream":"{wire}@aggTrade","data":{{"e":"aggTrade","E":%(ms)d,"s":"{symbol}","a":%(id)d,'
            '"p":"%(price)s","q":"%(size)s","f":%(id)d,"l":%(id)d,"T":%(ms)d,"m":true}}',
            "trade",
        ),
        quote=FrameSeries(
            "quote",
            symbol,
            f'{{"stream":"{wire}@bookTicker","data":{{"e":"bookTicker","u":%(id)d,"s":"{symbol}",{pair}'
            '"b":"42500.00","B":"%(size)s","a":"42501.00","A":"%(size)s","T":%(ms)d,"E":%(ms)d}}',
            "quote",
        ),
        book=FrameSeries("book", symbol, delta, "delta", before=(delta,), answer=_BINANCE_SNAPSHOT),
    )


def _bybit() -> VenueFrames:
    book = (
        '{"topic":"orderbook.200.BTCUSDT","type":"KIND","ts":%(ms)d,"data":{"s":"BTCUSDT","b":[%(bids)s],'
        '"a":[%(asks)s],"u":%(id)d,"seq":%(id)d},"cts":%(ms)d}'
    )
    trade = (
        '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":%(ms)d,"data":[{"T":%(ms)d,"s":"BTCUSDT","S":"Buy",'
        '"v":"%(size)s","p":"%(price)s","L":"PlusTick","i":"20f43950-d8dd-5b31-9112-%(id)012d","BT":false,'
        '"RPI":false,"seq":%(id)d}]}'
    )
    quote = (
        '{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":%(ms)d,"data":{"s":"BTCUSDT",'
        '"b":[["42500.00","%(size)s"]],"a":[["42501.00","%(size)s"]],"u":%(id)d,"seq":%(id)d},"cts":%(ms)d}'
    )
    delta, snapshot = book.replace("KIND", "delta"), book.replace("KIND", "snapshot")
    return VenueFrames(
        trade=FrameSeries("trade", "BTCUSDT", trade, "trade"),
        quote=FrameSeries("quote", "BTCUSDT", quote, "quote"),
        book=FrameSeries("book", "BTCUSDT", delta, "delta", before=(snapshot,)),
    )


_COINBASE = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC-USD",
        '{"type":"match","trade_id":%(id)d,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8",'
        '"taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","side":"sell","size":"%(size)s","price":"%(price)s",'
        '"product_id":"BTC-USD","sequence":%(id)d,"time":"%(iso)s459Z"}',
        "trade",
    ),
    quote=FrameSeries(
        "ticker",
        "BTC-USD",
        '{"type":"ticker","sequence":%(id)d,"product_id":"BTC-USD","price":"%(price)s","open_24h":"42310.79",'
        '"volume_24h":"245532.79269678","low_24h":"42280.52","high_24h":"42613.8","volume_30d":"9788783.60117027",'
        '"best_bid":"42500.00","best_bid_size":"%(size)s","best_ask":"42501.00","best_ask_size":"%(size)s",'
        '"side":"buy","time":"%(iso)s459Z","trade_id":%(id)d,"last_size":"%(size)s"}',
        "ticker",
    ),
    book=FrameSeries(
        "book",
        "BTC-USD",
        '{"type":"l2update","product_id":"BTC-USD","changes":[%(bids)s,%(asks)s],"time":"%(iso)s459Z"}',
        "delta",
        level=('["buy","%(price)s","%(size)s"]', '["sell","%(price)s","%(size)s"]'),
        before=(
            '{"type":"snapshot","product_id":"BTC-USD","bids":[["42500.00","1.5"]],"asks":[["42501.00","2.5"]],'
            '"time":"%(iso)s459Z"}',
        ),
    ),
)

_BITSTAMP_BOOK = (
    '{"data":{"timestamp":"%(s)d","microtimestamp":"%(us)d","bids":[%(bids)s],"asks":[%(asks)s]},'
    '"channel":"diff_order_book_btcusd","event":"data"}'
)
_BITSTAMP = VenueFrames(
    trade=FrameSeries(
        "trade",
        "btcusd",
        '{"data":{"id":%(id)d,"timestamp":"%(s)d","amount":%(size)s,"amount_str":"%(size)s","price":%(price)s,'
        '"price_str":"%(price)s","type":0,"microtimestamp":"%(us)d","buy_order_id":1443875737346049,'
        '"sell_order_id":1443875731320832},"channel":"live_trades_btcusd","event":"trade"}',
        "trade",
    ),
    quote=None,
    book=FrameSeries(
        "book",
        "btcusd",
        _BITSTAMP_BOOK,
        "delta",
        before=(_BITSTAMP_BOOK,),
        answer='{"timestamp":"%(s)d","microtimestamp":"%(us)d","bids":[%(bids)s],"asks":[%(asks)s]}',
    ),
)

_GEMINI_BOOK = '{"e":"depthUpdate","E":%(ns)d,"s":"btcusd","U":%(id)d,"u":%(id)d,"b":[%(bids)s],"a":[%(asks)s]}'
_GEMINI = VenueFrames(
    trade=FrameSeries(
        "trade", "btcusd", '{"E":%(ns)d,"s":"btcusd","t":%(id)d,"p":"%(price)s","q":"%(size)s","m":false}', "trade"
    ),
    quote=FrameSeries(
        "quote",
        "btcusd",
        '{"u":%(id)d,"E":%(ns)d,"s":"btcusd","b":"42500.00","B":"%(size)s","a":"42501.00","A":"%(size)s"}',
        "quote",
    ),
    book=FrameSeries("book", "btcusd", _GEMINI_BOOK, "delta", before=(_GEMINI_BOOK,)),
)

_KRAKEN_FUTURES = VenueFrames(
    trade=FrameSeries(
        "trade",
        "PI_XBTUSD",
        '{"feed":"trade","product_id":"PI_XBTUSD","uid":"05af78ac-a774-478c-a50c-%(id)012d","side":"sell",'
        '"type":"fill","seq":%(id)d,"time":%(ms)d,"qty":%(lots)d,"price":%(price)s}',
        "trade",
    ),
    quote=FrameSeries(
        "ticker",
        "PI_XBTUSD",
        '{"time":%(ms)d,"feed":"ticker","product_id":"PI_XBTUSD","bid":42500.0,"ask":42501.0,"bid_size":%(lots)d.0,'
        '"ask_size":%(lots)d.0,"volume":31403908.0,"dtm":0,"leverage":"50x","index":42498.63,"premium":0.0,'
        '"last":%(price)s,"change":1.55,"suspended":false,"tag":"perpetual","pair":"XBT:USD",'
        '"openInterest":30072580.0,"markPrice":42499.68641534714,"maturityTime":0,"post_only":false,'
        '"volumeQuote":31403908.0,"open":42468.5,"high":42623.0,"low":42456.0}',
        "ticker",
    ),
    book=FrameSeries(
        "book",
        "PI_XBTUSD",
        '{"feed":"book","product_id":"PI_XBTUSD","side":"buy","seq":%(id)d,"price":%(price)s,"qty":%(size)s,'
        '"timestamp":%(ms)d}',
        "delta",
        level=('{"price":%(price)s,"qty":%(size)s}', '{"price":%(price)s,"qty":%(size)s}'),
        levels=1,
        before=(
            '{"feed":"book_snapshot","product_id":"PI_XBTUSD","timestamp":%(ms)d,"seq":%(id)d,"tickSize":null,'
            '"bids":[%(bids)s],"asks":[%(asks)s]}',
        ),
    ),
)

_UPBIT_UNIT = '{"ask_price":%s,"bid_price":%s,"ask_size":%%(size)s,"bid_size":%%(size)s}'
_UPBIT_BOOK = (
    '{"type":"orderbook","code":"KRW-BTC","timestamp":%%(ms)d,"total_ask_size":1415.12521016,'
    '"total_bid_size":8058.44442437,"orderbook_units":[%s],"stream_type":"REALTIME","level":0}'
)
_UPBIT = VenueFrames(
    trade=FrameSeries(
        "trade",
        "KRW-BTC",
        '{"type":"trade","code":"KRW-BTC","timestamp":%(ms)d,"trade_date":"2026-01-05","trade_time":"00:00:00",'
        '"trade_timestamp":%(ms)d,"trade_price":%(price)s,"trade_volume":%(size)s,"ask_bid":"ASK",'
        '"prev_closing_price":42100.0,"change":"RISE","change_price":0.9,"sequential_id":%(us)d,'
        '"stream_type":"REALTIME"}',
        "trade",
    ),
    quote=FrameSeries("quote", "KRW-BTC", _UPBIT_BOOK % (_UPBIT_UNIT % (42501, 42500)), "quote"),
    book=FrameSeries(
        "book",
        "KRW-BTC",
        _UPBIT_BOOK % ",".join(_UPBIT_UNIT % (42501 + place, 42500 - place) for place in range(10)),
        "snapshot",
    ),
)

FLAT_OBJECTS: dict[str, VenueFrames] = {
    **dict.fromkeys(("binance", "binance_us", "sim"), VenueFrames(_TRADE, _QUOTE, _DELTA)),
    "binance_usdm": _binance_futures("BTCUSDT", ""),
    "binance_coinm": _binance_futures("BTCUSD_PERP", '"ps":"BTCUSD",'),
    **dict.fromkeys(("bybit", "bybit_linear", "bybit_inverse"), _bybit()),
    "bitstamp": _BITSTAMP,
    "coinbase": _COINBASE,
    "gemini": _GEMINI,
    "kraken_futures": _KRAKEN_FUTURES,
    "upbit": _UPBIT,
}
"""By exchange."""
