"""The frames of each exchange of this package by name. Data only."""

from __future__ import annotations

from foxtrot_workers.benchmark.venue_frames.bare_arrays import BARE_ARRAYS
from foxtrot_workers.benchmark.venue_frames.flat_objects import FLAT_OBJECTS
from foxtrot_workers.benchmark.venue_frames.nested_rows import NESTED_ROWS
from foxtrot_workers.benchmark.venue_frames.series import VenueFrames

__all__ = ["VENUE_FRAMES"]

VENUE_FRAMES: dict[str, VenueFrames] = {**FLAT_OBJECTS, **NESTED_ROWS, **BARE_ARRAYS}
