"""What the child of an application runs: a supervisor whose engine is that application.

It is tied to its parent by two descriptors, since the kernel's parent-death signal follows the *thread* that started
a child (a notebook's or a web server's threads come and go): a pidfd of the parent, opened before it is checked that it
still is the parent, tells its death, whatever it died of; a pipe whose other end is the application's alone tells also
when it becomes another program. Either way everything that was started is SIGKILLed at once and the run directory
emptied.
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
from foxtrot_supervisor.runtime.logs import Logs
from foxtrot_supervisor.runtime.main import loop_factory, supervise
from foxtrot_supervisor.runtime.preflight import CannotStart, check_room
from foxtrot_supervisor.runtime.run_dir import RunDir
from foxtrot_supervisor.runtime.runner import Application, Runner
from foxtrot_supervisor.system.signal_state import reset_signals

__all__ = ["NEWS_S", "main"]

NEWS_S = 5.0
"""How long news may wait for an application that does not read; then it is given up."""

LAST_LINES_S = 0.5
"""How long the last lines may take to be written."""

LIFELINE = 0
"""Standard input is the pipe of which the application has the other end."""

_PR_SET_NAME = 15


def main(path: str) -> NoReturn:
    """Supervise what the order in the run directory `path` says; exits the process with a `SupervisorExit`."""
    standard_streams.open_missing()
    standard_streams.drain("stdout")
    standard_streams.drain("stderr")
    reset_signals()  # what the application blocks and ignores is its own business
    ctypes.CDLL(None).prctl(_PR_SET_NAME, b"fx:supervisor", 0, 0, 0)
    try:
        code = _run(path, _read_order(path))
    finally:
        standard_streams.flush(LAST_LINES_S)
    sys.exit(code)


def _run(path: str, order: StartOrder) -> int:
    run_dir = RunDir.inherit(path, order.directory, order.lock, order.run_id)
    os.set_inheritable(order.news, False)
    pidfd = _hold(order.application_pid)
    if pidfd is None:
        run_dir.release()
        return ChildExit.ORPHANED
    failure, gone = "", False
    outcome: dict[str, object] = {}
    try:
        check_room(len(order.config.connections), raise_limit=True)
        code, outcome, gone = _supervise(run_dir, order, pidfd)
    except CannotStart as error:
        code, failure = int(SupervisorExit.START_FAILED), str(error)
    if gone or select.select([pidfd], [], [], 0)[0]:
        run_dir.release()
    else:
        run_dir.leave()
        _tell(order.news, Ended(code, outcome, failure))
    return code


def _supervise(run_dir: RunDir, order: StartOrder, pidfd: int) -> tuple[int, dict[str, object], bool]:
    """Exit code, outcome, and whether the application is gone."""
    loop_factory()().close()  # libuv makes a pipe for signals with its first loop, and keeps it
    baseline = take_baseline()

    def tell(level: str, event: str, fields: dict[str, str]) -> None:
        runner.tell_application(level, event, fields)

    runner = Runner(
        order.config,
        run_dir=run_dir,
        import_path="",  # of an engine process, which there is none
        log_level=order.log_level,
        log_format="link",
        targets=order.targets,
        logs=Logs(order.log_level, "link", tell),
        read_config=lambda: _read_config(run_dir.path),
        application=Application(
            pid=order.application_pid,
            pidfd=pidfd,
            lifeline=LIFELINE,
            call=lambda incarnation: _tell(order.news, Call(incarnation)),
            alive=lambda: _tell_if_there_is_room(order.news, Alive()),
            incarnations_before=order.incarnations_before,
        ),
        on_serving=lambda: _tell(order.news, Serving(os.getpid())),
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


def _read_config(path: str) -> FoxtrotConfig:
    try:
        return _read_order(path).config
    except (OSError, MalformedMessage) as error:
        raise ConfigInvalid(ORDER_NAME, [Problem("", str(error))]) from None


def _hold(pid: int) -> int | None:
    """A descriptor of our parent `pid`; None if that is our parent no more."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # only now: a process that is our parent after the descriptor was opened was so before
    if os.getppid() != pid:
        os.close(pidfd)
        return None
    return pidfd


def _tell_if_there_is_room(descriptor: int, news: News) -> None:
    """An application that does not read must not hold up its supervisor; so short a line is written whole or not."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(OSError):
        os.write(descriptor, encode_news(news))


def _tell(descriptor: int, news: News) -> None:
    """Write a line; given up, with the application, if that does not read within `NEWS_S`."""
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
            return  # its end is closed: the application is gone, which is seen elsewhere
