"""One thing after the other in recorded time: steps of the recording, timer events, ends of waits."""

from __future__ import annotations

from msgspec import Struct

from foxtrot_protocol.events import EVENT_TIMER
from foxtrot_protocol.recorded_steps import RecordedStep, RecordedSteps
from foxtrot_supervisor.engine.bus.event_engine import Event, EventEngine
from foxtrot_supervisor.engine.replay.audience import Audience
from foxtrot_supervisor.engine.replay.clock import RecordedClock
from foxtrot_supervisor.engine.replay.lanes import ReplayLanes

__all__ = ["Period", "Player"]


class Period(Struct, frozen=True):
    """Part of a recording: handlers get what was received from `begin_ns` to `end_ns`, ns since 1970; None: open."""

    begin_ns: int | None = None
    end_ns: int | None = None


class Player:
    """Carries out the steps of a recording, and timer events at the interval of `engine`.

    What precedes the period is parsed and merged, without handlers: afterwards they get the books as they are. Timer
    events are made while there is an open lane with a known time.
    """

    def __init__(
        self,
        engine: EventEngine,
        steps: RecordedSteps,
        lanes: ReplayLanes,
        audience: Audience,
        clock: RecordedClock,
        period: Period,
    ) -> None:
        self._engine = engine
        self._steps = steps
        self._lanes = lanes
        self._audience = audience
        self._clock = clock
        self._period = period
        self._interval_ns = max(1, int(engine.interval * 1e9))
        self._timer_ns: int | None = None
        self._next: RecordedStep | None = None
        self._read = False
        self.timers_total = 0
        self.ended_early = False
        """Whether the recording goes on after the period."""

    @property
    def next_ns(self) -> int | None:
        """Recorded time of what `advance` does next; None at the end. Reads the next step if needed."""
        if not self._read:
            self._read = True
            step = next(self._steps, None)
            end_ns = self._period.end_ns
            if step is not None and end_ns is not None and step.at_ns > end_ns:
                step, self.ended_early = None, True
            self._next = step
        step, due_ns = self._next, self._due_ns()
        if step is None:
            return due_ns if self._lanes.due_ns is not None else None
        return step.at_ns if due_ns is None else min(step.at_ns, due_ns)

    def advance(self) -> bool:
        """Do the next thing; False at the end."""
        at_ns = self.next_ns
        if at_ns is None:
            return False
        begin_ns = self._period.begin_ns
        if not self._audience.is_open and begin_ns is not None and at_ns >= begin_ns:
            self._clock.advance(begin_ns)
            self._open()
            return True
        self._clock.advance(at_ns)
        waited_ns = self._lanes.due_ns
        if waited_ns is not None and at_ns >= waited_ns:
            self._lanes.wake_due()
        elif self._timer_ns is not None and at_ns >= self._timer_ns:
            self._timer_ns += self._interval_ns
            self.timers_total += 1
            self._engine.dispatch(Event(EVENT_TIMER))
        else:
            step, self._read = self._next, False
            assert step is not None
            self._lanes.take(step)
            self._keep_timer()
        return True

    def _due_ns(self) -> int | None:
        waited_ns, timer_ns = self._lanes.due_ns, self._timer_ns
        if waited_ns is None or timer_ns is None:
            return timer_ns if waited_ns is None else waited_ns
        return min(waited_ns, timer_ns)

    def _open(self) -> None:
        self._audience.open(self._clock.at_ns)
        self._lanes.begin()
        self._keep_timer()

    def _keep_timer(self) -> None:
        """Let the timer run while handlers listen, a worker lives, and the time is known."""
        if not (self._audience.is_open and self._lanes.any_open and self._clock.at_ns):
            self._timer_ns = None
        elif self._timer_ns is None:
            self._timer_ns = self._clock.at_ns + self._interval_ns
