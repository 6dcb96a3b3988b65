"""Books whose snapshot comes by REST."""

from __future__ import annotations

import pytest

from foxtrot_protocol.events import EVENT_BOOK, BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_workers.adapter import held_updates
from foxtrot_workers.adapter.notices import BookLost, Notice, RestRequest, SnapshotRejected
from foxtrot_workers.adapter.rest_book import FETCH_DELAY_FIRST_S, FETCH_DELAY_MAX_S, STEADY_DELTAS, Chain, RestBook

REQUEST = RestRequest("depth X", "/depth?symbol=X", weight=50)


def snapshot_of(last: int, receive_ns: int = 0) -> BookSnapshot[str]:
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
        self.book.snapshot(snapshot_of(last, self._now), last, self.out, self.notices)
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


def test_the_first_update_requests_a_snapshot_and_is_held() -> None:
    rest = Rest()
    assert rest.delta(10, 12) == []
    assert rest.delta(13, 13) == []
    assert rest.asked() == [0.0]
    assert not rest.book.live


def test_updates_older_than_the_snapshot_are_dropped_and_the_next_one_continues_it() -> None:
    rest = Rest()
    for first, last in ((10, 12), (13, 15), (16, 20)):
        rest.delta(first, last)
    assert rest.snapshot(14) == ["S14", (13, 15), (16, 20)]
    assert rest.book.live
    assert rest.delta(21, 21) == [(21, 21)]


def test_a_snapshot_newer_than_all_held_updates_drops_them() -> None:
    rest = Rest()
    rest.delta(10, 12)
    assert rest.snapshot(30) == ["S30"]
    assert rest.delta(28, 30) == []
    assert rest.delta(29, 33) == [(29, 33)]
    assert rest.asked() == [0.0]


def test_a_snapshot_that_ends_right_before_the_first_update_fits() -> None:
    rest = Rest()
    rest.delta(10, 12)
    assert rest.snapshot(9) == ["S9", (10, 12)]


def test_a_snapshot_older_than_the_first_update_is_requested_again_with_a_growing_delay() -> None:
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


def test_the_delay_of_snapshot_requests_is_bounded() -> None:
    rest = Rest()
    for _ in range(5_000):
        rest.book.failed("no answer", rest.notices)
    assert max(rest.asked()) == FETCH_DELAY_MAX_S


def test_a_gap_is_announced_with_its_bounds_and_a_new_snapshot_is_requested() -> None:
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


def test_a_healthy_book_requests_its_snapshot_without_delay() -> None:
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


def test_a_gap_among_held_updates_publishes_up_to_it_and_waits_for_a_snapshot() -> None:
    rest = Rest()
    for first, last in ((1, 1), (2, 2), (5, 5), (6, 6)):
        rest.delta(first, last)
    *before, gap = rest.snapshot(1)
    assert before == ["S1", (2, 2)]
    assert isinstance(gap, Gap)
    assert (gap.first_id, gap.last_id) == ("3", "4")
    assert rest.snapshot(5) == ["S5", (6, 6)]


def test_repeated_updates_are_published_once() -> None:
    rest = Rest()
    rest.delta(1, 2)
    assert rest.snapshot(0) == ["S0", (1, 2)]
    assert rest.delta(1, 2) == []
    assert rest.delta(2, 2) == []
    assert rest.delta(2, 3) == [(2, 3)]
    assert rest.delta(4, 4) == [(4, 4)]


def test_a_snapshot_may_come_before_any_update() -> None:
    rest = Rest()
    assert rest.snapshot(5) == ["S5"]
    assert rest.delta(4, 5) == []
    assert rest.delta(6, 6) == [(6, 6)]


def test_an_unrequested_snapshot_replaces_a_live_book_unless_it_is_older() -> None:
    rest = Rest()
    rest.snapshot(5)
    rest.delta(6, 8)
    assert rest.snapshot(7) == []
    assert rest.snapshot(8) == ["S8"]
    assert rest.snapshot(10) == ["S10"]
    assert rest.delta(9, 9) == []
    assert rest.delta(11, 11) == [(11, 11)]


def test_resync_publishes_a_snapshot_among_updates_that_continue() -> None:
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
def test_resync_applies_the_updates_since_the_snapshot(chain: Chain) -> None:
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


def test_resync_waits_for_updates_where_the_snapshot_is_ahead() -> None:
    rest = Rest()
    rest.snapshot(10)
    rest.book.resync(rest.notices)
    assert rest.snapshot(13) == []
    assert rest.delta(11, 12) == [(11, 12)]
    assert rest.delta(12, 14) == [(12, 14), "S14"], "one that overlaps, too"
    rest.book.resync(rest.notices)
    assert rest.snapshot(14) == ["S14"], "nothing has come since"


def test_resync_requests_again_a_snapshot_from_before_the_request() -> None:
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


def test_a_sequence_reset_of_a_live_book_is_a_gap_and_a_new_snapshot_is_requested() -> None:
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


def test_a_sequence_reset_while_the_snapshot_is_in_flight_discards_that_snapshot() -> None:
    rest = Rest()
    rest.delta(500, 500)
    for number in (1, 2, 3):
        rest.delta(number, number)
    rest.asked()
    assert rest.snapshot(500) == [], "of the old count"
    assert len(rest.asked()) == 1
    assert rest.snapshot(1) == ["S1", (2, 2), (3, 3)]


def test_repeated_updates_are_not_a_sequence_reset() -> None:
    rest = Rest()
    rest.delta(101, 101)
    rest.snapshot(100)
    for number in range(102, 110):
        assert rest.delta(number, number) == [(number, number)]
        assert rest.delta(number - 1, number - 1) == []
    rest.asked()
    assert rest.book.live


def test_low_identifiers_that_do_not_rise_begin_the_evidence_for_a_reset_again() -> None:
    rest = Rest()
    rest.delta(101, 101)
    rest.snapshot(100)
    rest.delta(102, 500)
    for number in (7, 8, 7, 8):
        assert rest.delta(number, number) == []
    (lost,) = rest.delta(9, 9)
    assert isinstance(lost, Gap)
    assert lost.cause == "identifiers went back from 500 to 7"


def test_updates_during_a_resync_count_as_any_others_and_are_checked_as_well() -> None:
    rest = Rest()
    rest.delta(10, 12)
    rest.snapshot(12)
    rest.delta(14, 14)  # 13 is missing
    rest.snapshot(13)
    rest.asked()
    rest.book.resync(rest.notices)
    for number in range(15, 14 + STEADY_DELTAS):
        rest.delta(number, number)
    crossing: BookDelta[str]
    for number, second in ((114, 1), (115, 2), (116, 3)):
        crossing = BookDelta("EX", "X", 0, second * 1_500_000_000, [("9", "1")], [], str(number), str(number), None)
        rest.book.delta(crossing, number, number, None, rest.out, rest.notices)
    lost = rest.taken()[-1]
    assert isinstance(lost, Gap)
    assert lost.cause.startswith("crossed for 1.5 s")
    assert rest.asked()[-1] == 0.0, "the book was healthy before"


def test_resync_rejects_a_snapshot_with_invalid_numbers() -> None:
    rest = Rest()
    rest.snapshot(10)
    rest.book.resync(rest.notices)
    bad = BookSnapshot("EX", "X", 0, 0, [("one", "1")], [], None, "10", None)
    rest.book.snapshot(bad, 10, rest.out, rest.notices)
    assert rest.taken() == []
    assert rest.asked() == [0.0, FETCH_DELAY_FIRST_S]
    assert rest.delta(11, 12) == [(11, 12)]
    assert rest.snapshot(12) == ["S12"]


def test_a_gap_during_resync_invalidates_the_book() -> None:
    rest = Rest()
    rest.snapshot(10)
    rest.book.resync(rest.notices)
    (gap,) = rest.delta(13, 14)
    assert isinstance(gap, Gap)
    assert rest.snapshot(13) == ["S13", (13, 14)]
    assert rest.delta(15, 15) == [(15, 15)]


def test_held_updates_are_bounded_and_a_snapshot_older_than_them_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_an_unusable_snapshot_is_rejected_and_requested_again_with_a_growing_delay(
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


def test_repeatedly_outdated_snapshots_are_reported() -> None:
    rest = Rest()
    rest.delta(10, 12)
    rest.snapshot(8)
    assert not [notice for notice in rest.notices if isinstance(notice, SnapshotRejected)], "once is usual"
    rest.snapshot(8)
    assert [notice.reason for notice in rest.notices if isinstance(notice, SnapshotRejected)] == [
        "its snapshot, 8, is older than the held updates, from 10"
    ]


def test_a_book_that_stays_crossed_is_lost_and_requested_again() -> None:
    rest = Rest()
    rest.delta(10, 12)
    rest.snapshot(12)
    rest.asked()

    def update(time_s: float, first: int) -> list[object]:
        event: BookDelta[str]
        event = BookDelta("EX", "X", 0, round(time_s * 1e9), [("2", "1")], [], str(first), str(first), None)
        rest.book.delta(event, first, first, None, rest.out, rest.notices)
        return rest.taken()

    assert update(1.5, 13) == [(13, 13)]
    assert update(2.0, 14) == [(14, 14)]
    last, gap = update(2.5, 15)
    assert last == (15, 15)
    assert isinstance(gap, Gap)
    assert (gap.stream, gap.first_id, gap.last_id, gap.start_ns, gap.end_ns) == (EVENT_BOOK, None, None, 0, 2.5e9)
    assert gap.cause == "crossed for 1.0 s: the best bid is 2, the best ask 2"
    assert [notice for notice in rest.notices if isinstance(notice, BookLost)] == [BookLost("x@depth", "X", gap.cause)]
    assert rest.asked() == [FETCH_DELAY_FIRST_S]
    assert not rest.book.live
    assert update(3.0, 16) == []
    assert rest.snapshot(15) == ["S15", (16, 16)]


def test_a_resynchronized_book_is_checked_from_its_snapshot_on() -> None:
    rest = Rest()
    rest.delta(10, 12)
    rest.snapshot(12)
    crossing: BookDelta[str] = BookDelta("EX", "X", 0, 1, [("9", "1")], [], "13", "13", None)
    rest.book.delta(crossing, 13, 13, None, rest.out, rest.notices)
    rest.book.resync(rest.notices)
    rest.snapshot(13)
    rest.taken()
    for time_s in range(2, 10):
        rest._now = time_s * 1_000_000_000
        assert rest.delta(12 + time_s, 12 + time_s) == [(12 + time_s, 12 + time_s)]


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


@pytest.mark.parametrize("sizes", [(1, 1, 1), (STEADY_DELTAS - 1, 2), (40, 60, 7)])
def test_a_run_of_updates_leaves_the_book_as_its_updates_one_by_one_do(sizes: tuple[int, ...]) -> None:
    single, runs = Rest(), Rest()
    for rest in (single, runs):
        rest.delta(10, 12)
        rest.snapshot(12)
        rest.delta(14, 14)  # a failure: 13 is missing
        rest.asked()
        rest.snapshot(13)
        rest.delta(15, 15)
        rest.notices.clear()
    first, now = 16, 100
    for size in sizes:
        now += 1
        assert runs.book.next_in_run(now) == first
        events = [
            BookDelta("EX", "X", 0, now, [("0.5", str(last))], [], str(last), str(last), None)
            for last in range(first, first + size)
        ]
        for event in events:
            last = int(event.last_id or -1)
            single.book.delta(event, last, last, None, single.out, single.notices)
        first += size
        runs.book.follow(events, first - 1)
    assert single.taken()
    assert not single.notices
    for name in ("in_order", "last", "last_ns", "newest", "steady"):
        assert getattr(runs.book.chain, name) == getattr(single.book.chain, name)
    for rest in (single, runs):
        assert rest.delta(first + 1, first + 1)[0].cause == f"updates after {first - 1} are missing"  # type: ignore[attr-defined]
    assert runs.asked() == single.asked()


def test_no_run_begins_where_a_decision_is_due() -> None:
    rest = Rest()
    assert rest.book.next_in_run(0) is None, "no snapshot"
    rest.delta(10, 12)
    rest.snapshot(12)
    assert rest.book.next_in_run(5) is None, "nothing has followed the snapshot"
    rest.delta(13, 13)
    assert rest.book.next_in_run(5) == 14
    second = 1_000_000_000
    assert rest.book.next_in_run(second + 5) is None, "the check for a crossed book is due"
    rest.book.resync(rest.notices)
    assert rest.book.next_in_run(5) is None
    futures = Rest(Chain.PREVIOUS)
    futures.delta(10, 12, 9)
    futures.snapshot(12)
    futures.delta(13, 13, 12)
    assert futures.book.next_in_run(5) is None


def test_what_a_run_has_crossed_is_found_by_the_next_check() -> None:
    rest = Rest()
    rest.delta(10, 12)
    rest.snapshot(12)
    rest.delta(13, 13)
    assert rest.book.next_in_run(6) == 14
    rest.book.follow([BookDelta("EX", "X", 0, 6, [("3", "1")], [], "14", "14", None)], 14)
    events: list[MarketEvent[str]] = []
    for seconds in (1.1, 2.2):
        event: BookDelta[str] = BookDelta("EX", "X", 0, round(seconds * 1e9), [], [], "1", "1", None)
        last = 15 if seconds < 2 else 16
        rest.book.delta(event, last, last, None, events, rest.notices)
    assert isinstance(events[-1], Gap)
    assert events[-1].cause.startswith("crossed for 1.1 s")
