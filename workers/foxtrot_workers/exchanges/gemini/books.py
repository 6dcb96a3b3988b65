"""Order books: the first message of a connection is the whole book, each other one continues it ("Stream Reference").

Nothing says that a new subscription on the same connection brings a whole book again, so a lost book asks for a new
connection.
"""

from __future__ import annotations

from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent
from foxtrot_workers.adapter import CloseAnnounced, Notice, Resubscribe
from foxtrot_workers.adapter.chained_book import ChainedBook
from foxtrot_workers.exchanges.gemini.messages import DepthMessage, Level

__all__ = ["StreamBook"]


class StreamBook:
    """The book of one symbol on one connection.

    Args:
        exchange: name in events.
        symbol: symbol in events.
        wire: wire name of the topic.
        starts: whether the first message is the whole book.
    """

    def __init__(self, exchange: str, symbol: str, wire: str, *, starts: bool) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._book = ChainedBook(exchange, symbol, wire)
        self._starts = starts

    @property
    def live(self) -> bool:
        """Whether updates are published as they come."""
        return self._book.live

    def take(self, message: DepthMessage, receive_ns: int, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """Process a message: append its event, or the gap and the notices of a lost book."""
        exchange, symbol = self._exchange, self._symbol
        bids, asks = _levels(message.bids), _levels(message.asks)
        first, last = message.first_id, message.last_id
        if self._starts:
            self._starts = False
            whole: BookSnapshot[str] = BookSnapshot(
                exchange, symbol, message.time, receive_ns, bids, asks, None, str(last), None
            )
            self._book.snapshot(whole, last, out, notices)
            return
        delta: BookDelta[str] = BookDelta(
            exchange, symbol, message.time, receive_ns, bids, asks, str(first), str(last), None
        )
        lost: list[Notice] = []
        self._book.update(delta, first - 1, last, out, lost)
        notices.extend(CloseAnnounced(each.reason) if isinstance(each, Resubscribe) else each for each in lost)


def _levels(levels: list[Level]) -> list[tuple[str, str]]:
    return [(level.price, level.size) for level in levels]
