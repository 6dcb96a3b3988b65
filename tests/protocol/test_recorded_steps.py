"""What a recording says of itself."""

from __future__ import annotations

from foxtrot_protocol.recorded_steps import LaneOpened, RecordingCounts


def test_a_lane_names_its_worker_as_a_run_does() -> None:
    lane = LaneOpened(5, "btc", "b", 3, "okx", {})
    assert lane.worker == "btc.b"


def test_what_was_read_is_the_sum_over_all_files() -> None:
    counts = RecordingCounts(bytes_total=100)
    assert counts.bytes_done == 0
    counts.positions["a"] = 30
    counts.positions["b"] = 5
    counts.positions["a"] = 40
    assert counts.bytes_done == 45
