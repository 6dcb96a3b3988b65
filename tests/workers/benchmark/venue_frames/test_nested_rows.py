"""Frames are JSON of the form that their module is about; test_venue_cost parses them with each adapter."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from foxtrot_workers.benchmark.venue_frames.nested_rows import NESTED_ROWS


@pytest.mark.parametrize("name", sorted(NESTED_ROWS))
def test_frames_are_valid_json(name: str) -> None:
    for series in msgspec.structs.astuple(NESTED_ROWS[name]):
        if series is not None:
            payload = series.payload(1)
            text = zlib.decompress(payload, 31) if series.compressed else payload
            assert isinstance(msgspec.json.decode(text), dict)
