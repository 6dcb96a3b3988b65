"""Carries out what `Backfiller` decides for one worker: fetches pages, commits parts, reports the end.

Parts are committed one at a time: live events are processed in between, and parts wait while live events need the ring.
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
from foxtrot_workers.feed.frames_record import FramesRecord
from foxtrot_workers.feed.rest import RestFetcher

__all__ = ["WAIT_S", "BackfillRunner"]

WAIT_S = 0.05
"""Seconds until a part that found no space is tried again."""

_KEY = "backfill"


class BackfillRunner:
    """Backfills one gap at a time.

    Args:
        adapter: writes requests and reads answers.
        rest: fetches pages.
        commit: commits events as one batch; False: not now, there is no space.
        report: answers the supervisor.
        worker: name of this worker, for the answers.
        incarnation: of this worker.
        record: keeps answers; None: they are not kept.
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
        record: FramesRecord | None = None,
    ) -> None:
        self._backfiller = Backfiller(adapter, worker, incarnation)
        self._rest = rest
        self._commit = commit
        self._report = report
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._effects: deque[BackfillEffect] = deque()
        """Remaining effects for the gap in progress, in order."""
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._closed = False

    def ask(self, command: Backfill) -> None:
        """Start a backfill; it is refused while another one is in progress."""
        if self._effects:
            self._report(self._backfiller.refusal(command, "another gap is being filled", retry=True))
            return
        self._enqueue(self._backfiller.ask(command, time.monotonic()))

    def tick(self, now: float) -> None:
        """Check deadlines (`now`: monotonic seconds)."""
        self._enqueue(self._backfiller.tick(now))

    def close(self) -> None:
        """Cancel everything."""
        self._closed = True
        self._effects.clear()
        self._rest.cancel(_KEY)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answered(self, path: str, status: int, body: bytes) -> None:
        receive_ns = time.time_ns()
        if self._record is not None:
            self._record.answered("backfill", path, status, body, receive_ns)
        self._enqueue(self._backfiller.answered(path, status, body, receive_ns, time.monotonic()))

    def _enqueue(self, effects: list[BackfillEffect]) -> None:
        if self._closed:
            return
        self._effects.extend(effects)
        if self._timer is None and not self._running:
            self._continue()

    def _continue(self) -> None:
        self._timer = None
        self._running = True  # effects of a step are appended, not carried out within it
        try:
            while self._effects and not self._closed:
                delay_s = self._step(self._effects[0])
                if delay_s is not None and not self._closed:
                    self._timer = self._loop.call_later(delay_s, self._continue)
                    return
        finally:
            self._running = False

    def _step(self, effect: BackfillEffect) -> float | None:
        """Carry out one effect; return the seconds until the next one, None: at once."""
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
        if self._backfiller.next_deadline() is None:  # otherwise another request was refused, and this one continues
            self._rest.cancel(_KEY)
        self._report(effect)
        return None
