"""A short form of the campaign against the recorder, on real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.test_chaos import chaos

pytestmark = [pytest.mark.timeout(110), pytest.mark.variant]


def test_a_recording_with_kills_is_replayed_to_what_handlers_had(tmp_path: Path) -> None:
    words = "--recordings 3 --over 4 --workers 1 --rate 500 --redundancy 1 --seed 2"
    code, report = chaos(tmp_path, *words.split())
    assert report["broken"] == []
    assert code == 0
    figures = report["recordings"]
    assert (figures["missing"], figures["extra"], figures["misordered_streams"]) == (0, 0, 0)
    assert figures["live_events"] > 100
    assert figures["recorder_kills"] + figures["worker_kills"] == 3
    assert list(tmp_path.iterdir()) == [], "nothing is left"
