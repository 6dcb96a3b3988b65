"""Deciding on ranges of a batch gives what deciding on each of its events gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from foxtrot_protocol import stream_ranges
from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE
from foxtrot_protocol.stream_ranges import StreamRange, StreamRanges
from foxtrot_supervisor.engine.delivery import merge as merge_module
from foxtrot_supervisor.engine.delivery.merge import StreamMerge
from foxtrot_supervisor.engine.delivery.ranges import BatchTimes, kept_places
from foxtrot_supervisor.engine.delivery.streams import Stream
from tests.support.merge_world import A, B, delta, gap, quote, snapshot, trade, trades

SECOND = 1_000_000_000

RULES = [
    {EVENT_MARKET_TRADE: trade_rule, EVENT_BBO: "latest", EVENT_BOOK: book_rule}
    for trade_rule in ("sequence", "increasing", "unique")
    for book_rule in ("update_ids", "chained", "one_side")
]


@pytest.fixture(autouse=True)
def small_batches_in_pure_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_ranges, "EVENTS_PER_RANGE_MIN", 0)
    monkeypatch.setattr(merge_module, "_compiled", None)  # it decides before ranges are looked at


class Both:
    """The same batches, described to one merge and not to the other."""

    def __init__(self, rules: dict[str, str], *, deliver_updates: bool = False) -> None:
        self.rules = rules
        self.ranged, self.single = (StreamMerge(rules, deliver_updates=deliver_updates) for _ in range(2))
        self.decided = 0
        self.in_ranges = 0
        take_ranges = self.ranged._admit_ranges

        def counted(*details: Any) -> Any:
            admission = take_ranges(*details)
            self.in_ranges += admission is not None
            return admission

        self.ranged._admit_ranges = counted  # type: ignore[method-assign]
        for side in (A, B):
            self.open(side)

    def open(self, side: tuple[str, int]) -> None:
        for merge in (self.ranged, self.single):
            merge.opened(side)

    def close(self, side: tuple[str, int]) -> None:
        for merge in (self.ranged, self.single):
            merge.closed(side)

    def take(self, side: tuple[str, int], events: list[Any], *, may_wait: bool = True) -> Any:
        own = [replace(event) for event in events]  # the rules mark events
        streams, order = StreamRanges(self.rules).describe(own) or (None, None)
        admission = self.ranged.admit(side, own, may_wait=may_wait, streams=streams, order=order)
        expected = self.single.admit(side, events, may_wait=may_wait)
        self.decided += 1
        assert (admission is None) == (expected is None)
        if admission is not None and expected is not None:
            for name in ("kept", "applied", "deduplicated", "lost", "superseded"):
                assert getattr(admission, name) == getattr(expected, name), name
            assert list(admission.events) == list(expected.events)
            assert list(admission.holes) == list(expected.holes)
            changed = {stream.key for stream in self.ranged.settle()}
            assert changed == {stream.key for stream in self.single.settle()}
        assert states_of(self.ranged) == states_of(self.single)
        return admission


def states_of(merge: StreamMerge) -> dict[Any, Any]:
    return {key: _state_of(stream) for key, stream in merge._by_key.items()}


def _state_of(stream: Stream) -> Any:
    # the number of the batch differs: an attempt to decide on ranges counts
    low = {name: replace(run, batch=0) for name, run in stream.sequence.low.items()}
    return (
        stream.known,
        stream.last,
        stream.exchange_ns,
        stream.receive_ns,
        stream.state,
        replace(stream.sequence, low=low),
        stream.own,
        stream.heads,
        stream.rule,
        stream.dense,
    )


NUMBERS = st.integers(1, 14)
TIMES = st.sampled_from([0, 0, SECOND, 2 * SECOND, 20 * SECOND])


@st.composite
def runs(draw: st.DrawFn) -> list[Any]:
    """Events whose identifiers mostly follow each other."""
    number, count, ns = draw(NUMBERS), draw(st.integers(1, 5)), draw(TIMES)
    kind = draw(st.sampled_from(["trade", "trade", "quote", "delta", "chain"]))
    step = draw(st.sampled_from([1, 1, 1, 2]))
    numbers = [number + step * place for place in range(count)]
    symbol = draw(st.sampled_from("XY"))
    if kind == "trade":
        return [trade(each, ns=ns, symbol=symbol) for each in numbers]
    if kind == "quote":
        return [quote(each, ns=ns) for each in numbers]
    if kind == "delta":
        return [delta(each, each) for each in numbers]
    return [delta(each, each + 1) for each in numbers]


EVENTS = st.one_of(
    runs(),
    runs(),
    runs(),
    st.builds(lambda number: [snapshot(number)], NUMBERS),
    st.builds(lambda number: [trade(number, backfilled=True)], NUMBERS),
    st.builds(lambda last: [gap("1", str(last))], NUMBERS),
)
BATCHES = st.lists(EVENTS, min_size=1, max_size=4).map(lambda parts: [event for part in parts for event in part])
STEPS = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 2), BATCHES, st.booleans()), max_size=14)


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: "-".join(rules.values()))
@settings(max_examples=150, deadline=None)
@given(steps=STEPS, deliver=st.booleans())
def test_ranges_are_decided_as_each_of_their_events(
    rules: dict[str, str], steps: list[tuple[int, int, list[Any], bool]], deliver: bool
) -> None:
    both = Both(rules, deliver_updates=deliver)
    for which, incarnation, events, may_wait in steps:
        side = ("ab"[which], incarnation)
        both.close((side[0], 3 - incarnation))
        both.open(side)
        both.take(side, events, may_wait=may_wait)


def test_batches_that_continue_are_decided_in_ranges() -> None:
    both = Both(RULES[0])
    both.take(A, [*trades(1, 2), quote(1), snapshot(5), trade(1, symbol="Y")])
    assert both.in_ranges == 0
    both.take(A, [trade(3), delta(6, 6), quote(4), trade(4), delta(7, 9), trade(2, symbol="Y"), quote(9)])
    assert both.in_ranges == 1
    both.take(B, [*trades(1, 2), quote(1), trade(1, symbol="Y")])  # what it brings first is decided one by one
    assert both.in_ranges == 1
    admission = both.take(B, [*trades(3, 4), trade(2, symbol="Y"), quote(4), quote(9)])
    assert (both.in_ranges, admission.applied, admission.deduplicated) == (2, 0, 5)
    admission = both.take(A, [*trades(5, 6), trade(3, symbol="Y")])
    admission = both.take(B, [*trades(5, 6, 7), trade(3, symbol="Y"), trade(4, symbol="Y")])
    assert (both.in_ranges, admission.kept, admission.deduplicated) == (4, [2, 4], 3)


@pytest.mark.parametrize(
    "late",
    [
        lambda number: trade(number, ns=20 * SECOND),
        lambda number: quote(number, ns=20 * SECOND),
        lambda number: delta(number, number, ns=20 * SECOND),
    ],
)
def test_identifiers_that_went_back_by_their_time_are_no_copies(late: Any) -> None:
    early = [trade(1, ns=SECOND), quote(1, ns=SECOND), snapshot(1), delta(2, 2, ns=SECOND)]
    both = Both(RULES[0])
    for side in (A, B):
        both.take(side, early)
    both.take(A, [*(trade(number, ns=SECOND) for number in (2, 3, 4)), quote(4, ns=SECOND), delta(3, 4, ns=SECOND)])
    admission = both.take(B, [late(3), late(4)], may_wait=False)
    assert admission.deduplicated == 0
    assert both.in_ranges == 1


def test_quotes_of_times_far_apart_are_decided_one_by_one() -> None:
    both = Both(RULES[0])
    both.take(A, [quote(1, ns=SECOND)])
    both.take(A, [quote(2, ns=SECOND), quote(3, ns=9 * SECOND), quote(4, ns=2 * SECOND)])
    both.take(A, [quote(5, ns=SECOND), quote(6, ns=SECOND)])
    assert both.in_ranges == 0
    both.take(A, [quote(7, ns=9 * SECOND), quote(8), quote(9, ns=9 * SECOND + 1)])
    assert both.in_ranges == 1


@pytest.mark.parametrize(
    ("streams", "order"),
    [
        ([StreamRange(3, 3, 5)], None),  # three events, not two
        ([StreamRange(2, 3, 5)], None),
        ([StreamRange(2, 4, 5)], None),
        ([StreamRange(2, 3, 4)], bytes([0])),
        ([StreamRange(2, 3, 4)], bytes([0, 1])),
        ([StreamRange(1, 3, 3), StreamRange(1, 4, 4)], bytes([0, 1])),  # one stream twice
        ([StreamRange(1, 3, 3), StreamRange(1, 4, 4)], None),
        ([StreamRange(0, 3, 3), StreamRange(2, 3, 4)], bytes([1, 1])),
        ([StreamRange(0, 3, 3)], None),
        ([StreamRange(2, None, 4)], None),
        ([StreamRange(2, -3, 4)], None),
        ([StreamRange(2, 4, 3)], None),
        ([StreamRange(2, 3, 1 << 62)], None),
    ],
)
def test_a_description_that_contradicts_its_batch_is_of_no_effect(
    streams: list[StreamRange], order: bytes | None
) -> None:
    merge = StreamMerge(RULES[0])
    merge.opened(A)
    for batch in ([1], [2]):
        assert merge.admit(A, trades(*batch), may_wait=True) is not None
        merge.settle()
    assert merge._admit_ranges(trades(3, 4), streams, order) is None
    admission = merge.admit(A, trades(3, 4), may_wait=True, streams=streams, order=order)
    assert admission is not None
    assert admission.applied == 2


@pytest.mark.parametrize("identifier", ["", "x3", "3.0"])
def test_identifiers_that_are_no_numbers_have_no_range(identifier: str) -> None:
    merge = StreamMerge(RULES[0])
    merge.opened(A)
    for batch in ([1], [2]):
        assert merge.admit(A, trades(*batch), may_wait=True) is not None
        merge.settle()
    events = [replace(trade(3), trade_id=identifier), trade(4)]
    assert merge._admit_ranges(events, [StreamRange(2, 3, 4)], None) is None


def test_an_empty_batch_has_no_ranges() -> None:
    merge = StreamMerge(RULES[0])
    merge.opened(A)
    admission = merge.admit(A, [], may_wait=True, streams=[StreamRange(0, 1, 1)], order=None)
    assert admission is not None
    assert merge.settle() == []


def test_times_are_of_events_that_have_one() -> None:
    assert BatchTimes([trade(1, ns=7), quote(1), trade(2, ns=5)]).bounds == (5, 7)
    assert BatchTimes([quote(1)]).bounds == (0, 0)


def test_places_are_kept_behind_the_copies_of_each_range() -> None:
    assert kept_places([2], None, 5) == [2, 3, 4]
    assert kept_places([1, 0, 2], bytes([0, 1, 2, 0, 2, 2, 1]), 7) == [1, 3, 5, 6]
