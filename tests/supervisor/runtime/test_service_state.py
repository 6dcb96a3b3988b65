"""What the service manager is told, and what it is not told."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.core.children import Phase
from foxtrot_supervisor.runtime.service_state import Extend, Ready, Reloading, ServiceState, Status, Stopping

START_S, STOP_S = 60.0, 48.0


@pytest.fixture
def state() -> ServiceState:
    return ServiceState(START_S, STOP_S)


def test_a_start_is_reported_step_by_step_and_ready_once(state: ServiceState) -> None:
    assert state.look("starting", [], 3, 0) == [Status("starting: 0 of 3 serve")]
    assert state.look("starting", [], 3, 0) == []
    assert state.look("starting", ["engine"], 3, 0) == [Status("starting: 1 of 3 serve"), Extend(START_S)]
    assert state.look("starting", ["engine"], 3, 0) == []
    assert state.look("running", ["engine", "a"], 3, 0) == [Ready("running: 2 of 3 serve")]
    assert state.look("running", ["engine", "a", "b"], 3, 0) == [Status("running: 3 of 3 serve")]
    assert state.look("degraded", ["engine", "b"], 3, 1) == [Status("degraded: 2 of 3 serve")]
    assert state.look("running", ["engine", "a", "b"], 3, 1) == [Status("running: 3 of 3 serve")]


def test_coming_up_again_and_again_is_no_progress(state: ServiceState) -> None:
    """Else a crash loop would keep systemd waiting for ever."""
    state.look("starting", ["a"], 2, 0)
    for ended in range(1, 20):
        assert state.look("starting", [], 2, ended) == [Status("starting: 0 of 2 serve")]
        assert state.look("starting", ["a"], 2, ended) == [Status("starting: 1 of 2 serve")]
    assert state.look("starting", ["b"], 2, 20) == [Extend(START_S)]  # the status is the same, but this is new


def test_a_stop_is_extended_by_each_end_and_by_nothing_else(state: ServiceState) -> None:
    state.look("running", ["engine", "a", "b"], 3, 5)
    assert state.look("stopping", ["engine", "a", "b"], 3, 5) == [Stopping("stopping: 3 of 3 serve")]
    for _ in range(10):
        assert state.look("stopping", ["engine", "a", "b"], 3, 5) == []
    assert state.look("stopping", ["engine", "a"], 3, 6) == [Status("stopping: 2 of 3 serve"), Extend(STOP_S)]
    assert state.look("stopping", ["engine", "a"], 3, 7) == [Extend(STOP_S)]  # one that did not serve
    assert state.look("stopping", ["engine", "a"], 3, 7) == []
    assert state.look("stopped", [], 3, 9) == [Status("stopped: 0 of 3 serve")]


@pytest.mark.parametrize("phase", ["stopping", "stopped"])
def test_stopping_is_reported_once_also_when_it_is_over_at_once(state: ServiceState, phase: Phase) -> None:
    assert state.look(phase, [], 1, 0) == [Stopping(f"{phase}: 0 of 1 serve")]
    assert state.look(phase, [], 1, 0) == []
    assert state.broken() == []


def test_a_reload_begins_and_ends_ready(state: ServiceState) -> None:
    state.look("running", ["a"], 1, 0)
    assert state.reloading() == [Reloading()]
    assert state.look("degraded", [], 2, 1) == [Status("degraded: 0 of 2 serve")]
    assert state.reloaded() == [Ready("degraded: 0 of 2 serve")]


def test_a_reload_during_the_start_does_not_make_it_ready(state: ServiceState) -> None:
    state.look("starting", ["a"], 2, 0)
    assert state.reloading() == state.reloaded() == []


def test_other_steps(state: ServiceState) -> None:
    state.look("running", ["a"], 1, 0)
    state.adopt(1.0, 2.0)
    state.look("stopping", ["a"], 1, 0)
    assert Extend(2.0) in state.look("stopping", [], 1, 1)


def test_a_stop_ends_a_reload(state: ServiceState) -> None:
    state.look("running", ["a"], 1, 0)
    state.look("stopping", ["a"], 1, 0)
    assert state.reloading() == state.reloaded() == []


def test_a_mistake_of_ours_is_the_beginning_of_the_end(state: ServiceState) -> None:
    state.look("running", ["a"], 1, 0)
    assert state.broken() == [Stopping("internal error")]
    assert state.broken() == []
