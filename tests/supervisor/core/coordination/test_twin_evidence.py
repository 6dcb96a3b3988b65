"""What the other side of a connection proves."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.core.coordination.twin_evidence import FRESH_S, SILENT_S, fresh_twin_age_s


@pytest.mark.parametrize(
    ("age_s", "twins", "fresh_s"),
    [
        (SILENT_S - 0.1, [0.1], None),
        (SILENT_S, [0.1], 0.1),
        (None, [0.1], 0.1),
        (60.0, [], None),
        (60.0, [None], None),
        (60.0, [FRESH_S], None),
        (60.0, [50.0, 1.0], 1.0),
    ],
)
def test_a_twin_with_fresh_data_is_evidence(
    age_s: float | None, twins: list[float | None], fresh_s: float | None
) -> None:
    assert fresh_twin_age_s(age_s, twins) == fresh_s
