"""The boot of every child, against a real ROUTER in the place of the supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import decode_from_child, encode_control
from foxtrot_protocol.commands import Failed, FromChild, Heartbeat, Hello, Ready, Stop
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import ChildSpec, encode_spec
from tests.support.waiting import wait_until

LIMIT_S = 15.0

TARGETS = """
import asyncio, time
from foxtrot_protocol.commands import Stop

async def obedient(context):
    stopped = asyncio.get_running_loop().create_future()
    context.on_command(lambda c: stopped.done() or stopped.set_result(c))
    context.ready({"answer": "42"})
    command = await stopped
    context.failed(f"told to stop within {command.grace_s:g}")
    return 0

async def blocked(context):
    context.ready()
    await asyncio.sleep(0.2)
    time.sleep(60)

async def raises(context):
    raise RuntimeError("a bug")

async def floods(context):
    import sys
    for number in range(20_000):
        print("x" * 100, file=sys.stderr)
    return await obedient(context)

async def quits(context):
    return 12
"""


class Parent:
    """Plays the supervisor: starts one child, reads what it says."""

    def __init__(self, folder: Path, boot: str = "foxtrot_workers.child.boot") -> None:
        self.folder = folder
        self.boot = boot
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.endpoint = endpoints.child_control_endpoint(str(folder))
        self.router.bind(self.endpoint)
        self.children: list[subprocess.Popen[bytes]] = []
        self.heard: list[FromChild] = []
        (folder / "boot_targets.py").write_text(TARGETS)

    def start(self, target: str, parent_pid: int | None = None) -> subprocess.Popen[bytes]:
        spec = ChildSpec(
            name="child",
            kind="connection",
            target=f"boot_targets:{target}" if ":" not in target else target,
            incarnation=4,
            run_id="r",
            run_dir=str(self.folder),
            parent_pid=os.getpid() if parent_pid is None else parent_pid,
            control_endpoint=self.endpoint,
            heartbeat_s=0.05,
            log_level="info",
            log_format="json",
            settings=msgspec.msgpack.encode({}),
        )
        code = f"import sys; from {self.boot} import run; run(bytes.fromhex(sys.argv[1]))"
        child = subprocess.Popen(
            [sys.executable, "-c", code, encode_spec(spec).hex()],
            env={**os.environ, "PYTHONPATH": str(self.folder)},
            stderr=subprocess.PIPE,
        )
        self.children.append(child)
        return child

    def listen(self) -> list[FromChild]:
        while self.router.poll(0):
            identity, data = self.router.recv_multipart()
            assert identity == b"child#4"
            self.heard.append(decode_from_child(data))
        return self.heard

    def wait_for(self, kind: type) -> FromChild:
        def look() -> list[FromChild]:
            return [message for message in self.listen() if isinstance(message, kind)]

        return wait_until(look, LIMIT_S, kind.__name__)[0]  # type: ignore[no-any-return]  # wait_until is untyped

    def close(self) -> None:
        for child in self.children:
            child.kill()
            child.wait()
            assert child.stderr is not None
            child.stderr.close()
        self.router.close(linger=0)
        self.context.term()


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    parent = Parent(tmp_path)
    yield parent
    parent.close()


def test_a_child_says_hello_ready_and_beats_then_stops_when_asked(parent: Parent) -> None:
    child = parent.start("obedient")
    hello = parent.wait_for(Hello)
    assert isinstance(hello, Hello)
    assert (hello.worker, hello.incarnation, hello.pid) == ("child", 4, child.pid)
    ready = parent.wait_for(Ready)
    assert isinstance(ready, Ready)
    assert ready.info == {"answer": "42"}
    beat = parent.wait_for(Heartbeat)
    assert isinstance(beat, Heartbeat)
    assert beat.rss_bytes > 1_000_000
    assert beat.open_fds > 3
    assert os.getsid(child.pid) == child.pid, "a session of its own"
    parent.router.send_multipart([b"child#4", encode_control(Stop(7.0))])
    assert child.wait(LIMIT_S) == ChildExit.CLEAN
    failed = parent.wait_for(Failed)
    assert isinstance(failed, Failed)
    assert failed.cause == "told to stop within 7"


def test_sigterm_is_a_stop_with_little_grace_and_sigint_is_ignored(parent: Parent) -> None:
    child = parent.start("obedient")
    parent.wait_for(Ready)
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGTERM)
    assert child.wait(LIMIT_S) == ChildExit.CLEAN
    failed = parent.wait_for(Failed)
    assert isinstance(failed, Failed)
    assert failed.cause == "told to stop within 1"


def test_a_blocked_child_shows_its_stacks(parent: Parent) -> None:
    child = parent.start("blocked")
    parent.wait_for(Heartbeat)
    beats = len(parent.listen())
    stacks = parent.folder / "stacks-child-4.txt"
    wait_until(lambda: len(parent.listen()) == beats, LIMIT_S, "the end of heartbeats")

    def dumped() -> bool:
        child.send_signal(signal.SIGUSR2)
        return "in blocked" in stacks.read_text()

    wait_until(dumped, LIMIT_S, "the stacks")


def test_the_childs_own_errors_are_reported_before_it_dies(parent: Parent) -> None:
    child = parent.start("raises")
    assert child.wait(LIMIT_S) == ChildExit.CRASH
    failed = parent.wait_for(Failed)
    assert isinstance(failed, Failed)
    assert "a bug" in failed.cause


def test_the_targets_result_is_the_exit_code(parent: Parent) -> None:
    assert parent.start("quits").wait(LIMIT_S) == ChildExit.STALE


@pytest.mark.parametrize("target", ["absent_module:run", "boot_targets:absent"])
def test_a_target_that_cannot_be_found_is_a_configuration_error(parent: Parent, target: str) -> None:
    child = parent.start(target)
    assert child.wait(LIMIT_S) == ChildExit.CONFIGURATION
    assert isinstance(parent.wait_for(Failed), Failed)


def test_a_child_whose_parent_is_gone_already_leaves_at_once(parent: Parent) -> None:
    assert parent.start("obedient", parent_pid=1).wait(LIMIT_S) == ChildExit.ORPHANED
    assert parent.listen() == []


def test_a_child_dies_with_its_parent(parent: Parent, tmp_path: Path) -> None:
    """A middle process starts the child and is killed: the kernel must end the child, though it is blocked."""
    script = tmp_path / "middle.py"
    script.write_text(
        "import os, subprocess, sys, time, msgspec\n"
        "from foxtrot_protocol.spec import decode_spec, encode_spec\n"
        "spec = msgspec.structs.replace(decode_spec(bytes.fromhex(sys.argv[1])), parent_pid=os.getpid())\n"
        "code = 'import sys; from foxtrot_workers.child.boot import run; run(bytes.fromhex(sys.argv[1]))'\n"
        "subprocess.Popen([sys.executable, '-c', code, encode_spec(spec).hex()])\n"
        "time.sleep(60)\n"
    )
    spec = ChildSpec(
        name="child",
        kind="connection",
        target="boot_targets:blocked",
        incarnation=4,
        run_id="r",
        run_dir=str(tmp_path),
        parent_pid=0,
        control_endpoint=parent.endpoint,
        heartbeat_s=0.05,
        log_level="info",
        log_format="json",
        settings=b"",
    )
    middle = subprocess.Popen(
        [sys.executable, str(script), encode_spec(spec).hex()],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
    )
    parent.children.append(middle)
    hello = parent.wait_for(Hello)
    assert isinstance(hello, Hello)
    middle.kill()
    killed_at = time.monotonic()
    wait_until(lambda: not alive(hello.pid), 1.0, "the child's death")
    assert time.monotonic() - killed_at < 1.0


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def test_a_native_crash_ends_at_once_though_stderr_is_blocked_and_its_stack_is_in_the_file(parent: Parent) -> None:
    child = parent.start("floods")
    parent.wait_for(Ready)
    child.send_signal(signal.SIGSEGV)
    assert child.wait(LIMIT_S) == -signal.SIGSEGV
    assert "Segmentation fault" in (parent.folder / "stacks-child-4.txt").read_text()


def test_an_exit_is_not_held_up_by_a_blocked_stderr(parent: Parent) -> None:
    child = parent.start("floods")
    parent.wait_for(Ready)
    parent.router.send_multipart([b"child#4", encode_control(Stop(1.0))])
    assert child.wait(LIMIT_S) == 0
