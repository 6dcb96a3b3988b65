"""The command `replay` with handlers: a recording through an EventEngine, and the report of it."""

from __future__ import annotations

import sys
from typing import Literal

import click
import msgspec
from msgspec import Struct

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_protocol.recorded_steps import RecordingCounts, UnreadableRecording
from foxtrot_protocol.spec import EngineSettings
from foxtrot_supervisor.cli.common import interruptible, working_directory
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import emit
from foxtrot_supervisor.cli.progress import progress
from foxtrot_supervisor.config.check import default_config
from foxtrot_supervisor.config.load import load_config
from foxtrot_supervisor.config.schema import EngineConfig
from foxtrot_supervisor.config.values import handler_reason
from foxtrot_supervisor.core.targets import Targets, engine_settings
from foxtrot_supervisor.embedding.application_log import ApplicationLog
from foxtrot_supervisor.embedding.replaying import open_recordings, replay_into, time_ns
from foxtrot_supervisor.engine.process import HandlerProblem, make_engine
from foxtrot_supervisor.engine.replay.player import Period
from foxtrot_supervisor.engine.replay.report import ReplayReport
from foxtrot_supervisor.engine.replay.report_text import report_text

__all__ = ["HandlerReplay", "period_of", "replay_to_handlers"]


_MIB = 1024 * 1024


class HandlerReplay(Struct, frozen=True, kw_only=True):
    """What was asked for; empty or None: as the configuration says."""

    recordings: list[str]
    exchange: str | None
    handlers: list[str]
    config_path: str | None
    ticks: Literal["off", "change", "trade", "interval"] | None
    bars: list[str]
    numbers: Literal["float", "decimal", "text"] | None
    speed: float | None
    period: Period


def period_of(begin: str | None, end: str | None) -> Period:
    """Return the period between two times as text; raises `click.BadParameter`."""
    times = []
    for name, text in (("--from", begin), ("--until", end)):
        try:
            times.append(None if text is None else time_ns(text))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=name) from None
    if times[0] is not None and times[1] is not None and times[0] > times[1]:
        raise click.UsageError("--from is after --until")
    return Period(*times)


def replay_to_handlers(asked: HandlerReplay, *, quiet: bool, as_json: bool) -> None:
    """Replay, and print the report; raises `Failure` if the recording could not be replayed to its end."""
    settings = _settings(asked)
    try:
        steps = open_recordings(asked.recordings, asked.exchange, Targets())
    except UnreadableRecording as error:
        raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
    except (ValueError, ImportError) as error:
        raise click.UsageError(str(error)) from None
    if settings.import_path and settings.import_path not in sys.path:
        sys.path.append(settings.import_path)
    log = ApplicationLog("info")
    engine = make_engine(settings, log)
    engine.own_watch = True  # no host looks for slow handlers here
    interruptible()
    try:
        with progress("replay", "MiB", quiet=quiet) as tell:

            def on_progress(counts: RecordingCounts, events: int) -> None:
                # a total of less than a unit is none
                tell(done=counts.bytes_done // _MIB, total=max(1, counts.bytes_total // _MIB))

            report = replay_into(
                engine, steps, settings, log, speed=asked.speed, period=asked.period, on_progress=on_progress
            )
    except HandlerProblem as problem:
        raise Failure(str(problem), SupervisorExit.CONFIGURATION) from None
    if as_json:
        emit({**msgspec.to_builtins(report), "events_per_s": report.events_per_s})
    else:
        click.echo(report_text(report))
    _end(report)


def _settings(asked: HandlerReplay) -> EngineSettings:
    config = default_config() if asked.config_path is None else load_config(asked.config_path, without_symbols=True)
    engine: EngineConfig = config.engine
    changes = {
        "handlers": asked.handlers,
        "ticks": asked.ticks,
        "bars_from_trades": asked.bars,
        "numbers": asked.numbers,
    }
    engine = msgspec.structs.replace(engine, **{key: value for key, value in changes.items() if value})
    for handler in engine.handlers:
        reason = handler_reason(handler)
        if reason is not None:
            raise click.UsageError(f"--handlers {handler}: {reason}")
    if not engine.handlers:
        raise click.UsageError(f"{asked.config_path} names no handlers in [engine]: use --handlers module:function")
    return engine_settings(engine, "", working_directory())


def _end(report: ReplayReport) -> None:
    if report.end == "failed":
        raise Failure(f"the replay ended early: {report.cause}", SupervisorExit.INTERNAL_ERROR)
    if report.end == "interrupted":
        say(f"interrupted: {report.cause}; the report covers what was replayed")
