"""Start target of the service that records frames (`[recorder]`)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import os
import resource
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Heartbeat, Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.frames_layout import FRAMES_DIRECTORY
from foxtrot_protocol.spec import RecorderSettings, decode_settings
from foxtrot_supervisor.recording.recorder import DirectoryInUse, Recorder
from foxtrot_supervisor.recording.ring_session import Compress
from foxtrot_supervisor.system.priority import NICENESS_MAX, step_back, step_forward

__all__ = ["HURRIED_LEVEL", "NEEDS_EXTRA", "SLOW_WRITE_S", "run"]

NEEDS_EXTRA: Final = "record = \"raw\" needs zstandard: pip install 'foxtrot-supervisor[record]'"

HURRIED_LEVEL: Final = -5
"""Level of zstandard while a ring fills up: 1.6 times as fast as level 1, and files 1.6 to 1.9 times as large."""

SLOW_WRITE_S: Final = 2.0
"""A write that takes so many seconds is a problem that the status shows."""

_STOP_MARGIN_S: Final = 0.2
"""Seconds of the stop's grace that are left for the end of the process."""


async def run(context: ChildContext) -> int:
    """Record until stopped; then what is left in the rings."""
    settings = decode_settings(context.spec.settings, RecorderSettings)
    loop = asyncio.get_running_loop()
    stopping, leaving = threading.Event(), asyncio.Event()
    deadline = float("inf")

    def on_command(command: ToChild) -> None:
        nonlocal deadline
        if isinstance(command, Stop):
            deadline = min(deadline, time.monotonic() + max(0.0, command.grace_s - _STOP_MARGIN_S))
            stopping.set()
            leaving.set()

    context.on_command(on_command)
    compress = compressor(settings.level)
    if compress is None:
        return _unusable(context, NEEDS_EXTRA, ChildExit.CONFIGURATION)
    _allow_files()
    frames = os.path.join(context.spec.run_dir, FRAMES_DIRECTORY)
    try:
        recorder = Recorder(settings, frames, compress, _LoopLog(loop, context))
    except DirectoryInUse as refusal:
        return _unusable(context, str(refusal), ChildExit.CONNECTION_LOST)
    except OSError as error:
        reason = f"cannot record into {settings.directory}: {error.strerror or error}"
        return _unusable(context, reason, ChildExit.CONNECTION_LOST)
    context.heartbeat_from(lambda heartbeat: _filled(heartbeat, recorder))
    context.ready({"directory": settings.directory})
    giving_way = asyncio.create_task(_give_way(leaving), name="priority")
    try:
        complete = await asyncio.to_thread(recorder.run, stopping, lambda: deadline)
    finally:
        giving_way.cancel()
    if not complete:
        context.log.error("recording_unfinished", reason=recorder.problem or "the time for the stop was too short")
    return ChildExit.CLEAN


async def _give_way(leaving: asyncio.Event) -> None:
    """Let the feed go first: without an idle processor frames are lost, and announced.

    When the recorder is stopped, the feed has ended, and what is left must be written before a deadline.
    """
    own = os.getpriority(os.PRIO_PROCESS, 0)
    stepping_back = asyncio.create_task(step_back(NICENESS_MAX), name="step-back")
    await leaving.wait()
    stepping_back.cancel()
    await step_forward(own)


def compressor(level: int) -> Compress | None:
    """Return what makes one zstandard frame with a checksum of a buffer; None if the library is missing.

    `level`: of zstandard; in a hurry `HURRIED_LEVEL`, unless that is the slower one.
    """
    try:
        zstandard = importlib.import_module("zstandard")
    except ModuleNotFoundError as error:
        if error.name != "zstandard":
            raise
        return None
    usual, hurried = (
        zstandard.ZstdCompressor(level=each, write_checksum=True) for each in (level, min(level, HURRIED_LEVEL))
    )

    def compress(plain: memoryview, in_a_hurry: bool) -> bytes:
        packed: bytes = (hurried if in_a_hurry else usual).compress(plain)
        return packed

    return compress


def _unusable(context: ChildContext, reason: str, code: int) -> int:
    context.log.error("recorder_unusable", reason=reason)
    context.failed(reason)
    return code


def _filled(heartbeat: Heartbeat, recorder: Recorder) -> Heartbeat:
    problem, since = recorder.problem, recorder.writing_since
    if not problem and since is not None and time.monotonic() - since >= SLOW_WRITE_S:
        problem = f"the disk has not taken a write for {time.monotonic() - since:.0f} s"
    return msgspec.structs.replace(heartbeat, counts=recorder.counts(), problem=problem)


def _allow_files() -> None:
    """Allow as many descriptors as the kernel lets this process have: one for each ring."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _LoopLog:
    """The child's log, for another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, context: ChildContext) -> None:
        self._loop = loop
        self._log = context.log

    def info(self, event: str, /, **fields: Any) -> None:
        self._soon(functools.partial(self._log.info, event, **fields))

    def warning(self, event: str, /, **fields: Any) -> None:
        self._soon(functools.partial(self._log.warning, event, **fields))

    def error(self, event: str, /, **fields: Any) -> None:
        self._soon(functools.partial(self._log.error, event, **fields))

    def _soon(self, call: Callable[[], Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(call)
