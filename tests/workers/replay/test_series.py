"""What a path names: a file, or the segments of each worker in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_protocol.segments import segment_name
from foxtrot_workers.replay.recording import RecordingError
from foxtrot_workers.replay.replay import replay_lines
from foxtrot_workers.replay.series import recording_series
from tests.supervisor.recording.rings import a_recorder, a_ring
from tests.supervisor.recording.test_recorder import finish


def test_a_folder_has_one_series_for_each_worker(tmp_path: Path) -> None:
    for folder, worker, number in [
        ("c", "c.b", 1),
        ("c", "c.a", 10),
        ("c", "c.a", 9),
        ("d", "d.a", 1),
        ("d", "d.a", 4),
    ]:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / segment_name(worker, number, 0)).touch()
    (tmp_path / "c" / "README").touch()
    found = recording_series(tmp_path)
    assert [(each.worker, [path.name.split("-")[1] for path in each.paths], each.missing) for each in found] == [
        ("c.a", ["00000009", "00000010"], []),
        ("c.b", ["00000001"], []),
        ("d.a", ["00000001", "00000004"], [2, 3]),
    ]
    assert [each.worker for each in recording_series(tmp_path / "c")] == ["c.a", "c.b"]


def test_a_file_is_a_series(tmp_path: Path) -> None:
    (series,) = recording_series(tmp_path / "any.jsonl")
    assert (series.paths, series.worker) == ([tmp_path / "any.jsonl"], "")


def test_a_folder_without_segments_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    with pytest.raises(RecordingError, match="no segment of a recorder"):
        recording_series(tmp_path)


def trade(number: int) -> bytes:
    fields = f'"e":"trade","E":1,"s":"BTCUSDT","t":{number},"p":"1.5","q":"2","T":1,"m":true,"M":true'
    return f'{{"stream":"btcusdt@trade","data":{{{fields}}}}}'.encode()


def test_the_folder_of_a_recorder_is_replayed(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path, segment_bytes=1)
    for incarnation in (1, 2):
        ring = a_ring(tmp_path, incarnation)
        ring.sent("subscribe", 1)
        ring.answered("backfill", "https://x/api/v3/historicalTrades", 200, b"not the adapter's", 2)
        for number in range(3):
            ring.received([trade(10 * incarnation + number)], 100 * incarnation + number)
        ring.received([b"x" * 200_000], 5)
        ring.close()
    assert finish(recorder)
    with max((tmp_path / "recordings" / "c").iterdir()).open("ab") as file:
        file.write(b"torn")
    lines = replay_lines([tmp_path / "recordings"])
    assert [line["id"] for line in lines] == ["10", "11", "12", "20", "21", "22"]
    summary = lines.summary
    assert summary.exchanges == {str(tmp_path / "recordings" / "c" / "c.a"): "sim"}
    assert (summary.frames_total, summary.answers_total, summary.rejected_total) == (6, 2, 0)
    assert (summary.holes_total, summary.lost_total) == (1, 1)
    assert len(summary.damaged) == 1
