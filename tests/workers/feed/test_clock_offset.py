"""Offset of two clocks, from requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_workers.feed.clock_offset import Offset, best, measured

MS = 1_000_000


@given(
    ahead_ns=st.integers(-(10**12), 10**12),
    there_ns=st.integers(0, 10**9),
    back_ns=st.integers(0, 10**9),
    resolution_ns=st.sampled_from((1, MS, 1000 * MS)),
)
def test_the_true_offset_is_within_the_error(ahead_ns: int, there_ns: int, back_ns: int, resolution_ns: int) -> None:
    sent_ns = 1_700_000_000_123_456_789
    exchange_ns = (sent_ns + there_ns - ahead_ns) // resolution_ns * resolution_ns
    offset = measured(sent_ns, sent_ns + there_ns + back_ns, exchange_ns, resolution_ns)
    assert offset is not None
    assert abs(offset.offset_ns - ahead_ns) <= offset.error_ns + 1


def test_a_clock_that_was_set_back_measures_nothing() -> None:
    assert measured(10, 9, 0, MS) is None


@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        ([], None),
        ([None], None),
        ([Offset(1, 9), None, Offset(2, 3)], Offset(2, 3)),
    ],
)
def test_the_most_precise_counts(found: list[Offset | None], chosen: Offset | None) -> None:
    assert best(found) == chosen
