from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_protocol.order_book import OrderBook
from foxtrot_workers.adapter import held_updates
from foxtrot_workers.adapter.adapter import BookLost, Notice, RestRequest, Resubscribe, SnapshotRejected
from foxtrot_workers.adapter.rest_book import (
    FETCH_DELAY_FIRST_S,
    FETCH_DELAY_MAX_S,
    STEADY_DELTAS,
    Chain,
    ChainedBook,
    RestBook,
)

REQUEST = RestRequest("depth X", "/depth?symbol=X", weight=50)


def picture(last: int, receive_ns: int = 0) -> BookSnapshot[str]:
    return BookSnapshot("EX", "X", 0, receive_ns, [("1", "1")], [("2", "1")], None, str(last), None)


class Rest:
    """A `RestBook` with its outputs at hand; deltas are named by their ids."""

    def __init__(self, chain: Chain = Chain.NEXT) -> None:
        self.book = RestBook("EX", "X", "x@depth", REQUEST, chain)
        self.out: list[MarketEvent[str]] = []
        self.notices: list[Notice] = []
        self._now = 0

    def delta(self, first: int, last: int, previous: int | None = None) -> list[object]:
        self._now += 1
        event: BookDelta[str] = BookDelta("EX", "X", 0, self._now, [], [], str(first), str(last), None)
        self.book.delta(event, first, last, previous, self.out, self.notices)
        return self.taken()

    def snapshot(self, last: int) -> list[object]:
        self._now += 1
        self.book.snapshot(picture(last, self._now), last, self.out, self.notices)
        return self.taken()

    def taken(self) -> list[object]:
        """What was published since: "S12" for a snapshot, (first, last) for a delta, the Gap itself."""
        taken: list[object] = []
        for event in self.out:
            if isinstance(event, BookSnapshot):
                taken.append(f"S{event.last_id}")
            elif isinstance(event, BookDelta):
                taken.append((int(event.first_id or -1), int(event.last_id or -1)))
            else:
                taken.append(event)
        self.out.clear()
        return taken

    def asked(self) -> list[float]:
        """Delays of the snapshot requests made since."""
        requests = [notice for notice in self.notices if isinstance(notice, RestRequest)]
        assert all((request.key, request.path, request.weight) == ("depth X", REQUEST.path, 50) for request in requests)
        self.notices[:] = [notice for notice in self.notices if not isinstance(notice, RestRequest)]
        return [request.delay_s for request in requests]


def test_the_first_delta_asks_for_the_snapshot_and_is_held_back() -> None:
    rest = Rest()
    assert rest.delta(10, 12) == []
    assert rest.delta(13, 13) == []
    assert rest.asked() == [0.0]
    assert not rest.book.live


def test_old_deltas_are_dropped_and_the_first_kept_one_contains_the_snapshots_next_id() -> None:
    rest = Rest()
    for first, last in ((10, 12), (13, 15), (16, 20)):
        rest.delta(first, last)
    assert rest.snapshot(14) == ["S14", (13, 15), (16, 20)]
    assert rest.book.live
    assert rest.delta(21, 21) == [(21, 21)]


def test_a_snapshot_newer_than_everything_held_drops_it_all() -> None:
    rest = Rest()
    rest.delta(10, 12)
    assert rest.snapshot(30) == ["S30"]
    assert rest.delta(28, 30) == []
    assert rest.delta(29, 33) == [(29, 33)]
    assert rest.asked() == [0.0]


def test_a_snapshot_that_ends_where_the_first_delta_begins_fits() -> None:
    rest = Rest()
    rest.delta(10, 12)
    assert rest.snapshot(9) == ["S9", (10, 12)]


def test_a_snapshot_older_than_the_first_delta_is_asked_for_again_later_each_time() -> None:
    rest = Rest()
    rest.delta(10, 12)
    assert rest.asked() == [0.0]
    delays = []
    for _ in range(10):
        assert rest.snapshot(8) == []
        delays += rest.asked()
    assert delays[:4] == [FETCH_DELAY_FIRST_S * factor for factor in (1, 2, 4, 8)]
    assert delays[-1] == FETCH_DELAY_MAX_S
    assert rest.snapshot(11) == ["S11", (10, 12)]


def test_failing_for_ever_stays_within_the_bound() -> None:
    rest = Rest()
    for _ in range(5_000):
        rest.book.failed("no answer", rest.notices)
    assert max(rest.asked()) == FETCH_DELAY_MAX_S


def test_a_hole_is_announced_with_its_bounds_and_a_new_snapshot_asked_for() -> None:
    rest = Rest()
    rest.delta(1, 1)
    rest.snapshot(1)
    rest.delta(2, 3)
    rest.asked()
    (gap,) = rest.delta(6, 7)
    assert gap == Gap("EX", "X", 0, 4, EVENT_BOOK, "4", "5", 3, 4, "updates after 3 are missing")
    assert rest.asked() == [FETCH_DELAY_FIRST_S]  # it had hardly begun: not at once
    assert rest.notices == [BookLost("x@depth", "X", "updates after 3 are missing")]
    assert not rest.book.live
    assert rest.delta(8, 8) == []
    assert rest.asked() == []
    assert rest.snapshot(7) == ["S7", (8, 8)]


def test_a_book_that_had_been_healthy_is_fetched_at_once() -> None:
    rest = Rest()
    rest.delta(1, 1)
    rest.book.failed("no answer", rest.notices)
    rest.snapshot(0)
    for number in range(2, STEADY_DELTAS + 1):
        rest.delta(number, number)
    rest.asked()
    rest.delta(STEADY_DELTAS + 5, STEADY_DELTAS + 5)
    assert rest.asked() == [0.0]
    assert rest.snapshot(STEADY_DELTAS + 2) == []
    assert rest.asked() == [FETCH_DELAY_FIRST_S]


def test_a_hole_among_the_held_deltas_publishes_up_to_it_and_waits_again() -> None:
    rest = Rest()
    for first, last in ((1, 1), (2, 2), (5, 5), (6, 6)):
        rest.delta(first, last)
    *before, gap = rest.snapshot(1)
    assert before == ["S1", (2, 2)]
    assert isinstance(gap, Gap)
    assert (gap.first_id, gap.last_id) == ("3", "4")
    assert rest.snapshot(5) == ["S5", (6, 6)]


def test_what_is_repeated_is_not_published_twice() -> None:
    rest = Rest()
    rest.delta(1, 2)
    assert rest.snapshot(0) == ["S0", (1, 2)]
    assert rest.delta(1, 2) == []
    assert rest.delta(2, 2) == []
    assert rest.delta(2, 3) == [(2, 3)]
    assert rest.delta(4, 4) == [(4, 4)]


def test_a_snapshot_may_come_before_any_delta() -> None:
    rest = Rest()
    assert rest.snapshot(5) == ["S5"]
    assert rest.delta(4, 5) == []
    assert rest.delta(6, 6) == [(6, 6)]


def test_another_snapshot_while_live_replaces_unless_it_is_older() -> None:
    rest = Rest()
    rest.snapshot(5)
    rest.delta(6, 8)
    assert rest.snapshot(7) == []
    assert rest.snapshot(8) == ["S8"]
    assert rest.snapshot(10) == ["S10"]
    assert rest.delta(9, 9) == []
    assert rest.delta(11, 11) == [(11, 11)]


def test_a_live_book_is_shown_whole_among_its_deltas_which_go_on() -> None:
    rest = Rest()
    rest.book.resync(rest.notices)
    assert rest.asked() == [], "it waits for its snapshot anyway"
    rest.snapshot(10)
    rest.book.resync(rest.notices)
    rest.book.resync(rest.notices)
    assert rest.asked() == [0.0], "once"
    assert rest.delta(11, 12) == [(11, 12)]
    assert rest.delta(13, 14) == [(13, 14)]
    assert rest.snapshot(12) == ["S14"]
    assert rest.delta(15, 16) == [(15, 16)]
    assert rest.asked() == []


@pytest.mark.parametrize("chain", list(Chain))
def test_a_book_shown_whole_holds_what_came_since_its_snapshot(chain: Chain) -> None:
    rest = Rest(chain)

    def change(first: int, last: int, previous: int, bids: list[tuple[str, str]]) -> None:
        event = BookDelta("EX", "X", last, last, bids, [], str(first), str(last), None)
        rest.book.delta(event, first, last, previous, rest.out, rest.notices)

    rest.snapshot(10)
    change(11, 12, 10, [("1", "5")])
    rest.book.resync(rest.notices)
    change(13, 15, 12, [("0.9", "7"), ("0.8", "8")])
    change(16, 17, 15, [("1", "0"), ("0.9", "9")])
    rest.out.clear()
    rest.book.snapshot(
        BookSnapshot("EX", "X", 0, 99, [("1", "5"), ("0.9", "7")], [("2", "1")], None, "14", None),
        14,
        rest.out,
        rest.notices,
    )
    (whole,) = rest.out
    assert isinstance(whole, BookSnapshot)
    assert (whole.bids, whole.asks) == ([("0.9", "9"), ("0.8", "8")], [("2", "1")])
    assert (whole.last_id, whole.exchange_ns, whole.receive_ns) == ("17", 17, 99)


def test_a_snapshot_that_is_ahead_of_its_deltas_waits_for_them() -> None:
    rest = Rest()
    rest.snapshot(10)
    rest.book.resync(rest.notices)
    assert rest.snapshot(13) == []
    assert rest.delta(11, 12) == [(11, 12)]
    assert rest.delta(12, 14) == [(12, 14), "S14"], "one that overlaps, too"
    rest.book.resync(rest.notices)
    assert rest.snapshot(14) == ["S14"], "nothing has come since"


def test_a_snapshot_from_before_it_was_asked_for_is_asked_for_again() -> None:
    rest = Rest()
    rest.snapshot(10)
    rest.delta(11, 12)
    rest.book.resync(rest.notices)
    assert rest.asked() == [0.0]
    assert rest.snapshot(11) == []
    rest.delta(13, 14)
    assert rest.snapshot(11) == []
    assert rest.asked() == [FETCH_DELAY_FIRST_S, 2 * FETCH_DELAY_FIRST_S]
    assert rest.snapshot(14) == ["S14"]


def test_ids_that_begin_again_on_a_living_connection_are_a_loss_and_followed() -> None:
    rest = Rest()
    rest.delta(101, 101)
    rest.snapshot(100)
    rest.delta(102, 500)
    assert rest.asked() == [0.0]
    assert rest.delta(1, 1) == rest.delta(2, 2) == []
    (lost,) = rest.delta(3, 3)
    assert isinstance(lost, Gap)
    assert (lost.first_id, lost.last_id, lost.cause) == (None, None, "identifiers went back from 500 to 1")
    assert len(rest.asked()) == 1
    assert rest.delta(4, 4) == []
    assert rest.snapshot(2) == ["S2", (3, 3), (4, 4)]
    assert rest.delta(5, 5) == [(5, 5)]


def test_ids_that_begin_again_while_the_snapshot_is_fetched() -> None:
    rest = Rest()
    rest.delta(500, 500)
    for number in (1, 2, 3):
        rest.delta(number, number)
    rest.asked()
    assert rest.snapshot(500) == [], "of the old count"
    assert len(rest.asked()) == 1
    assert rest.snapshot(1) == ["S1", (2, 2), (3, 3)]


def test_repeated_deltas_are_no_reset() -> None:
    rest = Rest()
    rest.delta(101, 101)
    rest.snapshot(100)
    for number in range(102, 110):
        assert rest.delta(number, number) == [(number, number)]
        assert rest.delta(number - 1, number - 1) == []
    rest.asked()
    assert rest.book.live


def test_numbers_that_are_none_are_not_shown_as_a_book() -> None:
    rest = Rest()
    rest.snapshot(10)
    rest.book.resync(rest.notices)
    bad = BookSnapshot("EX", "X", 0, 0, [("one", "1")], [], None, "10", None)
    rest.book.snapshot(bad, 10, rest.out, rest.notices)
    assert rest.taken() == []
    assert rest.asked() == [0.0, FETCH_DELAY_FIRST_S]
    assert rest.delta(11, 12) == [(11, 12)]
    assert rest.snapshot(12) == ["S12"]


def test_a_book_that_breaks_while_it_is_to_be_shown_is_mended_instead() -> None:
    rest = Rest()
    rest.snapshot(10)
    rest.book.resync(rest.notices)
    (gap,) = rest.delta(13, 14)
    assert isinstance(gap, Gap)
    assert rest.snapshot(13) == ["S13", (13, 14)]
    assert rest.delta(15, 15) == [(15, 15)]


def test_held_deltas_are_bounded_and_an_overflow_makes_older_snapshots_useless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_updates, "HELD_COUNT_MAX", 3)
    rest = Rest()
    for number in range(1, 7):
        rest.delta(number, number)
    assert rest.snapshot(1) == []
    assert rest.snapshot(3) == ["S3", (4, 4), (5, 5), (6, 6)]


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        (([], []), "its snapshot has no levels"),
        (([("one", "1")], []), "its snapshot cannot be used"),
        (([("1", "-1")], []), "its snapshot cannot be used"),
    ],
)
def test_a_snapshot_that_is_no_book_is_rejected_and_requested_later_each_time(
    levels: tuple[list[tuple[str, str]], list[tuple[str, str]]], reason: str
) -> None:
    rest = Rest()
    rest.delta(10, 12)
    rest.notices.clear()
    for delay_s in (1.0, 2.0, 4.0):
        rest.book.snapshot(BookSnapshot("EX", "X", 0, 0, *levels, None, "11", None), 11, rest.out, rest.notices)
        assert rest.taken() == []
        assert rest.asked() == [delay_s]
        (rejected,) = rest.notices
        assert isinstance(rejected, SnapshotRejected)
        assert rejected.reason.startswith(reason)
        rest.notices.clear()
    assert rest.snapshot(11) == ["S11", (10, 12)]


def test_snapshots_that_stay_too_old_are_told() -> None:
    rest = Rest()
    rest.delta(10, 12)
    rest.snapshot(8)
    assert not [notice for notice in rest.notices if isinstance(notice, SnapshotRejected)], "once is usual"
    rest.snapshot(8)
    assert [notice.reason for notice in rest.notices if isinstance(notice, SnapshotRejected)] == [
        "its snapshot, 8, is older than the updates at hand, from 10"
    ]


class TestPreviousChain:
    """Binance futures: `pu` names the predecessor, the first delta must contain the snapshot's own id."""

    def test_the_first_contains_the_snapshots_id_and_the_next_ones_chain(self) -> None:
        rest = Rest(Chain.PREVIOUS)
        rest.delta(10, 20, 5)
        rest.delta(40, 50, 20)
        assert rest.snapshot(15) == ["S15", (10, 20), (40, 50)]
        assert rest.delta(70, 80, 50) == [(70, 80)]

    def test_the_delta_that_ends_at_the_snapshots_id_is_taken_once(self) -> None:
        rest = Rest(Chain.PREVIOUS)
        rest.delta(10, 20, 5)
        rest.delta(30, 40, 20)
        assert rest.snapshot(20) == ["S20", (10, 20), (30, 40)]
        assert rest.delta(30, 40, 20) == []
        assert rest.delta(10, 20, 5) == []

    def test_the_stream_may_continue_exactly_at_the_snapshot(self) -> None:
        rest = Rest(Chain.PREVIOUS)
        rest.delta(30, 40, 20)
        assert rest.snapshot(20) == ["S20", (30, 40)]

    def test_a_snapshot_between_two_deltas_is_too_old(self) -> None:
        rest = Rest(Chain.PREVIOUS)
        rest.delta(30, 40, 25)
        assert rest.snapshot(20) == []
        assert rest.asked() == [0.0, FETCH_DELAY_FIRST_S]

    def test_a_broken_chain_is_a_gap(self) -> None:
        rest = Rest(Chain.PREVIOUS)
        rest.delta(10, 20, 5)
        rest.snapshot(15)
        (gap,) = rest.delta(30, 40, 25)
        assert isinstance(gap, Gap)
        assert (gap.first_id, gap.last_id) == (None, "25")

    def test_an_unnamed_predecessor_is_a_gap_of_unknown_bounds(self) -> None:
        rest = Rest(Chain.PREVIOUS)
        rest.delta(10, 20, 5)
        rest.snapshot(15)
        (gap,) = rest.delta(30, 40, None)
        assert isinstance(gap, Gap)
        assert (gap.first_id, gap.last_id) == (None, None)


def count_checksum(book: OrderBook[str]) -> int:
    """A checksum that tests can do in their heads: the number of levels."""
    return book.bid_count + book.ask_count


class Chained:
    def __init__(self) -> None:
        self.book = ChainedBook("EX", "X", "books:X", count_checksum)
        self.out: list[MarketEvent[str]] = []
        self.notices: list[Notice] = []
        self._now = 0

    def snapshot(self, last: int | None, checksum: int | None = None, price: str = "1") -> list[MarketEvent[str]]:
        self._now += 1
        event = BookSnapshot("EX", "X", 0, self._now, [(price, "1")], [("2", "1")], None, None, checksum)
        self.book.snapshot(event, last, self.out, self.notices)
        return self.taken()

    def update(
        self, follows: int | None, last: int | None, checksum: int | None = None, price: str = "0.5"
    ) -> list[MarketEvent[str]]:
        self._now += 1
        event = BookDelta("EX", "X", 0, self._now, [(price, "1")], [], None, None, checksum)
        self.book.update(event, follows, last, self.out, self.notices)
        return self.taken()

    def quiet(self, follows: int) -> list[MarketEvent[str]]:
        self._now += 1
        event: BookDelta[str] = BookDelta("EX", "X", 0, self._now, [], [], None, None, None)
        self.book.quiet(event, follows, self.out, self.notices)
        return self.taken()

    def taken(self) -> list[MarketEvent[str]]:
        taken = list(self.out)
        self.out.clear()
        return taken

    def lost(self, events: list[MarketEvent[str]], reason: str) -> Gap:
        """Exactly one gap, one loss and one request to subscribe again."""
        (gap,) = events
        assert isinstance(gap, Gap)
        assert reason in gap.cause
        assert self.notices == [BookLost("books:X", "X", gap.cause), Resubscribe("books:X", gap.cause)]
        self.notices.clear()
        assert not self.book.live
        return gap


def test_updates_chain_by_identity_and_ids_may_leap() -> None:
    chained = Chained()
    assert len(chained.snapshot(100)) == 1
    assert chained.book.live
    for follows, last in ((100, 107), (107, 200), (200, 293)):
        assert len(chained.update(follows, last)) == 1
    assert chained.notices == []


def test_a_break_is_announced_once_and_nothing_published_until_the_next_snapshot() -> None:
    chained = Chained()
    chained.snapshot(100)
    chained.update(100, 107)
    gap = chained.lost(chained.update(110, 115), "follows 110, not 107")
    assert (gap.first_id, gap.last_id, gap.start_ns, gap.end_ns, gap.stream) == (None, "110", 2, 3, EVENT_BOOK)
    assert chained.update(115, 120) == []
    assert chained.notices == []
    assert len(chained.snapshot(500)) == 1
    assert len(chained.update(500, 501)) == 1


def test_a_quiet_book_says_so_without_a_change() -> None:
    chained = Chained()
    chained.snapshot(100)
    assert chained.quiet(100) == []
    assert len(chained.update(100, 101)) == 1
    chained.lost(chained.quiet(100), "follows 100, not 101")


def test_quiet_before_a_snapshot_is_a_loss_too() -> None:
    chained = Chained()
    chained.lost(chained.quiet(100), "before any snapshot")


def test_after_maintenance_ids_may_begin_anew() -> None:
    chained = Chained()
    chained.snapshot(100)
    assert len(chained.update(100, 3)) == 1
    assert len(chained.update(3, 5)) == 1


def test_an_update_before_any_snapshot_is_a_loss_once() -> None:
    chained = Chained()
    gap = chained.lost(chained.update(1, 2), "before any snapshot")
    assert gap.start_ns == gap.end_ns == 1
    assert chained.update(2, 3) == []
    assert chained.notices == []


def test_without_ids_nothing_is_compared() -> None:
    chained = Chained()
    chained.snapshot(None)
    assert len(chained.update(None, None)) == 1
    assert len(chained.update(7, 8)) == 1
    assert len(chained.update(None, None)) == 1


def test_checksums_are_compared_where_they_are_sent() -> None:
    chained = Chained()
    assert len(chained.snapshot(None, 2)) == 1
    assert len(chained.update(None, None, 3)) == 1
    assert len(chained.update(None, None, None, price="0.6")) == 1  # not sent, yet folded
    assert len(chained.update(None, None, 5, price="0.7")) == 1
    chained.lost(chained.update(None, None, 99, price="0.8"), "checksum 99 was sent, 6 computed")
    chained.lost(chained.snapshot(None, 3), "checksum 3 was sent, 2 computed")
    assert len(chained.snapshot(None, 2)) == 1


def test_without_checksums_no_book_is_kept_and_none_compared() -> None:
    chained = Chained()
    assert len(chained.snapshot(1)) == 1
    assert len(chained.update(1, 2, 99)) == 1
    plain = ChainedBook("EX", "X", "books:X")
    out: list[MarketEvent[str]] = []
    plain.snapshot(picture(1), 1, out, [])
    plain.snapshot(BookSnapshot("EX", "X", 0, 0, [], [], None, None, 42), 1, out, [])
    assert len(out) == 2


@pytest.mark.parametrize("price", ["abc", "-1"])
def test_levels_that_are_no_numbers_lose_the_book_whose_checksum_is_kept(price: str) -> None:
    chained = Chained()
    chained.lost(chained.snapshot(None, 2, price=price), price)
    chained.snapshot(None, 2)
    chained.lost(chained.update(None, None, 3, price=price), price)
