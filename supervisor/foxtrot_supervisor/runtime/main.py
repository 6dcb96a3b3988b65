"""Entry point of a supervisor process: run directory, signals, event loop, final audit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from foxtrot_protocol import standard_streams
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.config.schema import FoxtrotConfig, LogFormat
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.core.shutdown import exit_code_after_audit
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime.audit import Baseline, audit, take_baseline
from foxtrot_supervisor.runtime.logs import Logs
from foxtrot_supervisor.runtime.preflight import CannotStart, check_room
from foxtrot_supervisor.runtime.processes.syscalls import start_ticks_of_this_process
from foxtrot_supervisor.runtime.run_dir import AlreadyRunning, RunDir, RunDirRefused, default_path
from foxtrot_supervisor.runtime.runner import Runner
from foxtrot_supervisor.runtime.signals import HeldSignals, SignalInputs
from foxtrot_supervisor.runtime.systemd import Systemd
from foxtrot_supervisor.system.event_loop import loop_factory
from foxtrot_supervisor.system.interpreter import InterpreterMissing, find_interpreter
from foxtrot_supervisor.system.signal_state import reset_signals

__all__ = ["LAST_LINES_S", "run_supervisor", "supervise"]

LAST_LINES_S = 0.5
"""Limit in seconds for writing the last log lines of a run."""


def run_supervisor(
    config: FoxtrotConfig,
    *,
    run_dir_path: str | None,
    import_path: str,
    log_level: str = "info",
    log_format: LogFormat = "console",
    duration_s: float | None = None,
    on_snapshot: Callable[[dict[str, Any]], float | None] | None = None,
    snapshot_s: float = 0.5,
    targets: Targets | None = None,
    config_path: str = "",
    read_config: Callable[[Placements], FoxtrotConfig] | None = None,
) -> int:
    """Supervise `config` until SIGINT, SIGTERM, a `stop` request or `duration_s`. Call it in the main thread.

    Args:
        config: the checked configuration.
        run_dir_path: run directory; None: the one that the configuration names, else the default one.
        import_path: search path of the user's handlers.
        log_level: debug, info, warning or error.
        log_format: console, json or link.
        duration_s: seconds after which the run is stopped; None: no limit.
        on_snapshot: is called with ``status`` and the last log lines every `snapshot_s` seconds; it may return the
            seconds until its next call, if these are more.
        targets: replaces what children run (tests).
        config_path: absolute path of the configuration file, "" without one.
        read_config: reads that file again for a reload, or raises `ConfigInvalid`; symbols stay where they
            are (`Placements`).

    Returns:
        The exit code, a `SupervisorExit`. The reason why a run cannot start is written to stderr.
    """
    standard_streams.open_missing()
    standard_streams.drain("stdout")
    standard_streams.drain("stderr")
    try:
        find_interpreter()
        check_room(_least_children(config), raise_limit=True)
    except (InterpreterMissing, CannotStart) as error:
        sys.stderr.write(f"foxtrot-supervisor: {error}\n")
        return SupervisorExit.START_FAILED

    def make_runner(run_dir: RunDir, logs: Logs) -> Runner:
        return Runner(
            config,
            run_dir=run_dir,
            import_path=import_path,
            log_level=log_level,
            log_format=log_format,
            duration_s=duration_s,
            on_snapshot=on_snapshot,
            snapshot_s=snapshot_s,
            targets=targets,
            logs=logs,
            systemd=Systemd(os.environ),
            read_config=read_config,
        )

    reset_signals(keep={signal.SIGHUP})  # nohup is meant
    held = HeldSignals()
    try:
        loop_factory()().close()  # libuv makes a pipe for signals with its first loop, and keeps it
        baseline = take_baseline()
        path = run_dir_path or config.supervisor.run_dir or default_path(os.environ, os.geteuid())
        try:
            run_dir = RunDir.acquire(path, start_ticks_of_this_process(), config_path)
        except AlreadyRunning as error:
            sys.stderr.write(f"foxtrot-supervisor: {error}\n")
            return SupervisorExit.ALREADY_RUNNING
        except RunDirRefused as error:
            sys.stderr.write(f"foxtrot-supervisor: {error}\n")
            return SupervisorExit.START_FAILED if error.passing else SupervisorExit.CONFIGURATION
        logs = Logs(log_level, log_format)
        code = _run_in(run_dir, lambda: make_runner(run_dir, logs), held)
        return _audited(code, baseline, logs)
    finally:
        held.restore()


def _run_in(run_dir: RunDir, make_runner: Callable[[], Runner], held: HeldSignals) -> int:
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as loop_runner:
            return loop_runner.run(supervise(make_runner(), held))
    except CannotStart as error:
        sys.stderr.write(f"foxtrot-supervisor: {error}\n")
        return SupervisorExit.START_FAILED
    finally:
        run_dir.release()


def _audited(code: int, baseline: Baseline, logs: Logs) -> int:
    """Return the exit code after the audit of what this process has left behind."""
    standard_streams.flush(LAST_LINES_S)
    last = audit(baseline, children=(), files=())
    if last.leftover:
        logs.log.error("left_behind", **last.as_dict())
        standard_streams.flush(LAST_LINES_S)
    return int(exit_code_after_audit(code, leftover=last.leftover, unhandled=False))


def _least_children(config: FoxtrotConfig) -> int:
    """Return how many children a run has at least: engine, template process and workers."""
    return 2 + sum(connection.redundancy for connection in config.connections)


async def supervise(runner: Runner, held: HeldSignals | None = None) -> int:
    """Run `runner` with the operating system's signals as its inputs, beginning with those that are `held`."""
    signals = SignalInputs(asyncio.get_running_loop(), runner.on_signal, runner.on_reload_signal, held)
    try:
        return await runner.run()
    finally:
        signals.close()
