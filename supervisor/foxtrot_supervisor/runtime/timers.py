"""Named timers of the supervisor's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["TIMER_S_MIN", "Timers"]

TIMER_S_MIN = 0.001
"""Shortest delay in seconds. uvloop makes no timer of a delay that it rounds to zero, and cannot say when it is due."""


class Timers:
    """Calls that are due once, by name. To be used while the event loop runs."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def call_later(self, name: str, delay_s: float, call: Callable[[], None]) -> None:
        """Call `call` once, in `delay_s` seconds. A waiting call of that name may be brought forward, never put off."""
        loop = asyncio.get_running_loop()
        delay_s = max(delay_s, TIMER_S_MIN)
        due, waiting = loop.time() + delay_s, self._waiting.get(name)
        if waiting is not None:
            if waiting.when() <= due:
                return
            waiting.cancel()
        self._waiting[name] = loop.call_later(delay_s, self._due, name, call)

    def cancel(self, name: str) -> None:
        """Cancel the call of that name, if one waits."""
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            waiting.cancel()

    def close(self) -> None:
        """Cancel all calls."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    def _due(self, name: str, call: Callable[[], None]) -> None:
        del self._waiting[name]
        call()
