"""The control loop: takes inputs to the core, has its effects performed, wakes it at its deadlines. Keeps the clock."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from foxtrot_supervisor.core.core import Core
from foxtrot_supervisor.core.effects import Effect
from foxtrot_supervisor.core.inputs import Input, RequestRefused, Tick

__all__ = ["BROKEN", "TURN_S", "CoreLoop"]

TURN_S = 0.02
"""Seconds that effects may take of one turn of the event loop; one effect is performed at least."""

BROKEN = "an internal error has ended this run: every child is being killed"
"""Why a request is refused after an internal error: nothing may be started any more."""


class CoreLoop:
    """Inputs in, effects out. Inputs wait until `begin`; afterwards each is handled at once, in order.

    Effects keep their order, and take at most `TURN_S` of one turn of the event loop: a start of hundreds of workers
    takes seconds, and messages, deaths and stop requests do not wait for it.

    Args:
        core: decides.
        changed: is called when effects were performed and none is left: whatever depends on the state of children
            follows then. Each change of a state is an effect; a heartbeat has none.
        settled: is called after each batch of inputs.
        failed: is called with an unexpected exception of the core or of an effect; it calls `break_off`.
    """

    def __init__(
        self,
        core: Core,
        *,
        changed: Callable[[], None],
        settled: Callable[[], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._core = core
        self._on_changed = changed
        self._on_settled = settled
        self._on_failed = failed
        self._inputs: deque[Input] = deque()
        self._effects: deque[Effect] = deque()
        """Effects that have not been performed yet."""
        self._is_busy = True
        """Inputs wait: before `begin`, and while others are being handled."""
        self._continuation: asyncio.Handle | None = None
        """The turn of the event loop in which the remaining effects are performed."""
        self._has_changed = False
        """Whether effects were performed since `changed` was called."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._handled_total = 0
        self.broken = False
        """Whether the loop was broken off."""

    def begin(self, perform: Callable[[Effect], None], drain_messages: Callable[[], None]) -> None:
        """Handle the inputs that wait, and from now on each at once. To be called while the event loop runs.

        Args:
            perform: performs one effect; may put inputs.
            drain_messages: takes messages that have arrived; called before each Tick, so that a late timer does not
                take a child for silent whose heartbeats wait already.
        """
        self._loop = asyncio.get_running_loop()
        self._perform = perform
        self._drain_messages = drain_messages
        self._is_busy = False
        self._drain()

    def put(self, message: Input) -> None:
        """Have an input handled, after those that wait."""
        self._inputs.append(message)
        if not self._is_busy:
            self._drain()

    def decide(self, request: Input) -> list[Effect]:
        """Let the core decide about a request; return effects for `perform`, or raise `RequestRefused`."""
        if self.broken:
            raise RequestRefused(BROKEN)
        return self._core.handle(request, time.monotonic())

    def perform(self, effects: Sequence[Effect]) -> None:
        """Perform the effects of a request that was granted."""
        self._effects.extend(effects)
        self._has_changed = True
        self._drain()

    def turns(self) -> bool:
        """Whether the loop turns: a Tick goes all the way through the core and its effects."""
        before = self._handled_total
        self._tick()
        return self._handled_total > before

    def break_off(self) -> None:
        """Handle and perform nothing any more."""
        self.broken = True

    def close(self) -> None:
        """Cancel what is scheduled."""
        for handle in (self._timer, self._continuation):
            if handle is not None:
                handle.cancel()
        self._timer = None

    def _drain(self) -> None:
        self._is_busy = True
        try:
            self._take_all(time.monotonic() + TURN_S)
        except Exception as error:
            self._on_failed(error)
        finally:
            self._is_busy = False
        if self.broken:
            self._inputs.clear()
            self._effects.clear()
        else:
            self._rearm()
            if self._has_changed and not self._effects:
                self._has_changed = False
                self._on_changed()
        self._on_settled()

    def _take_all(self, until: float) -> None:
        while not self.broken:
            if self._effects and self._continuation is None:
                self._has_changed = True
                self._perform(self._effects.popleft())
                if self._effects and time.monotonic() >= until:
                    self._continuation = self._loop.call_soon(self._continue)
            elif self._inputs:
                self._effects.extend(self._core.handle(self._inputs.popleft(), time.monotonic()))
                self._handled_total += 1
            else:
                return

    def _continue(self) -> None:
        self._continuation = None
        self._drain()

    def _rearm(self) -> None:
        """Call `_tick` at the core's next deadline.

        A timer that fires before it stays: most deadlines move later with every heartbeat, and cancelling and setting a
        timer for each message costs more than finding, once in a while, that nothing is due yet.
        """
        deadline = self._core.next_deadline()
        if self._timer is not None:
            if deadline is not None and self._timer_at <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer_at = deadline
            self._timer = self._loop.call_later(max(0.0, deadline - time.monotonic()), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._tick()

    def _tick(self) -> None:
        self._drain_messages()
        self.put(Tick())
