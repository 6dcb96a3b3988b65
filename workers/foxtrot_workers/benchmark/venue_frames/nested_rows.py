"""Exchanges that send rows under the topic that they answer. Data only.

Sources: the exchanges' documentation of their public WebSocket channels, as each adapter names it.
"""

from __future__ import annotations

from foxtrot_workers.benchmark.venue_frames.series import FrameSeries, VenueFrames

__all__ = ["NESTED_ROWS"]

_BARE = ("[%(price)s,%(size)s]", "[%(price)s,%(size)s]")


def _bitget(kind: str, symbol: str) -> VenueFrames:
    def unified(topic: str, action: str, row: str) -> str:
        return (
            f'{{"action":"{action}","arg":{{"instType":"{kind.lower()}","topic":"{topic}","symbol":"{symbol}"}},'
            f'"data":[{{{row}}}],"ts":%(ms)d}}'
        )

    book = '"a":[%(asks)s],"b":[%(bids)s],"checksum":0,"pseq":PREVIOUS,"seq":"%(id)d","ts":"%(ms)d"'
    head = f'{{"action":"%s","arg":{{"instType":"{kind}","channel":"%s","instId":"{symbol}"}},"data":[{{'
    tail = '}],"ts":%(ms)d}'
    return VenueFrames(
        trade=FrameSeries(
            "trade",
            symbol,
            head % ("update", "trade")
            + '"ts":"%(ms)d","price":"%(price)s","size":"%(size)s","side":"buy","tradeId":"%(id)d"'
            + tail,
            "trade",
        ),
        quote=FrameSeries(
            "quote",
            symbol,
            head % ("snapshot", "books1")
            + '"asks":[["42501.00","%(size)s"]],"bids":[["42500.00","%(size)s"]],"checksum":0,"seq":%(id)d,'
            + '"ts":"%(ms)d"'
            + tail,
            "quote",
        ),
        book=FrameSeries(
            "book",
            symbol,
            unified("books", "update", book.replace("PREVIOUS", '"%(previous)d"')),
            "delta",
            before=(unified("books", "snapshot", book.replace("PREVIOUS", "0")),),
        ),
    )


_BITMEX_ROW = '{"symbol":"XBTUSD","id":87999%%(place)02d%d,"side":"%s","size":%%(lots)d,"price":%%(price)s}'
_BITMEX = VenueFrames(
    trade=FrameSeries(
        "trade",
        "XBTUSD",
        '{"table":"trade","action":"insert","data":[{"timestamp":"%(iso)sZ","symbol":"XBTUSD","side":"Sell",'
        '"size":%(lots)d,"price":%(price)s,"tickDirection":"ZeroMinusTick",'
        '"trdMatchID":"f1ec0216-1ea2-0aa2-2dd6-%(id)012d","grossValue":1729700,"homeNotional":0.1,'
        '"foreignNotional":4250}]}',
        "trade",
    ),
    quote=FrameSeries(
        "quote",
        "XBTUSD",
        '{"table":"quote","action":"insert","data":[{"timestamp":"%(iso)sZ","symbol":"XBTUSD","bidSize":%(lots)d,'
        '"bidPrice":42500,"askPrice":42501,"askSize":%(lots)d}]}',
        "quote",
    ),
    book=FrameSeries(
        "book",
        "XBTUSD",
        '{"table":"orderBookL2","action":"update","data":[%(bids)s,%(asks)s]}',
        "delta",
        level=(_BITMEX_ROW % (1, "Buy"), _BITMEX_ROW % (2, "Sell")),
        before=(
            '{"table":"orderBookL2","action":"partial","keys":["symbol","id","side"],"types":{},'
            '"filter":{"symbol":"XBTUSD"},"data":[%(bids)s,%(asks)s]}',
        ),
    ),
)

_COINBASE_HEAD = '{"channel":"%s","timestamp":"%%(iso)s456Z","sequence_num":%%(id)d,"events":['
_COINBASE_LEVEL = '{"side":"%s","event_time":"%%(iso)s","price_level":"%%(price)s","new_quantity":"%%(size)s"}'.replace(
    "%%(iso)s", "2026-01-05T00:00:00.123456Z"
)
_COINBASE_BOOK = _COINBASE_HEAD % "l2_data" + '{"type":"KIND","product_id":"BTC-USD","updates":[%(bids)s,%(asks)s]}]}'
_COINBASE_ADVANCED = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC-USD",
        _COINBASE_HEAD
        % "market_trades"
        + '{"type":"update","trades":[{"trade_id":"%(id)d","product_id":"BTC-USD","price":"%(price)s",'
        '"size":"%(size)s","side":"BUY","time":"%(iso)s456Z"}]}]}',
        "trade",
    ),
    quote=FrameSeries(
        "ticker",
        "BTC-USD",
        _COINBASE_HEAD
        % "ticker"
        + '{"type":"update","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"%(price)s",'
        '"volume_24_h":"15328.12345678","low_24_h":"42100.00","high_24_h":"42700.00","low_52_w":"15460.00",'
        '"high_52_w":"69000.00","price_percent_chg_24_h":"2.1","best_bid":"42500.00","best_bid_quantity":"%(size)s",'
        '"best_ask":"42501.00","best_ask_quantity":"%(size)s"}]}]}',
        "ticker",
    ),
    book=FrameSeries(
        "book",
        "BTC-USD",
        _COINBASE_BOOK.replace("KIND", "update"),
        "delta",
        level=(_COINBASE_LEVEL % "bid", _COINBASE_LEVEL % "offer"),
        before=(_COINBASE_BOOK.replace("KIND", "snapshot"),),
    ),
)

_CRYPTO_COM_HEAD = (
    '{"id":-1,"code":0,"method":"subscribe","result":{"channel":"%s","subscription":"%s","instrument_name":"BTC_USDT",'
)
_CRYPTO_COM_SIDES = '"asks":[%(asks)s],"bids":[%(bids)s]'
_CRYPTO_COM_BOOK = '"t":%(ms)d,"tt":%(ms)d,"u":%(id)d'
_CRYPTO_COM = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC_USDT",
        _CRYPTO_COM_HEAD
        % ("trade", "trade.BTC_USDT")
        + '"data":[{"d":"%(id)d","t":%(ms)d,"tn":%(ns)d,"q":"%(size)s","p":"%(price)s","s":"BUY","i":"BTC_USDT",'
        '"m":"%(id)d"}]}}',
        "trade",
    ),
    quote=FrameSeries(
        "ticker",
        "BTC_USDT",
        _CRYPTO_COM_HEAD
        % ("ticker", "ticker.BTC_USDT")
        + '"data":[{"h":"42790.00","l":"41047.00","a":"%(price)s","c":"0.0351","b":"42500.00","bs":"%(size)s",'
        '"k":"42501.00","ks":"%(size)s","i":"BTC_USDT","v":"6790.0","vv":"286630000.21","oi":"0","t":%(ms)d}]}}',
        "ticker",
    ),
    book=FrameSeries(
        "book",
        "BTC_USDT",
        _CRYPTO_COM_HEAD % ("book.update", "book.BTC_USDT.50")
        + '"depth":50,"data":[{"update":{'
        + _CRYPTO_COM_SIDES
        + "},"
        + _CRYPTO_COM_BOOK
        + ',"pu":%(previous)d,"cs":-781431132}]}}',
        "delta",
        level=('["%(price)s","%(size)s","1"]', '["%(price)s","%(size)s","1"]'),
        before=(
            _CRYPTO_COM_HEAD % ("book", "book.BTC_USDT.50")
            + '"depth":50,"data":[{'
            + _CRYPTO_COM_SIDES
            + ","
            + _CRYPTO_COM_BOOK
            + ',"cs":380529173}]}}',
        ),
    ),
)

_DERIBIT_HEAD = '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"%s","data":'
_DERIBIT_BOOK = (
    '{"type":"%s","timestamp":%%(ms)d,"instrument_name":"BTC-PERPETUAL","change_id":%%(id)d,%s"bids":[%%(bids)s],'
    '"asks":[%%(asks)s]}}}'
)
_DERIBIT_BOOK_HEAD = _DERIBIT_HEAD % "book.BTC-PERPETUAL.100ms"
_DERIBIT = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC-PERPETUAL",
        _DERIBIT_HEAD
        % "trades.BTC-PERPETUAL.100ms"
        + '[{"timestamp":%(ms)d,"price":%(price)s,"amount":%(lots)d.0,"direction":"sell","index_price":42476.75,'
        '"instrument_name":"BTC-PERPETUAL","trade_seq":%(id)d,"mark_price":42487.11,"tick_direction":2,'
        '"contracts":1.0,"trade_id":"%(id)d"}]}}',
        "trade",
    ),
    quote=FrameSeries(
        "quote",
        "BTC-PERPETUAL",
        _DERIBIT_HEAD
        % "quote.BTC-PERPETUAL"
        + '{"timestamp":%(ms)d,"instrument_name":"BTC-PERPETUAL","best_ask_price":42501.0,"best_bid_price":42500.0,'
        '"best_ask_amount":%(lots)d.0,"best_bid_amount":%(lots)d.0}}}',
        "quote",
    ),
    book=FrameSeries(
        "book",
        "BTC-PERPETUAL",
        _DERIBIT_BOOK_HEAD + _DERIBIT_BOOK % ("change", '"prev_change_id":%(previous)d,'),
        "delta",
        level=('["change",%(price)s,%(size)s]', '["change",%(price)s,%(size)s]'),
        before=((_DERIBIT_BOOK_HEAD + _DERIBIT_BOOK % ("snapshot", "")).replace('"change",', '"new",'),),
    ),
)

_DYDX_HEAD = '{"type":"channel_data","connection_id":"004a1efa","message_id":%%(id)d,"id":"BTC-USD","channel":"%s",'
_DYDX = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC-USD",
        _DYDX_HEAD % "v4_trades" + '"version":"2.1.0","contents":{"trades":[{"id":"0165e61700000002%(id)d",'
        '"size":"%(size)s","price":"%(price)s","side":"BUY","createdAt":"%(iso)sZ","type":"LIMIT"}]}}',
        "trade",
    ),
    quote=None,
    book=FrameSeries(
        "book",
        "BTC-USD",
        _DYDX_HEAD % "v4_orderbook" + '"version":"1.0.0","contents":{"bids":[%(bids)s],"asks":[%(asks)s]}}',
        "delta",
        before=(
            '{"type":"subscribed","connection_id":"004a1efa","message_id":%(id)d,"channel":"v4_orderbook",'
            '"id":"BTC-USD","contents":{"bids":[{"price":"42500.00","size":"1.5"}],'
            '"asks":[{"price":"42501.00","size":"2.5"}]}}',
        ),
    ),
)


def _gateio(market: str, trade_rows: str, quote_size: str) -> VenueFrames:
    head = f'{{"time":%(s)d,"time_ms":%(ms)d,"channel":"{market}.%%s","event":"update","result":'.replace("%%", "%")
    head_of = {name: head.replace("%s", name) for name in ("trades", "book_ticker", "obu")}
    sides = '"b":[%(bids)s],"a":[%(asks)s]}}'
    return VenueFrames(
        trade=FrameSeries("trade", "BTC_USDT", head_of["trades"] + trade_rows + "}", "trade"),
        quote=FrameSeries(
            "quote",
            "BTC_USDT",
            head_of["book_ticker"]
            + f'{{"t":%(ms)d,"u":%(id)d,"s":"BTC_USDT","b":"42500.00","B":{quote_size},"a":"42501.00",'
            + f'"A":{quote_size}}}}}',
            "quote",
        ),
        book=FrameSeries(
            "book",
            "BTC_USDT",
            head_of["obu"] + '{"t":%(ms)d,"s":"ob.BTC_USDT.400","U":%(id)d,"u":%(id)d,' + sides,
            "delta",
            before=(head_of["obu"] + '{"t":%(ms)d,"full":true,"s":"ob.BTC_USDT.400","u":%(id)d,' + sides,),
        ),
    )


_HUOBI_BOOK = (
    '{"ch":"market.btcusdt.mbp.150","ts":%(ms)d,"tick":{"seqNum":%(id)d,"prevSeqNum":%(previous)d,"bids":[%(bids)s],'
    '"asks":[%(asks)s]}}'
)
_HUOBI = VenueFrames(
    trade=FrameSeries(
        "trade",
        "btcusdt",
        '{"ch":"market.btcusdt.trade.detail","ts":%(ms)d,"tick":{"id":%(id)d,"ts":%(ms)d,"data":'
        '[{"id":%(id)d255757567432481,"ts":%(ms)d,"tradeId":%(id)d,"amount":%(size)s,"price":%(price)s,'
        '"direction":"buy"}]}}',
        "trade",
        compressed=True,
    ),
    quote=FrameSeries(
        "quote",
        "btcusdt",
        '{"ch":"market.btcusdt.bbo","ts":%(ms)d,"tick":{"seqId":%(id)d,"ask":42501.0,"askSize":%(size)s,"bid":42500.0,'
        '"bidSize":%(size)s,"quoteTime":%(ms)d,"symbol":"btcusdt"}}',
        "quote",
        compressed=True,
    ),
    book=FrameSeries(
        "book",
        "btcusdt",
        _HUOBI_BOOK,
        "delta",
        level=_BARE,
        compressed=True,
        before=(
            _HUOBI_BOOK,
            '{"id":"1","rep":"market.btcusdt.mbp.150","status":"ok","ts":%(ms)d,"data":{"seqNum":%(id)d,'
            '"bids":[%(bids)s],"asks":[%(asks)s]}}',
        ),
    ),
)
_SWAP_BOOK = (
    '{"ch":"market.BTC-USDT.depth.size_150.high_freq","tick":{"asks":[%(asks)s],"bids":[%(bids)s],'
    '"ch":"market.BTC-USDT.depth.size_150.high_freq","event":"KIND","id":%(id)d,"mrid":%(id)d,"ts":%(ms)d,'
    '"version":%(id)d},"ts":%(ms)d}'
)
_HUOBI_SWAP = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC-USDT",
        '{"ch":"market.BTC-USDT.trade.detail","ts":%(ms)d,"tick":{"id":%(id)d,"ts":%(ms)d,"data":[{"amount":%(lots)d,'
        '"quantity":%(size)s,"trade_turnover":425.1,"ts":%(ms)d,"id":%(id)d0000,"price":%(price)s,'
        '"direction":"buy"}]}}',
        "trade",
        compressed=True,
    ),
    quote=FrameSeries(
        "quote",
        "BTC-USDT",
        '{"ch":"market.BTC-USDT.bbo","ts":%(ms)d,"tick":{"mrid":%(id)d,"id":%(s)d,"bid":[42500.0,%(lots)d],'
        '"ask":[42501.0,%(lots)d],"ts":%(ms)d,"version":%(id)d,"ch":"market.BTC-USDT.bbo"}}',
        "quote",
        compressed=True,
    ),
    book=FrameSeries(
        "book",
        "BTC-USDT",
        _SWAP_BOOK.replace("KIND", "update"),
        "delta",
        level=_BARE,
        compressed=True,
        before=(_SWAP_BOOK.replace("KIND", "snapshot"),),
    ),
)

_HYPERLIQUID = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC",
        '{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"%(price)s","sz":"%(size)s","time":%(ms)d,'
        '"hash":"0xc872699f116e2ca3f0c4042b2d1a4c0202d500a4b1a2a1f4a2b6cbeb2f12e5c6","tid":%(id)d}]}',
        "trade",
    ),
    quote=FrameSeries(
        "quote",
        "BTC",
        '{"channel":"bbo","data":{"coin":"BTC","time":%(ms)d,"bbo":[{"px":"42500.0","sz":"%(size)s","n":4},'
        '{"px":"42501.0","sz":"%(size)s","n":3}]}}',
        "quote",
    ),
    book=FrameSeries(
        "book",
        "BTC",
        '{"channel":"l2Book","data":{"coin":"BTC","time":%(ms)d,"levels":[[%(bids)s],[%(asks)s]]}}',
        "snapshot",
        level=('{"px":"%(price)s","sz":"%(size)s","n":4}', '{"px":"%(price)s","sz":"%(size)s","n":3}'),
    ),
)

_KRAKEN_BOOK = (
    '{"channel":"book","type":"KIND","data":[{"symbol":"BTC/USD","bids":[%(bids)s],"asks":[%(asks)s],'
    '"checksum":%(checksum)d,"timestamp":"%(iso)s295Z"}]}'
)
_KRAKEN_LEVEL = '{"price":%(price)s,"qty":%(size)s}'
_KRAKEN = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC/USD",
        '{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":%(price)s,"qty":%(size)s,'
        '"ord_type":"limit","trade_id":%(id)d,"timestamp":"%(iso)s295Z"}]}',
        "trade",
    ),
    quote=FrameSeries(
        "quote",
        "BTC/USD",
        '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":42500.0,"bid_qty":%(size)s,'
        '"ask":42501.0,"ask_qty":%(size)s,"last":%(price)s,"volume":163.28908096,"vwap":42480.4,"low":42171.0,'
        '"high":42661.3,"change":250.0,"change_pct":0.24,"timestamp":"%(iso)s295Z"}]}',
        "quote",
    ),
    book=FrameSeries(
        "book",
        "BTC/USD",
        _KRAKEN_BOOK.replace("KIND", "update"),
        "delta",
        level=(_KRAKEN_LEVEL, _KRAKEN_LEVEL),
        before=(_KRAKEN_BOOK.replace("KIND", "snapshot"),),
    ),
)

_KUCOIN_BOOK = (
    '{"type":"message","topic":"/market/level2:BTC-USDT","subject":"trade.l2update","data":{"changes":'
    '{"asks":[%(asks)s],"bids":[%(bids)s]},"sequenceEnd":%(id)d,"sequenceStart":%(id)d,"symbol":"BTC-USDT",'
    '"time":%(ms)d}}'
)
_KUCOIN = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC-USDT",
        '{"type":"message","topic":"/market/match:BTC-USDT","subject":"trade.l3match","data":{"symbol":"BTC-USDT",'
        '"sequence":"%(id)d","side":"buy","size":"%(size)s","price":"%(price)s",'
        '"takerOrderId":"6085c097ba0e2c0006f8a2a1","time":"%(ns)d","type":"match",'
        '"makerOrderId":"6085c0618b4a6e0006d8a1d5","tradeId":"%(id)d"}}',
        "trade",
    ),
    quote=FrameSeries(
        "quote",
        "BTC-USDT",
        '{"topic":"/spotMarket/level1:BTC-USDT","type":"message","subject":"level1","data":{"asks":["42501.00",'
        '"%(size)s"],"bids":["42500.00","%(size)s"],"timestamp":%(ms)d}}',
        "quote",
    ),
    book=FrameSeries(
        "book",
        "BTC-USDT",
        _KUCOIN_BOOK,
        "delta",
        level=('["%(price)s","%(size)s","1"]', '["%(price)s","%(size)s","1"]'),
        before=(_KUCOIN_BOOK,),
        answer='{"code":"200000","data":{"time":%(ms)d,"sequence":"%(id)d","bids":[["42500.00","1.5"]],'
        '"asks":[["42501.00","2.5"]]}}',
    ),
)
_KUCOIN_CHANGE = (
    '{"topic":"/contractMarket/level2:XBTUSDTM","type":"message","subject":"level2","sn":%(id)d,"data":'
    '{"sequence":%(id)d,"change":"%(price)s,buy,%(lots)d","timestamp":%(ms)d}}'
)
_KUCOIN_FUTURES = VenueFrames(
    trade=FrameSeries(
        "trade",
        "XBTUSDTM",
        '{"topic":"/contractMarket/execution:XBTUSDTM","type":"message","subject":"match","sn":%(id)d,"data":'
        '{"symbol":"XBTUSDTM","sequence":%(id)d,"side":"buy","size":%(lots)d,"price":"%(price)s",'
        '"takerOrderId":"137975","makerOrderId":"137878","tradeId":"%(id)d","ts":%(ns)d}}',
        "trade",
    ),
    quote=FrameSeries(
        "quote",
        "XBTUSDTM",
        '{"topic":"/contractMarket/tickerV2:XBTUSDTM","type":"message","subject":"tickerV2","sn":%(id)d,"data":'
        '{"symbol":"XBTUSDTM","sequence":%(id)d,"bestBidSize":%(lots)d,"bestBidPrice":"42500.0",'
        '"bestAskPrice":"42501.0","bestAskSize":%(lots)d,"ts":%(ns)d}}',
        "quote",
    ),
    book=FrameSeries(
        "book",
        "XBTUSDTM",
        _KUCOIN_CHANGE,
        "delta",
        level=("[%(price)s,%(lots)d]", "[%(price)s,%(lots)d]"),
        levels=1,
        before=(_KUCOIN_CHANGE,),
        answer='{"code":"200000","data":{"sequence":%(id)d,"symbol":"XBTUSDTM","bids":[%(bids)s],"asks":[%(asks)s],'
        '"ts":%(ns)d}}',
    ),
)

_OKX_HEAD = '{"arg":{"channel":"%s","instId":"BTC-USDT"},%s"data":[{'
_OKX_BOOK = '"asks":[%(asks)s],"bids":[%(bids)s],"ts":"%(ms)d","checksum":0,"prevSeqId":PREVIOUS,"seqId":%(id)d}]}'
_OKX = VenueFrames(
    trade=FrameSeries(
        "trade",
        "BTC-USDT",
        _OKX_HEAD % ("trades", "") + '"instId":"BTC-USDT","tradeId":"%(id)d","px":"%(price)s","sz":"%(size)s",'
        '"side":"buy","ts":"%(ms)d","count":"1"}]}',
        "trade",
    ),
    quote=FrameSeries(
        "quote",
        "BTC-USDT",
        _OKX_HEAD % ("bbo-tbt", "") + '"asks":[["42501.00","%(size)s","0","1"]],"bids":[["42500.00","%(size)s","0",'
        '"2"]],"ts":"%(ms)d","seqId":%(id)d}]}',
        "quote",
    ),
    book=FrameSeries(
        "book",
        "BTC-USDT",
        _OKX_HEAD % ("books", '"action":"update",') + _OKX_BOOK.replace("PREVIOUS", "%(previous)d"),
        "delta",
        level=('["%(price)s","%(size)s","0","3"]', '["%(price)s","%(size)s","0","3"]'),
        before=(_OKX_HEAD % ("books", '"action":"snapshot",') + _OKX_BOOK.replace("PREVIOUS", "-1"),),
    ),
)

NESTED_ROWS: dict[str, VenueFrames] = {
    "bitget": _bitget("SPOT", "BTCUSDT"),
    "bitget_futures": _bitget("USDT-FUTURES", "BTCUSDT"),
    "bitget_usdc_futures": _bitget("USDC-FUTURES", "BTCPERP"),
    "bitget_coin_futures": _bitget("COIN-FUTURES", "BTCUSD"),
    "bitmex": _BITMEX,
    "coinbase_advanced": _COINBASE_ADVANCED,
    "crypto_com": _CRYPTO_COM,
    "deribit": _DERIBIT,
    "dydx": _DYDX,
    "gateio": _gateio(
        "spot",
        '{"id":%(id)d,"create_time":%(s)d,"create_time_ms":"%(ms)d.116","side":"buy","currency_pair":"BTC_USDT",'
        '"amount":"%(size)s","price":"%(price)s"}',
        '"%(size)s"',
    ),
    "gateio_futures": _gateio(
        "futures",
        '[{"size":-%(lots)d,"id":%(id)d,"create_time":%(s)d,"create_time_ms":%(ms)d,"price":"%(price)s",'
        '"contract":"BTC_USDT"}]',
        "%(lots)d",
    ),
    "huobi": _HUOBI,
    "huobi_swap": _HUOBI_SWAP,
    "hyperliquid": _HYPERLIQUID,
    "kraken": _KRAKEN,
    "kucoin": _KUCOIN,
    "kucoin_futures": _KUCOIN_FUTURES,
    "okx": _OKX,
}
"""By exchange."""
