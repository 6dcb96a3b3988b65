"""What a worker has fetched, seen by the engine's merge: holes close by what was fetched, and by nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_protocol.commands import Backfill
from foxtrot_protocol.events import EVENT_BOOK, EVENT_MARKET_TRADE, BookDelta, BookSnapshot, Gap, Trade
from foxtrot_protocol.identity import IdentityRule
from foxtrot_supervisor.engine.delivery.merge import StreamMerge
from foxtrot_supervisor.engine.delivery.streams import Hole, StreamKey
from foxtrot_workers.feed.backfill import Backfiller, CommitPart, Fetch
from tests.workers.feed.test_backfill import History, LeapingBackward, served

A = ("a", 1)


class LongPages(LeapingBackward):
    page = 100


class Engine:
    """The merge of one connection with one worker, for the exchange `kind`."""

    def __init__(self, kind: type[History]) -> None:
        self.kind = kind
        self.merge = StreamMerge(kind.identities)
        self.merge.opened(A)
        self.trades: list[tuple[int, bool]] = []
        self.gaps: list[tuple[int, int, bool]] = []
        self.holes: list[tuple[StreamKey, Hole]] = []

    def take(self, *events: Any, incarnation: int = 1) -> None:
        admission = self.merge.admit(("a", incarnation), events, may_wait=True)
        assert admission is not None
        self.merge.settle()
        self.holes.extend(admission.holes)
        for event in admission.events:
            if isinstance(event, Gap):
                self.gaps.append((int(event.first_id or 0), int(event.last_id or 0), event.filled))
            else:
                self.trades.append((int(event.trade_id), event.backfilled))

    def live(self, *numbers: int, incarnation: int = 1) -> None:
        self.take(
            *(Trade("HISTORY", "S", number, number, "1", "1", "buy", str(number)) for number in numbers),
            incarnation=incarnation,
        )

    def replace_worker(self) -> None:
        self.merge.closed(A)
        self.merge.opened(("a", 2))

    def heal(self, history: list[int], *, incarnation: int = 1) -> None:
        """Fetch every hole that was found."""
        holes, self.holes = self.holes, []
        for key, hole in holes:
            backfiller = Backfiller(self.kind(), "w", 1)
            effects = backfiller.ask(
                Backfill(1, key.symbol, key.kind, str(hole.first), str(hole.last), hole.start_ns, hole.end_ns), 0.0
            )
            while effects:
                effect = effects.pop(0)
                if isinstance(effect, Fetch):
                    path = effect.request.path
                    effects += backfiller.answered(path, 200, served(self.kind, history, path), 7, 0.0)
                elif isinstance(effect, CommitPart):
                    self.take(*effect.events, incarnation=incarnation)


def test_a_hole_closes_and_a_second_fetch_of_it_changes_nothing() -> None:
    engine = Engine(History)
    engine.live(5, 6, 9, 10)
    assert engine.gaps == [(7, 8, False)]
    found = list(engine.holes)
    engine.heal(list(range(1, 20)))
    assert engine.trades == [(5, False), (6, False), (9, False), (10, False), (7, True), (8, True)]
    assert engine.gaps[1:] == [(7, 8, True)]
    assert engine.merge.open_holes() == []
    engine.holes = found
    engine.heal(list(range(1, 20)))
    assert (len(engine.trades), len(engine.gaps)) == (6, 2)


def test_what_is_not_to_be_had_stays_open() -> None:
    engine = Engine(History)
    engine.live(5, 30)
    engine.heal(list(range(20, 40)))
    assert engine.gaps == [(6, 29, False), (20, 29, True)]
    assert [(hole.first, hole.last) for _, hole in engine.merge.open_holes()] == [(6, 19)]


@pytest.mark.parametrize("between", [[20, 30, 40], []], ids=["trades", "nothing"])
def test_where_identifiers_leap_a_hole_closes_with_all_that_lies_in_it(between: list[int]) -> None:
    engine = Engine(LeapingBackward)
    engine.live(10)
    engine.replace_worker()
    engine.live(50, 60, incarnation=2)
    assert engine.gaps == [(11, 49, False)]
    engine.heal([10, *between, 50, 60], incarnation=2)
    assert engine.trades[3:] == [(number, True) for number in between]
    assert engine.gaps[1:] == [(11, 49, True)]
    assert engine.merge.open_holes() == []


def test_where_identifiers_leap_many_trades_in_one_hole_leave_the_others_open() -> None:
    engine = Engine(LongPages)
    engine.live(10)
    engine.replace_worker()
    engine.live(1_000, incarnation=2)
    engine.merge.closed(("a", 2))
    engine.merge.opened(("a", 3))
    engine.live(2_000, incarnation=3)
    first, second = engine.holes
    history = [10, *range(20, 900, 3), 1_000, *range(1_100, 1_900, 3), 2_000]
    engine.holes = [second]
    engine.heal(history, incarnation=3)
    assert [(hole.first, hole.last) for _, hole in engine.merge.open_holes()] == [(11, 999)]
    engine.holes = [first]
    engine.heal(history, incarnation=3)
    assert sorted(number for number, _ in engine.trades) == history
    assert engine.merge.open_holes() == []


@pytest.mark.parametrize("kind", [History, LeapingBackward], ids=lambda kind: kind.__name__)
def test_what_a_worker_had_to_drop_is_fetched_as_well(kind: type[History]) -> None:
    engine = Engine(kind)
    engine.live(10)
    engine.take(Gap("HISTORY", "S", 0, 5, EVENT_MARKET_TRADE, "12", "19", 1, 2, "engine too slow: events were dropped"))
    engine.live(20)
    assert engine.gaps == [(11, 19, False)]
    engine.heal(list(range(1, 30)))
    assert engine.gaps[-1][1:] == (19, True)
    assert sorted(number for number, _ in engine.trades) == list(range(10, 21))
    assert engine.merge.open_holes() == []


# ---- books: whole again by their next snapshot


class Books:
    """The books of one connection, as the handlers are told of them."""

    def __init__(self, rule: IdentityRule) -> None:
        self.merge = StreamMerge({EVENT_BOOK: rule})
        self.merge.opened(A)
        self.told: list[str] = []

    def take(self, *events: Any, side: tuple[str, int] = A) -> None:
        admission = self.merge.admit(side, events, may_wait=True)
        assert admission is not None
        self.merge.settle()
        for event in admission.events:
            name = type(event).__name__
            if isinstance(event, Gap):
                name = "filled" if event.filled else "gap"
            self.told.append(f"{name} {event.first_id}..{event.last_id}")


def snapshot(last: int | None) -> BookSnapshot[str]:
    return BookSnapshot("X", "S", 0, 5, [("1", "1")], [("2", "1")], None, None if last is None else str(last), None)


def delta(first: int | None, last: int | None) -> BookDelta[str]:
    ids = [None if number is None else str(number) for number in (first, last)]
    return BookDelta("X", "S", 0, 5, [("1", "2")], [], *ids, None)


def test_a_hole_in_a_book_is_filled_by_the_snapshot_after_it() -> None:
    books = Books("update_ids")
    books.take(snapshot(10), delta(11, 12))
    books.take(delta(15, 16), delta(17, 18), snapshot(20), delta(21, 22))
    assert books.told == [
        "BookSnapshot None..10",
        "BookDelta 11..12",
        "gap 13..14",
        "filled 13..14",
        "BookSnapshot None..20",
        "BookDelta 21..22",
    ]


def test_a_book_taken_up_by_a_new_connection_is_announced_and_filled_at_once() -> None:
    books = Books("update_ids")
    books.take(snapshot(10))
    books.merge.closed(A)
    books.merge.opened(("a", 2))
    books.take(snapshot(30), side=("a", 2))
    assert books.told[1:] == ["gap 11..30", "filled 11..30", "BookSnapshot None..30"]
    books.take(snapshot(31), side=("a", 2))
    assert books.told[4:] == ["gap 31..31", "filled 31..31", "BookSnapshot None..31"]


def test_where_updates_name_the_one_before_only_the_end_of_a_hole_is_known() -> None:
    books = Books("chained")
    books.take(snapshot(10), delta(10, 17))
    books.take(delta(20, 25), snapshot(40))
    assert books.told[2:] == ["gap None..20", "filled None..20", "BookSnapshot None..40"]


def test_what_a_worker_itself_has_announced_is_filled_as_well() -> None:
    books = Books("update_ids")
    books.take(snapshot(10))
    for first, last in ((11, 14), (16, 19)):
        books.take(Gap("X", "S", 0, 5, EVENT_BOOK, str(first), str(last), 1, 2, "lost"))
    books.take(snapshot(25), snapshot(25))
    assert books.told[1:] == [
        "gap 11..14",
        "gap 16..19",
        "filled 11..19",
        "BookSnapshot None..25",
        "BookSnapshot None..25",
    ]


def test_a_book_without_identifiers_is_filled_by_the_first_snapshot_of_the_other_side() -> None:
    books = Books("one_side")
    books.take(snapshot(None), delta(None, None))
    books.merge.opened(("b", 1))
    books.merge.closed(A)
    books.take(delta(None, None), snapshot(None), delta(None, None), side=("b", 1))
    assert books.told[2:] == [
        "gap None..None",
        "filled None..None",
        "BookSnapshot None..None",
        "BookDelta None..None",
    ]
