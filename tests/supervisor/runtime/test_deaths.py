"""How long a dead child is listened to, and which cause is reported."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from foxtrot_protocol.exit_note import ExitNote
from foxtrot_supervisor.core.inputs import Exited
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.runtime import deaths as deaths_module
from foxtrot_supervisor.runtime.deaths import FIRST_WORDS_S, LAST_WORDS_S, DeathReports
from foxtrot_supervisor.runtime.processes.processes import Child
from foxtrot_supervisor.runtime.processes.syscalls import ExitStatus

CHILD = Child("feed.a", 1, 4711, 9)
FAILED = ExitStatus(1, None)


class FakeMessages:
    """`said`: called when messages are drained."""

    def __init__(self) -> None:
        self.is_connected = False
        self.said: Callable[[], None] = lambda: None

    def drain(self) -> None:
        self.said()

    def connected(self, name: str, incarnation: int) -> bool:
        return self.is_connected


class Scene:
    def __init__(self, run_dir: Path, state: State) -> None:
        record = ChildRecord(plan=ChildPlan(name="feed.a", tier=1))
        record.state = state
        self.record = record
        self.messages = FakeMessages()
        self.oom = Mock()
        self.oom.of.return_value = ""
        self.log = Mock()
        self.reported: list[tuple[Exited, float]] = []
        self.began_at = time.monotonic()
        self.deaths = DeathReports(
            str(run_dir), self.messages, {"feed.a": record}, lambda name: 64, self.oom, self._report, self.log
        )

    def _report(self, child: Child, death: Exited) -> None:
        assert child is CHILD
        self.reported.append((death, time.monotonic() - self.began_at))

    async def end(self, status: ExitStatus = FAILED) -> tuple[Exited, float]:
        self.deaths.on_exit(CHILD, status)
        for _ in range(1000):
            if self.reported:
                break
            await asyncio.sleep(0.001)
        (reported,) = self.reported
        return reported


async def test_a_clean_exit_is_reported_at_once(tmp_path: Path) -> None:
    death, _ = await Scene(tmp_path, State.RUNNING).end(ExitStatus(0, None))
    assert (death.exit_code, death.signal) == (0, None)


async def test_a_connected_child_is_heard_until_its_reason_has_come(tmp_path: Path) -> None:
    scene = Scene(tmp_path, State.RUNNING)
    scene.messages.is_connected = True
    calls = []

    def said() -> None:
        calls.append(1)
        if len(calls) == 3:
            scene.deaths.explained("feed.a", 1)

    scene.messages.said = said
    _, after_s = await scene.end()
    assert len(calls) == 3
    assert after_s < LAST_WORDS_S


@pytest.mark.parametrize(
    ("state", "is_connected", "least_s"),
    [
        (State.RUNNING, True, LAST_WORDS_S),
        (State.STARTING, False, FIRST_WORDS_S),
        (State.RUNNING, False, 0.0),  # its connection was closed with everything that it had said
    ],
)
async def test_limits_of_the_wait(tmp_path: Path, state: State, is_connected: bool, least_s: float) -> None:
    scene = Scene(tmp_path, state)
    scene.messages.is_connected = is_connected
    _, after_s = await scene.end()
    assert after_s >= least_s


async def test_an_exit_note_is_the_cause_and_its_trace_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deaths_module, "take_exit_note", lambda *_: ExitNote(cause="ValueError: no", trace="trace"))
    scene = Scene(tmp_path, State.RUNNING)
    death, _ = await scene.end()
    assert "ValueError: no" in death.cause
    assert scene.log.error.call_args.kwargs["trace"] == "trace"


async def test_only_a_sigkill_of_others_is_looked_up_at_the_oom_killer(tmp_path: Path) -> None:
    scene = Scene(tmp_path, State.RUNNING)
    scene.oom.of.return_value = "process"
    death, _ = await scene.end(ExitStatus(None, 9))
    assert "memory" in death.cause
    ours = Scene(tmp_path, State.STOPPING)
    ours.record.rung = "kill"
    await ours.end(ExitStatus(None, 9))
    assert not ours.oom.of.called


async def test_nothing_is_reported_after_close(tmp_path: Path) -> None:
    scene = Scene(tmp_path, State.RUNNING)
    scene.messages.is_connected = True
    scene.deaths.on_exit(CHILD, FAILED)
    scene.deaths.close()
    await asyncio.sleep(LAST_WORDS_S + 0.05)
    assert scene.reported == []
