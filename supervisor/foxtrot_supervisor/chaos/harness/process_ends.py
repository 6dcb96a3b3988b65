"""When processes end, to the millisecond: the kernel reports it by their pidfds."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterable
from types import TracebackType

__all__ = ["ProcessEnds"]


class ProcessEnds:
    """Use it as a context manager. Times are seconds on the monotonic clock."""

    def __init__(self, pids: Iterable[int]) -> None:
        """A process that is dead already has ended now."""
        self.ended: dict[int, float] = {}
        """When each was seen to have ended, by process id."""
        self._open: dict[int, int] = {}
        self._poll = select.poll()
        for pid in pids:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                self.ended[pid] = time.monotonic()
            else:
                self._open[descriptor] = pid
                self._poll.register(descriptor, select.POLLIN)

    @property
    def last(self) -> float | None:
        """When the last one had ended; None while one lives."""
        return None if self._open else max(self.ended.values(), default=None)

    def wait(self, limit_s: float) -> bool:
        """Wait until one ends, or `limit_s` seconds; return whether all have ended."""
        if self._open:
            found = self._poll.poll(limit_s * 1000.0)
            now = time.monotonic()
            for descriptor, _ in found:
                self.ended[self._open.pop(descriptor)] = now
                self._poll.unregister(descriptor)
                os.close(descriptor)
        return not self._open

    def __enter__(self) -> ProcessEnds:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()
