"""Books: what handlers are shown is true, whatever workers and engines suffer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARK_PRICE, BookDelta, BookSnapshot, Gap, MarkPrice
from foxtrot_supervisor.engine.delivery.merge import StreamMerge
from foxtrot_supervisor.engine.delivery.streams import Stream
from tests.support.merge_world import (
    BOOKS,
    CHAINED,
    A,
    B,
    Merge,
    as_kept,
    delta,
    position,
    snapshot,
    successor,
    trade,
)


def test_a_book_goes_on_across_sides_without_its_snapshots() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(10), delta(11, 12)])
    assert both.take(B, [snapshot(14)]) is None, "the other is about to reach it"
    both.take(A, [delta(13, 14)])
    both.take(B, [snapshot(14), delta(15, 15)])
    both.take(A, [delta(15, 15), delta(16, 18)])
    both.take(B, [delta(16, 18), delta(19, 19)])
    both.merge.closed(A)
    both.take(B, [delta(20, 20)])
    assert both.seen == ["s10", "d11-12", "d13-14", "d15-15", "d16-18", "d19-19", "d20-20"]


def test_a_snapshot_that_the_other_does_not_reach_is_taken() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(10)])
    both.take(B, [snapshot(14), delta(15, 15)], may_wait=False)
    both.take(A, [delta(11, 14), delta(15, 15), delta(16, 16)])
    assert both.seen == ["s10", "gap 11..14", "s14", "d15-15", "d16-16"]


def test_a_book_after_a_time_without_workers_starts_with_a_snapshot() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(10), delta(11, 11)])
    for incarnation, number, received_ns in ((2, 20, 1), (3, 15, 1), (4, 15, 2 * 10**9)):
        alone.merge.closed(("a", incarnation - 1))
        alone.merge.opened(("a", incarnation))
        whole = msgspec.structs.replace(snapshot(number), receive_ns=received_ns)
        alone.take(("a", incarnation), [whole, delta(number + 1, number + 1)])
    shown = ["s10", "d11-11", "gap 12..20", "s20", "d21-21", "gap None..None", "s15", "d16-16"]
    assert alone.seen == shown, "a later snapshot below the position: a sequence reset"


def test_a_hole_in_a_book_waits_for_the_other_and_else_ends_it_until_a_snapshot() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(10)])
    assert both.take(B, [delta(13, 13)]) is None
    both.take(A, [delta(11, 12)])
    both.take(B, [delta(13, 13)])
    both.merge.closed(A)
    admission = both.take(B, [delta(20, 21), delta(22, 22), delta(9, 9), snapshot(25), delta(26, 26)])
    assert admission is not None
    assert (admission.applied, admission.deduplicated, admission.lost) == (2, 1, 2)
    assert both.seen == ["s10", "d11-12", "d13-13", "gap 14..19", "s25", "d26-26"]


def test_updates_that_overlap_are_applied_and_older_ones_are_copies() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(10), delta(8, 12), delta(9, 12), delta(11, 12), delta(13, 14, first_known=False)])
    assert alone.seen == ["s10", "d8-12", "dNone-14"]


def test_a_chained_book() -> None:
    both = Merge(CHAINED)
    both.take(A, [snapshot(10), delta(10, 15), delta(15, 3), delta(3, 8)])
    both.take(B, [snapshot(2), delta(2, 3), delta(3, 8), delta(8, 9)])
    both.take(A, [delta(8, 9)])
    assert both.seen == ["s10", "d10-15", "d15-3", "d3-8", "d8-9"]
    assert both.take(B, [delta(12, 14)]) is None
    both.merge.closed(A)
    both.take(B, [delta(12, 14), delta(14, 16), snapshot(20), snapshot(30), delta(30, 31)])
    assert both.seen[5:] == ["gap None..12", "s20", "gap None..30", "s30", "d30-31"]


def test_a_book_without_identifiers_is_taken_from_one_side() -> None:
    both = Merge({EVENT_BOOK: "one_side"})
    both.take(A, [snapshot(None), delta(None, None)])
    both.take(B, [snapshot(None), delta(None, None)])
    both.take(A, [delta(None, None)])
    assert both.seen == ["sNone", "dNone-None", "dNone-None"]
    both.merge.closed(A)
    both.take(B, [delta(None, None), delta(None, None)])
    assert both.seen[3:] == ["gap None..None"], "what they build on was not shown"
    both.take(B, [snapshot(None), delta(None, None)])
    assert both.seen[4:] == ["sNone", "dNone-None"]
    both.merge.closed(B)
    both.merge.opened(("b", 2))
    both.take(("b", 2), [snapshot(None)])
    assert both.seen[6:] == ["gap None..None", "sNone"]


def test_a_book_whose_identifiers_are_missing_is_taken_from_one_side() -> None:
    both = Merge(BOOKS)
    both.take(A, [snapshot(None)])
    both.take(B, [snapshot(None)])
    assert both.seen == ["sNone"]


def test_other_states_without_anything_are_taken_from_one_side_too() -> None:
    both = Merge({EVENT_MARK_PRICE: "one_side"})
    for side in (A, B):
        both.take(side, [MarkPrice("SIM", "X", 0, 1, "1")])
    both.merge.closed(A)
    both.take(B, [MarkPrice("SIM", "X", 0, 1, "1")])
    assert both.seen == ["MarkPrice", "gap None..None", "MarkPrice"]


class BookFeed:
    """What one worker of a book brings: a snapshot, then every update; cut into batches that arrive at any time."""

    def __init__(self, truth: BookTruth, side: tuple[str, int]) -> None:
        self.side = side
        self.ahead: list[Any] = [truth.snapshot()]
        self.flows = False
        """Something of it was taken."""

    def batch(self, size: int) -> list[Any]:
        return self.ahead[:size]


class BookTruth:
    """A book of five levels; update n sets one of them to n. Folds what handlers are shown and compares."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        self.last = 100
        self.levels: dict[int, dict[str, str]] = {100: {}}
        self.merge = StreamMerge({EVENT_BOOK: rule})
        self.feeds: dict[str, BookFeed] = {}
        self.incarnations = {"a": 0, "b": 0}
        self.shown: dict[str, str] | None = None
        self.shown_ids: list[int] = []
        self.kept: Stream | None = None
        """As the file of positions keeps it."""
        self.announced: list[int] = []
        """Updates that gaps name."""
        self.handed_over: list[int] = []
        """Updates that any engine's handlers were given."""

    def snapshot(self) -> BookSnapshot[str]:
        bids = list(self.levels[self.last].items())
        return BookSnapshot("SIM", "X", 0, self.last, bids, [], None, str(self.last), None)

    def emit(self, count: int) -> None:
        for _ in range(count):
            before, self.last = self.last, self.last + 1
            level = (str(self.last % 5), str(self.last))
            self.levels[self.last] = {**self.levels[before], level[0]: level[1]}
            first = str(before if self.rule == "chained" else self.last)
            at = self.last * 1000
            event = BookDelta("SIM", "X", at, at, [level], [], first, str(self.last), None)
            for feed in self.feeds.values():
                feed.ahead.append(event)

    def start(self, side: str) -> None:
        if side not in self.feeds:
            self.incarnations[side] += 1
            self.feeds[side] = BookFeed(self, (side, self.incarnations[side]))
            self.merge.opened(self.feeds[side].side)

    def lose(self, side: str, count: int) -> None:
        """The worker misses so many updates: it says so and fetches a snapshot."""
        feed = self.feeds.get(side)
        if feed is not None and len(feed.ahead) > count and isinstance(feed.ahead[0], BookDelta):
            first, last = feed.ahead[0], feed.ahead[count]
            gap = Gap("SIM", "X", 0, 1, EVENT_BOOK, first.last_id, last.last_id, 1, 2, "lost by the worker")
            feed.ahead[:] = [gap, self.snapshot()]

    def end(self, side: str) -> None:
        feed = self.feeds.pop(side, None)
        if feed is not None:
            self.merge.closed(feed.side)

    def take(self, side: str, size: int, *, may_wait: bool = True) -> bool:
        feed = self.feeds.get(side)
        if feed is None or not feed.ahead:
            return False
        events = feed.batch(size)
        admission = self.merge.admit(feed.side, events, may_wait=may_wait)
        if admission is None:
            return False
        for stream in self.merge.settle():
            self.keep(stream)
        del feed.ahead[: len(events)]
        flowing = any(other.flows for other in self.feeds.values() if other is not feed)
        feed.flows = True
        for event in admission.events:
            if isinstance(event, BookSnapshot) and may_wait:
                assert self.shown is None or not flowing, "no new snapshot as long as the other goes on"
            self.show(event)
        return True

    def damage(self, side: str) -> None:
        """What this worker brings next is lost on the way, unnoticed by it."""
        feed = self.feeds.get(side)
        if feed is not None:
            del feed.ahead[:2]

    def keep(self, stream: Stream) -> None:
        self.kept = as_kept(stream)

    def engine(self) -> None:
        """The engine is replaced: handlers know nothing, workers go on."""
        self.merge = StreamMerge({EVENT_BOOK: self.rule})
        if self.kept is not None:
            self.merge.restore(self.kept)
        for feed in self.feeds.values():
            self.merge.opened(feed.side)
        for side in self.merge.absent():
            self.merge.closed(side)
        self.shown = None
        self.shown_ids.clear()

    def resync(self, side: str) -> None:
        """The worker sends a fresh snapshot of its book, in the order of its stream."""
        if side in self.feeds and self.merge.unknown_books():
            self.feeds[side].ahead.append(self.snapshot())

    def show(self, event: Any) -> None:
        if isinstance(event, Gap):
            if not event.filled:
                self.shown = None
                if event.last_id:  # where updates name the one before, the first one missing may be unknown
                    self.announced.extend(range(int(event.first_id or 101), int(event.last_id) + 1))
            return
        last = int(event.last_id)
        if isinstance(event, BookSnapshot):
            self.shown = dict(event.bids)
        else:
            assert self.shown is not None, "an update of a book that nobody knows"
            assert not self.shown_ids or last > self.shown_ids[-1], "forward"
            self.shown.update(event.bids)
            self.handed_over.append(last)
        assert self.shown == self.levels[last]
        self.shown_ids.append(last)

    def settle(self) -> None:
        """A worker is replaced, and all is brought: then the book is known and up to date."""
        self.end("a")
        self.start("a")
        for _ in range(3):
            for side in ("a", "b"):
                while self.take(side, 3) or self.take(side, 3, may_wait=False):
                    pass
        assert self.shown == self.levels[self.last]


BOOK_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("start"), st.sampled_from("ab")),
        st.tuples(st.just("end"), st.sampled_from("ab")),
        st.tuples(st.just("lose"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("damage"), st.sampled_from("ab")),
        st.tuples(st.just("engine")),
        st.tuples(st.just("resync"), st.sampled_from("ab")),
    ),
    max_size=60,
)


ENGINE_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("emit"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("take"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("engine")),
        st.tuples(st.just("resync"), st.sampled_from("ab")),
    ),
    max_size=60,
)


@settings(max_examples=300)
@given(st.sampled_from(["update_ids", "chained"]), BOOK_STEPS)
def test_a_book_that_is_shown_is_true_whatever_its_workers_suffer(rule: str, steps: list[tuple[Any, ...]]) -> None:
    truth = BookTruth(rule)
    truth.start("a")
    for name, *details in steps:
        getattr(truth, name)(*details)
    truth.settle()


@settings(max_examples=200)
@given(st.sampled_from(["update_ids", "chained"]), st.sampled_from(["a", "ab"]), ENGINE_STEPS)
def test_a_book_is_known_again_after_engines_were_replaced_and_what_was_not_handed_over_is_announced(
    rule: str, sides: str, steps: list[tuple[Any, ...]]
) -> None:
    truth = BookTruth(rule)
    for side in sides:
        truth.start(side)
    truth.take("a", 1)
    for name, *details in steps:
        getattr(truth, name)(*details)
    truth.engine()
    truth.resync("a")
    truth.emit(1)
    while sum(truth.take(side, 3) for side in sides):
        pass
    assert truth.shown == truth.levels[truth.last]
    assert set(truth.handed_over) | set(truth.announced) == set(range(101, truth.last + 1))
    if sides == "a":
        assert sorted(truth.handed_over + truth.announced) == list(range(101, truth.last + 1)), "exactly"
    assert truth.merge.unknown_books() == []
    assert all(not feed.ahead for feed in truth.feeds.values()), "all is taken"


def test_a_new_engine_shows_a_book_from_its_first_snapshot_on() -> None:
    after = successor(position(snapshot(10), delta(11, 12)))
    assert after.merge.unknown_books() == ["X"]
    admission = after.take(A, [delta(13, 14)])
    assert admission is not None
    assert admission.superseded == 1
    after.take(B, [delta(13, 14), delta(15, 15), delta(16, 16)])
    # older than what the other has brought: what lies between comes of this one
    after.take(A, [snapshot(14)])
    assert after.take(B, [delta(17, 17)]) is None
    after.take(A, [delta(15, 15), delta(16, 16)])
    after.take(B, [delta(17, 17)])
    assert after.seen == ["gap 13..14", "s14", "d15-15", "d16-16", "d17-17"]
    assert after.merge.unknown_books() == []


def test_a_snapshot_that_has_to_wait_has_not_been_seen() -> None:
    after = successor(position(snapshot(10), delta(11, 12)))
    assert after.take(A, [snapshot(12), delta(15, 15)]) is None
    assert after.merge.unknown_books() == ["X"]
    after.take(B, [delta(13, 14)])
    after.take(A, [snapshot(12), delta(13, 14), delta(15, 15)])
    assert after.seen == ["s12", "d13-14", "d15-15"], "all that was superseded comes after the snapshot"


def test_a_worker_that_came_with_the_new_engine_has_missed_something() -> None:
    after = successor(position(snapshot(10), sides=(A,)), sides=(("a", 2),))
    after.merge.closed(A)
    after.take(("a", 2), [snapshot(15), delta(16, 16)])
    assert after.seen == ["gap 11..15", "s15", "d16-16"]


def test_a_lost_book_is_unknown_too() -> None:
    alone = Merge(BOOKS, A)
    alone.take(A, [snapshot(10), delta(13, 13)])
    assert alone.merge.unknown_books() == ["X"]
    after = successor(position(snapshot(10), delta(13, 13), sides=(A,)), sides=(A,))
    after.take(A, [delta(14, 14), snapshot(14), delta(15, 15)])
    assert after.seen == ["s14", "d15-15"]
    assert after.merge.unknown_books() == []


def test_a_new_engine_shows_a_book_without_identifiers_from_its_first_snapshot_on() -> None:
    rules: dict[str, Any] = {EVENT_BOOK: "one_side"}
    after = successor(position(snapshot(None), rules=rules), rules=rules)
    for side in (A, B):
        after.take(side, [delta(None, None)])
    assert after.seen == []
    after.take(B, [snapshot(None), delta(None, None)])
    after.take(A, [delta(None, None), snapshot(None)])
    assert after.seen == ["gap None..None", "sNone", "dNone-None"], "from the side that has shown it"
    assert after.merge.unknown_books() == []


def test_pictures_are_never_unknown() -> None:
    rules: dict[str, Any] = {EVENT_BOOK: "latest"}
    after = successor(position(snapshot(10), rules=rules), rules=rules)
    assert after.merge.unknown_books() == []


def test_what_handlers_before_have_had_is_noted_and_their_books_are_unknown() -> None:
    after = successor(position(snapshot(10)))
    admission, kept = after.merge.note(A, [delta(11, 12), snapshot(12), trade(1)])
    assert admission is not None
    assert (admission.applied, admission.deduplicated, kept[0].last) == (2, 1, 12)
    assert after.merge.unknown_books() == ["X"]
    # one that stands in no file of positions
    fresh = Merge(BOOKS)
    fresh.merge.note(A, [snapshot(10)])
    assert fresh.merge.unknown_books() == ["X"]
    fresh.take(A, [delta(11, 11), snapshot(11), delta(12, 12)])
    fresh.merge.note(B, [delta(11, 11)])
    assert fresh.seen == ["gap 11..11", "s11", "d12-12"]
    assert fresh.merge.unknown_books() == []


def test_a_snapshot_takes_a_book_over() -> None:
    both = Merge({EVENT_BOOK: "one_side"})
    both.take(A, [snapshot(None)])
    both.merge.closed(A)
    both.take(B, [snapshot(None), delta(None, None)])
    assert both.seen == ["sNone", "gap None..None", "sNone", "dNone-None"]


# ---- every update, also without a book


def test_updates_without_a_book_are_handed_over_where_that_is_asked_for() -> None:
    after = successor(position(snapshot(10), delta(11, 12)), deliver_updates=True)
    admission = after.take(A, [delta(13, 14), delta(15, 15)])
    assert admission is not None
    assert (admission.applied, admission.superseded) == (2, 0)
    after.take(B, [delta(13, 14), delta(15, 15), delta(16, 16)])
    assert after.merge.unknown_books() == ["X"], "a snapshot is wanted all the same"
    repeated = [delta(15, 15), delta(16, 16), delta(17, 17)]
    after.take(A, [snapshot(14), *repeated])
    assert after.seen == ["d13-14", "d15-15", "d16-16", "s14", "d15-15", "d16-16", "d17-17"]
    assert [event.redelivered for event in repeated] == [True, True, False], "what the snapshot needs comes again"
    assert after.merge.unknown_books() == []


@pytest.mark.parametrize("rule", ["update_ids", "chained"])
def test_updates_of_a_lost_book_are_handed_over_where_that_is_asked_for(rule: str) -> None:
    alone = Merge({EVENT_BOOK: rule}, A, deliver_updates=True)
    before = 0 if rule == "chained" else 1
    alone.take(A, [snapshot(10), delta(13 + before, 14), delta(14 + before, 15), snapshot(15), delta(15 + before, 16)])
    assert [shown for shown in alone.seen if not shown.startswith("gap")] == [
        "s10",
        f"d{13 + before}-14",
        f"d{14 + before}-15",
        "s15",
        f"d{15 + before}-16",
    ]
    assert sum(shown.startswith("gap") for shown in alone.seen) == 1


def test_a_second_engine_that_dies_before_the_snapshot_leaves_the_hole_to_the_third() -> None:
    second = successor(position(snapshot(10), delta(11, 12)))
    second.take(A, [delta(13, 13)])
    (stream,) = second.merge._by_key.values()
    third = successor(as_kept(stream))
    third.merge.note(A, [delta(14, 14)])
    third.take(A, [delta(15, 15), snapshot(15), delta(16, 16)])
    assert third.seen == ["gap 13..15", "s15", "d16-16"]


def test_repeated_updates_of_an_engine_that_asked_for_them_are_plain_to_one_that_does_not() -> None:
    asked = successor(position(snapshot(10), delta(11, 12)), deliver_updates=True)
    asked.take(A, [delta(13, 14), delta(15, 16)])
    asked.take(A, [snapshot(14)])
    (stream,) = asked.merge._by_key.values()
    assert stream.state.repeat_to == 16
    after = successor(as_kept(stream))
    updates = [delta(15, 15), delta(16, 16)]
    after.take(A, [snapshot(14), *updates])
    assert after.seen == ["s14", "d15-15", "d16-16"]
    assert not any(event.redelivered for event in updates)


def test_a_book_without_identifiers_hands_over_every_update_where_that_is_asked_for() -> None:
    rules: dict[str, Any] = {EVENT_BOOK: "one_side"}
    after = successor(position(snapshot(None), rules=rules), rules=rules, deliver_updates=True)
    after.take(A, [delta(None, None)])
    assert after.seen == ["dNone-None"]
    assert after.merge.unknown_books() == ["X"]


def test_updates_without_identifiers_that_a_new_engine_cannot_use_are_superseded_together() -> None:
    rules: dict[str, Any] = {EVENT_BOOK: "one_side"}
    after = successor(position(snapshot(None), rules=rules), rules=rules)
    admission = after.take(A, [delta(None, None), delta(None, None)])
    assert admission is not None
    assert admission.superseded == 2
    after.take(A, [snapshot(None)])
    assert after.seen == ["gap None..None", "sNone"], "one gap for both"
