"""A census counts threads, descriptors, tasks and children by name."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from foxtrot_supervisor.telemetry import census as resource_census
from foxtrot_supervisor.telemetry.census import children, descriptors, more_of, take_census, tasks, threads


def wait_for(event: threading.Event) -> None:
    event.wait(10)


class OwnThread(threading.Thread):
    def __init__(self, event: threading.Event) -> None:
        super().__init__(name="own", daemon=True)
        self._event = event

    def run(self) -> None:
        self._event.wait(10)


def test_threads_are_counted_by_their_function() -> None:
    done = threading.Event()
    started = [threading.Thread(target=wait_for, args=(done,), name="one"), OwnThread(done)]
    for thread in started:
        thread.start()
    try:
        found = {facts.name: facts for facts in threads()}
    finally:
        done.set()
        for thread in started:
            thread.join(10)
    assert found["one"].runs == f"{__name__}.wait_for"
    assert (found["own"].runs, found["own"].daemon) == (f"{__name__}.OwnThread", True)
    assert found["one"].native_id in {facts.native_id for facts in found.values()}
    assert "MainThread" in found


def test_descriptors_are_counted_by_their_target(tmp_path: Path) -> None:
    before = Counter(facts.stands_for for facts in descriptors())
    path = tmp_path / "feed.log"
    with path.open("w") as file:
        reading, writing = os.pipe()
        try:
            found = descriptors()
            more = dict(more_of(Counter(facts.stands_for for facts in found), before, 50))
        finally:
            os.close(reading)
            os.close(writing)
        assert more == {str(path): 1, "pipe": 2}
        assert {facts.number for facts in found if facts.stands_for == str(path)} == {file.fileno()}


async def test_tasks_are_counted_by_their_coroutine() -> None:
    async def wait() -> None:
        await asyncio.sleep(10)

    loop = asyncio.get_running_loop()
    task = loop.create_task(wait(), name="waiting")
    found = {facts.name: facts.runs for facts in tasks([loop])}
    task.cancel()
    assert found["waiting"].endswith("wait")


def test_children_are_found() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = {facts.pid for facts in children()}
        child.kill()
    assert child.pid in found


def test_a_census_counts_everything_under_the_names_of_the_limits() -> None:
    census = take_census()
    figures = census.figures()
    assert figures["threads"] == threading.active_count()
    assert figures["rss_bytes"] > 1e6
    assert figures["open_fds"] >= 3
    assert figures["tasks"] == 0


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_census, "NAMES_MAX", 1)
    assert len(take_census().fds) == 1


def test_more_of_returns_the_largest_growth_first_and_nothing_that_shrank() -> None:
    assert more_of(Counter(a=5, b=9, c=1), Counter(a=1, b=2, c=3)) == [("b", 7), ("a", 4)]
