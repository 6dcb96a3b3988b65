"""A book: the fold of snapshots and deltas into two sorted sides.

Prices are compared as decimals, so that ``0.10`` and ``0.1`` are one level. The text that the exchange sent is kept
with it, because checksums are computed over that text. The fold does not check identifiers or continuity: the caller
decides which deltas to apply and what a broken book means.

Numbers may be text, `decimal.Decimal` or `float`; a book keeps the type that it is fed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Generic, TypeAlias, TypeVar

from foxtrot_protocol.errors import BookInvalid

__all__ = ["LEVELS_MAX", "NUMBER_CHARS_MAX", "OrderBook"]

N = TypeVar("N", str, float, Decimal)

LEVELS_MAX = 20_000
"""Levels on one side. Snapshots have up to 5,000."""

NUMBER_CHARS_MAX = 64
"""Longest text of a number. Prices and sizes have up to 40 characters, exponents included."""

_EXPONENT_MAX = 64
"""Bound of a decimal exponent: beyond it a short text stands for a huge number of digits."""

_FLOAT_LEAST = 1e-64
_FLOAT_MOST = 1e64
"""The same bound for floats, which need no decimal to be compared."""

_ZERO = Decimal(0)

_Key: TypeAlias = Decimal | float
"""Sort key of a level; a float is its own key, several times cheaper to create and compare."""


class OrderBook(Generic[N]):
    """One instrument's book, best levels first on reading.

    `depth` is the number of levels kept on each side: where an exchange never says that a level has left
    the subscribed depth, the worst ones beyond it are cut after each update. `symbol` only names errors.

    ``snapshot`` and ``apply`` raise `BookInvalid` for a value that is not a number, or is negative; the book is
    then empty, because half an update is worse than none.
    """

    __slots__ = ("_asks", "_bids", "depth", "symbol")

    def __init__(self, symbol: str = "", depth: int = LEVELS_MAX) -> None:
        if not 1 <= depth <= LEVELS_MAX:
            raise ValueError(f"depth {depth} is not within 1 to {LEVELS_MAX}")
        self.symbol = symbol
        self.depth = depth
        self._bids: _Side[N] = _Side(negate=False)
        self._asks: _Side[N] = _Side(negate=True)

    def snapshot(self, bids: Iterable[tuple[N, N]], asks: Iterable[tuple[N, N]]) -> None:
        """Replace everything by these levels, in any order; levels of size 0 are left out."""
        self.clear()
        self._change(bids, asks)

    def apply(self, bids: Iterable[tuple[N, N]], asks: Iterable[tuple[N, N]]) -> None:
        """Set each level to its size; size 0 removes it (removing an unknown level is normal)."""
        self._change(bids, asks)

    def clear(self) -> None:
        """Forget all levels."""
        self._bids.clear()
        self._asks.clear()

    def cut(self, depth: int) -> tuple[list[tuple[N, N]], list[tuple[N, N]]]:
        """Remove the levels of each side beyond its best `depth` ones; return them: bids, asks."""
        return self._bids.cut(depth), self._asks.cut(depth)

    def best_bids(self, count: int) -> list[tuple[N, N]]:
        """The `count` highest bids, highest first."""
        return self._bids.best(count)

    def best_asks(self, count: int) -> list[tuple[N, N]]:
        """The `count` lowest asks, lowest first."""
        return self._asks.best(count)

    @property
    def bid_count(self) -> int:
        """Number of bid levels."""
        return len(self._bids.keys)

    @property
    def ask_count(self) -> int:
        """Number of ask levels."""
        return len(self._asks.keys)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask, which no exchange's book is for long."""
        if not self._bids.keys or not self._asks.keys:
            return False
        return self._bids.keys[-1] >= _negated(self._asks.keys[-1])

    def _change(self, bids: Iterable[tuple[N, N]], asks: Iterable[tuple[N, N]]) -> None:
        try:
            self._bids.change(bids)
            self._asks.change(asks)
        except _NotANumber as error:
            self.clear()
            raise BookInvalid(self.symbol, str(error)) from None
        self._bids.cut(self.depth)
        self._asks.cut(self.depth)


class _NotANumber(Exception):
    """The text says which."""


class _Side(Generic[N]):
    """Levels by price; `keys` ascend to the best, so that the busy end is the cheap end of the list.

    Ask prices are negated for that order.
    """

    __slots__ = ("_levels", "_negate", "keys")

    def __init__(self, *, negate: bool) -> None:
        self._negate = negate
        self.keys: list[_Key] = []
        self._levels: dict[_Key, tuple[N, N]] = {}

    def clear(self) -> None:
        self.keys.clear()
        self._levels.clear()

    def change(self, levels: Iterable[tuple[N, N]]) -> None:
        known = self._levels
        keys = self.keys
        negate = self._negate
        first = not keys  # a snapshot: sort once at the end
        for level in levels:
            price, size = level
            key = _number(price)
            if negate:
                key = _negated(key)
            if _number(size):
                if key not in known and not first:
                    keys.insert(bisect_left(keys, key), key)
                known[key] = level
            elif known.pop(key, None) is not None and not first:
                del keys[bisect_left(keys, key)]
        if first:
            self.keys = sorted(known)

    def cut(self, depth: int) -> list[tuple[N, N]]:
        excess = len(self.keys) - depth
        if excess <= 0:
            return []
        removed = [self._levels.pop(key) for key in self.keys[:excess]]
        del self.keys[:excess]
        return removed

    def best(self, count: int) -> list[tuple[N, N]]:
        levels = self._levels
        return [levels[key] for key in islice(reversed(self.keys), count)]


def _negated(key: _Key) -> _Key:
    # the minus sign would round a decimal to the context's 28 digits
    return -key if isinstance(key, float) else key.copy_negate()


def _number(value: str | float | Decimal) -> _Key:
    """`value` as a number ≥ 0 that can be compared, of bounded length and exponent."""
    if isinstance(value, float):
        if value and not _FLOAT_LEAST <= value <= _FLOAT_MOST:  # not a number is not between them either
            raise _NotANumber(f"not a possible price or size: {value!r}")
        return value
    if isinstance(value, str) and len(value) > NUMBER_CHARS_MAX:
        raise _NotANumber(f"a number of {len(value)} characters")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _NotANumber(f"not a number: {value!r}") from None
    if not number:
        return _ZERO  # whatever its exponent and sign
    if not number.is_finite() or number < 0 or abs(number.adjusted()) > _EXPONENT_MAX:
        raise _NotANumber(f"not a possible price or size: {value!r}")
    return number
