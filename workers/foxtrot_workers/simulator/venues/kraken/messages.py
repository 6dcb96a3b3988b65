"""The market's messages in Kraken's JSON, v2: prices and quantities are bare numbers with all their digits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zlib import crc32

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.instruments import Instrument, decimal_text, fixed_text
from foxtrot_workers.simulator.market.market import SymbolState, TradeRecord
from foxtrot_workers.simulator.market.views import Levels
from foxtrot_workers.simulator.venues.times import iso_text

__all__ = ["CHECKSUM_LEVELS", "book", "checksum", "name_of", "ohlc", "price_of", "size_of", "ticker", "trades"]

CHECKSUM_LEVELS = 10
"""Levels of each side that the checksum covers, whatever the depth."""


def name_of(instrument: Instrument) -> str:
    """``BTC/USD``."""
    return f"{instrument.base}/{instrument.quote}"


def price_of(instrument: Instrument, ticks: int) -> str:
    """A price, as a number with the digits of the pair."""
    return fixed_text(ticks, instrument.price_decimals)


def size_of(instrument: Instrument, lots: int) -> str:
    """A quantity, as a number with eight decimals."""
    return decimal_text(lots * instrument.size_scale)


def checksum(instrument: Instrument, bids: Levels, asks: Levels) -> int:
    """CRC32 over the best levels, asks first: digits of price and quantity without point and leading zeros.

    Prices in ticks and quantities in units of the last decimal are those digits.
    """
    scale = instrument.size_scale
    text = "".join(f"{price}{lots * scale}" for side in (asks, bids) for price, lots in side[:CHECKSUM_LEVELS])
    return crc32(text.encode())


def _levels(instrument: Instrument, side: Iterable[tuple[int, int]]) -> str:
    rows = (f'{{"price":{price_of(instrument, price)},"qty":{size_of(instrument, lots)}}}' for price, lots in side)
    return f"[{','.join(rows)}]"


def book(instrument: Instrument, kind: str, now_ms: int, bids: Levels, asks: Levels, check: int) -> bytes:
    """A ``snapshot`` or ``update``; quantity 0 removes a level."""
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{name_of(instrument)}",'
        f'"bids":{_levels(instrument, bids)},"asks":{_levels(instrument, asks)},"checksum":{check},'
        f'"timestamp":"{iso_text(now_ms)}"}}]}}'
    ).encode()


def trades(instrument: Instrument, kind: str, fills: Sequence[TradeRecord]) -> bytes:
    """All fills of one order at one price, or the ``snapshot`` of past trades."""
    name = name_of(instrument)
    rows = ",".join(
        f'{{"symbol":"{name}","side":"{"sell" if fill.buyer_is_maker else "buy"}",'
        f'"price":{price_of(instrument, fill.price)},"qty":{size_of(instrument, fill.lots)},"ord_type":"market",'
        f'"trade_id":{fill.trade_id},"timestamp":"{iso_text(fill.time_ms)}"}}'
        for fill in fills
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{rows}]}}'.encode()


def ticker(state: SymbolState, kind: str, now_ms: int) -> bytes:
    """Best levels and 24-hour figures."""
    instrument, book_now, day = state.instrument, state.book, state.bars.day(now_ms)
    bid, ask = book_now.best_bid, book_now.best_ask
    change = day.close - day.open
    percent = abs(change) * 10_000 // day.open
    average = day.turnover // day.lots if day.lots else day.close
    sign = "-" if change < 0 else ""
    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{name_of(instrument)}",'
        f'"bid":{price_of(instrument, bid)},"bid_qty":{size_of(instrument, book_now.bid_sizes[bid])},'
        f'"ask":{price_of(instrument, ask)},"ask_qty":{size_of(instrument, book_now.ask_sizes[ask])},'
        f'"last":{price_of(instrument, day.close)},"volume":{size_of(instrument, day.lots)},'
        f'"vwap":{price_of(instrument, average)},"low":{price_of(instrument, day.low)},'
        f'"high":{price_of(instrument, day.high)},"change":{sign}{price_of(instrument, abs(change))},'
        f'"change_pct":{sign}{fixed_text(percent, 2)}}}]}}'
    ).encode()


def ohlc(instrument: Instrument, kind: str, interval: int, bar: Bar) -> bytes:
    """The running candle; nothing says that it is closed."""
    average = bar.turnover // bar.lots if bar.lots else bar.close
    begin = iso_text(bar.start_ms).replace("000Z", "000000Z")
    return (
        f'{{"channel":"ohlc","type":"{kind}","data":[{{"symbol":"{name_of(instrument)}","interval":{interval},'
        f'"interval_begin":"{begin}","open":{price_of(instrument, bar.open)},"high":{price_of(instrument, bar.high)},'
        f'"low":{price_of(instrument, bar.low)},"close":{price_of(instrument, bar.close)},'
        f'"volume":{size_of(instrument, bar.lots)},"vwap":{price_of(instrument, average)},"trades":{bar.count}}}]}}'
    ).encode()
