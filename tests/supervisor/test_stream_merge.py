"""Two workers of one connection: each event once, in order, holes named."""

from __future__ import annotations

from typing import Any

from foxtrot_protocol.events import EVENT_MARKET_TRADE, Gap, Trade
from foxtrot_supervisor.stream_merge import Admission, FoundHole, StreamMerge

TRADES = {EVENT_MARKET_TRADE: "sequence"}
A, B = ("a", 1), ("b", 1)


def trade(number: int | str, *, ns: int = 0, symbol: str = "X", backfilled: bool = False) -> Trade[str]:
    at = ns or (int(number) * 1000 if str(number).isdigit() else 1)
    return Trade("SIM", symbol, at, at + 1, "1", "1", "buy", str(number), backfilled=backfilled)


def trades(*numbers: int) -> list[Any]:
    return [trade(number) for number in numbers]


class Merge:
    """A merge of which everything that it admits is handled at once; `seen` as texts."""

    def __init__(self, rules: dict[str, Any] | None = None, *sides: tuple[str, int]) -> None:
        self.merge = StreamMerge(TRADES if rules is None else rules)
        for side in sides or (A, B):
            self.merge.opened(side)
        self.seen: list[str] = []
        self.holes: list[FoundHole] = []

    def take(self, side: tuple[str, int], events: list[Any], *, may_wait: bool = True) -> Admission | None:
        admission = self.merge.admit(side, events, may_wait=may_wait)
        if admission is None:
            return None
        assert admission.applied + admission.deduplicated + admission.lost == len(events)
        self.merge.settle(lambda stream: None)
        self.seen.extend(map(told, admission.events))
        self.holes.extend(admission.holes)
        return admission


def told(event: Any) -> str:
    if isinstance(event, Gap):
        return f"gap {event.first_id}..{event.last_id}" + (" filled" if event.filled else "")
    late = "+" if event.backfilled else ""
    if isinstance(event, Trade):
        return event.trade_id + late
    return type(event).__name__


def test_the_first_to_bring_an_event_wins() -> None:
    both = Merge()
    assert both.take(A, trades(5, 6, 7)) is not None
    admission = both.take(B, trades(6, 7, 8))
    assert admission is not None
    assert (admission.kept, admission.applied, admission.deduplicated) == ([2], 1, 2)
    both.take(A, trades(8, 9))
    assert both.seen == ["5", "6", "7", "8", "9"]


def test_a_batch_of_which_all_is_new_is_passed_on_as_it_is() -> None:
    both = Merge()
    batch = trades(5, 6, 7)
    admission = both.take(A, batch)
    assert admission is not None
    assert admission.events is batch
    assert admission.kept is None


def test_a_hole_waits_for_the_other_worker_and_is_filled_in_order() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(B, trades(8, 9)) is None
    assert not both.merge.can_go_on("b")
    both.take(A, trades(6, 7))
    assert both.merge.can_go_on("b")
    both.take(B, trades(8, 9))
    both.take(A, trades(8, 9, 10))
    assert both.seen == ["5", "6", "7", "8", "9", "10"]
    assert both.holes == []


def test_a_hole_that_nobody_can_fill_is_announced_exactly() -> None:
    alone = Merge(None, A)
    alone.take(A, trades(5))
    alone.take(A, trades(8, 9))
    assert alone.seen == ["5", "gap 6..7", "8", "9"]
    assert alone.holes == [FoundHole("X", EVENT_MARKET_TRADE, "6", "7", 5001, 8001)]


def test_two_workers_that_wait_for_each_other_do_not() -> None:
    both = Merge()
    both.take(A, trades(5))
    assert both.take(A, trades(20, 21)) is None
    assert both.take(B, trades(25)) is None, "the other may bring 20 to 24"
    assert both.merge.can_go_on("a"), "the other stands at 25"
    both.take(A, trades(20, 21))
    assert both.seen == ["5", "gap 6..19", "20", "21"]
    assert both.take(B, trades(25)) is None
    both.take(A, trades(22, 23, 24, 25))
    both.take(B, trades(25, 26))
    assert both.seen[-2:] == ["25", "26"]


def test_what_comes_of_an_announced_hole_is_applied_and_marked() -> None:
    both = Merge()
    both.take(A, trades(5))
    both.take(A, trades(9), may_wait=False)
    both.take(B, trades(6, 7))
    both.take(A, trades(10))
    both.take(B, trades(8, 9, 10, 11))
    assert both.seen == ["5", "gap 6..8", "9", "6+", "7+", "gap 6..7 filled", "10", "8+", "11", "gap 8..8 filled"]


def test_backfill_fills_open_holes_only() -> None:
    alone = Merge(None, A)
    alone.take(A, trades(5, 9))
    filled = Gap("SIM", "X", 0, 1, EVENT_MARKET_TRADE, "6", "8", 1, 2, "", filled=True)
    late = [trade(number, backfilled=True) for number in (5, 6, 7, 8, 9)]
    alone.take(A, [*late, filled])
    alone.take(A, [*late, filled])
    assert alone.seen == ["5", "gap 6..8", "9", "6+", "7+", "8+", "gap 6..8 filled"]
    assert alone.merge.open_holes() == []
