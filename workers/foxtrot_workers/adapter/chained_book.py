"""Keeps a book whose snapshot comes on the stream in step with its exchange, or reports that it is not.

Each update names its predecessor, carries a checksum, or both. After a break the topic is subscribed again, which
brings a new snapshot; so it is where the book stays crossed. (`rest_book` serves exchanges whose snapshot comes by
REST.)

Pure: parsed snapshots and updates go in; events to publish are appended to `out`, requests to `notices`. A `Gap`
announces what is not published between a break and the next snapshot; nothing is dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec import structs

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter.book_chain import BookChain
from foxtrot_workers.adapter.crossing import CrossingCheck
from foxtrot_workers.adapter.notices import BookLost, Notice, Resubscribe

__all__ = ["ChainedBook"]

E = TypeVar("E", BookSnapshot[str], BookDelta[str])


class ChainedBook:
    """One book whose snapshot comes on the stream.

    Args:
        exchange: name in events.
        symbol: symbol in events.
        wire: wire name of the topic, for notices.
        checksum: computes the exchange's checksum of a book, as events carry it; compared wherever one does. The book
            is kept only while snapshots carry a checksum, so that a feed without them pays nothing.
        depth: levels of each side that the exchange maintains, where it does not say that a level has left them; such
            levels are removed by the updates that are published. None: it says so. With a depth the book is always
            kept.
        first_after_last: what an update's `first_id` exceeds the `last_id` before it by: 0 where it repeats it, else 1.
    """

    def __init__(
        self,
        exchange: str,
        symbol: str,
        wire: str,
        checksum: Callable[[OrderBook[str]], int] | None = None,
        depth: int | None = None,
        *,
        first_after_last: int = 0,
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._wire = wire
        self._checksum = checksum
        self._depth = depth
        self._book: OrderBook[str] | None = None
        self._crossing = CrossingCheck()
        self.chain = BookChain(first_after_last)
        """For the compiled matcher, which publishes updates in order while the chain is steady."""
        self._lost = False
        self.live = False
        """Whether updates are published as they come."""

    def snapshot(
        self, event: BookSnapshot[str], last: int | None, out: list[MarketEvent[str]], notices: list[Notice]
    ) -> None:
        """Process a snapshot that includes all updates to id `last` (None where there are no ids)."""
        self._lost = False
        self.chain.unsettle()
        kept = self._depth is not None or (self._checksum is not None and event.checksum is not None)
        self._book = OrderBook(self._symbol) if kept else None
        defect = self._verify(event)
        if defect:
            self._invalidate(defect, None, event, out, notices)
            return
        self.chain.last = last
        self.chain.last_ns = event.receive_ns
        self.live = True
        if self._depth is not None:
            event = self._cut(event, self._depth)
        out.append(event)
        self._crossing.snapshot(event)

    def update(
        self,
        event: BookDelta[str],
        follows: int | None,
        last: int | None,
        out: list[MarketEvent[str]],
        notices: list[Notice],
    ) -> None:
        """Process an update whose predecessor is `follows` and whose own id is `last` (None where there are no ids)."""
        chain = self.chain
        if not self.live:
            if not self._lost:
                self._invalidate("an update came before any snapshot", None, event, out, notices)
            return
        if follows is not None and chain.last is not None and follows != chain.last:
            reason = f"an update follows {follows}, not {chain.last}"
            self._invalidate(reason, str(follows), event, out, notices)
            return
        defect = self._verify(event)
        if defect:
            self._invalidate(defect, None, event, out, notices)
            return
        chain.last = last
        chain.last_ns = event.receive_ns
        if self._depth is not None:
            event = self._cut(event, self._depth)
        out.append(event)
        defect = self._crossing.update(event)
        if defect:
            self._invalidate(defect, None, event, out, notices, start_ns=0)
        elif self._book is None:  # a kept book sees each update
            chain.settle(self._crossing)

    def quiet(self, event: BookDelta[str], follows: int, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """Process a keepalive: nothing has changed since id `follows`. It is checked, not published."""
        if self.live and follows == self.chain.last:
            self.chain.last_ns = event.receive_ns
            return
        self.update(event, follows, follows, out, notices)

    def lose(
        self, reason: str, exchange_ns: int, receive_ns: int, out: list[MarketEvent[str]], notices: list[Notice]
    ) -> None:
        """Announce that updates are missing, as something other than the book's own updates shows."""
        if self.live:
            unseen: BookDelta[str] = BookDelta(
                self._exchange, self._symbol, exchange_ns, receive_ns, [], [], None, None, None
            )
            self._invalidate(reason, None, unseen, out, notices)

    def _verify(self, event: BookSnapshot[str] | BookDelta[str]) -> str:
        """Apply `event` to the kept book; return its defect, "" for none."""
        book = self._book
        if book is None:
            return ""
        try:
            if isinstance(event, BookSnapshot):
                book.snapshot(event.bids, event.asks)
            else:
                book.apply(event.bids, event.asks)
        except BookInvalid as error:
            return error.reason
        if event.checksum is not None and self._checksum is not None:
            ours = self._checksum(book)
            if ours != event.checksum:
                return f"checksum {event.checksum} was sent, {ours} computed"
        return ""

    def _cut(self, event: E, depth: int) -> E:
        """Cut the kept book to `depth`; return `event` with the levels removed that have left it."""
        book = self._book
        if book is None or (book.bid_count <= depth and book.ask_count <= depth):
            return event
        bids, asks = book.cut(depth)
        if isinstance(event, BookSnapshot):
            return structs.replace(event, bids=book.best_bids(depth), asks=book.best_asks(depth))
        return structs.replace(event, bids=_without(event.bids, bids), asks=_without(event.asks, asks))

    def _invalidate(
        self,
        reason: str,
        last_missing: str | None,
        event: BookSnapshot[str] | BookDelta[str],
        out: list[MarketEvent[str]],
        notices: list[Notice],
        start_ns: int | None = None,
    ) -> None:
        """Announce a gap that was noticed at `event`; `start_ns`: 0 if unknown, None for the last event before it."""
        out.append(
            Gap(
                exchange=self._exchange,
                symbol=self._symbol,
                exchange_ns=event.exchange_ns,
                receive_ns=event.receive_ns,
                stream=EVENT_BOOK,
                first_id=None,
                last_id=last_missing,
                start_ns=(self.chain.last_ns or event.receive_ns) if start_ns is None else start_ns,
                end_ns=event.receive_ns,
                cause=reason,
            )
        )
        notices.append(BookLost(self._wire, self._symbol, reason))
        notices.append(Resubscribe(self._wire, reason))
        self.chain.unsettle()
        self._book = None
        self.live = False
        self._lost = True


def _without(levels: list[tuple[str, str]], removed: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the changes of a side with those levels removed that have left its depth."""
    prices = {price for price, _ in removed}
    return [level for level in levels if level[0] not in prices] + [(price, "0") for price, _ in removed]
