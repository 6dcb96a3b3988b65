"""Frames after HTX's documents, as the exchange writes them once they are inflated."""

from __future__ import annotations

from foxtrot_workers.exchanges.huobi.constants import SPOT_CHANNELS, SWAP_CHANNELS
from foxtrot_workers.testing.conformance import AdapterSample, BackfillSample

TRADE = (
    '{"ch":"market.trioeth.trade.detail","ts":1618678027942,"tick":{"id":100182534526,"ts":1618678027940,"data":'
    '[{"id":100182534526255757567432481,"ts":1618678027940,"tradeId":100045088885,"amount":20995.88,"price":9.2E-7,'
    '"direction":"buy"}]}}'
)
STEP0 = (
    '{"ch":"market.trioeth.depth.step0","ts":1618678069870,"tick":{"bids":[[9.121E-7,92730.24]],"asks":'
    '[[9.28E-7,4342.25]],"version":100182534697,"ts":1618678069868}}'
)
MBP = (
    '{"ch":"market.btcusdt.mbp.150","ts":1573199608679,"tick":{"seqNum":100020146795,"prevSeqNum":100020146794,'
    '"bids":[],"asks":[[645.140000000000000000,26.755973959140651643]]}}'
)
MBP_ANSWER = (
    '{"id":"4","rep":"market.btcusdt.mbp.150","status":"ok","ts":1698359289261,"data":{"seqNum":104999417756,'
    '"bids":[[9058.27,0.5]],"asks":[[9084.27,0.2]]}}'
)
QUOTE = (
    '{"ch":"market.btcusdt.bbo","ts":1575158404058,"tick":{"seqId":103273695595,"ask":7543.59,"askSize":2.323241,'
    '"bid":7541.16,"bidSize":0.002329,"quoteTime":1575158404058,"symbol":"btcusdt"}}'
)
KLINE = (
    '{"ch":"market.btcusdt.kline.1min","ts":1489474082831,"tick":{"id":1489464480,"amount":1821.49,"count":4,'
    '"open":7962.62,"close":8014.56,"low":5110.14,"high":14962.77,"vol":4.4}}'
)
TICKER = (
    '{"ch":"market.btcusdt.ticker","ts":1630982370526,"tick":{"open":51732,"high":52785.64,"low":51000,'
    '"close":52735.63,"amount":13259.24137056181,"vol":687640987.4125315,"count":448737,"bid":52732.88,'
    '"bidSize":0.036,"ask":52732.89,"askSize":0.583653,"lastPrice":52735.63,"lastSize":0.03}}'
)
SWAP_BOOK_UPDATE = (
    '{"ch":"market.BTC-USDT.depth.size_150.high_freq","tick":{"asks":[],"bids":[[43445.74,1],[43444.48,0]],'
    '"ch":"market.BTC-USDT.depth.size_150.high_freq","event":"update","id":152727500274,"mrid":152727500274,'
    '"ts":1645023376098,"version":37536690},"ts":1645023376098}'
)
SWAP_BOOK = SWAP_BOOK_UPDATE.replace("update", "snapshot").replace("37536690", "37536689").replace(",[43444.48,0]", "")
SWAP_TRADE = (
    '{"ch":"market.ATOM-USD.trade.detail","ts":1645289382234,"tick":{"id":74377471712,"ts":1645289382216,"data":'
    '[{"amount":6,"quantity":2.2569881997133624986364029626731768237,"ts":1645289382216,"id":743774717120000,'
    '"price":26.5841,"direction":"buy"}]}}'
)
SWAP_QUOTE = (
    '{"ch":"market.BTC-USDT.bbo","ts":1630454400495,"tick":{"mrid":64797873746,"id":1630454400,"bid":[47176.5,1],'
    '"ask":[47176.6,9249],"ts":1630454400495,"version":64797873746,"ch":"market.BTC-USDT.bbo"}}'
)
SWAP_FUNDING = (
    '{"op":"notify","topic":"public.BTC-USDT.funding_rate","ts":1603778748167,"data":[{"symbol":"BTC",'
    '"contract_code":"BTC-USDT","funding_rate":"0.0001","estimated_rate":"0.0001","settlement_time":"1603958400000"}]}'
)
SWAP_LIQUIDATION = (
    '{"op":"notify","topic":"public.BTC-USDT.liquidation_orders","ts":1639122193214,"data":[{"symbol":"BTC",'
    '"contract_code":"BTC-USDT","direction":"buy","offset":"close","volume":26,"price":19674.96,'
    '"created_at":1639122193172}]}'
)
SWAP_TICKER = (
    '{"ch":"market.BTC-USDT.detail","ts":1603708379566,"tick":{"id":1603708320,"mrid":131570,"open":13065.43,'
    '"close":12850.25,"high":13094.02,"low":12800,"amount":127.58,"vol":127580,"trade_turnover":1646547.2,"count":7,'
    '"ask":[12851.1,4],"bid":[12850.2,7]}}'
)
SWAP_MARK_PRICE = (
    '{"ch":"market.BTC-USDT.mark_price.1min","ts":1489474082831,"tick":{"id":1489464480,"vol":"0","count":"0",'
    '"open":"9800.12","close":"9801.55","low":"9800.12","high":"9802.00","amount":"0","trade_turnover":"0"}}'
)


def spot_frame(channel: str) -> tuple[str, bytes]:
    """Symbol and frame of a spot channel."""
    name = SPOT_CHANNELS[channel]
    samples = {"trade.detail": TRADE, "bbo": QUOTE, "depth.step0": STEP0, "ticker": TICKER}
    if name in samples:
        frame = samples[name]
    elif name.startswith("kline."):
        frame = KLINE.replace("kline.1min", name)
    else:
        frame = MBP.replace("mbp.150", name)
    return ("trioeth" if "trioeth" in frame else "btcusdt"), frame.encode()


def swap_frame(channel: str) -> tuple[str, bytes]:
    """Symbol and frame of a swap channel."""
    name = SWAP_CHANNELS[channel]
    samples = {
        "trade": SWAP_TRADE,
        "quote": SWAP_QUOTE,
        "book": SWAP_BOOK,
        "book20": SWAP_BOOK.replace("size_150", "size_20"),
        "book150_step0": STEP0.replace("trioeth", "BTC-USDT"),
        "ticker": SWAP_TICKER,
        "funding": SWAP_FUNDING,
        "liquidation": SWAP_LIQUIDATION,
        "mark_price": SWAP_MARK_PRICE,
    }
    frame = samples.get(channel, KLINE.replace("btcusdt", "BTC-USDT").replace("kline.1min", name))
    return ("ATOM-USD" if "ATOM-USD" in frame else "BTC-USDT"), frame.encode()


SPOT_SAMPLES = [
    AdapterSample(channel, *spot_frame(channel), events=0 if name.startswith("mbp.") and "refresh" not in name else 1)
    for channel, name in SPOT_CHANNELS.items()
]
SWAP_SAMPLES = [AdapterSample(channel, *swap_frame(channel)) for channel in SWAP_CHANNELS]

PAST_TRADES = (
    '{"ch":"market.btcusdt.trade.detail","status":"ok","ts":1629793657842,"data":['
    '{"id":135966873965,"ts":1629793656940,"data":[{"id":135966873965314,"ts":1629793656939,"trade-id":102523573488,'
    '"amount":0.0058,"price":49683.88,"direction":"sell"}]},'
    '{"id":135966873964,"ts":1629793656938,"data":[{"id":135966873964315,"ts":1629793656938,"trade-id":102523573487,'
    '"amount":5.0E-4,"price":49683.87,"direction":"buy"},{"id":135966873964314,"ts":1629793656938,'
    '"trade-id":102523573486,"amount":0.01,"price":49683.87,"direction":"buy"}]}]}'
)
SPOT_BACKFILLS = [BackfillSample("trade", "btcusdt", 102523573487, 102523573488, PAST_TRADES.encode())]
SWAP_PAST_TRADES = (
    '{"ch":"market.BTC-USDT.trade.detail","status":"ok","ts":1604388667226,"data":[{"data":[{"amount":2,'
    '"direction":"sell","id":1316022650820000,"price":13500.0,"quantity":0.002,"ts":1604385863717},{"amount":4,'
    '"direction":"sell","id":1316022650820001,"price":13500.1,"quantity":0.004,"ts":1604385863717}],'
    '"id":131602265082,"ts":1604385863717}]}'
)
SWAP_BACKFILLS = [BackfillSample("trade", "BTC-USDT", 1316022650820000, 1316022650820001, SWAP_PAST_TRADES.encode())]
