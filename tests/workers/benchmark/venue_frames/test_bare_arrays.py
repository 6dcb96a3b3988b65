"""Frames are JSON of the form that their module is about; test_venue_cost parses them with each adapter."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from foxtrot_workers.benchmark.venue_frames.bare_arrays import BARE_ARRAYS


@pytest.mark.parametrize("name", sorted(BARE_ARRAYS))
def test_frames_are_valid_json(name: str) -> None:
    for series in msgspec.structs.astuple(BARE_ARRAYS[name]):
        if series is not None:
            payload = series.payload(1)
            text = zlib.decompress(payload, 31) if series.compressed else payload
            assert isinstance(msgspec.json.decode(text), list)
