"""The clock of a replay: recorded time. Pure."""

from __future__ import annotations

__all__ = ["RecordedClock"]


class RecordedClock:
    """Recorded time, in nanoseconds since 1970; it never goes back. 0 before the first frame with a known time."""

    def __init__(self) -> None:
        self.at_ns = 0

    def now_ns(self) -> int:
        """Return the recorded time."""
        return self.at_ns

    @property
    def now_s(self) -> float:
        """The same in seconds, for what counts in monotonic seconds live."""
        return self.at_ns / 1e9

    def advance(self, at_ns: int) -> None:
        """Go on to `at_ns`, unless it is past already."""
        self.at_ns = max(self.at_ns, at_ns)
