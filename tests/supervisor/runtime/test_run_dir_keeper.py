"""What is removed from the run directory of a running supervisor is noticed, kept and made again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.ring_layout import ring_name
from foxtrot_supervisor.engine.delivery.ring_reader import RingReader
from foxtrot_supervisor.runtime import run_dir_keeper
from foxtrot_supervisor.runtime.run_dir import RunDir, RunDirRefused
from foxtrot_supervisor.runtime.run_dir_keeper import RunDirKeeper
from foxtrot_supervisor.telemetry.ring_figures import read_figures
from foxtrot_workers.feed.ring_writer import RingWriter

RING = ring_name("w.a", 1)
LIVING = {("w.a", 1)}


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **_: self.events.append(event)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[RunDir]:
    run_dir = RunDir.acquire(str(tmp_path / "run"))
    yield run_dir
    run_dir.release()


@pytest.fixture
def writer(held: RunDir) -> Iterator[RingWriter]:
    ring = RingWriter(held.path, "w.a", 1, 64 * 1024)
    ring.append(1, 3, b"batch")
    yield ring
    ring.close()


@pytest.fixture
def keeper(held: RunDir) -> Iterator[RunDirKeeper]:
    kept = RunDirKeeper(held, Log())
    yield kept
    kept.close()


@pytest.mark.parametrize("all_of_it", [True, False])
def test_a_removed_ring_is_read_all_the_same_until_the_engine_removes_it(
    held: RunDir, writer: RingWriter, keeper: RunDirKeeper, all_of_it: bool
) -> None:
    assert keeper.look(LIVING).bereft == []
    if all_of_it:
        shutil.rmtree(held.path)
    else:
        held.remove(RING)
    look = keeper.look(LIVING)
    assert (look.made_again, look.bereft) == (all_of_it, [("w.a", 1)])
    writer.append(2, 1, b"more")
    assert [(ring.worker, ring.committed_events) for ring in read_figures(held.path)] == [("w.a", 4)]
    reader = RingReader.open(held.path, "w.a", 1)
    assert reader is not None
    record = reader.next()
    assert record is not None
    assert bytes(record.data) == b"batch"
    reader.close()
    assert keeper.look(LIVING).bereft == [("w.a", 1)]
    held.remove(RING)
    assert keeper.look(set()).bereft == []
    assert held.files() == []


def test_a_dead_workers_ring_that_was_read_goes_and_is_let_go(
    held: RunDir, writer: RingWriter, keeper: RunDirKeeper
) -> None:
    keeper.look(LIVING)
    reader = RingReader.open(held.path, "w.a", 1)
    assert reader is not None
    record = reader.next()
    assert record is not None
    reader.acknowledge(1, record.end, applied=3, lost=0, redelivered=0)
    reader.close()
    held.remove(RING)
    assert keeper.look(set()).bereft == []
    assert (held.files(), keeper.left()) == ([], [])


def test_a_dead_workers_ring_that_nobody_read_is_kept(held: RunDir, writer: RingWriter, keeper: RunDirKeeper) -> None:
    keeper.look(set())
    held.remove(RING)
    keeper.look(set())
    assert held.files() == [RING]


def test_where_nothing_can_be_made_again_what_is_left_can_be_told(
    held: RunDir, writer: RingWriter, keeper: RunDirKeeper
) -> None:
    keeper.look(LIVING)
    shutil.rmtree(held.path)
    Path(held.path).write_text("in the way")
    with pytest.raises(RunDirRefused):
        keeper.look(LIVING)
    assert [(ring.worker, ring.committed_events) for ring in keeper.left()] == [("w.a", 3)]


def test_times_are_kept_fresh(held: RunDir, keeper: RunDirKeeper, monkeypatch: pytest.MonkeyPatch) -> None:
    refreshed: list[bool] = []
    monkeypatch.setattr(held, "refresh", lambda: refreshed.append(True))
    keeper.look(set())
    assert refreshed == []
    monkeypatch.setattr(run_dir_keeper.time, "monotonic", lambda: 1e12)
    keeper.look(set())
    assert refreshed == [True]
