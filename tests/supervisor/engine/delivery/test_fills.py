"""What is missing between merged trades, under either meaning of their identifiers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxtrot_supervisor.engine.delivery.fills import EVIDENCE_MAX, Missing, missing_fills, weigh


def test_the_stream_tells_what_its_identifiers_name() -> None:
    counts = [1, 3, 1, 2, 2, 4]
    lasts = list(itertools.accumulate(counts))
    firsts = [last - count + 1 for last, count in zip(lasts, counts, strict=True)]
    for numbers, sign in ((lasts, 1), (firsts, -1)):
        evidence = 0
        for index in range(1, len(counts)):
            evidence = weigh(evidence, numbers[index] - numbers[index - 1], counts[index - 1], counts[index])
        assert evidence * sign >= 3


def test_evidence_is_bounded_and_can_turn() -> None:
    evidence = 0
    for _ in range(100):
        evidence = weigh(evidence, 3, 1, 3)
    assert evidence == EVIDENCE_MAX
    for _ in range(EVIDENCE_MAX + 1):
        evidence = weigh(evidence, 1, 1, 3)
    assert evidence < 0


@pytest.mark.parametrize(("step", "before", "count"), [(2, 2, 2), (7, 1, 3)])
def test_what_tells_nothing_changes_nothing(step: int, before: int, count: int) -> None:
    assert weigh(5, step, before, count) == 5


def test_the_hole_is_exact_where_the_reading_is_known() -> None:
    """After trade 100 comes trade 110, which stands for three fills."""
    assert missing_fills(100, 1, 110, 3, 1) == Missing((101, 107), ())
    assert missing_fills(100, 1, 110, 3, -1) == Missing((101, 109), ())
    assert missing_fills(100, 2, 110, 3, -1) == Missing((102, 109), ())
    assert missing_fills(100, 1, 103, 3, 1) == Missing(None, ())


def test_without_knowledge_the_margins_are_doubtful() -> None:
    assert missing_fills(100, 2, 110, 3, 0) == Missing((102, 107), ((101, 101), (108, 109)))
    assert missing_fills(100, 1, 110, 1, 0) == Missing((101, 109), ())
    assert missing_fills(100, 1, 101, 1, 0) == Missing(None, ())


@given(
    st.lists(st.integers(1, 5), min_size=3, max_size=12), st.data(), st.sampled_from([1, -1]), st.sampled_from([0, 1])
)
def test_either_reading_is_safe(counts: list[int], data: st.DataObject, sign: int, known: int) -> None:
    """Cut a stretch out of a stream: what is certain was cut out, and all that was cut out is certain or doubtful."""
    lasts = list(itertools.accumulate(counts))
    firsts = [last - count + 1 for last, count in zip(lasts, counts, strict=True)]
    start = data.draw(st.integers(0, len(counts) - 2))
    end = data.draw(st.integers(start + 1, len(counts) - 1))
    numbers = lasts if sign > 0 else firsts
    cut = set(range(lasts[start] + 1, firsts[end]))
    found = missing_fills(numbers[start], counts[start], numbers[end], counts[end], sign * known)
    certain = set(range(found.certain[0], found.certain[1] + 1)) if found.certain else set()
    doubtful = {number for first, last in found.doubtful for number in range(first, last + 1)}
    assert certain <= cut
    assert cut <= certain | doubtful
    assert not certain & doubtful
    if known:
        assert certain == cut
        assert not doubtful
