"""Count, rate and time left of long work, as text. Pure."""

from __future__ import annotations

from foxtrot_supervisor.report.quantities import duration, quantity

__all__ = ["Pace"]


class Pace:
    """How fast units are finished. `now` is monotonic seconds; `rated`: whether a rate makes sense."""

    def __init__(self, title: str, unit: str, now: float, *, rated: bool = True) -> None:
        self._title = title
        self._unit = unit
        self._rated = rated
        self._began_at = now
        self._part_at = now
        self._reported_at = now
        self.done = 0
        self.total = 0
        """0: unknown."""

    def at(self, done: int, total: int, now: float) -> None:
        """Note that `done` of `total` units are finished; both 0: nothing is known about them.

        Another total, or less done, is another part of the work, with a rate of its own.
        """
        if done or total:
            if total != self.total or done < self.done:
                self._part_at = self._reported_at
            self.done, self.total = done, total
        self._reported_at = now

    def figures(self, now: float) -> str:
        """Return count, rate and time left, as far as they are known."""
        if not self.done and not self.total:
            return duration(now - self._began_at)
        count = f"{quantity(self.done)} of {quantity(self.total)}" if self.total else quantity(self.done)
        parts = [f"{count} {self._unit}"]
        took_s = now - self._part_at
        if self._rated and self.done and took_s > 0:
            per_s = self.done / took_s
            parts.append(f"{quantity(per_s)}/s" if per_s >= 1 else f"{quantity(per_s * 60)}/min")
            if self.total > self.done:
                parts.append(f"{duration((self.total - self.done) / per_s)} left")
        return "  ".join(parts)

    def line(self, now: float) -> str:
        """Return the figures with title and the time since the beginning."""
        return f"{self._title}: {self.figures(now)}, {duration(now - self._began_at)} so far"
