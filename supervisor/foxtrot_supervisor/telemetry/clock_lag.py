"""Shortest time from an exchange's time of an event to its receipt: an upper bound of the offset of two clocks. Pure.

What is received cannot have been sent later, so a negative lag proves that this machine's clock is behind the
exchange's. A positive one is offset and delay together.
"""

from __future__ import annotations

from typing import Any, Final

from foxtrot_protocol.events import BookDelta, Quote, Trade

__all__ = ["WINDOW_S", "ClockLag"]

WINDOW_S: Final = 60.0
"""The minimum covers between one and two of these spans: delays vary, and clocks are set."""

_TIMED: Final = frozenset((Trade, Quote, BookDelta))
"""Events whose exchange time is that of the event; others may have the end of an interval."""

_NONE: Final = 10**17
"""Nanoseconds: longer than any lag, and shorter than that of an event whose exchange time is unknown, which is 0."""


class ClockLag:
    """Call `record` for an event whose lag is below `lowest_ns`: most events need no call."""

    def __init__(self) -> None:
        self.lowest_ns = _NONE
        """The minimum of the present span."""
        self._previous_ns = _NONE
        self._ends_at = 0.0

    def record(self, event: Any) -> None:
        """Take an event of any type; `receive_ns` and `exchange_ns` are nanoseconds since 1970, 0 if unknown."""
        if type(event) in _TIMED:
            self.lowest_ns = min(self.lowest_ns, event.receive_ns - event.exchange_ns)

    def rotate(self, now: float) -> None:
        """Begin a new span if this one has ended; to be called about each second (monotonic seconds)."""
        if now >= self._ends_at:
            self._ends_at = now + WINDOW_S
            self._previous_ns, self.lowest_ns = self.lowest_ns, _NONE

    def lowest_ms(self) -> float | None:
        """Return the minimum in milliseconds; None if there was no event."""
        lowest_ns = min(self._previous_ns, self.lowest_ns)
        return None if lowest_ns == _NONE else round(lowest_ns / 1e6, 3)
