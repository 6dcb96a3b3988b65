"""Latencies by stage: every event is in one bucket of each stage, and counts can be added."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from foxtrot_protocol.commands import StageCounts
from foxtrot_supervisor.telemetry.stages import BOUNDS_S, STAGES, Stages, added, cumulated

MS = 1_000_000
START = 1_700_000_000_000_000_000


def event(sent: int = 0, received: int = 0, published: int = 0, backfilled: bool = False) -> SimpleNamespace:
    return SimpleNamespace(exchange_ns=sent, receive_ns=received, publish_ns=published, backfilled=backfilled)


def shown(stages: Stages) -> dict[str, dict[str, object]]:
    return {name: structs.asdict(each) for name, each in zip(STAGES, stages.counts(), strict=True)}


def test_each_stage_has_its_duration() -> None:
    stages = Stages()
    stages.record(event(START, START + 20 * MS, START + 20 * MS + 50_000), START + 21 * MS, 3)
    for name, took_s in zip(STAGES, (0.020, 0.000_050, 0.000_950), strict=True):
        buckets, total = cumulated(shown(stages)[name])
        assert total == 3
        (below, _), (bound, _) = next(
            pair for pair in zip(((0.0, 0), *buckets), buckets, strict=False) if pair[1][1] == 3
        )
        assert below <= took_s <= bound
        assert shown(stages)[name]["sum_s"] == pytest.approx(3 * took_s)


def test_nothing_recorded_is_nothing_shown() -> None:
    assert Stages().counts() == [StageCounts(0, [], 0.0)] * 3
    buckets, total = cumulated({"first": 0, "counts": [], "sum_s": 0.0})
    assert (total, {count for _, count in buckets}) == (0, {0})


@pytest.mark.parametrize("first", [event(0, START, START), event(START - MS, START, START, backfilled=True)])
def test_the_first_stage_needs_an_exchange_time_and_a_live_event(first: SimpleNamespace) -> None:
    stages = Stages()
    stages.record(first, START, 1)
    assert [sum(each.counts) for each in stages.counts()] == [0, 1, 1]


def test_clocks_that_differ_count_as_zero() -> None:
    stages = Stages()
    stages.record(event(START + 9 * MS, START, START - MS), START - 2 * MS, 2)
    assert stages.counts() == [StageCounts(0, [2], 0.0)] * 3


def test_the_longest_durations_are_counted() -> None:
    stages = Stages()
    stages.record(event(1, START, START), 2**62, 1)
    for name in ("exchange_received", "published_handled"):
        buckets, total = cumulated(shown(stages)[name])
        assert (buckets[-1][1], total) == (0, 1)


@given(st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 10**12), st.integers(1, 256)), max_size=30))
def test_parts_add_up_to_the_whole(batches: list[tuple[int, int, int]]) -> None:
    whole, parts = Stages(), (Stages(), Stages())
    for number, (sent, took, count) in enumerate(batches):
        for stages in (whole, parts[number % 2]):
            stages.record(event(START - sent, START, START + took), START + 2 * took, count)
    sums = added([part.counts() for part in parts])
    assert [(each.first, each.counts) for each in sums] == [(each.first, each.counts) for each in whole.counts()]
    assert [each.sum_s for each in sums] == pytest.approx([each.sum_s for each in whole.counts()])
    events = sum(count for *_, count in batches)
    assert [sum(each.counts) for each in sums] == [events] * 3


def test_counts_of_another_layout_do_not_break_the_sum() -> None:
    odd = [StageCounts(-3, [1, 1, 1, 5], 1.0), StageCounts(90, [4], 0.0)]
    assert [each.counts for each in added([odd, []])] == [[5], [], []]


def test_bounds_rise() -> None:
    assert list(BOUNDS_S) == sorted(set(BOUNDS_S))
    assert (BOUNDS_S[0], round(BOUNDS_S[-1])) == (16e-6, 67)


def test_buckets_of_another_version_are_left_out_of_a_sum() -> None:
    last = len(BOUNDS_S)  # the bucket beyond all bounds
    part = StageCounts(last - 1, [1, 2, 99], 0.5)
    assert [(each.first, each.counts, each.sum_s) for each in added([[part], [part, part]])][:2] == [
        (last - 1, [2, 4], 1.0),
        (last - 1, [1, 2], 0.5),
    ]
    buckets, total = cumulated(structs.asdict(part))
    assert (buckets[-2][1], buckets[-1][1], total) == (0, 1, 3)
