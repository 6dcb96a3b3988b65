"""The recorder: every frame once, whatever ends it and whenever, and by number what is missing."""

from __future__ import annotations

import errno
import os
import random
import stat
import threading
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from foxtrot_supervisor.recording import recorder as recorder_module
from foxtrot_supervisor.recording import segment_writer
from foxtrot_supervisor.recording.recorder import DirectoryInUse, Recorder
from foxtrot_supervisor.system.processor_time import ProcessorTime
from tests.supervisor.recording.rings import CAPACITY, a_recorder, a_ring, all_lost, recorded, shown

FLUSHED = recorder_module.FLUSH_S + 1
KEPT = recorder_module.RING_KEPT_S + 1


def turn(recorder: Recorder, after_s: float = 0.0) -> None:
    """Let it read everything that is there."""
    while recorder.turn(time.monotonic() + after_s):
        pass


def flush(recorder: Recorder) -> None:
    """Let it read and write everything that is there."""
    turn(recorder)
    turn(recorder, FLUSHED)


def finish(recorder: Recorder) -> bool:
    stopping = threading.Event()
    stopping.set()
    deadline = time.monotonic() + 60
    return recorder.run(stopping, lambda: deadline)


class Pauses(threading.Event):
    """Stops a recorder at its third wait, and keeps how long each was to be."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        if len(self.seconds) == 3:
            self.set()
        return self.is_set()


@pytest.mark.parametrize(("waited_s", "pause_s"), [(0.0, []), (0.001, [0.018])])
def test_where_processors_are_contended_it_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waited_s: float, pause_s: list[float]
) -> None:
    monkeypatch.setattr(ProcessorTime, "since_last", lambda _: (0.001, waited_s))
    stopping = Pauses()
    assert a_recorder(tmp_path).run(stopping, lambda: time.monotonic() + 60)
    waits = [recorder_module.POLL_S, *pause_s] * 3
    assert stopping.seconds[:3] == pytest.approx(waits[:3])


def test_two_workers_are_recorded_apart(tmp_path: Path) -> None:
    first, second = a_ring(tmp_path), a_ring(tmp_path, worker="d.b")
    first.received([b"1", b"2"], 11)
    first.sent("subscribe", 12)
    second.received([b"3"], 13)
    recorder = a_recorder(tmp_path)
    turn(recorder)
    first.answered("adapter", "https://x", 200, b"answer", 14)
    first.close()
    second.close()
    assert finish(recorder)
    assert shown(tmp_path) == [1, 2, "subscribe", "answer", 3]
    frames = list(recorded(tmp_path))
    assert [frame.receive_ns for frame in frames] == [11, 11, 12, 14, 13]
    assert [frame.direction for frame in frames] == ["in", "in", "out", "http", "in"]
    sessions = [frame.session.worker for frame in frames if frame.session is not None]
    assert sessions == ["c.a", "d.b"]
    assert frames[0].url == "wss://example/c.a"
    assert not (tmp_path / "frames").exists()
    for path in (tmp_path / "recordings").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert recorder.counts()["frames_total"] == 5


def test_a_chunk_waits_until_it_is_large_or_old(tmp_path: Path) -> None:
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path)
    ring.received([b"1"], 1)
    turn(recorder)
    assert recorder.counts()["chunks_total"] == 0
    turn(recorder, FLUSHED)
    assert recorder.counts()["chunks_total"] == 1
    for number in range(60):
        ring.received([b"%d " % number + b"x" * 2000], 1)
    turn(recorder, FLUSHED)
    assert recorder.counts()["chunks_total"] == 2
    turn(recorder, 2 * FLUSHED)
    assert recorder.counts()["chunks_total"] == 3
    ring.close()
    recorder.close()


@pytest.mark.parametrize("seed", range(8))
def test_a_recorder_that_is_killed_again_and_again_records_each_frame_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    written, incarnation = 0, 1
    ring, recorder = a_ring(tmp_path, started=1), a_recorder(tmp_path, segment_bytes=3000)
    for _ in range(60):
        for _ in range(chance.randrange(8)):
            burst = [b"%d %s" % (written + at, b"x" * chance.randrange(50)) for at in range(chance.randrange(1, 5))]
            ring.received(burst, written)
            written += len(burst)
        turn(recorder, chance.choice([0.0, FLUSHED, KEPT]))
        if chance.random() < 0.2:
            ring.close()
            incarnation += 1
            ring = a_ring(tmp_path, incarnation, started=incarnation)
        if chance.random() < 0.4:
            _kill(recorder)
            newest = max((tmp_path / "recordings" / "c").glob("*"), default=None)
            if newest is not None and chance.random() < 0.5:
                with newest.open("ab") as file:  # a chunk of which a part was written
                    file.write(newest.read_bytes()[: chance.randrange(1, 300)])
            recorder = a_recorder(tmp_path, segment_bytes=3000)
    ring.close()
    assert finish(recorder)
    assert shown(tmp_path) == list(range(written))
    assert not (tmp_path / "frames").exists()
    assert len(list((tmp_path / "recordings" / "c").iterdir())) > 1, "it has rotated"


def _kill(recorder: Recorder) -> None:
    """As SIGKILL: nothing more is written, the lock is free."""
    for worker in recorder._workers.values():
        if worker.session is not None:
            worker.session.reader.close()
        for reader in worker.waiting.values():
            reader.close()
    os.close(recorder._lock)


def test_what_the_ring_could_not_hold_is_announced_by_number(tmp_path: Path) -> None:
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path)
    ring.received([b"0"], 5)
    flush(recorder)
    for number in range(1, 500):
        ring.received([b"%d " % number + b"x" * 1000], 5 + number)
    ring.close()
    assert finish(recorder)
    numbers = [each for each in shown(tmp_path) if isinstance(each, int)]
    (lost,) = all_lost(tmp_path)
    assert numbers == [0, *range(1 + (lost.frames or 0), 500)]
    assert lost.frames
    assert lost.frames > 100
    assert (lost.after_ns, lost.before_ns) == (5, 5 + numbers[1])
    assert recorder.counts()["lost_frames_total"] == lost.frames


def test_a_frame_that_is_too_large_is_announced(tmp_path: Path) -> None:
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path)
    ring.received([b"x" * CAPACITY], 5)
    ring.received([b"1"], 6)
    ring.received([b"x" * CAPACITY], 7)
    ring.close()
    ring = a_ring(tmp_path, 2)
    ring.received([b"2"], 8)
    ring.close()
    assert finish(recorder)
    assert shown(tmp_path) == [(1, 0), 1, (1, 0), 2]
    assert recorder.counts()["lost_frames_total"] == 2


def test_a_full_disk_stops_only_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path)
    ring.received([b"0"], 1)
    flush(recorder)
    real, room = os.pwrite, 100

    def pwrite(fd: int, data: bytes, at: int) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written, room = real(fd, bytes(data)[:room], at), 0
        return written

    monkeypatch.setattr(segment_writer.os, "pwrite", pwrite)
    ring.received([b"1"], 2)
    with capture_logs() as logs:
        for step in range(1, 5):
            turn(recorder, step * FLUSHED)
    assert [each["event"] for each in logs] == ["recording_stopped"]
    assert "No space left" in recorder.problem
    for number in range(2, 1000):
        ring.received([b"%d " % number + b"x" * 1000], number)
    monkeypatch.undo()
    with capture_logs() as logs:
        turn(recorder, 6 * FLUSHED)
    assert logs[0]["event"] == "recording_resumed"
    assert recorder.problem == ""
    ring.close()
    assert finish(recorder)
    (lost,) = all_lost(tmp_path)
    assert [each for each in shown(tmp_path) if isinstance(each, int)] == [0, 1, *range(2 + (lost.frames or 0), 1000)]


def test_a_stop_with_a_full_disk_leaves_the_rings_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path)
    ring.received([b"0"], 1)
    ring.close()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(segment_writer.os, "pwrite", full)
    stopping = threading.Event()
    stopping.set()
    deadline = time.monotonic() + 0.3
    assert not recorder.run(stopping, lambda: deadline)
    monkeypatch.undo()
    later = a_ring(tmp_path, started=2)  # the next run counts from 1 again
    later.received([b"1"], 2)
    later.close()
    assert finish(a_recorder(tmp_path))
    assert shown(tmp_path) == [0, 1]
    assert not (tmp_path / "frames").exists()


def test_a_session_whose_ring_is_gone_is_announced_as_incomplete(tmp_path: Path) -> None:
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path)
    ring.received([b"0"], 1)
    flush(recorder)
    _kill(recorder)
    ring.close()
    os.unlink(ring.path)  # the machine was restarted
    ring = a_ring(tmp_path, 1, started=7)
    ring.received([b"1"], 2)
    ring.close()
    assert finish(a_recorder(tmp_path))
    assert shown(tmp_path) == [0, (None, 1), 1]


def test_rings_that_were_removed_unread_are_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_workers.feed.frames_writer.FRAMES_RINGS_KEPT_MAX", 2)
    for incarnation in range(1, 5):
        ring = a_ring(tmp_path, incarnation)
        ring.received([b"%d" % incarnation], 1)
        ring.close()
    assert finish(a_recorder(tmp_path))
    found = shown(tmp_path)
    assert [each for each in found if isinstance(each, int)] == [3, 4]
    assert {each for each in found if isinstance(each, tuple)} == {(None, 1), (None, 2)}
    assert not (tmp_path / "frames").exists(), "the words about them are removed too"


def test_rings_that_were_removed_after_they_were_read_are_not_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxtrot_workers.feed.frames_writer.FRAMES_RINGS_KEPT_MAX", 1)
    recorder = a_recorder(tmp_path)
    for incarnation in range(1, 5):
        ring = a_ring(tmp_path, incarnation)
        ring.received([b"%d" % incarnation], 1)
        ring.close()
        turn(recorder)
        if incarnation == 2:
            _kill(recorder)
            recorder = a_recorder(tmp_path)
    assert finish(recorder)
    assert shown(tmp_path) == [1, 2, 3, 4]
    assert not (tmp_path / "frames").exists()


def test_the_ring_of_a_dead_worker_stays_for_a_while(tmp_path: Path) -> None:
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path)
    other = a_ring(tmp_path, worker="other.a", recorded=False)
    other.received([b"not recorded"], 1)
    ring.received([b"0"], 1)
    ring.close()
    turn(recorder)
    turn(recorder)
    assert os.path.exists(ring.path)
    turn(recorder, KEPT)
    assert not os.path.exists(ring.path)
    other.close()
    assert finish(recorder)
    assert os.path.exists(other.path), "it belongs to the crash report"
    assert shown(tmp_path) == [0]


def test_the_oldest_segments_are_removed(tmp_path: Path) -> None:
    ring, recorder = a_ring(tmp_path), a_recorder(tmp_path, segment_bytes=1, bytes_max=1000, keep_s=3600.0)
    for number in range(20):
        ring.received([b"%d" % number], number)
        turn(recorder, FLUSHED * (number + 1))
    turn(recorder, 1000)
    ring.close()
    assert finish(recorder)
    left = [each for each in shown(tmp_path) if isinstance(each, int)]
    assert left == list(range(20 - len(left), 20))
    assert 0 < len(left) < 10
    assert recorder.counts()["removed_segments_total"] >= 5


def test_a_directory_has_one_recorder(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    with pytest.raises(DirectoryInUse, match="another recorder"):
        a_recorder(tmp_path)
    recorder.close()
    a_recorder(tmp_path).close()


def test_what_is_no_ring_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir(mode=0o700)
    (tmp_path / "frames" / "frames-x.a-1").write_bytes(b"rubbish")
    (tmp_path / "frames" / "frames-x.a-2.new").write_bytes(b"unfinished")
    recorder = a_recorder(tmp_path)
    with capture_logs() as logs:
        turn(recorder)
        turn(recorder)
    assert [each["event"] for each in logs] == ["frames_ring_unusable"]
    recorder.close()
