"""A seeded, consistent market for any list of symbols. Pure: time is an argument, randomness comes from the seed.

One `act` is one order: a taker order that trades against the book, or a maker order that adds, changes or
cancels a level. The book follows from the orders alone and never crosses; sizes are positive; prices lie on
the tick grid. Everything published follows from the same state: the depth messages, applied to the snapshot of any
moment, give the book. The same seed and the same times give the same messages.

How to drive it: `act(now_ms)` for each order, `advance(now_ms)` whenever `now_ms` has reached `next_due_ms`
(depth, bars and 24-hour figures leave on a schedule, not with an order). Both return the messages due, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from random import Random

from msgspec import Struct

from foxtrot_workers.simulator.market import messages
from foxtrot_workers.simulator.market.bars import INTERVALS, Bar, Bars
from foxtrot_workers.simulator.market.book import Changes, SimBook
from foxtrot_workers.simulator.market.instruments import Instrument, make_instrument

__all__ = ["EVERY_STREAM", "AggRecord", "Market", "MarketOptions", "Message", "SymbolState", "TradeRecord"]

_FAST_MS = 100
_SLOW_MS = 1_000
_PARTIAL_LEVELS = (5, 10, 20)
_SECONDS_BEHIND_MAX = 5
"""Seconds closed one by one after a pause; of a longer pause (suspended machine) the rest is skipped."""

_TAKER_LEVELS_MAX = 3
"""Price levels that one taker order may consume."""
_IMPROVE_TICKS_MAX = 10
"""Ticks that a maker order may improve the best price by."""
_FILLS_MAX = 3
"""Makers that one fill may be split among, so that aggregate trades have more than one trade."""


class Message(Struct, frozen=True, gc=False):
    """One message of one stream; `payload` is empty if it has no subscriber (the ids still count)."""

    stream: str
    first_id: int
    """`U` of depth, else the same as `last_id`."""
    last_id: int
    """Trade id, aggregate id, `u`; the event time in ms where the stream has no identifier."""
    payload: bytes


class TradeRecord(Struct, frozen=True, gc=False):
    """One past trade; price in ticks, size in lots."""

    trade_id: int
    price: int
    lots: int
    time_ms: int
    buyer_is_maker: bool


class AggRecord(Struct, frozen=True, gc=False):
    """One past aggregate trade; price in ticks, size in lots."""

    agg_id: int
    price: int
    lots: int
    first_id: int
    last_id: int
    time_ms: int
    buyer_is_maker: bool


class MarketOptions(Struct, frozen=True, kw_only=True):
    """Shape of the market; the defaults look like a liquid pair."""

    trade_share: float = 0.4
    """Share of the orders that trade."""
    depth_start: int = 100
    """Levels on each side at the start."""
    depth_min: int = 20
    """Below this many levels on a side, its maker orders add new ones at the far end."""
    depth_max: int = 500
    """Above this many levels on a side, the far one is cancelled."""
    history_max: int = 20_000
    """Trades, and as many aggregate trades, of each symbol that REST returns."""


class _EveryStream:
    """A container of everything."""

    def __contains__(self, _: object) -> bool:
        return True


EVERY_STREAM: Container[str] = _EveryStream()


class SymbolState:
    """The state of one symbol."""

    def __init__(self, instrument: Instrument, now_ms: int, random: Random, options: MarketOptions) -> None:
        self.instrument = instrument
        self.start_ticks = instrument.start_ticks
        self.book = SimBook(update_id=random.randrange(10**8, 10**9))
        self.trade_id = random.randrange(10**6, 10**8)
        self.agg_id = self.trade_id // 2
        self.last_lots = 0
        self.trades: deque[TradeRecord] = deque(maxlen=options.history_max)
        self.aggs: deque[AggRecord] = deque(maxlen=options.history_max)
        self.bars = Bars(now_ms, instrument.start_ticks)
        lower = instrument.symbol.lower()
        self.trade_stream = f"{lower}@trade"
        self.agg_stream = f"{lower}@aggTrade"
        self.quote_stream = f"{lower}@bookTicker"
        self.fast_stream = f"{lower}@depth@100ms"
        self.slow_stream = f"{lower}@depth"
        self.partial_fast = [(f"{lower}@depth{n}@100ms", n) for n in _PARTIAL_LEVELS]
        self.partial_slow = [(f"{lower}@depth{n}", n) for n in _PARTIAL_LEVELS]
        self.kline_streams = {interval: f"{lower}@kline_{interval}" for interval in INTERVALS}
        self.ticker_stream = f"{lower}@ticker"
        self.mini_stream = f"{lower}@miniTicker"
        self.partial_fast_id = self.partial_slow_id = 0
        self._seed_book(random, options.depth_start)

    def _seed_book(self, random: Random, depth: int) -> None:
        """Fill both sides around the start price. These levels are part of the first snapshot, not updates."""
        start, typical = self.instrument.start_ticks, self.instrument.lots_typical
        bid = ask = start
        for _ in range(depth):
            bid = max(1, bid - 1 - int(random.random() ** 2 * 3))
            ask += 1 + int(random.random() ** 2 * 3)
            self.book.set_bid(bid, 1 + int(random.random() * 2 * typical))
            self.book.set_ask(ask, 1 + int(random.random() * 2 * typical))
        self.book.fast = Changes(self.book.update_id + 1)
        self.book.slow = Changes(self.book.update_id + 1)

    def restart_identifiers(self) -> None:
        """Begin all identifiers at 1 again; the book keeps its levels, past trades are forgotten."""
        self.trade_id = self.agg_id = 0
        self.trades.clear()
        self.aggs.clear()
        self.book.update_id = self.partial_fast_id = self.partial_slow_id = 0
        self.book.fast = Changes(1)
        self.book.slow = Changes(1)

    def streams(self) -> list[str]:
        """Names of all streams of this symbol."""
        return [
            self.trade_stream,
            self.agg_stream,
            self.quote_stream,
            self.fast_stream,
            self.slow_stream,
            *(name for name, _ in self.partial_fast),
            *(name for name, _ in self.partial_slow),
            *self.kline_streams.values(),
            self.ticker_stream,
            self.mini_stream,
        ]


class Market:
    """The whole market.

    Args:
        symbols: in this order; repeated ones are ignored.
        seed: of all randomness.
        now_ms: time of the start, since 1970.

    Raises:
        ValueError: there are no symbols, or one is impossible.
    """

    def __init__(self, symbols: Sequence[str], seed: int, now_ms: int, options: MarketOptions | None = None) -> None:
        if not symbols:
            raise ValueError("a market needs at least one symbol")
        self.options = options or MarketOptions()
        self._random = Random(f"market:{seed}")
        self._chance = self._random.random
        self.states: dict[str, SymbolState] = {}
        for symbol in symbols:
            instrument = make_instrument(symbol, seed)
            if instrument.symbol not in self.states:
                state = SymbolState(instrument, now_ms, self._random, self.options)
                self.states[instrument.symbol] = state
        self._list = list(self.states.values())
        self._next_fast_ms = now_ms // _FAST_MS * _FAST_MS + _FAST_MS
        self._next_slow_ms = now_ms // _SLOW_MS * _SLOW_MS + _SLOW_MS
        self.wanted: Container[str] = EVERY_STREAM
        """Streams whose messages need a payload; the market itself does not depend on it."""
        self.trade_id_step = 1
        """Difference of the identifiers of consecutive trades."""

    def restart_identifiers(self) -> None:
        """Begin all identifiers at 1 again; books keep their levels, past trades are forgotten."""
        for state in self._list:
            state.restart_identifiers()

    @property
    def next_due_ms(self) -> int:
        """When `advance` has something to do next."""
        return self._next_fast_ms

    def streams(self) -> list[str]:
        """Names of all streams of all symbols."""
        return [stream for state in self._list for stream in state.streams()]

    def advance(self, now_ms: int) -> list[Message]:
        """Return the messages that are due by the clock, up to `now_ms`."""
        out: list[Message] = []
        if now_ms < self._next_fast_ms:
            return out
        self._next_fast_ms = now_ms // _FAST_MS * _FAST_MS + _FAST_MS
        for state in self._list:
            self._fast(state, now_ms, out)
        if now_ms >= self._next_slow_ms:
            boundary_ms = max(self._next_slow_ms, now_ms // _SLOW_MS * _SLOW_MS - _SECONDS_BEHIND_MAX * _SLOW_MS)
            while boundary_ms <= now_ms:
                for state in self._list:
                    self._candles(state, boundary_ms, now_ms, out)
                boundary_ms += _SLOW_MS
            self._next_slow_ms = boundary_ms
            for state in self._list:
                self._slow(state, now_ms, out)
        return out

    def act(self, now_ms: int) -> list[Message]:
        """Make one order in one symbol at `now_ms`; return its messages."""
        chance = self._chance
        state = self._list[int(chance() * len(self._list))]
        book = state.book
        bid, ask = book.bids[-1], -book.asks[-1]
        bid_lots, ask_lots = book.bid_sizes[bid], book.ask_sizes[ask]
        out: list[Message] = []
        if chance() < self.options.trade_share:
            self._take(state, now_ms, out)
        else:
            self._make(state)
        bid_now, ask_now = book.best_bid, book.best_ask
        if bid_now != bid or ask_now != ask or book.bid_sizes[bid] != bid_lots or book.ask_sizes[ask] != ask_lots:
            wanted = state.quote_stream in self.wanted
            payload = messages.book_ticker(state.instrument, book) if wanted else b""
            out.append(Message(state.quote_stream, book.update_id, book.update_id, payload))
        return out

    def _is_upward(self, state: SymbolState) -> bool:
        """Draw whether this order pushes the price up; the chance pulls the price back to its start."""
        start = state.start_ticks
        pull = (state.book.bids[-1] - start) * 4.0 / start
        return self._chance() < 0.5 - max(-0.4, min(0.4, pull))

    def _take(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        """A taker order: consumes the top of one side, but leaves at least `depth_min` levels there."""
        buys = self._is_upward(state)
        book = state.book
        side = book.asks if buys else book.bids
        left = 1 + int(self._chance() ** 3 * 3 * state.instrument.lots_typical)
        for _ in range(_TAKER_LEVELS_MAX):
            price = -side[-1] if buys else side[-1]
            lots = (book.ask_sizes if buys else book.bid_sizes)[price]
            if left >= lots and len(side) <= self.options.depth_min:
                break
            taken = min(left, lots)
            self._fill(state, now_ms, price, taken, out, buys=buys)
            (book.set_ask if buys else book.set_bid)(price, lots - taken)
            left -= taken
            if not left:
                break

    def _fill(self, state: SymbolState, now_ms: int, price: int, lots: int, out: list[Message], *, buys: bool) -> None:
        """The trades of one taker order at one price, and their aggregate."""
        instrument, wanted = state.instrument, self.wanted
        first_id = state.trade_id + self.trade_id_step
        for part in self._split(lots):
            state.trade_id += self.trade_id_step
            trade_id = state.trade_id
            state.trades.append(TradeRecord(trade_id, price, part, now_ms, not buys))
            state.bars.trade(trade_id, price, part, buyer_is_maker=not buys)
            payload = b""
            if state.trade_stream in wanted:
                payload = messages.trade(instrument, now_ms, trade_id, price, part, buyer_is_maker=not buys)
            out.append(Message(state.trade_stream, trade_id, trade_id, payload))
            state.last_lots = part
        state.agg_id += 1
        agg = AggRecord(state.agg_id, price, lots, first_id, state.trade_id, now_ms, not buys)
        state.aggs.append(agg)
        payload = b""
        if state.agg_stream in wanted:
            payload = messages.agg_trade(
                instrument, now_ms, agg.agg_id, price, lots, first_id, agg.last_id, buyer_is_maker=not buys
            )
        out.append(Message(state.agg_stream, agg.agg_id, agg.agg_id, payload))

    def _split(self, lots: int) -> list[int]:
        """Split `lots` among one to `_FILLS_MAX` makers."""
        parts = 1 + int(self._chance() ** 3 * _FILLS_MAX)
        if parts == 1 or lots < parts:
            return [lots]
        each = lots // parts
        return [each] * (parts - 1) + [lots - each * (parts - 1)]

    def _make(self, state: SymbolState) -> None:
        """A maker order on one side: a new level, another size, or a cancellation."""
        chance, book, options = self._chance, state.book, self.options
        bids = self._is_upward(state)
        side = book.bids if bids else book.asks
        lots = 1 + int(chance() * 2 * state.instrument.lots_typical)
        if len(side) <= options.depth_min:
            price = max(1, side[0] - 1) if bids else -side[0] + 1
        elif len(side) > options.depth_max:
            price, lots = abs(side[0]), 0
        else:
            spread = book.best_ask - book.best_bid
            if spread > 1 and chance() < 0.4:
                step = 1 + int(chance() ** 2 * min(spread - 1, _IMPROVE_TICKS_MAX))
                price = book.best_bid + step if bids else book.best_ask - step
            else:
                price = abs(side[-1 - int(chance() ** 2 * (len(side) - 1))])
                kind = chance()
                if kind < (0.5 if len(side) > options.depth_start else 0.1):
                    lots = 0
                elif kind < 0.8:
                    price = max(1, price - 1) if bids else price + 1
        (book.set_bid if bids else book.set_ask)(price, lots)

    def _fast(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        book = state.book
        if book.update_id >= book.fast.first_id:
            self._depth(state, state.fast_stream, book.fast, now_ms, out)
            book.fast = Changes(book.update_id + 1)
        if book.update_id != state.partial_fast_id:
            state.partial_fast_id = book.update_id
            self._partial(state, state.partial_fast, out)

    def _slow(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        book = state.book
        if book.update_id >= book.slow.first_id:
            self._depth(state, state.slow_stream, book.slow, now_ms, out)
            book.slow = Changes(book.update_id + 1)
        if book.update_id != state.partial_slow_id:
            state.partial_slow_id = book.update_id
            self._partial(state, state.partial_slow, out)
        if state.ticker_stream in self.wanted:
            day = state.bars.day(now_ms)
            payload = messages.day_ticker(state.instrument, now_ms, day, book, state.last_lots)
            out.append(Message(state.ticker_stream, now_ms, now_ms, payload))
        if state.mini_stream in self.wanted:
            payload = messages.mini_ticker(state.instrument, now_ms, state.bars.day(now_ms))
            out.append(Message(state.mini_stream, now_ms, now_ms, payload))

    def _depth(self, state: SymbolState, stream: str, changes: Changes, now_ms: int, out: list[Message]) -> None:
        last_id = state.book.update_id
        payload = b""
        if stream in self.wanted:
            payload = messages.depth_update(state.instrument, now_ms, changes, last_id)
        out.append(Message(stream, changes.first_id, last_id, payload))

    def _partial(self, state: SymbolState, names: list[tuple[str, int]], out: list[Message]) -> None:
        for stream, limit in names:
            if stream in self.wanted:
                last_id = state.book.update_id
                payload = messages.partial_depth(state.instrument, state.book, limit)
                out.append(Message(stream, last_id, last_id, payload))

    def _candles(self, state: SymbolState, boundary_ms: int, now_ms: int, out: list[Message]) -> None:
        ended: list[tuple[str, Bar, bool]] = state.bars.end_second(boundary_ms)
        for interval, bar, closed in ended:
            stream = state.kline_streams[interval]
            if stream in self.wanted:
                payload = messages.kline(state.instrument, now_ms, interval, bar, closed=closed)
                out.append(Message(stream, now_ms, now_ms, payload))
