"""The hook inside children: it does what the plan says, in the incarnations it says, and nothing otherwise."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from foxtrot_protocol.chaos import ChildPlan, encode_plan, folder, note_name, plan_path
from foxtrot_protocol.codec import encode_control
from foxtrot_protocol.commands import Failed, Heartbeat, Hello, Ready, Stop
from foxtrot_protocol.exit_codes import ChildExit
from tests.integration.test_child_boot import LIMIT_S, Parent
from tests.support.waiting import wait_until

INCARNATION = 4

CLOCK = """
import asyncio, time

async def tells_the_time(context):
    context.ready()
    while True:
        context.failed(f"{time.time()} {time.time_ns() / 1e9}")
        await asyncio.sleep(0.01)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    parent = Parent(run_dir, boot="foxtrot_workers.chaos.boot")
    yield parent
    parent.close()


def plan(parent: Parent, *parts: ChildPlan) -> None:
    os.mkdir(folder(str(parent.folder)), 0o700)
    Path(plan_path(str(parent.folder))).write_bytes(encode_plan({"child": list(parts)}))


def now(**what: object) -> ChildPlan:
    return ChildPlan(first=INCARNATION, last=INCARNATION, **what)  # type: ignore[arg-type]  # the test's own


def noted(parent: Parent, what: str) -> str:
    path = Path(folder(str(parent.folder))) / note_name(what, "child", INCARNATION)
    wait_until(path.exists, LIMIT_S, f"the note {what}")
    return path.read_text()


def ask_to_stop(parent: Parent) -> None:
    parent.router.send_multipart([b"child#4", encode_control(Stop(7.0))])


def beats(parent: Parent) -> int:
    return sum(isinstance(message, Heartbeat) for message in parent.listen())


def wait_for_more_beats(parent: Parent) -> None:
    before = beats(parent)
    wait_until(lambda: beats(parent) > before + 2, LIMIT_S, "heartbeats")


def wait_for_silence(parent: Parent, pid: int) -> None:
    """No heartbeat for ten intervals, though the process is alive."""
    seen = [beats(parent), time.monotonic()]

    def silent() -> bool:
        count = beats(parent)
        if count != seen[0]:
            seen[:] = count, time.monotonic()
        return time.monotonic() - seen[1] > 0.5

    wait_until(silent, LIMIT_S, "silence")
    assert psutil.Process(pid).is_running()


@pytest.mark.parametrize("parts", [None, [ChildPlan(first=1, last=INCARNATION - 1, bad_start="crash")]])
def test_a_child_that_is_not_in_the_plan_behaves_normally(parent: Parent, parts: list[ChildPlan] | None) -> None:
    if parts is not None:
        plan(parent, *parts)
    child = parent.start("obedient")
    parent.wait_for(Ready)
    ask_to_stop(parent)
    assert child.wait(LIMIT_S) == ChildExit.CLEAN


def test_a_plan_that_others_could_have_written_is_not_obeyed(parent: Parent) -> None:
    plan(parent, now(bad_start="crash"))
    os.chmod(plan_path(str(parent.folder)), 0o666)
    parent.start("obedient")
    parent.wait_for(Ready)


def test_crash_before_hello(parent: Parent) -> None:
    plan(parent, now(bad_start="crash"))
    child = parent.start("obedient")
    assert child.wait(LIMIT_S) == ChildExit.CRASH
    assert parent.listen() == []
    assert child.stderr is not None
    assert b"crashed" in child.stderr.read()


def test_slow_start(parent: Parent) -> None:
    plan(parent, now(bad_start="slow", seconds=1.0))
    started_at = time.monotonic()
    parent.start("obedient")
    parent.wait_for(Hello)
    assert time.monotonic() - started_at >= 1.0


def test_held_before_hello_until_struck(parent: Parent) -> None:
    plan(parent, now(hold="starting"))
    child = parent.start("obedient")
    assert int(noted(parent, "held")) == child.pid
    assert parent.listen() == []
    child.send_signal(signal.SIGUSR1)
    parent.wait_for(Ready)
    assert noted(parent, "struck")


def test_held_after_hello_until_struck(parent: Parent) -> None:
    plan(parent, now(hold="connecting"))
    child = parent.start("obedient")
    parent.wait_for(Hello)
    noted(parent, "held")
    wait_for_more_beats(parent)
    assert not any(isinstance(message, Ready) for message in parent.heard)
    child.send_signal(signal.SIGUSR1)
    parent.wait_for(Ready)


@pytest.mark.parametrize("how", ["strike", "sigterm"])
def test_held_when_asked_to_stop(parent: Parent, how: str) -> None:
    plan(parent, now(hold="stopping"))
    child = parent.start("obedient")
    parent.wait_for(Ready)
    ask_to_stop(parent)
    noted(parent, "held")
    wait_for_more_beats(parent)
    child.send_signal(signal.SIGUSR1 if how == "strike" else signal.SIGTERM)
    assert child.wait(LIMIT_S) == ChildExit.CLEAN
    failed = parent.wait_for(Failed)
    assert isinstance(failed, Failed)
    assert failed.cause == f"told to stop within {7 if how == 'strike' else 1}"


@pytest.mark.parametrize(("strike", "code"), [("exit_0", 0), ("exit_1", 1)])
@pytest.mark.parametrize("hold", ["", "starting", "connecting"])
def test_exits(parent: Parent, strike: str, code: int, hold: str) -> None:
    plan(parent, now(strike=strike, hold=hold))
    child = parent.start("obedient")
    if hold:
        noted(parent, "held")
    else:
        parent.wait_for(Ready)
    child.send_signal(signal.SIGUSR1)
    assert child.wait(LIMIT_S) == code


def test_a_deaf_child_obeys_neither_stop_nor_sigterm(parent: Parent) -> None:
    plan(parent, now(strike="deaf", hold="stopping"))
    child = parent.start("obedient")
    parent.wait_for(Ready)
    ask_to_stop(parent)
    noted(parent, "held")
    child.send_signal(signal.SIGUSR1)
    noted(parent, "struck")
    child.terminate()
    ask_to_stop(parent)
    wait_for_more_beats(parent)
    assert child.poll() is None


def test_a_child_can_be_made_deaf_before_it_starts(parent: Parent) -> None:
    plan(parent, now(strike="deaf", hold="starting"))
    child = parent.start("obedient")
    noted(parent, "held")
    child.send_signal(signal.SIGUSR1)
    parent.wait_for(Ready)
    child.terminate()
    ask_to_stop(parent)
    wait_for_more_beats(parent)
    assert child.poll() is None


def test_a_blocked_loop_is_a_callback_that_does_not_return(parent: Parent) -> None:
    plan(parent, now(strike="block_loop"))
    child = parent.start("obedient")
    parent.wait_for(Ready)
    child.send_signal(signal.SIGUSR1)
    wait_for_silence(parent, child.pid)
    child.send_signal(signal.SIGUSR2)
    stacks = parent.folder / f"stacks-child-{INCARNATION}.txt"
    wait_until(lambda: "block_the_loop" in stacks.read_text(), LIMIT_S, "its stacks")


def test_a_held_interpreter_lock_stops_every_thread(parent: Parent) -> None:
    plan(parent, now(strike="hold_gil"))
    child = parent.start("obedient")
    parent.wait_for(Ready)
    child.send_signal(signal.SIGUSR1)
    wait_for_silence(parent, child.pid)


def test_a_grandchild_hides(parent: Parent) -> None:
    plan(parent, now(strike="grandchild"))
    child = parent.start("obedient")
    parent.wait_for(Ready)
    child.send_signal(signal.SIGUSR1)
    hidden = psutil.Process(int(noted(parent, "grandchild")))
    try:
        assert hidden.ppid() != child.pid
        assert os.getsid(hidden.pid) != os.getsid(child.pid)
        assert not [name for name in hidden.environ() if "FOXTROT" in name or name == "PYTHONPATH"]
        wait_for_more_beats(parent)
    finally:
        hidden.kill()


def test_exhausted_descriptors(parent: Parent) -> None:
    plan(parent, now(strike="exhaust_fds"))
    child = parent.start("obedient")
    parent.wait_for(Ready)
    before = psutil.Process(child.pid).num_fds()
    child.send_signal(signal.SIGUSR1)
    noted(parent, "struck")
    limit = wait_until(lambda: psutil.Process(child.pid).rlimit(psutil.RLIMIT_NOFILE)[0] < 200, LIMIT_S, "the limit")
    assert limit
    wait_until(lambda: psutil.Process(child.pid).num_fds() > before, LIMIT_S, "the last descriptor")
    wait_for_more_beats(parent)


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_clock_that_jumps(parent: Parent, jump_s: float) -> None:
    (parent.folder / "clock_targets.py").write_text(CLOCK)
    plan(parent, now(strike="jump_clock", seconds=jump_s))
    child = parent.start("clock_targets:tells_the_time")
    parent.wait_for(Ready)
    child.send_signal(signal.SIGUSR1)

    def jumped() -> bool:
        told = [message.cause for message in parent.listen() if isinstance(message, Failed)]
        return bool(told) and all(abs(float(clock) - time.time() - jump_s) < 60 for clock in told[-1].split())

    wait_until(jumped, LIMIT_S, "the jump")
