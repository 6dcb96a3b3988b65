"""When the service manager is notified."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from unittest.mock import Mock

from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.runtime.service_manager import ServiceManager
from foxtrot_supervisor.runtime.service_state import Extend, Ready, Status, Stopping
from foxtrot_supervisor.runtime.timers import Timers


class Scene:
    def __init__(self, *, present: bool = True, watchdog_s: float | None = None) -> None:
        self.systemd = Mock(present=present, watchdog_s=watchdog_s)
        self.active = SimpleNamespace(start_limit_s=10.0, stop_limit_s=20.0)
        self.timers = Timers()
        self.manager = ServiceManager(self.systemd, self.active, self.timers)  # type: ignore[arg-type]

    @property
    def told(self) -> list[object]:
        return [message for call in self.systemd.tell.call_args_list for message in call.args[0]]


def records(ready_at: float | None) -> dict[str, ChildRecord]:
    plan = ChildPlan(name="feed.a", tier=1)
    return {"feed.a": ChildRecord(plan=plan, state=State.RUNNING, incarnation=1, ready_at=ready_at)}


def test_only_children_that_serve_count() -> None:
    scene = Scene()
    scene.manager.update("starting", records(None))
    scene.manager.update("running", records(1.0))
    assert scene.told == [Status("starting: 0 of 1 serve"), Ready("running: 1 of 1 serve")]


def test_without_a_service_manager_nothing_is_worked_out() -> None:
    scene = Scene(present=False)
    scene.manager.update("running", records(1.0))
    assert scene.told == []


def test_a_death_extends_the_stop_by_the_limit_in_force() -> None:
    scene = Scene()
    scene.manager.update("stopping", records(1.0))
    scene.active.stop_limit_s = 30.0
    scene.manager.reconfigured()
    scene.manager.child_ended()
    scene.manager.update("stopping", records(1.0))
    assert [type(message) for message in scene.told] == [Stopping, Extend]
    assert scene.told[-1] == Extend(30.0)


def test_an_internal_error_is_announced_as_a_stop() -> None:
    scene = Scene()
    scene.manager.broken()
    assert scene.told == [Stopping("internal error")]


async def test_the_watchdog_is_fed_while_the_loop_turns() -> None:
    scene = Scene(watchdog_s=0.006)
    turns = [True, True, False]
    scene.manager.start_watchdog(lambda: turns.pop(0) if turns else False)
    await asyncio.sleep(0.1)
    scene.timers.close()
    assert scene.systemd.watchdog.call_count == 2


async def test_without_a_watchdog_the_loop_is_not_asked() -> None:
    scene, turns = Scene(), Mock()
    scene.manager.start_watchdog(turns)
    await asyncio.sleep(0.01)
    assert not turns.called
