"""Which children are sampled when, and what is logged."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from foxtrot_supervisor.runtime import growth_watch
from foxtrot_supervisor.runtime.growth_watch import GrowthMonitor
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.telemetry.growth import Growth
from foxtrot_supervisor.telemetry.vitals import Vitals
from tests.support.waiting import wait_until_async


class SteadyVitals(Vitals):
    """Notes that it was sampled; `exceeded`: the figures that exceed their limit."""

    def __init__(self, name: str, sampled: list[str], exceeded: list[str]) -> None:
        super().__init__()
        self._name = name
        self._sampled = sampled
        self._exceeded = exceeded
        for figure in exceeded:
            self.growth.growths[figure] = Growth("growing", 7.0, 60.0, 120.0)

    def look(self, now: float) -> list[str]:
        self._sampled.append(self._name)
        return self._exceeded


async def test_children_are_sampled_in_turn_and_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_watch, "GROWTH_S", 0.0)
    monkeypatch.setattr(growth_watch, "CHILDREN_MAX", 2)
    sampled: list[str] = []
    vitals = {name: SteadyVitals(name, sampled, []) for name in ("a", "b", "c")}
    timers = Timers()
    GrowthMonitor(vitals, timers, Mock()).start()
    await wait_until_async(lambda: len(sampled) >= 6, what="six samples")
    timers.close()
    assert sampled[:6] == ["a", "b", "c", "a", "b", "c"]


async def test_a_figure_that_exceeds_its_limit_is_logged_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth_watch, "GROWTH_S", 0.0)
    log, timers = Mock(), Timers()
    monitor = GrowthMonitor({"feed.a": SteadyVitals("feed.a", [], ["open_fds"])}, timers, log)
    monitor.start()
    await wait_until_async(lambda: log.warning.called, what="a warning")
    timers.close()
    log.warning.assert_called_with(
        "growth", worker="feed.a", what="open_fds", verdict="growing", value=7.0, per_hour=60.0, span_s=120
    )
    assert set(monitor.own) == {"rss_bytes", "open_fds", "threads", "tasks"}
