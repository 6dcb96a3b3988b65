"""The market's messages in Bybit's JSON: prices and sizes are text on the grid of the instrument. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from foxtrot_workers.simulator.market.bars import Bar
from foxtrot_workers.simulator.market.book import SimBook
from foxtrot_workers.simulator.market.instruments import Instrument, fixed_text
from foxtrot_workers.simulator.market.market import SymbolState, TradeRecord
from foxtrot_workers.simulator.market.views import Levels
from foxtrot_workers.simulator.venues.bybit.names import trade_id_text

__all__ = ["book", "kline", "levels", "price_of", "side_of", "size_of", "ticker", "ticker_fields", "trades"]

_FUNDING_MS = 8 * 3600 * 1000


def price_of(instrument: Instrument, ticks: int) -> str:
    """A price."""
    return fixed_text(ticks, instrument.price_decimals)


def size_of(instrument: Instrument, lots: int) -> str:
    """A size; a removed level has "0"."""
    return fixed_text(lots, instrument.size_decimals) if lots else "0"


def side_of(trade: TradeRecord) -> str:
    """The taker's side."""
    return "Sell" if trade.buyer_is_maker else "Buy"


def levels(instrument: Instrument, side: Iterable[tuple[int, int]]) -> str:
    """Price and size of each level."""
    rows = (f'["{price_of(instrument, price)}","{size_of(instrument, lots)}"]' for price, lots in side)
    return f"[{','.join(rows)}]"


def book(
    instrument: Instrument, topic: str, kind: str, now_ms: int, bids: Levels, asks: Levels, update: int, sequence: int
) -> bytes:
    """A ``snapshot`` or ``delta``; `update`: ``u``, `sequence`: ``seq``."""
    return (
        f'{{"topic":"{topic}","type":"{kind}","ts":{now_ms},"data":{{"s":"{instrument.symbol}",'
        f'"b":{levels(instrument, bids)},"a":{levels(instrument, asks)},"u":{update},"seq":{sequence}}},'
        f'"cts":{now_ms}}}'
    ).encode()


def trades(
    instrument: Instrument, category: str, topic: str, now_ms: int, fills: Sequence[TradeRecord], sequence: int
) -> bytes:
    """All fills of one order at one price."""
    rows = ",".join(
        f'{{"T":{now_ms},"s":"{instrument.symbol}","S":"{side_of(fill)}","v":"{size_of(instrument, fill.lots)}",'
        f'"p":"{price_of(instrument, fill.price)}",{_DIRECTION[category]}'
        f'"i":"{trade_id_text(category, fill.trade_id)}","BT":false,"RPI":false,"seq":{sequence}}}'
        for fill in fills
    )
    return f'{{"topic":"{topic}","type":"snapshot","ts":{now_ms},"data":[{rows}]}}'.encode()


_DIRECTION = {"spot": "", "linear": '"L":"PlusTick",', "inverse": '"L":"PlusTick",'}
"""Spot trades do not tell the direction of the price."""


def ticker_fields(state: SymbolState, category: str, now_ms: int) -> dict[str, str]:
    """All fields of ``tickers``; futures have more of them."""
    instrument, day, top = state.instrument, state.bars.day(now_ms), state.book
    last, opened = price_of(instrument, day.close), price_of(instrument, day.open)
    change = (day.close - day.open) * 10_000 // day.open
    fields = {
        "symbol": instrument.symbol,
        "lastPrice": last,
        "highPrice24h": price_of(instrument, day.high),
        "lowPrice24h": price_of(instrument, day.low),
        "prevPrice24h": opened,
        "volume24h": fixed_text(day.lots, instrument.size_decimals),
        "turnover24h": fixed_text(day.turnover, instrument.price_decimals + instrument.size_decimals),
        "price24hPcnt": f"{'-' if change < 0 else ''}{fixed_text(abs(change), 4)}",
    }
    if category == "spot":
        return {**fields, "usdIndexPrice": ""}
    return {
        **fields,
        "tickDirection": "PlusTick",
        "prevPrice1h": opened,
        "markPrice": last,
        "indexPrice": last,
        "openInterest": "1000",
        "openInterestValue": "1000",
        "nextFundingTime": str(now_ms // _FUNDING_MS * _FUNDING_MS + _FUNDING_MS),
        "fundingRate": "0.0001",
        **_best(instrument, top),
    }


def _best(instrument: Instrument, top: SimBook) -> dict[str, str]:
    bid, ask = top.best_bid, top.best_ask
    return {
        "bid1Price": price_of(instrument, bid),
        "bid1Size": size_of(instrument, top.bid_sizes[bid]),
        "ask1Price": price_of(instrument, ask),
        "ask1Size": size_of(instrument, top.ask_sizes[ask]),
    }


def ticker(topic: str, kind: str, now_ms: int, fields: dict[str, str], sequence: int) -> bytes:
    """All `fields`, or of a ``delta`` those that have changed."""
    data = msgspec.json.encode(fields).decode()
    return f'{{"topic":"{topic}","type":"{kind}","data":{data},"cs":{sequence},"ts":{now_ms}}}'.encode()


def kline(instrument: Instrument, topic: str, interval: str, now_ms: int, bar: Bar, *, closed: bool) -> bytes:
    """One bar; running until ``confirm`` is true."""
    turnover = fixed_text(bar.turnover, instrument.price_decimals + instrument.size_decimals)
    return (
        f'{{"topic":"{topic}","data":[{{"start":{bar.start_ms},"end":{bar.close_ms},"interval":"{interval}",'
        f'"open":"{price_of(instrument, bar.open)}","close":"{price_of(instrument, bar.close)}",'
        f'"high":"{price_of(instrument, bar.high)}","low":"{price_of(instrument, bar.low)}",'
        f'"volume":"{fixed_text(bar.lots, instrument.size_decimals)}","turnover":"{turnover}",'
        f'"confirm":{"true" if closed else "false"},"timestamp":{now_ms}}}],"ts":{now_ms},"type":"snapshot"}}'
    ).encode()
