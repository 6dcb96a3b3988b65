"""Intervals of bars: names and lengths agree, and no bar straddles the start of a day."""

from __future__ import annotations

import pytest

from foxtrot_protocol.bar_intervals import INTERVALS

UNITS_NS = {"s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000}


@pytest.mark.parametrize("name", INTERVALS)
def test_the_length_is_what_the_name_says(name: str) -> None:
    assert INTERVALS[name] == int(name[:-1]) * UNITS_NS[name[-1]]
    assert UNITS_NS["d"] % INTERVALS[name] == 0
