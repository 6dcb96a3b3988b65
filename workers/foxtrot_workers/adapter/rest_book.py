"""Keeps one book in step with its exchange, or says that it is not.

Two families cover what exchanges do (a third, checksum only, is the second without identifiers):

* `RestBook`: deltas are held back until a REST snapshot fits among them, then each must continue the one
  before. A hole means: fetch again.
* `ChainedBook`: the snapshot comes on the stream, each update names its predecessor, carries a checksum,
  or both. A break means: subscribe again.

Pure: told of snapshots and deltas already parsed into events, they append to `out` what may be published
and to `notices` what must be asked for. What is not published between a break and the next snapshot was
announced by a `Gap`; nothing is dropped silently.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from foxtrot_protocol.errors import BookInvalid
from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter.adapter import BookLost, Notice, RestRequest, Resubscribe, SnapshotRejected
from foxtrot_workers.adapter.held_updates import HeldBytes, HeldUpdate, HeldUpdates

__all__ = [
    "FETCH_DELAY_FIRST_S",
    "FETCH_DELAY_MAX_S",
    "LOW_RUN_MIN",
    "STEADY_DELTAS",
    "Chain",
    "ChainedBook",
    "RestBook",
]

FETCH_DELAY_FIRST_S = 1.0
"""Wait before a second fetch; doubled for each further one, to `FETCH_DELAY_MAX_S`."""

FETCH_DELAY_MAX_S = 60.0

LOW_RUN_MIN = 3
"""Deltas in a row, rising from below what the connection has brought, that show a sequence reset."""

STEADY_DELTAS = 100
"""After so many deltas in order a book is healthy, and its next failure is fetched for at once."""


class Chain(enum.Enum):
    """How a delta says what it follows, in exchanges of the REST family."""

    NEXT = "next"
    """It carries its first and last id: first = previous last + 1 (Binance spot, Gate.io, KuCoin)."""
    PREVIOUS = "previous"
    """It also names the last id of its predecessor, ids themselves leap (Binance futures)."""


class _Renewal:
    """A live book that is to be published whole: updates since the request, and the snapshot when it has come."""

    __slots__ = ("copies", "picture")

    def __init__(self, shared: HeldBytes) -> None:
        self.copies = HeldUpdates(shared)
        self.picture: tuple[BookSnapshot[str], int] | None = None


class RestBook:
    """One book whose snapshot comes by REST.

    Waiting: updates are held back (within the bounds of `held_updates`) and a snapshot has been requested. Live: each
    update is published as it comes.

    Args:
        request: the snapshot request; its delay is set here, growing with each failure.
        shared: the bound of bytes that the books of one connection share; None: one of its own.
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
        self._shared = HeldBytes() if shared is None else shared
        self._held = HeldUpdates(self._shared)
        self._asked = False
        self._failures = 0
        self._steady = 0
        self._last = 0
        self._last_ns = 0
        self._first_after_snapshot = False
        self._renewal: _Renewal | None = None
        self._arrived = 0
        """Last id of the newest delta that this connection has brought, published or not."""
        self._low: list[HeldUpdate] = []
        """Deltas in a row that rise from below `_arrived`."""
        self._outdated_answer = False
        """The snapshot that was requested may be from before a sequence reset."""
        self.live = False

    def delta(
        self,
        event: BookDelta[str],
        first: int,
        last: int,
        previous: int | None,
        out: list[MarketEvent[str]],
        notices: list[Notice],
    ) -> None:
        """A delta with ids `first` to `last`; `previous` only where the chain names it."""
        if self.live and (previous == self._last if self._by_previous else first == self._last + 1):
            self._arrived = last
            if self._low:
                self._low.clear()
            self._take(event, last, out)
            if self._renewal is not None:
                self._renewal.copies.append(HeldUpdate(event, first, last, previous))
                self._renew(self._renewal, out, notices)
            return
        held = HeldUpdate(event, first, last, previous)
        if last < self._arrived:
            self._go_back(held, out, notices)
            return
        self._arrived = last
        self._low.clear()
        self._accept(held, out, notices)

    def _accept(self, held: HeldUpdate, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        if self.live:
            self._follow(held, out, notices)
        else:
            self._held.append(held)
            if not self._asked:
                self._ask(notices)

    def snapshot(self, event: BookSnapshot[str], last: int, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """The REST answer, current to id `last`, asked for or not."""
        if self._outdated_answer:
            self._outdated_answer = False
            self._ask(notices)
            return
        if self.live and self._renewal is not None:
            self._renewal.picture = (event, last)
            self._renew(self._renewal, out, notices)
            return
        if self.live and last < self._last:
            return  # an old picture must not undo what was applied since
        oldest = next((held for held in self._held if not self._stale(held, last)), None)
        reason = _unusable(event)
        if reason:
            self.failed(reason, notices)
            return
        if oldest is not None and not self._fits(oldest, last, after_snapshot=True):
            self._older(last, oldest, notices)
            return
        out.append(event)
        self._last = last
        self._last_ns = event.receive_ns
        self._first_after_snapshot = True
        self.live = True
        for held in self._held.take():
            # a hole among the held ones puts the rest back to waiting
            self._accept(held, out, notices)

    def _go_back(self, held: HeldUpdate, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """A delta below what this connection has brought: repeated, or the exchange's ids begin again.

        One connection delivers in order, so `LOW_RUN_MIN` of them in a row that rise show a sequence reset.
        """
        if self._low and held.last <= self._low[-1].last:
            self._low.clear()
        self._low.append(held)
        if len(self._low) < LOW_RUN_MIN:
            return
        low, self._low = self._low, []
        reason = f"identifiers went back from {self._arrived} to {low[0].last}"
        self._arrived = held.last
        self._held.take()  # of the old count
        if self.live:
            self._lose(low[0], out, notices, reason)
            low = low[1:]
        else:
            self._outdated_answer = self._asked
        for each in low:
            self._accept(each, out, notices)

    def resync(self, notices: list[Notice]) -> None:
        """Show the book whole once more: a snapshot, as of the last delta published, comes among the deltas.

        Those go on meanwhile. Nothing to do for a book that waits for its snapshot anyway.
        """
        if self.live and self._renewal is None:
            self._renewal = _Renewal(self._shared)
            self._ask(notices)

    def _renew(self, renewal: _Renewal, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """Publish the whole book, if the snapshot and the deltas since then make one."""
        if renewal.picture is None or renewal.picture[1] > self._last:
            return  # the stream has not come as far yet
        picture, last = renewal.picture
        following = [held for held in renewal.copies if held.last > last]
        if not self._fits(following[0], last, after_snapshot=True) if following else last != self._last:
            renewal.picture = None
            self._older(last, following[0] if following else None, notices)
            return
        book: OrderBook[str] = OrderBook(self._symbol)
        try:
            book.snapshot(picture.bids, picture.asks)
            for held in following:
                book.apply(held.event.bids, held.event.asks)
        except BookInvalid as error:
            renewal.picture = None
            renewal.copies.clear()
            self.failed(f"its snapshot cannot be used: {error.reason}", notices)
            return
        newest = following[-1].event if following else picture
        out.append(
            BookSnapshot(
                exchange=self._exchange,
                symbol=self._symbol,
                exchange_ns=newest.exchange_ns,
                receive_ns=max(picture.receive_ns, newest.receive_ns),
                bids=book.best_bids(book.bid_count),
                asks=book.best_asks(book.ask_count),
                first_id=None,
                last_id=str(self._last),
                checksum=None,
            )
        )
        self._end_renewal()
        self._failures = 0

    def _end_renewal(self) -> None:
        if self._renewal is not None:
            self._renewal.copies.clear()
            self._renewal = None

    def failed(self, reason: str, notices: list[Notice]) -> None:
        """No usable snapshot, for `reason`: say so, and request it again with a growing delay."""
        self._failures += 1
        notices.append(SnapshotRejected(self.wire, self._symbol, reason))
        self._ask(notices)

    def _older(self, last: int, oldest: HeldUpdate | None, notices: list[Notice]) -> None:
        """The snapshot does not reach the updates at hand: usual once, where the server's copy lags behind."""
        if not self._failures:
            self._failures = 1
            self._ask(notices)
            return
        since = "" if oldest is None else f", from {oldest.first}"
        self.failed(f"its snapshot, {last}, is older than the updates at hand{since}", notices)

    def close(self) -> None:
        """Nobody wants this book any longer: give back what it holds."""
        self._held.clear()
        self._end_renewal()

    def _follow(self, held: HeldUpdate, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        if self._stale(held, self._last):
            return
        if not self._fits(held, self._last, after_snapshot=self._first_after_snapshot):
            self._lose(held, out, notices)
            return
        self._take(held.event, held.last, out)
        if self._renewal is not None:
            self._renewal.copies.append(held)
            self._renew(self._renewal, out, notices)

    def _take(self, event: BookDelta[str], last: int, out: list[MarketEvent[str]]) -> None:
        out.append(event)
        self._last = last
        self._last_ns = event.receive_ns
        self._first_after_snapshot = False
        self._steady += 1
        if self._steady == STEADY_DELTAS:
            self._failures = 0

    def _stale(self, held: HeldUpdate, last: int) -> bool:
        if not self._by_previous:
            return held.last <= last
        # the delta that contains the snapshot's own id is still wanted, a repetition of the last one is not
        return held.last < last or (held.last == last and self.live and not self._first_after_snapshot)

    def _fits(self, held: HeldUpdate, last: int, *, after_snapshot: bool) -> bool:
        if not self._by_previous:
            return held.first <= last + 1
        return held.previous == last or (after_snapshot and held.first <= last <= held.last)

    def _lose(
        self, held: HeldUpdate, out: list[MarketEvent[str]], notices: list[Notice], reset: str | None = None
    ) -> None:
        """The book is unknown from `held` on; its snapshot is requested. `reset`: cause of a sequence reset."""
        first_id, last_id = self._missing(held) if reset is None else (None, None)
        reason = reset or f"updates after {self._last} are missing"
        out.append(
            Gap(
                exchange=self._exchange,
                symbol=self._symbol,
                exchange_ns=held.event.exchange_ns,
                receive_ns=held.event.receive_ns,
                stream=EVENT_BOOK,
                first_id=first_id,
                last_id=last_id,
                start_ns=self._last_ns,
                end_ns=held.event.receive_ns,
                cause=reason,
            )
        )
        notices.append(BookLost(self.wire, self._symbol, reason))
        self.live = False
        self._end_renewal()  # the snapshot that is requested now shows it
        self._held.append(held)
        if self._steady < STEADY_DELTAS:
            self._failures += 1
        self._steady = 0
        self._ask(notices)

    def _missing(self, held: HeldUpdate) -> tuple[str | None, str | None]:
        if not self._by_previous:
            return str(self._last + 1), str(held.first - 1)
        return None, None if held.previous is None else str(held.previous)

    def _ask(self, notices: list[Notice]) -> None:
        self._asked = True
        delay_s = 0.0
        if self._failures:
            # 2 ** 10 is over any bound: the exponent itself must not grow for ever
            delay_s = min(FETCH_DELAY_FIRST_S * 2.0 ** min(self._failures - 1, 10), FETCH_DELAY_MAX_S)
        notices.append(
            RestRequest(self._request.key, self._request.path, self._request.weight, self._request.delay_s + delay_s)
        )


def _unusable(event: BookSnapshot[str]) -> str:
    """Why `event` can be no book; "" if it can."""
    if not event.bids and not event.asks:
        return "its snapshot has no levels"
    book: OrderBook[str] = OrderBook(event.symbol)
    try:
        book.snapshot(event.bids, event.asks)
    except BookInvalid as error:
        return f"its snapshot cannot be used: {error.reason}"
    return ""


class ChainedBook:
    """One book whose snapshot comes on the stream.

    `checksum` computes the exchange's checksum (unsigned, 32 bit) of a book. It is compared wherever an
    event carries one; the book it needs is kept only while snapshots carry one, so a feed without
    checksums pays nothing.
    """

    def __init__(
        self,
        exchange: str,
        symbol: str,
        wire: str,
        checksum: Callable[[OrderBook[str]], int] | None = None,
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._wire = wire
        self._checksum = checksum
        self._book: OrderBook[str] | None = None
        self._last: int | None = None
        self._last_ns = 0
        self._lost = False
        self.live = False

    def snapshot(
        self, event: BookSnapshot[str], last: int | None, out: list[MarketEvent[str]], notices: list[Notice]
    ) -> None:
        """A whole book, current to id `last` (None where there are no ids)."""
        self._lost = False
        self._book = OrderBook(self._symbol) if self._checksum is not None and event.checksum is not None else None
        broken = self._verify(event)
        if broken:
            self._lose(broken, None, event, out, notices)
            return
        self._last = last
        self._last_ns = event.receive_ns
        self.live = True
        out.append(event)

    def update(
        self,
        event: BookDelta[str],
        follows: int | None,
        last: int | None,
        out: list[MarketEvent[str]],
        notices: list[Notice],
    ) -> None:
        """A change that builds on id `follows` and leads to id `last` (None where there are no ids)."""
        if not self.live:
            if not self._lost:
                self._lose("an update came before any snapshot", None, event, out, notices)
            return
        if follows is not None and self._last is not None and follows != self._last:
            reason = f"an update follows {follows}, not {self._last}"
            self._lose(reason, str(follows), event, out, notices)
            return
        broken = self._verify(event)
        if broken:
            self._lose(broken, None, event, out, notices)
            return
        self._last = last
        self._last_ns = event.receive_ns
        out.append(event)

    def quiet(self, event: BookDelta[str], follows: int, out: list[MarketEvent[str]], notices: list[Notice]) -> None:
        """The exchange says that nothing has changed since id `follows`: checked, not published."""
        if self.live and follows == self._last:
            self._last_ns = event.receive_ns
            return
        self.update(event, follows, follows, out, notices)

    def _verify(self, event: BookSnapshot[str] | BookDelta[str]) -> str:
        """Fold `event` into the kept book; what is wrong with it, or ""."""
        book = self._book
        if book is None or self._checksum is None:
            return ""
        try:
            if isinstance(event, BookSnapshot):
                book.snapshot(event.bids, event.asks)
            else:
                book.apply(event.bids, event.asks)
        except BookInvalid as error:
            return error.reason
        if event.checksum is not None:
            ours = self._checksum(book)
            if ours != event.checksum:
                return f"checksum {event.checksum} was sent, {ours} computed"
        return ""

    def _lose(
        self,
        reason: str,
        last_missing: str | None,
        event: BookSnapshot[str] | BookDelta[str],
        out: list[MarketEvent[str]],
        notices: list[Notice],
    ) -> None:
        out.append(
            Gap(
                exchange=self._exchange,
                symbol=self._symbol,
                exchange_ns=event.exchange_ns,
                receive_ns=event.receive_ns,
                stream=EVENT_BOOK,
                first_id=None,
                last_id=last_missing,
                start_ns=self._last_ns or event.receive_ns,
                end_ns=event.receive_ns,
                cause=reason,
            )
        )
        notices.append(BookLost(self._wire, self._symbol, reason))
        notices.append(Resubscribe(self._wire, reason))
        self._book = None
        self.live = False
        self._lost = True
