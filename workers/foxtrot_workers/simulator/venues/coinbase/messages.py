"""The market's messages in the JSON of Coinbase Exchange. Pure.

The side of a match is the maker's; times are ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterable

from foxtrot_workers.simulator.market.instruments import Instrument, decimal_text, fixed_text
from foxtrot_workers.simulator.market.market import SymbolState, TradeRecord
from foxtrot_workers.simulator.market.views import Levels
from foxtrot_workers.simulator.venues.times import iso_text

__all__ = [
    "heartbeat",
    "l2update",
    "levels",
    "maker_side",
    "match",
    "name_of",
    "price_of",
    "sequence_of",
    "size_of",
    "snapshot",
    "ticker",
]

_ORDER = "ac928c66-ca53-498f-9c13-{:012x}"


def name_of(instrument: Instrument) -> str:
    """``BTC-USD``."""
    return f"{instrument.base}-{instrument.quote}"


def price_of(instrument: Instrument, ticks: int) -> str:
    """A price on the grid of the product."""
    return fixed_text(ticks, instrument.price_decimals)


def size_of(instrument: Instrument, lots: int) -> str:
    """A size with eight decimals."""
    return decimal_text(lots * instrument.size_scale)


def sequence_of(state: SymbolState) -> int:
    """Sequence number of the product: rises with each change of the book and each trade."""
    return state.book.update_id + state.trade_id


def levels(instrument: Instrument, side: Iterable[tuple[int, int]]) -> str:
    """Price and size of each level."""
    rows = (f'["{price_of(instrument, price)}","{size_of(instrument, lots)}"]' for price, lots in side)
    return f"[{','.join(rows)}]"


def snapshot(instrument: Instrument, bids: Levels, asks: Levels) -> bytes:
    """The whole book."""
    return (
        f'{{"type":"snapshot","product_id":"{name_of(instrument)}","asks":{levels(instrument, asks)},'
        f'"bids":{levels(instrument, bids)}}}'
    ).encode()


def l2update(instrument: Instrument, now_ms: int, bids: Levels, asks: Levels) -> bytes:
    """Changed levels of both sides; size 0 removes."""
    rows = [
        f'["{side}","{price_of(instrument, price)}","{size_of(instrument, lots)}"]'
        for side, changes in (("buy", bids), ("sell", asks))
        for price, lots in changes
    ]
    return (
        f'{{"type":"l2update","product_id":"{name_of(instrument)}","changes":[{",".join(rows)}],'
        f'"time":"{iso_text(now_ms)}"}}'
    ).encode()


def maker_side(trade: TradeRecord) -> str:
    """The side of the resting order."""
    return "buy" if trade.buyer_is_maker else "sell"


def match(kind: str, instrument: Instrument, trade: TradeRecord, sequence: int) -> bytes:
    """A ``match``, or the ``last_match`` that a new subscriber is sent."""
    return (
        f'{{"type":"{kind}","trade_id":{trade.trade_id},"maker_order_id":"{_ORDER.format(trade.trade_id)}",'
        f'"taker_order_id":"{_ORDER.format(trade.trade_id + 1)}","side":"{maker_side(trade)}",'
        f'"size":"{size_of(instrument, trade.lots)}","price":"{price_of(instrument, trade.price)}",'
        f'"product_id":"{name_of(instrument)}","sequence":{sequence},"time":"{iso_text(trade.time_ms)}"}}'
    ).encode()


def ticker(state: SymbolState, trade: TradeRecord, now_ms: int) -> bytes:
    """The state after a trade; here the side is the taker's."""
    instrument, book, day = state.instrument, state.book, state.bars.day(now_ms)
    bid, ask = book.best_bid, book.best_ask
    volume = size_of(instrument, day.lots)
    return (
        f'{{"type":"ticker","sequence":{sequence_of(state)},"product_id":"{name_of(instrument)}",'
        f'"price":"{price_of(instrument, trade.price)}","open_24h":"{price_of(instrument, day.open)}",'
        f'"volume_24h":"{volume}","low_24h":"{price_of(instrument, day.low)}",'
        f'"high_24h":"{price_of(instrument, day.high)}","volume_30d":"{volume}",'
        f'"best_bid":"{price_of(instrument, bid)}","best_bid_size":"{size_of(instrument, book.bid_sizes[bid])}",'
        f'"best_ask":"{price_of(instrument, ask)}","best_ask_size":"{size_of(instrument, book.ask_sizes[ask])}",'
        f'"side":"{"sell" if trade.buyer_is_maker else "buy"}","time":"{iso_text(trade.time_ms)}",'
        f'"trade_id":{trade.trade_id},"last_size":"{size_of(instrument, trade.lots)}"}}'
    ).encode()


def heartbeat(state: SymbolState, now_ms: int) -> bytes:
    """Once a second: the latest trade, by which a client notices that it has missed one."""
    return (
        f'{{"type":"heartbeat","last_trade_id":{state.trade_id},"product_id":"{name_of(state.instrument)}",'
        f'"sequence":{sequence_of(state)},"time":"{iso_text(now_ms)}"}}'
    ).encode()
