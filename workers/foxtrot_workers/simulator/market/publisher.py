"""The seam between the market and an exchange's way to publish it. Pure.

The market decides what happens; a `Publisher` makes the messages of one exchange of it. Its methods append to `out`, in
the order in which messages leave. Trades, and books with dense identifiers, make a message whether anybody listens or
not, because their identifiers count; the payload is left empty without a subscriber.
"""

from __future__ import annotations

import abc
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

if TYPE_CHECKING:
    from foxtrot_workers.simulator.market.bars import Bar
    from foxtrot_workers.simulator.market.market import AggRecord, SymbolState, TradeRecord

__all__ = ["EVERY_STREAM", "Message", "Publisher"]


class Message(Struct, frozen=True, gc=False):
    """One message of one stream; `payload` is empty if it has no subscriber (the ids still count)."""

    stream: str
    first_id: int
    """First identifier that a book update covers, else the same as `last_id`."""
    last_id: int
    """Identifier of the last trade or book update in it; the event time in ms where the stream has no identifier."""
    payload: bytes


class _EveryStream:
    """A container of everything."""

    def __contains__(self, _: object) -> bool:
        return True


EVERY_STREAM: Container[str] = _EveryStream()


class Publisher(abc.ABC):
    """Publishes one market in the messages of one exchange."""

    tick_ms: ClassVar[int] = 100
    """Time between two calls of `tick`: the shortest interval at which the exchange publishes."""

    def __init__(self) -> None:
        self.wanted: Container[str] = EVERY_STREAM
        """Streams that have a subscriber."""

    @abc.abstractmethod
    def add(self, state: SymbolState) -> None:
        """A symbol joins the market; its book is seeded."""

    @abc.abstractmethod
    def streams(self) -> list[str]:
        """Return the names of all streams of all symbols."""

    @abc.abstractmethod
    def filled(
        self, state: SymbolState, agg: AggRecord, trades: Sequence[TradeRecord], now_ms: int, out: list[Message]
    ) -> None:
        """A taker order was filled at one price: `trades` are its fills, `agg` all of them together."""

    def top_changed(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:  # noqa: B027 - not each needs it
        """An order has changed the best bid or ask, or the size there."""

    @abc.abstractmethod
    def tick(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:
        """`tick_ms` have passed."""

    def second(self, state: SymbolState, now_ms: int, out: list[Message]) -> None:  # noqa: B027 - not each needs it
        """A second has passed."""

    def bars(  # noqa: B027 - not each exchange has bars
        self, state: SymbolState, ended: Sequence[tuple[str, Bar, bool]], now_ms: int, out: list[Message]
    ) -> None:
        """Bars have changed: interval, bar, and whether it is closed."""

    def restarted(self, state: SymbolState) -> None:  # noqa: B027 - not each needs it
        """All identifiers of the symbol begin at 1 again."""

    def welcome(self, stream: str, now_ms: int) -> list[Message]:
        """Return what a new subscriber of `stream` is sent first, such as the snapshot of a book."""
        return []
