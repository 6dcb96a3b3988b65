"""What follows from a refused subscription."""

from __future__ import annotations

import pytest

from foxtrot_workers.adapter.notices import Retry
from foxtrot_workers.feed.refusals import NOW_ATTEMPTS_MAX, RETRY_MAX_S, halves, retry_after_refusal_s


@pytest.mark.parametrize(
    ("retry", "refusals", "delay_s"),
    [
        ("never", 1, None),
        ("never", 9, None),
        ("later", 1, 1.0),
        ("later", 2, 2.0),
        ("later", 3, 4.0),
        ("later", 5_000, RETRY_MAX_S),
        ("now", 1, 0.0),
        ("now", NOW_ATTEMPTS_MAX, 0.0),
        ("now", NOW_ATTEMPTS_MAX + 1, 4.0),
    ],
)
def test_when_a_refused_topic_is_subscribed_again(retry: Retry, refusals: int, delay_s: float | None) -> None:
    assert retry_after_refusal_s(retry, refusals) == delay_s


def test_halves_leave_nothing_out() -> None:
    assert halves("ABC") == ["A", "BC"]
    assert halves("ABCD") == ["AB", "CD"]
