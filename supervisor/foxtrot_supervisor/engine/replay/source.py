"""The recording as a source of an EventEngine: read on the dispatch thread, at a pace."""

from __future__ import annotations

import math
import os
import threading
import time

from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.replay.player import Player

__all__ = ["ReplaySource"]

STEPS_PER_TURN = 256
"""Steps between two looks of the dispatch thread at what else there is."""


class ReplaySource:
    """Plays a recording (`bus.event.EventSource`).

    Goes on only when the queue is empty: what handlers have put is handled before the next recorded step, so the order
    of all calls is that of the recording, however fast the machine is.

    `speed`: recorded seconds for each second; None: as fast as handlers take it.
    """

    def __init__(self, engine: EventEngine, player: Player, speed: float | None) -> None:
        self._engine = engine
        self._player = player
        self._speed = speed
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._began: tuple[float, int] | None = None
        self._due = 0.0
        self._over = False
        self._stopping = False
        self.early = None
        """Nothing announces it."""
        self.ended = threading.Event()
        """Everything was handled, or `stop` was requested, or reading failed."""
        self.failure: BaseException | None = None
        """Why reading failed."""

    # ---- from any thread

    def stop(self) -> None:
        """End the replay after the event that is being handled."""
        self._stopping = True
        self._engine.wake()

    def close(self) -> None:
        """Close the descriptor; only after the source is detached."""
        os.close(self._wake_fd)

    # ---- on the dispatch thread

    def fileno(self) -> int:
        return self._wake_fd

    def due(self) -> float:
        return self._due

    def is_waiting(self) -> bool:
        return False

    def pump(self) -> bool:
        if self.ended.is_set():
            return False
        for _ in range(STEPS_PER_TURN):
            if self._stopping:
                self._end()
                return False
            if self._engine.queue_depth():
                return True
            if self._over:
                self._end()
                return False
            if not self._step():
                return self._over
        return True

    def finish(self, deadline: float) -> None:
        """Do nothing: what is not played when the engine stops, is not played."""

    def _step(self) -> bool:
        """Do the next thing; False if it is not due yet, or there is none."""
        try:
            if self._speed is not None and not self._is_due(self._speed):
                return False
            self._over = not self._player.advance()
        except BaseException as error:  # of any kind: it must reach the caller of the replay, not end this thread
            self.failure = error
            self._over = True
        return not self._over

    def _is_due(self, speed: float) -> bool:
        at_ns, now = self._player.next_ns, time.monotonic()
        if not at_ns:
            return True
        if self._began is None:
            self._began = (now, at_ns)
        began, first_ns = self._began
        self._due = began + (at_ns - first_ns) / 1e9 / speed
        return now >= self._due

    def _end(self) -> None:
        self._due = math.inf
        self.ended.set()
