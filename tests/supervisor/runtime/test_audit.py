"""The audit finds each kind of leftover, planted."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from pathlib import Path

import pytest

from foxtrot_supervisor.runtime.audit import Audit, audit, take_baseline
from foxtrot_supervisor.system.procfs import open_descriptors

pytestmark = pytest.mark.timeout(method="signal")  # the other method is a thread, which the audit would find


def test_nothing_left() -> None:
    result = audit(take_baseline(), children=(), files=())
    assert result.clean
    assert result.as_dict() == {
        "clean": True,
        "children": [],
        "threads": [],
        "tasks": [],
        "descriptors": [],
        "files": [],
        "garbage": 0,
        "unhandled": [],
    }


def test_children_and_files_are_as_told() -> None:
    result = audit(take_baseline(), children=["7 worker"], files=["b", "a"])
    assert not result.clean
    assert (result.children, result.files) == (["7 worker"], ["a", "b"])


def test_unhandled_events_are_no_leftover() -> None:
    ring = {"worker": "w.a", "incarnation": 1, "events": 421}
    result = audit(take_baseline(), children=(), files=(), unhandled=[ring])
    assert (result.clean, result.leftover, result.as_dict()["unhandled"]) == (False, False, [ring])
    assert audit(take_baseline(), children=(), files=["a"], unhandled=[ring]).leftover


def test_descriptor() -> None:
    baseline = take_baseline()
    left = os.open("/dev/null", os.O_RDONLY)
    try:
        assert audit(baseline, children=(), files=()).descriptors == [f"{left} -> /dev/null"]
        assert audit(baseline, children=(), files=(), descriptors_allowed=[left]).clean
    finally:
        os.close(left)


@pytest.mark.parametrize("gone", [False, True], ids=["renamed", "deleted"])
def test_descriptor_whose_file_has_another_name_now(tmp_path: Path, gone: bool) -> None:
    """A log that was rotated, a terminal that was closed."""
    log = tmp_path / "log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT)
    try:
        baseline = take_baseline()
        log.unlink() if gone else log.rename(tmp_path / "log.1")
        assert audit(baseline, children=(), files=()).clean
    finally:
        os.close(descriptor)


def test_descriptor_that_was_replaced() -> None:
    first = os.open("/dev/null", os.O_RDONLY)
    baseline = take_baseline()
    os.close(first)
    second = os.open("/proc/self/status", os.O_RDONLY)
    try:
        assert first == second
        assert len(audit(baseline, children=(), files=()).descriptors) == 1
    finally:
        os.close(second)
    assert first not in open_descriptors()


def test_thread() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="left-over")
    thread.start()
    try:
        assert audit(take_baseline(), children=(), files=()).threads == ["left-over"]
    finally:
        release.set()
        thread.join()


async def test_task() -> None:
    release = asyncio.Event()
    task = asyncio.create_task(release.wait(), name="left-over")
    assert audit(take_baseline(), children=(), files=()).tasks == ["left-over"]
    assert audit(take_baseline(), children=(), files=(), tasks_allowed=[task]).clean
    release.set()
    await task


def test_garbage() -> None:
    gc.garbage.append(object())
    try:
        assert audit(take_baseline(), children=(), files=()) == Audit(garbage=1)
    finally:
        gc.garbage.clear()
