"""The application in the role of the engine, over real descriptors."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from unittest.mock import Mock

import pytest

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_supervisor.core.inputs import Exited, Input, Spawned, StopRequested
from foxtrot_supervisor.core.shutdown import GRACEFUL_REQUESTS_MAX
from foxtrot_supervisor.runtime.application_link import Application, ApplicationLink
from foxtrot_supervisor.runtime.timers import Timers


class Scene:
    def __init__(self) -> None:
        self.lifeline, self.far_end = os.pipe()
        self.pidfd = os.pidfd_open(os.getpid())
        self.inputs: list[Input] = []
        self.calls: list[int] = []
        self.alive = Mock()
        self.stop = Mock()
        self.ended = Mock()
        self.timers = Timers()
        application = Application(
            pid=4711, pidfd=self.pidfd, lifeline=self.lifeline, call=self.calls.append, alive=self.alive
        )
        self.link = ApplicationLink(
            application,
            put=self.inputs.append,
            stop=self.stop,
            ended=self.ended,
            timers=self.timers,
            log=Mock(),
        )

    def let_go(self) -> None:
        if self.far_end >= 0:
            os.close(self.far_end)
            self.far_end = -1

    def close(self) -> None:
        self.link.close()
        self.timers.close()
        self.let_go()
        os.close(self.lifeline)
        os.close(self.pidfd)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.close()


def test_it_is_called_and_counts_as_spawned(scene: Scene) -> None:
    scene.link.start(5)
    assert scene.inputs == [Spawned("engine", 5, 4711)]
    assert scene.calls == [5]
    assert (scene.link.pid_of(5), scene.link.pid_of(4)) == (4711, None)


def test_detaching_stops_the_run_and_is_a_clean_exit(scene: Scene) -> None:
    scene.link.start(5)
    scene.link.detached()
    scene.stop.assert_called_once_with("the application let go")
    assert scene.inputs[1:] == [Exited("engine", 5, ChildExit.CLEAN, None, "")]
    assert scene.link.pid_of(5) is None


def test_instead_of_sigkill_the_engine_is_given_up_once(scene: Scene) -> None:
    scene.link.start(5)
    scene.link.kill()
    scene.link.kill()
    assert scene.inputs[1:] == [Exited("engine", 5, None, None, "it did not let go in time")]
    scene.ended.assert_called_once_with()


async def test_its_death_kills_everything(scene: Scene) -> None:
    scene.link.watch()
    scene.link.start(5)
    assert not scene.link.finish_if_gone()
    scene.let_go()
    await asyncio.sleep(0.02)
    assert scene.link.gone
    assert scene.inputs[1:] == [StopRequested("the application is gone")] * (GRACEFUL_REQUESTS_MAX + 1)
    assert scene.link.finish_if_gone()
    assert scene.inputs[-1] == Exited("engine", 5, ChildExit.CLEAN, None, "")


async def test_signs_of_life_stop_when_the_loop_does_not_turn(scene: Scene) -> None:
    turns = [True, True, False]
    scene.link.show_alive(lambda: turns.pop(0) if turns else False, lambda: 0.002)
    await asyncio.sleep(0.1)
    assert scene.alive.call_count == 2
