"""What is said of a start."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.runtime import start_watch
from foxtrot_supervisor.runtime.start_watch import StartWatch
from foxtrot_supervisor.runtime.timers import Timers
from tests.support.waiting import wait_until_async


async def test_progress_until_everything_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_watch, "FIRST_S", 0.001)
    monkeypatch.setattr(start_watch, "PROGRESS_S", 0.001)
    monkeypatch.setattr(start_watch, "LOOK_S", 0.001)
    records = {name: ChildRecord(plan=ChildPlan(name=name, tier=1)) for name in ("a.a", "b.a", "engine")}
    core, timers, log = Mock(records=records, state="starting"), Timers(), Mock()
    places: dict[str, Any] = {"a.a": None, "b.a": None, "gone.a": None}
    watch = StartWatch(core, lambda: places, list, timers, log)
    assert watch.progress() is None
    watch.begin()
    await wait_until_async(lambda: log.info.called, what="the first line")
    first = log.info.call_args_list[0]
    assert first.args == ("start_progress",)
    assert (first.kwargs["workers"], first.kwargs["serving"], first.kwargs["remaining_s"]) == (2, 0, None)
    records["a.a"].state = State.RUNNING
    found = watch.progress()
    assert found is not None
    assert (found["serving"], found["remaining_s"] is not None) == (1, True)
    core.state = "running"
    await wait_until_async(lambda: log.info.call_args.args == ("start_complete",), what="the last line")
    assert watch.progress() is None
    timers.close()


async def test_a_start_that_is_stopped_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_watch, "FIRST_S", 0.001)
    timers, log = Timers(), Mock()
    watch = StartWatch(Mock(records={}, state="stopping"), dict, list, timers, log)
    watch.begin()
    looked: list[None] = []
    timers.call_later("after", 0.01, lambda: looked.append(None))
    await wait_until_async(lambda: bool(looked), what="a moment")
    assert not log.info.called
