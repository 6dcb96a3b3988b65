"""When strays are swept, and what is said about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from foxtrot_supervisor.runtime import strays as strays_module
from foxtrot_supervisor.runtime.processes.processes import Child, Stray
from foxtrot_supervisor.runtime.strays import Strays
from foxtrot_supervisor.runtime.timers import Timers

ALIVE = Stray(100, "sleep", "sleep 60", was_zombie=False)
ZOMBIE = Stray(101, "sh", "", was_zombie=True)


class FakeProcesses:
    """Finds what was planted, one list for each sweep."""

    def __init__(self, *found: list[Stray]) -> None:
        self.found = list(found)
        self.sweeps = 0
        self.busy = False
        self.children: list[Child] = []
        self.childless_now = True

    def sweep(self) -> list[Stray]:
        self.sweeps += 1
        return self.found.pop(0) if self.found else []

    def strays_left(self) -> list[int]:
        return [stray.pid for strays in self.found for stray in strays]

    def dead_stray(self) -> bool:
        return any(stray.was_zombie for strays in self.found for stray in strays)

    def living(self) -> list[Child]:
        return self.children

    def childless(self) -> bool:
        return self.childless_now


@pytest.fixture
def timers() -> Iterator[Timers]:
    timers = Timers()
    yield timers
    timers.close()


async def test_only_strays_that_were_alive_are_counted_and_logged(timers: Timers) -> None:
    log = Mock()
    strays = Strays(FakeProcesses([ALIVE, ZOMBIE]), timers, Mock(), log)  # type: ignore[arg-type]
    strays.sweep()
    assert strays.killed_total == 1
    log.warning.assert_called_once_with("stray_killed", pid=100, stray="sleep", command="sleep 60")


async def test_each_sweep_reads_the_oom_counter_first(timers: Timers) -> None:
    oom = Mock()
    Strays(FakeProcesses(), timers, oom, Mock()).sweep()  # type: ignore[arg-type]
    oom.look.assert_called_once_with()


async def test_the_end_sweeps_until_no_stray_is_left(timers: Timers) -> None:
    processes = FakeProcesses([ALIVE], [ALIVE], [ZOMBIE])
    await Strays(processes, timers, Mock(), Mock()).end_all()  # type: ignore[arg-type]
    assert processes.sweeps == 3


async def test_the_end_does_not_wait_forever_for_a_stray(timers: Timers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays_module, "STRAYS_S", 0.03)
    processes = FakeProcesses()
    processes.busy = True
    await asyncio.wait_for(Strays(processes, timers, Mock(), Mock()).end_all(), 5.0)  # type: ignore[arg-type]


async def test_a_death_and_a_zombie_bring_the_next_sweep_forward(
    timers: Timers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strays_module, "SWEEP_S", 60.0)
    monkeypatch.setattr(strays_module, "SWEEP_SOON_S", 0.001)
    monkeypatch.setattr(strays_module, "ZOMBIE_S", 0.001)
    processes = FakeProcesses()
    strays = Strays(processes, timers, Mock(), Mock())  # type: ignore[arg-type]
    strays.start()
    await asyncio.sleep(0.02)
    assert processes.sweeps == 0
    strays.sweep_soon()
    await asyncio.sleep(0.02)
    assert processes.sweeps == 1
    processes.found.append([ZOMBIE])
    await asyncio.sleep(0.02)
    assert processes.sweeps == 2


def test_what_remains_is_named_as_far_as_it_can_be() -> None:
    processes = FakeProcesses([ALIVE])
    strays = Strays(processes, Timers(), Mock(), Mock())  # type: ignore[arg-type]
    processes.children = [Child("feed.a", 3, 7, 9)]
    assert strays.remaining() == ["7 feed.a", "100 stray"]
    processes.children, processes.found = [], []
    assert strays.remaining() == []
    processes.childless_now = False
    assert strays.remaining() == ["a child that cannot be named"]
