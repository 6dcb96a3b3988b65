"""Order books: events of book frames, and spot books whose snapshot is requested on the connection itself.

Source: "Market By Price (incremental update)": each update names its predecessor; the snapshot is the answer to a
``req`` for the same topic.
"""

from __future__ import annotations

import msgspec

from foxtrot_protocol.events import BookDelta, BookSnapshot, MarketEvent
from foxtrot_workers.adapter import Notice, RestRequest, SendText
from foxtrot_workers.adapter.held_updates import HeldBytes
from foxtrot_workers.adapter.number_text import NumberLevel, level_texts
from foxtrot_workers.adapter.rest_book import RestBook
from foxtrot_workers.exchanges.huobi.constants import MS, S
from foxtrot_workers.exchanges.huobi.messages import MbpTick

__all__ = ["REQUEST_ID", "MbpBook", "levels_of", "mbp_delta_of", "mbp_snapshot_of"]

REQUEST_ID = "book:"
"""Beginning of the id of a request for a snapshot; the topic follows."""


def levels_of(levels: list[NumberLevel] | None) -> list[tuple[str, str]]:
    """Return levels as text; a side that is left out has none."""
    return level_texts(levels) if levels else []


def mbp_snapshot_of(exchange: str, symbol: str, time_ms: int, receive_ns: int, tick: MbpTick) -> BookSnapshot[str]:
    """Return the whole book that `tick` shows."""
    bids, asks = levels_of(tick.bids), levels_of(tick.asks)
    return BookSnapshot(exchange, symbol, time_ms * MS, receive_ns, bids, asks, None, str(tick.last_id), None)


def mbp_delta_of(
    exchange: str, symbol: str, time_ms: int, receive_ns: int, tick: MbpTick, previous_id: int
) -> BookDelta[str]:
    """Return the change of a book that `tick` shows, which follows `previous_id`."""
    return BookDelta(
        exchange,
        symbol,
        time_ms * MS,
        receive_ns,
        level_texts(tick.bids) if tick.bids else [],
        level_texts(tick.asks) if tick.asks else [],
        str(previous_id),
        str(tick.last_id),
        None,
    )


class MbpBook:
    """A book of increments. `RestBook` keeps it in step; its requests are sent on the connection.

    A request that must wait is sent with the first update after its time: without updates there is no book to restore.

    Args:
        exchange: name in events.
        symbol: symbol in events.
        wire: wire name of the topic, which the request names too.
        notices: of the adapter.
        shared: byte limit shared by the books of one connection.
    """

    def __init__(self, exchange: str, symbol: str, wire: str, notices: list[Notice], shared: HeldBytes) -> None:
        self._wire = wire
        self._notices = notices
        self._told: list[Notice] = []
        self._book = RestBook(exchange, symbol, wire, RestRequest(wire, wire), shared=shared)
        self._request_at_ns: int | None = None
        """When to send the request that waits, by the time of receipt; None: none waits."""

    @property
    def live(self) -> bool:
        """Whether updates are published as they come."""
        return self._book.live

    def update(self, event: BookDelta[str], previous: int, last: int, out: list[MarketEvent[str]]) -> None:
        """Process an update that follows id `previous` and ends with id `last`."""
        # identifiers have leaps: an update stands for all of them after its predecessor
        self._book.delta(event, previous + 1, last, None, out, self._told)
        if self._told or self._request_at_ns is not None:
            self._tell(event.receive_ns)

    def snapshot(self, event: BookSnapshot[str], last: int, out: list[MarketEvent[str]]) -> None:
        """Process the answer to a request."""
        self._book.snapshot(event, last, out, self._told)
        self._tell(event.receive_ns)

    def failed(self, reason: str, receive_ns: int) -> None:
        """The request was refused, or its answer cannot be used: request again, later each time."""
        self._book.failed(reason, self._told)
        self._tell(receive_ns)

    def resync(self) -> None:
        """Request a fresh snapshot of a live book; updates go on meanwhile."""
        self._book.resync(self._told)
        self._tell(0)

    def close(self) -> None:
        """Release what is held."""
        self._book.close()

    def _tell(self, receive_ns: int) -> None:
        for notice in self._told:
            if isinstance(notice, RestRequest):
                self._request_at_ns = receive_ns + int(notice.delay_s * S)
            else:
                self._notices.append(notice)
        self._told.clear()
        if self._request_at_ns is not None and receive_ns >= self._request_at_ns:
            self._request_at_ns = None
            request = {"req": self._wire, "id": REQUEST_ID + self._wire}
            self._notices.append(SendText(msgspec.json.encode(request).decode()))
