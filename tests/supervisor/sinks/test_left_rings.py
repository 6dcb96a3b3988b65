"""Rings of killed runs are read before those of the present one, once, by their own marks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foxtrot_protocol.endpoints import left_name
from foxtrot_protocol.events import Gap
from foxtrot_supervisor.sinks import left_rings
from foxtrot_supervisor.sinks.left_rings import read_left_rings
from foxtrot_supervisor.sinks.spool import Spool
from tests.support.sink_world import SinkFeed, SinkProcess, quote, trade
from tests.support.twin_world import Silent


class _Killed(SinkProcess):
    """A sink whose whole run is killed: nothing is closed in order, and the next run finds the rings set aside."""

    number = 0

    def kill_run(self, run_id: str) -> None:
        self.number += 1
        aside = self.feed.links / left_name(self.number, run_id)
        aside.mkdir()
        for worker in list(self.feed.workers):
            self.feed.end(worker)
        for path in self.feed.links.iterdir():
            if path.is_file():
                path.rename(aside / path.name)
        self.feed.incarnations.clear()
        self.fenced.clear()

    def next_run(self, run_id: str) -> None:
        spool = Spool(str(self.folder), self.spool_bytes)
        read_left_rings(str(self.feed.links), spool, run_id, Silent())
        self.start(run_id)


@pytest.fixture
def feed(tmp_path: Path) -> SinkFeed:
    return SinkFeed(tmp_path)


def begun(feed: SinkFeed, process: SinkProcess, *workers: str) -> None:
    for worker in workers:
        feed.start(worker)
    process.intake.started.add(feed.incarnations)


def test_what_a_killed_run_left_comes_before_the_rows_of_the_next_one(feed: SinkFeed, tmp_path: Path) -> None:
    process = _Killed(feed, tmp_path / "spool")
    begun(feed, process, "c.a", "c.b")
    feed.write("c.a", trade(1))
    feed.write("c.b", trade(1), trade(2))
    process.pump()
    feed.write("c.a", trade(2), trade(3))
    feed.write("c.b", trade(3), trade(4), quote(9))
    process.kill_run("run")
    process.next_run("second")
    assert process.trades() == ["1", "2", "3", "4"]
    begun(feed, process, "c.a")
    feed.write("c.a", trade(8))
    process.pump()
    assert process.trades() == ["1", "2", "3", "4", "8"]
    assert process.gaps() == []
    assert [entry.name for entry in feed.links.iterdir() if entry.is_dir()] == []


def test_rings_of_a_run_in_which_the_sink_never_began_are_read_from_their_start(feed: SinkFeed, tmp_path: Path) -> None:
    process = _Killed(feed, tmp_path / "spool")
    begun(feed, process, "c.a")
    feed.write("c.a", trade(1), trade(2))
    process.pump()
    process.kill_run("run")
    feed.start("c.a")
    feed.write("c.a", trade(5))
    process.kill_run("second")
    process.next_run("third")
    assert process.trades() == ["1", "2", "5"]


def test_what_finds_no_room_is_named_by_a_gap(feed: SinkFeed, tmp_path: Path) -> None:
    process = _Killed(feed, tmp_path / "spool", 48 * 1024)
    begun(feed, process, "c.a")
    for number in range(1, 400):
        feed.write("c.a", trade(number))
    process.pump()
    held = len(process.rows())
    process.kill_run("run")
    process.next_run("second")
    [gap] = [row.event for row in process.rows() if isinstance(row.event, Gap)]
    assert (gap.first_id, gap.last_id) == (str(held + 1), "399")
    assert process.spool.size_bytes <= 48 * 1024


def test_a_process_that_is_replaced_reads_nothing_twice(
    feed: SinkFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = _Killed(feed, tmp_path / "spool")
    begun(feed, process, "c.a")
    feed.write("c.a", trade(1))
    process.pump()
    feed.write("c.a", trade(2))
    process.kill_run("run")
    monkeypatch.setattr(left_rings.shutil, "rmtree", lambda *_, **__: None)
    process.next_run("second")
    process.next_run("second")
    assert process.trades() == ["1", "2"]
    assert os.listdir(feed.links / left_name(1, "run")) == ["positions.map"]
