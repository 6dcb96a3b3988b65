"""Runs a replay: a recording through an EventEngine, until its end, or a request to stop."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from msgspec import Struct

from foxtrot_protocol.child import ChildLog
from foxtrot_protocol.codec import Numbers
from foxtrot_protocol.recorded_steps import RecordedSteps, RecordingCounts
from foxtrot_protocol.spec import BookUpdates, EngineSettings
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.folds.folds import MarketFolds
from foxtrot_supervisor.engine.folds.ticks import TickRule
from foxtrot_supervisor.engine.replay.audience import Audience
from foxtrot_supervisor.engine.replay.clock import RecordedClock
from foxtrot_supervisor.engine.replay.lanes import ReplayLanes
from foxtrot_supervisor.engine.replay.player import Period, Player
from foxtrot_supervisor.engine.replay.report import ReplayedHandler, ReplayedWorker, ReplayEnd, ReplayReport
from foxtrot_supervisor.engine.replay.source import ReplaySource

__all__ = ["PROGRESS_S", "STOP_S", "ReplayOptions", "replay"]

PROGRESS_S = 0.1
"""Interval at which progress is reported, in seconds."""

STOP_S = 30.0
"""Time for the handler that is running to return when a replay is stopped, in seconds."""

CAUSE_CHARS_MAX = 2_000


class ReplayOptions(Struct, frozen=True, kw_only=True):
    """How a recording is replayed. The engine's part as in ``[engine]`` of the configuration."""

    numbers: Numbers = "float"
    ticks: TickRule | None = "change"
    tick_interval_s: float = 0.5
    bars_from_trades: tuple[str, ...] = ()
    book_updates: BookUpdates = "snapshot"
    speed: float | None = None
    """Recorded seconds for each second; None: as fast as handlers take it."""
    period: Period = Period()

    @classmethod
    def of(cls, settings: EngineSettings, speed: float | None, period: Period) -> ReplayOptions:
        """Return the options with the engine's part from `settings`."""
        return cls(
            numbers=settings.numbers,
            ticks=None if settings.ticks == "off" else settings.ticks,
            tick_interval_s=settings.tick_interval_s,
            bars_from_trades=tuple(settings.bars_from_trades),
            book_updates=settings.book_updates,
            speed=speed,
            period=period,
        )


def replay(
    engine: EventEngine,
    steps: RecordedSteps,
    options: ReplayOptions | None = None,
    *,
    on_progress: Callable[[RecordingCounts, int], None] | None = None,
    log: ChildLog | None = None,
) -> ReplayReport:
    """Give the recording `steps` to the handlers of `engine`, and return when all was handled.

    Handlers are called on the engine's dispatch thread. Ctrl-C (KeyboardInterrupt in the calling thread) ends the
    replay after the handler that is running; the report says so. A failure to read, and an exception of a parser, end
    it too: `ReplayReport.end` is then ``failed``. An engine that runs already is left running.

    Args:
        engine: its timer events come by recorded time until this returns.
        steps: of the recording.
        options: None: the defaults.
        on_progress: called every `PROGRESS_S` seconds, on the calling thread, with what was read and the number of
            events handled.
        log: receives what is wrong with batches and streams.
    """
    run = _Run(engine, steps, options or ReplayOptions(), log or structlog.get_logger("foxtrot.replay"))
    return run.to_the_end(on_progress)


class _Run:
    def __init__(self, engine: EventEngine, steps: RecordedSteps, options: ReplayOptions, log: ChildLog) -> None:
        self._engine = engine
        self._steps = steps
        clock = self._clock = RecordedClock()
        audience = self._audience = Audience(engine, is_open=options.period.begin_ns is None)
        lanes = self._lanes = ReplayLanes(engine, audience, clock, options.numbers, options.book_updates, log)
        self._player = Player(engine, steps, lanes, audience, clock, options.period)
        self._source = ReplaySource(engine, self._player, options.speed)
        self._folds = MarketFolds(
            engine,
            ticks=options.ticks,
            tick_interval_s=options.tick_interval_s,
            intervals=options.bars_from_trades,
            origin=lambda: lanes.applier.origin,
            now_ns=clock.now_ns,
        )

    def to_the_end(self, on_progress: Callable[[RecordingCounts, int], None] | None) -> ReplayReport:
        engine, source = self._engine, self._source
        began = time.monotonic()
        interrupted = False
        own_timer, engine.own_timer = engine.own_timer, False
        running = engine.is_active()
        try:
            try:
                engine.attach(source)
                engine.start()
                while not source.ended.wait(PROGRESS_S):
                    if on_progress is not None:
                        on_progress(self._steps.counts, self._lanes.applier.events_total)
                    if not engine.is_dispatching():
                        break
            except KeyboardInterrupt:
                interrupted = True
                source.stop()
                source.ended.wait(STOP_S)
            wall_s = time.monotonic() - began
            report = self._report(wall_s, interrupted=interrupted)
        finally:
            source.stop()
            if engine.detach(source, STOP_S):
                source.close()
            if not running:
                engine.stop(STOP_S)
            engine.own_timer = own_timer
            self._folds.close()
        return report

    def _report(self, wall_s: float, *, interrupted: bool) -> ReplayReport:
        counts, folds, engine = self._steps.counts, self._folds.figures(), self._engine
        failure = self._source.failure
        end: ReplayEnd = "period" if self._player.ended_early else "complete"
        cause = ""
        if failure is not None:
            end, cause = "failed", (str(failure) or repr(failure))[:CAUSE_CHARS_MAX]
        elif interrupted:
            end, cause = "interrupted", "Ctrl-C"
        elif not self._source.ended.is_set():
            end, cause = "interrupted", "the EventEngine was stopped"
        elif not self._audience.is_open:
            cause = "the recording ends before the period begins"
        if not self._audience.is_open:
            self._lanes.begin()  # what was read was for no handler
        workers = {
            name: ReplayedWorker(
                source.applied_total, source.deduplicated_total, source.superseded_total, source.gaps_total
            )
            for name, source in sorted(self._lanes.sources.workers.items())
        }
        return ReplayReport(
            end=end,
            cause=cause,
            begin_ns=counts.begin_ns,
            end_ns=self._clock.at_ns,
            wall_s=wall_s,
            handlers_s=self._audience.busy_ns / 1e9,
            events_total=self._lanes.applier.events_total,
            gaps_total=sum(worker.gaps for worker in workers.values()),
            ticks_total=folds.ticks_total,
            bars_total=folds.bars_total,
            timers_total=self._player.timers_total,
            frames_total=counts.frames_total,
            answers_total=counts.answers_total,
            rejected_total=counts.rejected_total,
            rejected=list(counts.rejected),
            dropped_total=engine.dropped_total,
            handler_errors_total=engine.handler_errors_total,
            workers=workers,
            handlers=[
                ReplayedHandler(
                    info.type, info.handler, info.calls, info.errors,
                    info.p50_us, info.p99_us, info.max_us, info.suspended,
                )
                for info in engine.handlers()
                if "market-folds" not in info.owners
            ],
        )  # fmt: skip
