"""What steps back gives way to others with all its threads, and with the group of its session."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from foxtrot_supervisor.system import priority
from foxtrot_supervisor.system.priority import lower_threads, set_group, step_back, step_forward

PROGRAM = """
import asyncio, os, threading
from foxtrot_supervisor.system.priority import step_back
ended = threading.Event()
thread = threading.Thread(target=ended.wait)
thread.start()
asyncio.run(step_back({niceness}))
later = []
late = threading.Thread(target=lambda: later.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
late.start()
late.join()
print(os.getpriority(os.PRIO_PROCESS, os.getpid()), os.getpriority(os.PRIO_PROCESS, thread.native_id), later[0])
print(open("/proc/self/autogroup").read() if os.path.exists("/proc/self/autogroup") else "")
ended.set()
"""


def lowered(niceness: int, *, own_session: bool) -> tuple[list[int], int | None]:
    """Run a program that steps back; return the niceness of its threads, and that of its group, None without groups."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(niceness=niceness)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        start_new_session=own_session,
    )
    threads, group, *_ = [*done.stdout.splitlines(), ""]
    return [int(each) for each in threads.split()], int(group.split()[-1]) if group else None


def test_all_threads_and_the_group_of_the_session_step_back() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    threads, group = lowered(7, own_session=True)
    assert threads == [min(19, own + 7)] * 3
    assert group in (7, None)


def test_the_group_of_others_is_left_alone() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    _, before = lowered(0, own_session=False)
    threads, group = lowered(19, own_session=False)
    assert threads == [min(19, own + 19)] * 3
    assert group == before


FORWARD = """
import asyncio, os
from foxtrot_supervisor.system.priority import step_back, step_forward
own = os.getpriority(os.PRIO_PROCESS, 0)
asyncio.run(step_back(19))
asyncio.run(step_forward(own))
print(os.getpriority(os.PRIO_PROCESS, 0) - own)
print(open("/proc/self/autogroup").read() if os.path.exists("/proc/self/autogroup") else "nice 0")
"""


def test_the_group_steps_forward_and_the_threads_where_they_may() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORWARD], capture_output=True, text=True, timeout=60, check=True, start_new_session=True
    )
    threads, group, *_ = done.stdout.splitlines()
    assert group.split()[-1] == "0"
    if os.geteuid() == 0:
        assert threads == "0"


def test_threads_stay_where_they_may_not_step_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_which: int, _thread: int, _value: int) -> None:
        raise PermissionError(errno.EACCES, "no privilege")

    groups: list[int] = []
    monkeypatch.setattr(priority.os, "setpriority", refuse)
    monkeypatch.setattr(priority, "set_group", lambda niceness: groups.append(niceness) or True)
    asyncio.run(step_forward(0))
    assert groups == [0]


@pytest.fixture
def leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take this process for one that leads its session."""
    monkeypatch.setattr(priority.os, "getsid", lambda _: os.getpid())


@pytest.mark.usefixtures("leader")
def test_a_kernel_without_groups_is_no_error(tmp_path: Path) -> None:
    assert set_group(19, proc=str(tmp_path))
    (tmp_path / "autogroup").touch()
    assert set_group(19, proc=str(tmp_path))
    assert (tmp_path / "autogroup").read_bytes() == b"19"


@pytest.mark.usefixtures("leader")
@pytest.mark.parametrize(("refusal", "final"), [(errno.EAGAIN, False), (errno.EPERM, True)])
def test_a_refusal_is_final_unless_it_was_too_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: int, final: bool
) -> None:
    (tmp_path / "autogroup").touch()

    def refuse(_fd: int, _data: bytes) -> int:
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(priority.os, "write", refuse)
    assert set_group(19, proc=str(tmp_path)) is final


@pytest.mark.parametrize(("answers", "attempts"), [([False, False, True], 3), ([False] * 99, 50)])
def test_the_group_is_tried_again_some_times(
    monkeypatch: pytest.MonkeyPatch, answers: list[bool], attempts: int
) -> None:
    tried: list[int] = []

    def lower(niceness: int) -> bool:
        tried.append(niceness)
        return answers[len(tried) - 1]

    monkeypatch.setattr(priority, "lower_threads", lambda _: None)
    monkeypatch.setattr(priority, "set_group", lower)
    monkeypatch.setattr(priority, "_AGAIN_S", 0.0)
    asyncio.run(step_back(4))
    assert tried == [4] * attempts


def test_a_thread_that_has_ended_or_is_lower_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    niceness = {0: 3, 11: 3, 12: 15}
    (tmp_path / "task").mkdir()
    for thread in ("11", "12", "13"):
        (tmp_path / "task" / thread).touch()

    def get(_which: int, thread: int) -> int:
        if thread not in niceness:
            raise ProcessLookupError
        return niceness[thread]

    monkeypatch.setattr(priority.os, "getpriority", get)
    monkeypatch.setattr(priority.os, "setpriority", lambda _which, thread, value: niceness.update({thread: value}))
    lower_threads(5, proc=str(tmp_path))
    assert niceness == {0: 3, 11: 8, 12: 15}
