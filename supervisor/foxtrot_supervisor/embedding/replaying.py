"""Replay of recordings into the handlers of a program, or of the command line."""

from __future__ import annotations

import datetime
import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from foxtrot_protocol.recorded_steps import RecordedSteps, RecordingCounts
from foxtrot_protocol.spec import EngineSettings
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.embedding.application_log import ApplicationLog
from foxtrot_supervisor.embedding.bounded_call import call_within
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.process import load_handlers
from foxtrot_supervisor.engine.replay.player import Period
from foxtrot_supervisor.engine.replay.report import ReplayReport
from foxtrot_supervisor.engine.replay.run import ReplayOptions, replay

__all__ = ["CLOSE_S", "RecordedTime", "open_recordings", "period_between", "replay_into", "time_ns"]

CLOSE_S = 10.0
"""Time for the objects that handlers returned to close, in seconds."""

RecordedTime = int | str | datetime.datetime
"""Nanoseconds since 1970, an ISO time, or a `datetime`; UTC where it names no zone."""


def time_ns(at: RecordedTime) -> int:
    """Return `at` in nanoseconds since 1970; raises ValueError."""
    if isinstance(at, int):
        return at
    if isinstance(at, str):
        if at.isascii() and at.isdigit():
            return int(at)
        try:
            at = datetime.datetime.fromisoformat(at)
        except ValueError:
            raise ValueError(f"{at!r} is neither an ISO time nor nanoseconds since 1970") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    since = at - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def period_between(begin: RecordedTime | None, end: RecordedTime | None) -> Period:
    """Return the period from `begin` until `end`, None: of the recording; raises ValueError."""
    return Period(None if begin is None else time_ns(begin), None if end is None else time_ns(end))


def open_recordings(recordings: Sequence[Any], exchange: str | None, targets: Targets) -> RecordedSteps:
    """Open recordings; raises `UnreadableRecording`, ValueError for an unknown exchange, ImportError."""
    module, _, name = targets.recordings.partition(":")
    steps: RecordedSteps = getattr(importlib.import_module(module), name)(recordings, exchange)
    return steps


def replay_into(
    engine: EventEngine,
    steps: RecordedSteps,
    settings: EngineSettings,
    log: ApplicationLog,
    *,
    speed: float | None,
    period: Period,
    on_progress: Callable[[RecordingCounts, int], None] | None = None,
) -> ReplayReport:
    """Set the handlers of `settings` up, and give them the recording. Raises `HandlerProblem`.

    What they returned is closed at the end, and their registrations with `engine` stay.
    """
    closers: list[Callable[[], Any]] = []
    log.to(engine)
    try:
        for handler in settings.handlers:
            closers += load_handlers(handler, engine)
        options = ReplayOptions.of(settings, speed, period)
        return replay(engine, steps, options, on_progress=on_progress, log=log)
    finally:
        log.to(None)
        deadline = time.monotonic() + CLOSE_S
        for close in closers:
            outcome = call_within(close, max(0.1, deadline - time.monotonic()), "foxtrot-close")
            if not outcome.finished:
                log.error("handler_close_timeout", handler=repr(close))
            elif outcome.error is not None:
                log.error("handler_close_failed", handler=repr(close), reason=repr(outcome.error))
