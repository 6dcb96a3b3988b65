"""Share of a processor core that a process has needed over a while. Pure."""

from __future__ import annotations

__all__ = ["LoadWatch"]


class LoadWatch:
    """Measures one incarnation after the other, in windows that follow each other."""

    def __init__(self) -> None:
        self._incarnation = 0
        self._began_at = 0.0
        self._cpu_s = 0.0

    def note(self, incarnation: int, cpu_s: float, now: float, window_s: float) -> float | None:
        """Take the processor time of a process; return the share of a core, from 0, when a window ends, else None.

        Args:
            incarnation: of the process.
            cpu_s: processor time since its start, in seconds.
            now: when that was so, in monotonic seconds.
            window_s: least length of a window.
        """
        elapsed_s = now - self._began_at
        if incarnation == self._incarnation and elapsed_s < window_s:
            return None
        share = (cpu_s - self._cpu_s) / elapsed_s if incarnation == self._incarnation and elapsed_s > 0 else None
        self._incarnation, self._began_at, self._cpu_s = incarnation, now, cpu_s
        return share
