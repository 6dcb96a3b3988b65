"""Ages in the largest unit that fits."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.markets.age import age_text


@pytest.mark.parametrize(("age_s", "text"), [(5.4, "5 s"), (61.0, "1 min"), (7300.0, "2 h"), (3 * 86400.0, "3 d")])
def test_ages(age_s: float, text: str) -> None:
    assert age_text(age_s) == text
