"""Main program of an application's child process: a supervisor whose engine is that application.

The kernel's parent-death signal follows the *thread* that started a child, and the threads of a notebook or web server
come and go. Two descriptors replace it. A pidfd of the parent becomes readable at its death for any reason; it is
opened first, and then the parent is compared. A pipe whose other end only the application has is closed also when the
application executes another program. In both cases all children are SIGKILLed at once and the run directory is emptied.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import select
import sys
import time
from pathlib import Path
from typing import NoReturn

from foxtrot_protocol import standard_streams
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.exit_codes import ChildExit, SupervisorExit
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements, settled, with_shards
from foxtrot_supervisor.core.shutdown import exit_code_after_audit
from foxtrot_supervisor.embedding.wire import (
    ORDER_NAME,
    Alive,
    Call,
    Ended,
    News,
    Serving,
    StartOrder,
    decode_order,
    encode_news,
)
from foxtrot_supervisor.runtime.audit import audit, take_baseline
from foxtrot_supervisor.runtime.kept_shards import KeptShards
from foxtrot_supervisor.runtime.logs import Logs
from foxtrot_supervisor.runtime.main import supervise
from foxtrot_supervisor.runtime.preflight import CannotStart, check_room
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.runtime.runner import Application, Runner
from foxtrot_supervisor.system.event_loop import loop_factory
from foxtrot_supervisor.system.signal_state import reset_signals

__all__ = ["NEWS_S", "main"]

NEWS_S = 5.0
"""Time to wait for an application that does not read its news; then the message is dropped."""

LAST_LINES_S = 0.5
"""Time to write the last lines of the log."""

LIFELINE = 0
"""Descriptor of the pipe whose other end the application has: standard input."""

_PR_SET_NAME = 15


def main(path: str) -> NoReturn:
    """Run a supervisor by the order in the run directory `path`; exits the process with a `SupervisorExit`."""
    standard_streams.open_missing()
    standard_streams.drain("stdout")
    standard_streams.drain("stderr")
    reset_signals()  # the application may block and ignore signals
    ctypes.CDLL(None).prctl(_PR_SET_NAME, b"fx:supervisor", 0, 0, 0)
    try:
        code = _run(path, _read_order(path))
    finally:
        standard_streams.flush(LAST_LINES_S)
    sys.exit(code)


def _run(path: str, order: StartOrder) -> int:
    run_dir = RunDir.inherit(path, order.directory, order.lock, order.run_id)
    os.set_inheritable(order.news, False)
    pidfd = _open_parent(order.application_pid)
    if pidfd is None:
        run_dir.release()
        return ChildExit.ORPHANED
    failure, is_orphaned = "", False
    outcome: dict[str, object] = {}
    try:
        check_room(len(_config(order, {}).connections), raise_limit=True)
        code, outcome, is_orphaned = _supervise(run_dir, order, pidfd)
    except CannotStart as error:
        code, failure = int(SupervisorExit.START_FAILED), str(error)
    if is_orphaned or select.select([pidfd], [], [], 0)[0]:
        run_dir.release()
    else:
        run_dir.leave()
        _send(order.news, Ended(code, outcome, failure))
    return code


def _supervise(run_dir: RunDir, order: StartOrder, pidfd: int) -> tuple[int, dict[str, object], bool]:
    """Run the supervisor; return exit code, outcome, and whether the application has died."""
    loop_factory()().close()  # libuv opens a pipe for signals with its first loop and keeps it: before the baseline
    baseline = take_baseline()

    def forward_log(level: str, event: str, fields: dict[str, str]) -> None:
        runner.tell_application(level, event, fields)

    logs = Logs(order.log_level, "link", forward_log)
    shards = KeptShards(run_dir.path, logs.log)
    runner = Runner(
        _config(order, shards.read()),
        run_dir=run_dir,
        import_path="",  # for an engine process, which does not exist here
        log_level=order.log_level,
        log_format="link",
        targets=order.targets,
        logs=logs,
        read_config=lambda _: _read_config(run_dir.path, shards.read()),
        application=Application(
            pid=order.application_pid,
            pidfd=pidfd,
            lifeline=LIFELINE,
            call=lambda incarnation: _send(order.news, Call(incarnation)),
            alive=lambda: _send_if_room(order.news, Alive()),
            incarnations_before=order.incarnations_before,
        ),
        on_serving=lambda: _send(order.news, Serving(os.getpid())),
    )
    with asyncio.Runner(loop_factory=loop_factory()) as loop_runner:
        code = loop_runner.run(supervise(runner))
    last = audit(baseline, children=(), files=())
    code = exit_code_after_audit(code, leftover=last.leftover, unhandled=False)
    outcome = dict(runner.outcome() or {})
    if last.leftover:
        outcome["left_behind"] = last.as_dict()
    return code, outcome, runner.application_gone


def _read_order(path: str) -> StartOrder:
    return decode_order((Path(path) / ORDER_NAME).read_bytes())


def _config(order: StartOrder, kept: Placements) -> FoxtrotConfig:
    """Return the configuration of an order; `kept`: the shards of sharded connections where these have changed."""
    shards = {name: settled(kept.get(name, shards)) for name, shards in order.shards.items()}
    return with_shards(order.config, shards)


def _read_config(path: str, kept: Placements) -> FoxtrotConfig:
    try:
        return _config(_read_order(path), kept)
    except (OSError, MalformedMessage) as error:
        raise ConfigInvalid(ORDER_NAME, [Problem("", str(error))]) from None


def _open_parent(pid: int) -> int | None:
    """Return a pidfd of the parent `pid`; None if it is no longer the parent."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # checked after opening: a process that is the parent now was the parent when its descriptor was opened
    if os.getppid() != pid:
        os.close(pidfd)
        return None
    return pidfd


def _send_if_room(descriptor: int, news: News) -> None:
    """Send a short message without blocking; it is written as a whole or not at all."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(OSError):
        os.write(descriptor, encode_news(news))


def _send(descriptor: int, news: News) -> None:
    """Send a message, waiting up to `NEWS_S` for an application that does not read; then it is dropped."""
    data = encode_news(news)
    deadline = time.monotonic() + NEWS_S
    os.set_blocking(descriptor, False)
    while data:
        _, writable, _ = select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))
        if not writable:
            return
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            continue
        except OSError:
            return  # the application has died, which the pidfd reports
