"""Segments of a recorder as steps: a lane for each session, with its holes."""

from __future__ import annotations

from pathlib import Path

from foxtrot_protocol.recorded_steps import LaneBatch, LaneClosed, LaneHole, LaneOpened, RecordedStep
from foxtrot_workers.rerun.sessions import open_sessions
from tests.supervisor.recording.rings import CAPACITY, a_recorder, a_ring
from tests.supervisor.recording.test_recorder import finish
from tests.workers.replay.test_series import trade


def a_session(tmp_path: Path, incarnation: int, start: int, worker: str = "c.a") -> None:
    recorder = a_recorder(tmp_path)
    ring = a_ring(tmp_path, incarnation, worker, started=start)
    ring.answered("instruments", "https://x/api/v3/exchangeInfo", 200, b"[]", start)
    ring.received([trade(start), trade(start + 1)], start)
    ring.received([b"x" * CAPACITY], start + 1)
    ring.received([trade(start + 2)], start + 2)
    ring.close()
    assert finish(recorder)


def told(steps: list[RecordedStep]) -> list[tuple[str, int, str, int]]:
    return [(type(step).__name__, step.at_ns, step.worker, step.incarnation) for step in steps]


def test_a_lane_for_each_session_over_all_segments(tmp_path: Path) -> None:
    a_session(tmp_path, 1, 100)
    a_session(tmp_path, 4, 200)
    a_session(tmp_path, 1, 300)  # of the next run, which counts from 1 again
    sessions = open_sessions([tmp_path / "recordings"])
    steps = list(sessions)
    assert told(steps) == [
        (name, start + at, "c.a", incarnation)
        for start, incarnation in [(100, 1), (200, 4), (300, 5)]
        for name, at in [
            ("LaneOpened", 0),
            ("LaneBatch", 0),
            ("LaneHole", 2),
            ("LaneBatch", 2),
            ("LaneClosed", 2),
        ]
    ]
    opened = [step for step in steps if isinstance(step, LaneOpened)]
    assert {(step.connection, step.side, step.exchange) for step in opened} == {("c", "a", "SIM")}
    hole = next(step for step in steps if isinstance(step, LaneHole))
    assert (
        hole.cause == f"1 frames are not in the recording: received: {CAPACITY} bytes, larger than half the frames ring"
    )
    assert (sessions.counts.frames_total, sessions.counts.rejected_total) == (9, 0)
    assert sessions.counts.bytes_total > 0


def test_twins_are_merged_by_time(tmp_path: Path) -> None:
    a_session(tmp_path, 1, 100)
    a_session(tmp_path, 1, 101, "c.b")
    (segment,) = (tmp_path / "recordings" / "c").glob("c.b-*")
    with segment.open("ab") as file:
        file.write(b"torn")
    steps = list(open_sessions([tmp_path / "recordings" / "c"]))
    batches = [(step.at_ns, step.worker) for step in steps if isinstance(step, LaneBatch)]
    assert batches == [(100, "c.a"), (101, "c.b"), (102, "c.a"), (103, "c.b")]
    assert [step.worker for step in steps if isinstance(step, LaneClosed)] == ["c.a", "c.b"]


def test_a_single_segment_is_replayed_by_its_session(tmp_path: Path) -> None:
    a_session(tmp_path, 7, 100, "d.b")
    (segment,) = (tmp_path / "recordings" / "d").iterdir()
    opened = [step for step in open_sessions([segment]) if isinstance(step, LaneOpened)]
    assert [(step.connection, step.side, step.incarnation) for step in opened] == [("d", "b", 7)]


def test_a_clock_that_was_set_back_between_sessions(tmp_path: Path) -> None:
    a_session(tmp_path, 1, 500)
    recorder = a_recorder(tmp_path)
    ring = a_ring(tmp_path, 2, started=501)
    ring.received([trade(9)], 50)
    ring.close()
    assert finish(recorder)
    steps = told(list(open_sessions([tmp_path / "recordings"])))
    assert [at for _, at, _, _ in steps[-3:]] == [502, 502, 502]
