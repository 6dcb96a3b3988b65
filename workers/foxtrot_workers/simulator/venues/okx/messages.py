"""The market's messages in OKX's JSON: all numbers and times are text. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.book import SimBook
from foxtrot_workers.simulator.market.instruments import Instrument, trimmed_text
from foxtrot_workers.simulator.market.views import Levels

__all__ = ["book", "book_update", "candle", "frame", "levels", "name_of", "ticker", "top", "trade"]


def name_of(instrument: Instrument) -> str:
    """``BTC-USDT``."""
    return f"{instrument.base}-{instrument.quote}"


def price_of(instrument: Instrument, ticks: int) -> str:
    """A price, without zeros at the end."""
    return trimmed_text(ticks, instrument.price_decimals)


def size_of(instrument: Instrument, lots: int) -> str:
    """A size, without zeros at the end."""
    return trimmed_text(lots, instrument.size_decimals)


def levels(instrument: Instrument, side: Iterable[tuple[int, int]]) -> str:
    """Price, size, a deprecated 0, and the number of orders, which is 1 here."""
    rows = (
        f'["{price_of(instrument, price)}","{size_of(instrument, lots)}","0","{1 if lots else 0}"]'
        for price, lots in side
    )
    return f"[{','.join(rows)}]"


def frame(channel: str, name: str, data: str, action: str = "") -> bytes:
    """A data frame; `action` only on books with updates."""
    middle = f'"action":"{action}",' if action else ""
    return f'{{"arg":{{"channel":"{channel}","instId":"{name}"}},{middle}"data":[{data}]}}'.encode()


def trade(
    instrument: Instrument, now_ms: int, trade_id: int, price: int, lots: int, count: int | None, *, taker_buys: bool
) -> str:
    """The row of a trade; `count`: fills that it stands for, None where each stands for itself."""
    counted = "" if count is None else f',"count":"{count}"'
    return (
        f'{{"instId":"{name_of(instrument)}","tradeId":"{trade_id}","px":"{price_of(instrument, price)}",'
        f'"sz":"{size_of(instrument, lots)}","side":"{"buy" if taker_buys else "sell"}","ts":"{now_ms}"{counted}}}'
    )


def top(instrument: Instrument, now_ms: int, book: SimBook) -> str:
    """The row of ``bbo-tbt``."""
    return (
        f'{{"asks":{levels(instrument, book.top_asks(1))},"bids":{levels(instrument, book.top_bids(1))},'
        f'"ts":"{now_ms}","seqId":{book.update_id}}}'
    )


def book(instrument: Instrument, now_ms: int, bids: Levels, asks: Levels, sequence: int) -> str:
    """The row of ``books5``."""
    return (
        f'{{"asks":{levels(instrument, asks)},"bids":{levels(instrument, bids)},'
        f'"instId":"{name_of(instrument)}","ts":"{now_ms}","seqId":{sequence}}}'
    )


def book_update(instrument: Instrument, now_ms: int, bids: Levels, asks: Levels, previous: int, sequence: int) -> str:
    """The row of a snapshot (`previous` -1) or an update; the checksum is always 0 since June 2026."""
    return (
        f'{{"asks":{levels(instrument, asks)},"bids":{levels(instrument, bids)},"ts":"{now_ms}","checksum":0,'
        f'"prevSeqId":{previous},"seqId":{sequence}}}'
    )


def ticker(instrument: Instrument, now_ms: int, day: Bar, book: SimBook, last_lots: int) -> str:
    """The row of ``tickers``."""
    price, size = instrument.price_decimals, instrument.size_decimals
    bid, ask = book.best_bid, book.best_ask
    opened = price_of(instrument, day.open)
    return (
        f'{{"instType":"SPOT","instId":"{name_of(instrument)}","last":"{price_of(instrument, day.close)}",'
        f'"lastSz":"{size_of(instrument, last_lots)}","askPx":"{price_of(instrument, ask)}",'
        f'"askSz":"{size_of(instrument, book.ask_sizes[ask])}","bidPx":"{price_of(instrument, bid)}",'
        f'"bidSz":"{size_of(instrument, book.bid_sizes[bid])}","open24h":"{opened}",'
        f'"high24h":"{price_of(instrument, day.high)}","low24h":"{price_of(instrument, day.low)}",'
        f'"sodUtc0":"{opened}","sodUtc8":"{opened}","volCcy24h":"{trimmed_text(day.turnover, price + size)}",'
        f'"vol24h":"{size_of(instrument, day.lots)}","ts":"{now_ms}"}}'
    )


def candle(instrument: Instrument, bar: Bar, *, closed: bool) -> str:
    """The row of a bar: start, open, high, low, close, three volumes, and whether it is closed."""
    turnover = trimmed_text(bar.turnover, instrument.price_decimals + instrument.size_decimals)
    prices = '","'.join(price_of(instrument, price) for price in (bar.open, bar.high, bar.low, bar.close))
    lots = size_of(instrument, bar.lots)
    return f'["{bar.start_ms}","{prices}","{lots}","{turnover}","{turnover}","{1 if closed else 0}"]'
