"""The market's messages in Binance's JSON. Pure.

Fields and their order are those of the exchange's documents. Every number of the market is text with eight
decimals; ids and times (ms since 1970) are bare integers.
"""

from __future__ import annotations

from collections.abc import Iterable

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.book import Changes, SimBook
from foxtrot_workers.simulator.market.instruments import Instrument, decimal_text

__all__ = [
    "agg_trade",
    "book_ticker",
    "day_ticker",
    "depth_update",
    "kline",
    "levels",
    "mini_ticker",
    "partial_depth",
    "server_shutdown",
    "trade",
]


def levels(instrument: Instrument, side: Iterable[tuple[int, int]]) -> str:
    """``[["price","size"],...]`` of (ticks, lots)."""
    price_scale, size_scale = instrument.price_scale, instrument.size_scale
    return (
        "[" + ",".join(f'["{decimal_text(p * price_scale)}","{decimal_text(q * size_scale)}"]' for p, q in side) + "]"
    )


def trade(instrument: Instrument, now_ms: int, trade_id: int, price: int, lots: int, *, buyer_is_maker: bool) -> bytes:
    """One trade; `m` true means that the taker sold."""
    return (
        f'{{"e":"trade","E":{now_ms},"s":"{instrument.symbol}","t":{trade_id},'
        f'"p":"{decimal_text(price * instrument.price_scale)}","q":"{decimal_text(lots * instrument.size_scale)}",'
        f'"T":{now_ms},"m":{"true" if buyer_is_maker else "false"},"M":true}}'
    ).encode()


def agg_trade(
    instrument: Instrument,
    now_ms: int,
    agg_id: int,
    price: int,
    lots: int,
    first_id: int,
    last_id: int,
    *,
    buyer_is_maker: bool,
) -> bytes:
    """All fills of one taker order at one price: trades `first_id` to `last_id`."""
    return (
        f'{{"e":"aggTrade","E":{now_ms},"s":"{instrument.symbol}","a":{agg_id},'
        f'"p":"{decimal_text(price * instrument.price_scale)}","q":"{decimal_text(lots * instrument.size_scale)}",'
        f'"f":{first_id},"l":{last_id},"T":{now_ms},"m":{"true" if buyer_is_maker else "false"},"M":true}}'
    ).encode()


def book_ticker(instrument: Instrument, book: SimBook) -> bytes:
    """Best bid and ask, without time and event name."""
    bid, ask = book.best_bid, book.best_ask
    price_scale, size_scale = instrument.price_scale, instrument.size_scale
    return (
        f'{{"u":{book.update_id},"s":"{instrument.symbol}",'
        f'"b":"{decimal_text(bid * price_scale)}","B":"{decimal_text(book.bid_sizes[bid] * size_scale)}",'
        f'"a":"{decimal_text(ask * price_scale)}","A":"{decimal_text(book.ask_sizes[ask] * size_scale)}"}}'
    ).encode()


def depth_update(instrument: Instrument, now_ms: int, changes: Changes, last_id: int) -> bytes:
    """Absolute sizes of the levels changed by updates `changes.first_id` to `last_id`; size 0 removes."""
    bids = levels(instrument, sorted(changes.bids.items(), reverse=True))
    asks = levels(instrument, sorted(changes.asks.items()))
    return (
        f'{{"e":"depthUpdate","E":{now_ms},"s":"{instrument.symbol}","U":{changes.first_id},"u":{last_id},'
        f'"b":{bids},"a":{asks}}}'
    ).encode()


def partial_depth(instrument: Instrument, book: SimBook, limit: int) -> bytes:
    """The best `limit` levels, without symbol and time; also the form of the REST snapshot."""
    return (
        f'{{"lastUpdateId":{book.update_id},"bids":{levels(instrument, book.top_bids(limit))},'
        f'"asks":{levels(instrument, book.top_asks(limit))}}}'
    ).encode()


def kline(instrument: Instrument, now_ms: int, interval: str, bar: Bar, *, closed: bool) -> bytes:
    """One bar; running until `x` is true."""
    price, size = instrument.price_scale, instrument.size_scale
    return (
        f'{{"e":"kline","E":{now_ms},"s":"{instrument.symbol}","k":{{"t":{bar.start_ms},"T":{bar.close_ms},'
        f'"s":"{instrument.symbol}","i":"{interval}","f":{bar.first_id},"L":{bar.last_id},'
        f'"o":"{decimal_text(bar.open * price)}","c":"{decimal_text(bar.close * price)}",'
        f'"h":"{decimal_text(bar.high * price)}","l":"{decimal_text(bar.low * price)}",'
        f'"v":"{decimal_text(bar.lots * size)}","n":{bar.count},"x":{"true" if closed else "false"},'
        f'"q":"{_turnover(instrument, bar.turnover)}","V":"{decimal_text(bar.taker_lots * size)}",'
        f'"Q":"{_turnover(instrument, bar.taker_turnover)}","B":"0"}}}}'
    ).encode()


def mini_ticker(instrument: Instrument, now_ms: int, day: Bar) -> bytes:
    """24-hour figures, short form."""
    price, size = instrument.price_scale, instrument.size_scale
    return (
        f'{{"e":"24hrMiniTicker","E":{now_ms},"s":"{instrument.symbol}",'
        f'"c":"{decimal_text(day.close * price)}","o":"{decimal_text(day.open * price)}",'
        f'"h":"{decimal_text(day.high * price)}","l":"{decimal_text(day.low * price)}",'
        f'"v":"{decimal_text(day.lots * size)}","q":"{_turnover(instrument, day.turnover)}"}}'
    ).encode()


def day_ticker(instrument: Instrument, now_ms: int, day: Bar, book: SimBook, last_lots: int) -> bytes:
    """24-hour figures with the best quote. The average is truncated, not rounded."""
    price, size = instrument.price_scale, instrument.size_scale
    average = day.turnover // day.lots if day.lots else day.close
    change = day.close - day.open
    percent = abs(change) * 100_000 // day.open
    bid, ask = book.best_bid, book.best_ask
    return (
        f'{{"e":"24hrTicker","E":{now_ms},"s":"{instrument.symbol}","p":"{decimal_text(change * price)}",'
        f'"P":"{"-" if change < 0 else ""}{percent // 1000}.{percent % 1000:03d}",'
        f'"w":"{decimal_text(average * price)}",'
        f'"x":"{decimal_text(day.open * price)}","c":"{decimal_text(day.close * price)}",'
        f'"Q":"{decimal_text(last_lots * size)}","b":"{decimal_text(bid * price)}",'
        f'"B":"{decimal_text(book.bid_sizes[bid] * size)}","a":"{decimal_text(ask * price)}",'
        f'"A":"{decimal_text(book.ask_sizes[ask] * size)}","o":"{decimal_text(day.open * price)}",'
        f'"h":"{decimal_text(day.high * price)}","l":"{decimal_text(day.low * price)}",'
        f'"v":"{decimal_text(day.lots * size)}","q":"{_turnover(instrument, day.turnover)}",'
        f'"O":{day.start_ms},"C":{now_ms},"F":{day.first_id},"L":{day.last_id},"n":{day.count}}}'
    ).encode()


def server_shutdown(now_ms: int) -> bytes:
    """Announces that the connection will be closed."""
    return f'{{"e":"serverShutdown","E":{now_ms}}}'.encode()


def _turnover(instrument: Instrument, ticks_times_lots: int) -> str:
    decimals = instrument.price_decimals + instrument.size_decimals
    units = ticks_times_lots * 10**8 // 10**decimals
    return decimal_text(units)
