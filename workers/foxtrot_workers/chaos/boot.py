"""Children that misbehave on demand: the hook of fault tests inside a child.

`run` replaces `foxtrot_workers.child.boot:run` where ``start --boot foxtrot_workers.chaos.boot:run`` asks for it;
nothing else calls it. It reads the plan beside the run directory (`foxtrot_protocol.chaos`). If this incarnation is
in the plan, it starts with the planned fault, waits where the plan says so, and triggers the fault on SIGUSR1. Then,
and in every other child, the normal boot continues with the normal start target. It also works in a process that
was forked from a nursery, with everything imported.

The fault is always in the child's own process and thread: a blocked loop is a callback that does not return, a held
interpreter lock is a C function that keeps it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from foxtrot_protocol.chaos import HOLD_S_MAX, ChildPlan, Hold, decode_plan, folder, note_name, plan_for, plan_path
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import ChildSpec, decode_spec, encode_spec
from foxtrot_workers.chaos import kill_points
from foxtrot_workers.child import boot
from foxtrot_workers.child.crash_exit import leave

__all__ = ["GRANDCHILD_S", "STRIKE", "run", "serve"]

STRIKE = signal.SIGUSR1

GRANDCHILD_S = 600
"""Lifetime of a daemonized grandchild."""

_FOREVER_S = 3600

_FILES_BESIDE = 8
"""Descriptors that an exhausted child may still open: whatever opens files later than that fails."""

_hooks: list[_Hook] = []
"""The hook of this process. The normal boot lies between `run` and `serve`, and passes nothing on."""


def run(spec_bytes: bytes) -> None:
    """Run the child that `spec_bytes` describes, with the faults of its plan. Exits the process, never returns."""
    spec = decode_spec(spec_bytes)
    plan = _plan_of(spec)
    if plan is None:
        boot.run(spec_bytes)
        return
    # until `serve` handles it, the signal waits instead of ending the process
    signal.pthread_sigmask(signal.SIG_BLOCK, {STRIKE})
    _stacks = boot.settle(spec)  # the boot does it again: twice does no harm, late would
    hook = _Hook(spec, plan)
    _hooks.append(hook)
    if plan.kill_at == "starting":
        kill_points.die()
    if plan.bad_start == "crash":
        hook.crash()
    if plan.bad_start == "slow":
        time.sleep(plan.seconds)
    if plan.hold == "starting":
        hook.wait_before_hello()
    boot.run(encode_spec(msgspec.structs.replace(spec, target="foxtrot_workers.chaos.boot:serve")))


async def serve(context: Any) -> int:
    """Start target in place of the child's own, which it calls."""
    from foxtrot_workers.child.main import resolve

    (hook,) = _hooks
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(STRIKE, hook.strike)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {STRIKE})
    if hook.plan.kill_at == "connecting":
        kill_points.die()
    if hook.plan.kill_at:
        hook.kill_point = kill_points.set_up(hook.plan.kill_at, hook.plan.passes)
    if hook.plan.hold == "connecting":
        await hook.wait_before_connecting()
    return await resolve(hook.spec.target)(_Context(context, hook))  # type: ignore[arg-type]  # replaces it


def _plan_of(spec: ChildSpec) -> ChildPlan | None:
    """Return the plan of this incarnation; None if there is none, or if other users could have written it."""
    path = plan_path(spec.run_dir)
    try:
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o022:
                return None
            return plan_for(decode_plan(file.read()), spec.name, spec.incarnation)
    except FileNotFoundError:
        return None


class _Hook:
    """The faults of one process."""

    def __init__(self, spec: ChildSpec, plan: ChildPlan) -> None:
        self.spec = spec
        self.plan = plan
        self.kill_point: kill_points.Trap | None = None
        self._released = False
        self._deaf = False
        self._on_release: list[Callable[[], None]] = []
        self._kept: list[int] = []

    # ---- holds

    def wait_before_hello(self) -> None:
        """Wait for the signal without an event loop, which does not exist yet."""
        self.note("held")
        if signal.sigtimedwait({STRIKE}, HOLD_S_MAX) is not None:
            self.strike()

    async def wait_before_connecting(self) -> None:
        released = asyncio.Event()
        self._on_release.append(released.set)
        self.note("held")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_S_MAX):
                await released.wait()

    def suppresses(self, command: ToChild, deliver: Callable[[], None]) -> bool:
        """Return whether `command` is suppressed; a first `Stop` may be only delayed, until `deliver` is called."""
        if not isinstance(command, Stop):
            return False
        if self._deaf:
            return True
        held: Hold = self.plan.hold
        if held != "stopping" or self._released or self._on_release:
            return False  # a second Stop comes with SIGTERM, and is delivered
        self._on_release.append(lambda: None if self._deaf else deliver())
        self.note("held")
        return True

    # ---- strikes

    def strike(self) -> None:
        """Perform the planned fault now; what was held continues, if it still can."""
        self.note("struck")
        if self.kill_point is not None:
            self.kill_point.arm()
        match self.plan.strike:
            case "block_loop":
                block_the_loop()
            case "hold_gil":
                hold_the_interpreter_lock()
            case "exit_0":
                os._exit(ChildExit.CLEAN)
            case "exit_1":
                os._exit(ChildExit.CRASH)
            case "deaf":
                self._deaf = True
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            case "grandchild":
                self._daemonize_grandchild()
            case "exhaust_fds":
                self._exhaust_descriptors()
            case "jump_clock":
                self._jump_clock()
            case "nothing":
                pass
        self._released = True
        for call in self._on_release:
            call()

    def crash(self) -> NoReturn:
        """End as by an exception during an import: a line on stderr, before HELLO."""
        sys.stderr.write(f"{self.spec.name}#{self.spec.incarnation} crashed: planned by the fault test\n")
        leave(ChildExit.CRASH)

    def _daemonize_grandchild(self) -> None:
        """Own session, its parent ends at once, empty environment: nothing links it to this run."""
        order = f"sleep {GRANDCHILD_S} >/dev/null & echo $!"
        with subprocess.Popen(
            ["/bin/sh", "-c", order],
            env={},
            cwd="/",
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as shell:
            pid_text, _ = shell.communicate()
        self.note("grandchild", pid_text.decode().strip())

    def _exhaust_descriptors(self) -> None:
        highest = max(int(entry) for entry in os.listdir("/proc/self/fd"))
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + _FILES_BESIDE, hard))
        with contextlib.suppress(OSError):
            while True:
                self._kept.append(os.open(os.devnull, os.O_RDONLY))

    def _jump_clock(self) -> None:
        """Move the wall clock of this process's Python code; a test cannot set the kernel's."""
        seconds, nanoseconds = time.time, time.time_ns
        jump_s = self.plan.seconds
        time.time = lambda: seconds() + jump_s
        time.time_ns = lambda: nanoseconds() + int(jump_s * 1e9)

    def note(self, what: str, text: str = "") -> None:
        """Leave a note for the test; renamed into place, so that it is never seen incomplete."""
        path = f"{folder(self.spec.run_dir)}/{note_name(what, self.spec.name, self.spec.incarnation)}"
        with contextlib.suppress(OSError):  # the test that waits for it reports it
            with open(f"{path}.part", "w", encoding="utf-8") as file:
                file.write(text or str(os.getpid()))
            os.rename(f"{path}.part", path)


def block_the_loop() -> NoReturn:
    """Never return to the event loop; other threads continue."""
    while True:
        time.sleep(_FOREVER_S)


def hold_the_interpreter_lock() -> NoReturn:
    """Never release the interpreter lock: no thread of this process runs Python any more."""
    hold = ctypes.PyDLL(None).sleep  # PyDLL keeps the lock while it calls
    while True:
        hold(_FOREVER_S)


class _Context:
    """The child's context as its start target sees it; commands pass through the hook."""

    def __init__(self, context: Any, hook: _Hook) -> None:
        self._context = context
        self._hook = hook

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    @property
    def spec(self) -> ChildSpec:
        return self._hook.spec

    def on_command(self, handler: Callable[[ToChild], None]) -> None:
        def through(command: ToChild) -> None:
            if not self._hook.suppresses(command, lambda: handler(command)):
                handler(command)

        self._context.on_command(through)
