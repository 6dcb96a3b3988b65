"""Every batch is judged right, whatever came before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_protocol.sequence import SequenceTracker, SequenceVerdict, Verdict

NEXT = SequenceVerdict(Verdict.NEXT)
DUPLICATE = SequenceVerdict(Verdict.DUPLICATE)
STALE = SequenceVerdict(Verdict.STALE)
RESTART = SequenceVerdict(Verdict.RESTART)


@pytest.mark.parametrize(
    ("observed", "verdicts"),
    [
        ([(1, 1), (1, 2), (1, 3)], [RESTART, NEXT, NEXT]),
        ([(1, 1), (1, 4), (1, 5)], [RESTART, SequenceVerdict(Verdict.GAP, 2, 3), NEXT]),
        ([(1, 1), (1, 1)], [RESTART, DUPLICATE]),
        ([(1, 1), (1, 3), (1, 2)], [RESTART, SequenceVerdict(Verdict.GAP, 2, 2), DUPLICATE]),
        ([(1, 3)], [SequenceVerdict(Verdict.RESTART, 1, 2)]),
        ([(1, 9), (2, 1), (1, 10)], [SequenceVerdict(Verdict.RESTART, 1, 8), RESTART, STALE]),
        ([(1, 1), (3, 2)], [RESTART, SequenceVerdict(Verdict.RESTART, 1, 1)]),
    ],
)
def test_verdicts(observed: list[tuple[int, int]], verdicts: list[SequenceVerdict]) -> None:
    tracker = SequenceTracker()
    assert [tracker.observe("w", *one) for one in observed] == verdicts


def test_workers_are_kept_apart() -> None:
    tracker = SequenceTracker()
    tracker.observe("a", 1, 1)
    assert tracker.observe("b", 1, 1) == RESTART
    assert tracker.position("a") == (1, 1)
    assert tracker.position("c") == (0, 0)


def test_what_is_fenced_is_stale_for_good() -> None:
    tracker = SequenceTracker()
    tracker.observe("w", 1, 1)
    tracker.fence("w", 2)
    tracker.fence("w", 1)  # an older fence takes nothing back
    assert tracker.observe("w", 1, 2) == STALE
    assert tracker.observe("w", 2, 1) == STALE
    assert tracker.observe("w", 3, 1) == RESTART
    assert tracker.observe("other", 1, 1) == RESTART


@given(st.lists(st.integers(1, 20), max_size=40))
def test_every_number_is_seen_once_or_missed_once(sequences: list[int]) -> None:
    """Accepted and missing numbers together are 1 to the highest, without overlap."""
    tracker = SequenceTracker()
    accepted: list[int] = []
    missing: list[int] = []
    for sequence in sequences:
        told = tracker.observe("w", 1, sequence)
        if told.verdict is Verdict.DUPLICATE:
            continue
        accepted.append(sequence)
        if told.missing_first:
            missing.extend(range(told.missing_first, told.missing_last + 1))
    assert sorted(accepted + missing) == list(range(1, max(sequences, default=0) + 1))
