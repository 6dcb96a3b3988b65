"""Gaps, duplicates, restarts and fences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.sequence import SequenceTracker, SequenceVerdict, Verdict


def test_the_life_of_a_source() -> None:
    tracker = SequenceTracker()
    assert tracker.position("w") == (0, 0)
    assert tracker.observe("w", 1, 1) == SequenceVerdict(Verdict.RESTART)
    assert tracker.observe("w", 1, 2).verdict is Verdict.NEXT
    assert tracker.observe("w", 1, 2).verdict is Verdict.DUPLICATE
    assert tracker.observe("w", 1, 6) == SequenceVerdict(Verdict.GAP, 3, 5)
    assert tracker.observe("w", 1, 4).verdict is Verdict.DUPLICATE
    assert tracker.observe("w", 2, 3) == SequenceVerdict(Verdict.RESTART, 1, 2)
    assert tracker.observe("w", 1, 7).verdict is Verdict.STALE
    assert tracker.position("w") == (2, 3)


def test_a_fence_makes_an_incarnation_and_all_before_it_stale() -> None:
    tracker = SequenceTracker()
    tracker.observe("w", 3, 1)
    tracker.fence("w", 3)
    tracker.fence("w", 2)
    assert tracker.observe("w", 3, 2).verdict is Verdict.STALE
    assert tracker.observe("w", 4, 1).verdict is Verdict.RESTART
    assert tracker.observe("other", 1, 1).verdict is Verdict.RESTART


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), max_size=60))
def test_no_batch_is_accepted_twice_and_order_never_runs_back(batches: list[tuple[int, int]]) -> None:
    tracker = SequenceTracker()
    accepted = [
        (incarnation, sequence)
        for incarnation, sequence in batches
        if tracker.observe("w", incarnation, sequence).verdict in (Verdict.NEXT, Verdict.GAP, Verdict.RESTART)
    ]
    assert accepted == sorted(set(accepted))


@given(st.lists(st.integers(1, 40), max_size=60))
def test_accepted_and_missing_numbers_cover_everything_up_to_the_last(sequences: list[int]) -> None:
    tracker = SequenceTracker()
    covered: list[int] = []
    for sequence in sequences:
        seen = tracker.observe("w", 1, sequence)
        if seen.verdict is Verdict.DUPLICATE:
            continue
        covered.extend(range(seen.missing_first, seen.missing_last + 1) if seen.missing_last else [])
        covered.append(sequence)
    assert covered == list(range(1, max(sequences, default=0) + 1))
