"""What the scheduler has given to a thread."""

from __future__ import annotations

import time
from typing import Final

__all__ = ["ProcessorTime"]

_SCHEDSTAT: Final = "/proc/thread-self/schedstat"


class ProcessorTime:
    """Processor time of the calling thread, and how long it was ready and waited for a processor.

    Args:
        path: of the kernel's figures; a kernel without them (``CONFIG_SCHED_INFO``) is taken to let nothing wait.
    """

    def __init__(self, path: str = _SCHEDSTAT) -> None:
        self._path = path
        self._ran, self._waited = self._read()

    def since_last(self) -> tuple[float, float]:
        """Return seconds that the thread ran, and that it waited, since the last call or the beginning."""
        ran, waited = self._read()
        since = (ran - self._ran) / 1e9, (waited - self._waited) / 1e9
        self._ran, self._waited = ran, waited
        return since

    def _read(self) -> tuple[int, int]:
        try:
            with open(self._path, "rb") as file:
                ran, waited, _ = file.read().split()
            return int(ran), int(waited)
        except (OSError, ValueError):
            return time.thread_time_ns(), 0
