"""No exchange has two sets of frames."""

from __future__ import annotations

from foxtrot_workers.benchmark.venue_frames.bare_arrays import BARE_ARRAYS
from foxtrot_workers.benchmark.venue_frames.every_venue import VENUE_FRAMES
from foxtrot_workers.benchmark.venue_frames.flat_objects import FLAT_OBJECTS
from foxtrot_workers.benchmark.venue_frames.nested_rows import NESTED_ROWS


def test_each_exchange_is_in_one_module() -> None:
    assert len(VENUE_FRAMES) == len(FLAT_OBJECTS) + len(NESTED_ROWS) + len(BARE_ARRAYS)
