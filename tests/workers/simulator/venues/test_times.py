from __future__ import annotations

from foxtrot_workers.simulator.venues.times import iso_text


def test_times_are_utc_with_microseconds() -> None:
    assert iso_text(0) == "1970-01-01T00:00:00.000000Z"
    assert iso_text(1_696_613_755_440) == "2023-10-06T17:35:55.440000Z"
