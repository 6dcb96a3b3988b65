"""Carries out what `Backfiller` decides for one worker: fetches pages, commits parts, reports the end.

One part at a time: between two of them the live stream has its turn, and while the ring is needed for what is live
the parts wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from foxtrot_protocol.commands import Backfill, Backfilled
from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.backfill import BackfillEffect, Backfiller, CommitPart, Fetch
from foxtrot_workers.feed.rest import RestFetcher

__all__ = ["WAIT_S", "BackfillRunner"]

WAIT_S = 0.05
"""How long a part waits before the ring's room is looked at again."""

_KEY = "backfill"


class BackfillRunner:
    """Fills one hole at a time.

    Args:
        commit: commits events in one batch; False: not now, there is no room.
        report: answers the supervisor.
        worker, incarnation: in whose name answers are given.
    """

    def __init__(
        self,
        adapter: Adapter,
        rest: RestFetcher,
        commit: Callable[[Sequence[MarketEvent[str]]], bool],
        report: Callable[[Backfilled], None],
        *,
        worker: str,
        incarnation: int,
    ) -> None:
        self._backfiller = Backfiller(adapter, worker, incarnation)
        self._rest = rest
        self._commit = commit
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._effects: deque[BackfillEffect] = deque()
        """What is still to be done for the current hole, in order."""
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._closed = False

    def ask(self, command: Backfill) -> None:
        """Fill a hole; refused while the parts of another one wait."""
        if self._effects:
            self._report(self._backfiller.refusal(command, "another hole is being filled", retry=True))
            return
        self._take(self._backfiller.ask(command, time.monotonic()))

    def tick(self, now: float) -> None:
        """Time has passed (monotonic seconds)."""
        self._take(self._backfiller.tick(now))

    def close(self) -> None:
        """Do nothing more."""
        self._closed = True
        self._effects.clear()
        self._rest.cancel(_KEY)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answered(self, path: str, status: int, body: bytes) -> None:
        self._take(self._backfiller.answered(path, status, body, time.time_ns(), time.monotonic()))

    def _take(self, effects: list[BackfillEffect]) -> None:
        if self._closed:
            return
        self._effects.extend(effects)
        if self._timer is None and not self._running:
            self._go_on()

    def _go_on(self) -> None:
        self._timer = None
        self._running = True  # what a step brings about is appended, never worked on within it
        try:
            while self._effects and not self._closed:
                delay_s = self._step(self._effects[0])
                if delay_s is not None and not self._closed:
                    self._timer = self._loop.call_later(delay_s, self._go_on)
                    return
        finally:
            self._running = False

    def _step(self, effect: BackfillEffect) -> float | None:
        """Carry out one effect; seconds until the next one, None: at once."""
        if isinstance(effect, CommitPart):
            if not self._commit(effect.events):
                return WAIT_S
            self._effects.popleft()
            return 0.0
        self._effects.popleft()
        if isinstance(effect, Fetch):
            request = effect.request
            if not self._rest.fetch(_KEY, request.path, request.delay_s, self._answered, request.weight):
                self._answered(request.path, 0, b"too many requests")
            return None
        if self._backfiller.next_deadline() is None:  # else it is another request that was refused
            self._rest.cancel(_KEY)
        self._report(effect)
        return None
