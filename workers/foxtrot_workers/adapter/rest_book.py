"""Keeps a book whose snapshot comes by REST in step with its exchange, or reports that it is not.

Updates are held until a REST snapshot fits among them; from then on each update must continue the one before. On a gap
the snapshot is requested again, and so it is where the book stays crossed. (`chained_book` serves exchanges that send
the snapshot on the stream.)

Pure: parsed snapshots and updates go in; events to publish are appended to `out`, requests to `notices`. A `Gap`
announces what is not published between a break and the next snapshot; nothing is dropped silently.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter.book_chain import BookChain
from foxtrot_workers.adapter.crossing import CrossingCheck
from foxtrot_workers.adapter.held_updates import HeldBytes, HeldUpdate, HeldUpdates
from foxtrot_workers.adapter.notices import BookLost, Notice, RestRequest, SnapshotRejected

__all__ = ["FETCH_DELAY_FIRST_S", "FETCH_DELAY_MAX_S", "LOW_RUN_MIN", "STEADY_DELTAS", "Chain", "RestBook"]

FETCH_DELAY_FIRST_S = 1.0
"""Delay of the second request; it doubles with each further one, up to `FETCH_DELAY_MAX_S`."""

FETCH_DELAY_MAX_S = 60.0

LOW_RUN_MIN = 3
"""Consecutive rising updates below the newest identifier of the connection that prove a sequence reset."""

STEADY_DELTAS = 100
"""A book is healthy after this many updates in order: the snapshot after its next gap is requested without delay."""


class Chain(enum.Enum):
    """How an update identifies its predecessor."""

    NEXT = "next"
    """By its first id, which is the predecessor's last id + 1 (Binance spot, Gate.io, KuCoin)."""
    PREVIOUS = "previous"
    """By the predecessor's last id, which it carries too; ids have leaps (Binance futures)."""
    NEXT_OR_SAME = "next or same"
    """As `NEXT`. An update that ends with the snapshot's own id is published too: it changes nothing, but shows that no
    update is missing between (KuCoin)."""


class _Resync:
    """Resync of a live book: updates since the request, and the snapshot once received with its last id."""

    __slots__ = ("snapshot", "updates")

    def __init__(self, shared: HeldBytes) -> None:
        self.updates = HeldUpdates(shared)
        self.snapshot: tuple[BookSnapshot[str], int] | None = None


class RestBook:
    """One book whose snapshot comes by REST.

    Until it is live, updates are held (within the limits of `held_updates`) and a snapshot is in flight. While it is
    live, each update is published at once.

    Args:
        exchange: name in events.
        symbol: symbol in events.
        wire: wire name of the topic, for notices.
        request: the snapshot request; each failure adds to its delay.
        chain: how updates identify their predecessor.
        shared: byte limit shared by the books of one connection; None: a limit of its own.
    """

    def __init__(
        self,
        exchange: str,
        symbol: str,
        wire: str,
        request: RestRequest,
        chain: Chain = Chain.NEXT,
        shared: HeldBytes | None = None,
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self.wire = wire
        self._request = request
        self._by_previous = chain is Chain.PREVIOUS
        self._skips_same = chain is Chain.NEXT
        self._shared = HeldBytes() if shared is None else shared
        self._held = HeldUpdates(self._shared)
        self._requested = False
        self._failures = 0
        self.chain = BookChain(0 if self._by_previous else 1)
        """For the compiled matcher, which publishes updates in order while the chain is steady."""
        self.chain.last = 0
        self._first_after_snapshot = False
        self._crossing = CrossingCheck()
        self._resync: _Resync | None = None
        self._lower: list[HeldUpdate] = []
        """Consecutive rising updates below `_newest`."""
        self._discard_answer = False
        """The snapshot in flight may be older than a sequence reset."""
        self.live = False
        """Whether updates are published as they come."""

    def next_in_run(self, receive_ns: int) -> int | None:
        """Return the first id of the update that `follow` may take; None: `delta` must decide.

        Args:
            receive_ns: of all updates of the run, in nanoseconds since 1970.
        """
        chain = self.chain
        if not chain.steady or self._by_previous or self._crossing.is_due(receive_ns):
            return None
        last: int = chain.last
        return last + 1

    def follow(self, events: Sequence[BookDelta[str]], last: int) -> None:
        """Process updates that the caller has published, as `delta` does one by one.

        Args:
            events: a run: the first begins with `next_in_run`, each other one behind its predecessor.
            last: id with which the run ends.
        """
        chain = self.chain
        chain.newest = chain.last = last
        chain.last_ns = events[-1].receive_ns
        if chain.in_order < STEADY_DELTAS <= chain.in_order + len(events):
            self._failures = 0
        chain.in_order += len(events)
        self._crossing.extend(events)

    def delta(
        self,
        event: BookDelta[str],
        first: int,
        last: int,
        previous: int | None,
        out: list[MarketEvent[str]],
        notices: list[Notice],
    ) -> None:
        """Process an update with ids `first` to `last`; `previous`: its predecessor's last id, if the chain has it."""
        chain = self.chain
        if chain.steady and (previous == chain.last if self._by_previous else first == chain.last + 1):
            # nearly all updates go this way: what follows, without what a steady chain rules out
            out.append(event)
            chain.newest = chain.last = last
            chain.last_ns = event.receive_ns
            chain.in_order += 1
            if chain.in_order == STEADY_DELTAS:
                self._failures = 0
            defect = self._crossing.update(event)
            if defect:
                self._invalidate(event, out, notices, defect, None, None, start_ns=0)
            else:
                chain.settle(self._crossing)  # the next check may be due at another time
            return
        if self.live and (previous == chain.last if self._by_previous else first == chain.last + 1):
            chain.newest = last
            if self._lower:
                self._lower.clear()
            self._publish(event, last, out, notices)
            if self._resync is not None:
                self._resync.updates.append(HeldUpdate(event, first, last, previous))
                self._publish_whole(self._resync, out, notices)
            elif self.live:
                chain.settle(self._crossing)
            return
        chain.unsettle()
        held = HeldUpdate(event, first, last, previous)
        if last < self.chain.newest:
            self._check_reset(held, out, notices)
            return
        self.chain.newest = last
        self._lower.clear()
        self._accept(held, out, notices)

    def _accept(self, held: HeldUpdate, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        if self.live:
            self._follow(held, out, notices)
        else:
            self._held.append(held)
            if not self._requested:
                self._request_snapshot(notices)

    def snapshot(self, event: BookSnapshot[str], last: int, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """Process a snapshot that includes all updates to id `last`, requested or not."""
        self.chain.unsettle()
        if self._discard_answer:
            self._discard_answer = False
            self._request_snapshot(notices)
            return
        if self.live and self._resync is not None:
            self._resync.snapshot = (event, last)
            self._publish_whole(self._resync, out, notices)
            return
        if self.live and last < self.chain.last:
            return  # an old snapshot must not undo later updates
        oldest = next((held for held in self._held if not self._stale(held, last)), None)
        reason = _defect(event)
        if reason:
            self.failed(reason, notices)
            return
        if oldest is not None and not self._fits(oldest, last, after_snapshot=True):
            self._reject_old(last, oldest, notices)
            return
        out.append(event)
        self._crossing.snapshot(event)
        self.chain.last = last
        self.chain.last_ns = event.receive_ns
        self._first_after_snapshot = True
        self.live = True
        for held in self._held.take():
            # after a gap among the held updates the rest is held again
            self._accept(held, out, notices)

    def _check_reset(self, held: HeldUpdate, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """Decide whether an update below the newest id is a repetition or a sequence reset.

        One connection delivers in order, so `LOW_RUN_MIN` consecutive rising updates prove a reset.
        """
        if self._lower and held.last <= self._lower[-1].last:
            self._lower.clear()
        self._lower.append(held)
        if len(self._lower) < LOW_RUN_MIN:
            return
        lower, self._lower = self._lower, []
        reason = f"identifiers went back from {self.chain.newest} to {lower[0].last}"
        self.chain.newest = held.last
        self._held.take()  # from before the reset
        if self.live:
            self._invalidate_before(lower[0], out, notices, reason, None, None)
            lower = lower[1:]
        else:
            self._discard_answer = self._requested
        for each in lower:
            self._accept(each, out, notices)

    def resync(self, notices: list[Notice]) -> None:
        """Request a fresh snapshot of a live book; a book that is not live is resynchronizing already.

        Updates continue meanwhile; the snapshot is published among them, as of the last update before it.
        """
        if self.live and self._resync is None:
            self.chain.unsettle()
            self._resync = _Resync(self._shared)
            self._request_snapshot(notices)

    def _publish_whole(self, resync: _Resync, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """Publish the book as a snapshot once the received snapshot and the updates since then connect."""
        if resync.snapshot is None or resync.snapshot[1] > self.chain.last:
            return  # the snapshot is ahead of the stream
        snapshot, last = resync.snapshot
        following = [held for held in resync.updates if held.last > last]
        if not self._fits(following[0], last, after_snapshot=True) if following else last != self.chain.last:
            resync.snapshot = None
            self._reject_old(last, following[0] if following else None, notices)
            return
        book: OrderBook[str] = OrderBook(self._symbol)
        try:
            book.snapshot(snapshot.bids, snapshot.asks)
            for held in following:
                book.apply(held.event.bids, held.event.asks)
        except BookInvalid as error:
            resync.snapshot = None
            resync.updates.clear()
            self.failed(f"its snapshot cannot be used: {error.reason}", notices)
            return
        newest = following[-1].event if following else snapshot
        whole: BookSnapshot[str] = BookSnapshot(
            exchange=self._exchange,
            symbol=self._symbol,
            exchange_ns=newest.exchange_ns,
            receive_ns=max(snapshot.receive_ns, newest.receive_ns),
            bids=book.best_bids(book.bid_count),
            asks=book.best_asks(book.ask_count),
            first_id=None,
            last_id=str(self.chain.last),
            checksum=None,
        )
        out.append(whole)
        self._crossing.snapshot(whole)
        self._end_resync()
        self._failures = 0

    def _end_resync(self) -> None:
        if self._resync is not None:
            self._resync.updates.clear()
            self._resync = None

    def failed(self, reason: str, notices: list[Notice]) -> None:
        """Report an unusable or missing snapshot and request it again with a growing delay."""
        self._failures += 1
        notices.append(SnapshotRejected(self.wire, self._symbol, reason))
        self._request_snapshot(notices)

    def _reject_old(self, last: int, oldest: HeldUpdate | None, notices: list[Notice]) -> None:
        """Request again a snapshot that ends before the held updates; reported from the second time on.

        The first time is normal: servers that answer REST requests lag behind the stream.
        """
        if not self._failures:
            self._failures = 1
            self._request_snapshot(notices)
            return
        since = "" if oldest is None else f", from {oldest.first}"
        self.failed(f"its snapshot, {last}, is older than the held updates{since}", notices)

    def close(self) -> None:
        """Release the held updates of a book that is no longer subscribed."""
        self.chain.unsettle()
        self._held.clear()
        self._end_resync()

    def _follow(self, held: HeldUpdate, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        if self._stale(held, self.chain.last):
            return
        if not self._fits(held, self.chain.last, after_snapshot=self._first_after_snapshot):
            reason = f"updates after {self.chain.last} are missing"
            self._invalidate_before(held, out, notices, reason, *self._missing(held))
            return
        self._publish(held.event, held.last, out, notices)
        if self._resync is not None:
            self._resync.updates.append(held)
            self._publish_whole(self._resync, out, notices)

    def _publish(self, event: BookDelta[str], last: int, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        out.append(event)
        chain = self.chain
        chain.last = last
        chain.last_ns = event.receive_ns
        self._first_after_snapshot = False
        chain.in_order += 1
        if chain.in_order == STEADY_DELTAS:
            self._failures = 0
        defect = self._crossing.update(event)
        if defect:
            self._invalidate(event, out, notices, defect, None, None, start_ns=0)

    def _stale(self, held: HeldUpdate, last: int) -> bool:
        if self._skips_same:
            return held.last <= last
        # the update that contains the snapshot's own id counts, a repetition of the last update does not
        return held.last < last or (held.last == last and self.live and not self._first_after_snapshot)

    def _fits(self, held: HeldUpdate, last: int, *, after_snapshot: bool) -> bool:
        if not self._by_previous:
            return held.first <= last + 1
        return held.previous == last or (after_snapshot and held.first <= last <= held.last)

    def _invalidate_before(
        self,
        held: HeldUpdate,
        out: list[MarketEvent[str]],
        notices: list[Notice],
        reason: str,
        first_id: str | None,
        last_id: str | None,
    ) -> None:
        """Announce a gap before `held`, which waits for the snapshot."""
        self._held.append(held)
        self._invalidate(held.event, out, notices, reason, first_id, last_id, start_ns=self.chain.last_ns)

    def _invalidate(
        self,
        event: BookDelta[str],
        out: list[MarketEvent[str]],
        notices: list[Notice],
        reason: str,
        first_id: str | None,
        last_id: str | None,
        *,
        start_ns: int,
    ) -> None:
        """Announce a gap that was noticed at `event`, and request a snapshot."""
        out.append(
            Gap(
                exchange=self._exchange,
                symbol=self._symbol,
                exchange_ns=event.exchange_ns,
                receive_ns=event.receive_ns,
                stream=EVENT_BOOK,
                first_id=first_id,
                last_id=last_id,
                start_ns=start_ns,
                end_ns=event.receive_ns,
                cause=reason,
            )
        )
        notices.append(BookLost(self.wire, self._symbol, reason))
        self.live = False
        self.chain.unsettle()
        self._end_resync()  # the snapshot requested below replaces it
        if self.chain.in_order < STEADY_DELTAS:
            self._failures += 1
        self.chain.in_order = 0
        self._request_snapshot(notices)

    def _missing(self, held: HeldUpdate) -> tuple[str | None, str | None]:
        if not self._by_previous:
            return str(self.chain.last + 1), str(held.first - 1)
        return None, None if held.previous is None else str(held.previous)

    def _request_snapshot(self, notices: list[Notice]) -> None:
        self._requested = True
        delay_s = 0.0
        if self._failures:
            # the exponent is bounded, or the power overflows after a thousand failures
            delay_s = min(FETCH_DELAY_FIRST_S * 2.0 ** min(self._failures - 1, 10), FETCH_DELAY_MAX_S)
        notices.append(
            RestRequest(self._request.key, self._request.path, self._request.weight, self._request.delay_s + delay_s)
        )


def _defect(event: BookSnapshot[str]) -> str:
    """Return why `event` is no usable book; "" if it is usable."""
    if not event.bids and not event.asks:
        return "its snapshot has no levels"
    book: OrderBook[str] = OrderBook(event.symbol)
    try:
        book.snapshot(event.bids, event.asks)
    except BookInvalid as error:
        return f"its snapshot cannot be used: {error.reason}"
    return ""
