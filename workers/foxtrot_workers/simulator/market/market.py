"""A seeded, consistent market for any list of symbols. Pure: time is an argument, randomness comes from the seed.

One `act` is one order: a taker order that trades against the book, or a maker order that adds, changes or
cancels a level. The book follows from the orders alone and never crosses; sizes are positive; prices lie on
the tick grid. A `Publisher` makes messages of what happens, in the form of one exchange, from the same state: the depth
messages, applied to the snapshot of any moment, give the book. The same seed and the same times give the same messages.

How to drive it: `act(now_ms)` for each order, `advance(now_ms)` whenever `now_ms` has reached `next_due_ms`
(depth, bars and 24-hour figures leave on a schedule, not with an order). Both return the messages due, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random

from msgspec import Struct

from foxtrot_workers.simulator.market.bars import Bars
from foxtrot_workers.simulator.market.book import SimBook
from foxtrot_workers.simulator.market.instruments import Instrument, make_instrument
from foxtrot_workers.simulator.market.publisher import Message, Publisher

__all__ = ["AggRecord", "Market", "MarketOptions", "SymbolState", "TradeRecord"]

_SECOND_MS = 1_000
_SECONDS_BEHIND_MAX = 5
"""Seconds closed one by one after a pause; of a longer pause (suspended machine) the rest is skipped."""

_TAKER_LEVELS_MAX = 3
"""Price levels that one taker order may consume."""
_IMPROVE_TICKS_MAX = 10
"""Ticks that a maker order may improve the best price by."""
_FILLS_MAX = 3
"""Makers that one fill may be split among, so that aggregate trades have more than one trade."""


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

    def restart_identifiers(self) -> None:
        """Begin all identifiers at 1 again; the book keeps its levels, past trades are forgotten."""
        self.trade_id = self.agg_id = 0
        self.trades.clear()
        self.aggs.clear()
        self.book.update_id = 0


class Market:
    """The whole market.

    Args:
        symbols: in this order; repeated ones are ignored.
        seed: of all randomness.
        now_ms: time of the start, since 1970.
        publisher: makes the messages.

    Raises:
        ValueError: there are no symbols, or one is impossible.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        seed: int,
        now_ms: int,
        publisher: Publisher,
        options: MarketOptions | None = None,
    ) -> None:
        if not symbols:
            raise ValueError("a market needs at least one symbol")
        self.options = options or MarketOptions()
        self.publisher = publisher
        self._seed = seed
        self._random = Random(f"market:{seed}")
        self._chance = self._random.random
        self.states: dict[str, SymbolState] = {}
        self._list: list[SymbolState] = []
        for symbol in symbols:
            self.add_symbol(symbol, now_ms)
        self._tick_ms = publisher.tick_ms
        self._next_tick_ms = now_ms // self._tick_ms * self._tick_ms + self._tick_ms
        self._next_second_ms = now_ms // _SECOND_MS * _SECOND_MS + _SECOND_MS
        self.trade_id_step = 1
        """Difference of the identifiers of consecutive trades."""

    def add_symbol(self, symbol: str, now_ms: int) -> None:
        """Let a symbol join the market, unless it is there; raises `ValueError` if it is impossible."""
        instrument = make_instrument(symbol, self._seed)
        if instrument.symbol not in self.states:
            state = SymbolState(instrument, now_ms, self._random, self.options)
            self.states[instrument.symbol] = state
            self._list.append(state)
            self.publisher.add(state)

    def remove_symbol(self, symbol: str) -> None:
        """Let a symbol leave the market: nothing happens in it any more, and REST does not know it.

        Raises `ValueError` if it is not there, or the last one.
        """
        if symbol not in self.states or len(self.states) == 1:
            raise ValueError(f"cannot be delisted: {symbol!r}")
        self._list.remove(self.states.pop(symbol))

    def restart_identifiers(self) -> None:
        """Begin all identifiers at 1 again; books keep their levels, past trades are forgotten."""
        for state in self._list:
            state.restart_identifiers()
            self.publisher.restarted(state)

    @property
    def next_due_ms(self) -> int:
        """When `advance` has something to do next."""
        return self._next_tick_ms

    def advance(self, now_ms: int) -> list[Message]:
        """Return the messages that are due by the clock, up to `now_ms`."""
        out: list[Message] = []
        if now_ms < self._next_tick_ms:
            return out
        publisher, states = self.publisher, self._list
        self._next_tick_ms = now_ms // self._tick_ms * self._tick_ms + self._tick_ms
        for state in states:
            publisher.tick(state, now_ms, out)
        if now_ms >= self._next_second_ms:
            latest_ms = now_ms // _SECOND_MS * _SECOND_MS
            boundary_ms = max(self._next_second_ms, latest_ms - _SECONDS_BEHIND_MAX * _SECOND_MS)
            while boundary_ms <= now_ms:
                for state in states:
                    publisher.bars(state, state.bars.end_second(boundary_ms), now_ms, out)
                boundary_ms += _SECOND_MS
            self._next_second_ms = boundary_ms
            for state in states:
                publisher.second(state, now_ms, out)
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
            self.publisher.top_changed(state, now_ms, out)
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
        first_id = state.trade_id + self.trade_id_step
        trades = []
        for part in self._split(lots):
            state.trade_id += self.trade_id_step
            trades.append(TradeRecord(state.trade_id, price, part, now_ms, not buys))
            state.bars.trade(state.trade_id, price, part, buyer_is_maker=not buys)
            state.last_lots = part
        state.trades.extend(trades)
        state.agg_id += 1
        agg = AggRecord(state.agg_id, price, lots, first_id, state.trade_id, now_ms, not buys)
        state.aggs.append(agg)
        self.publisher.filled(state, agg, trades, now_ms, out)

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
