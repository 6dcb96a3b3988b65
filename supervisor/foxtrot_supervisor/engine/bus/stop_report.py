"""Result of stopping an EventEngine. Pure."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["StopReport"]


class StopReport(int):
    """The number of events left in the queue, as an `int`, and the reason.

    `left_by_class`: the same number by event class. `stuck_handler`: the handler that did not return in time; None if
    the dispatch thread ended, or if a handler requested the stop, which cannot wait. `stack`: its innermost frames.
    """

    left_by_class: Mapping[str, int]
    stuck_handler: str | None
    stack: str

    def __new__(
        cls, left_by_class: Mapping[str, int] | None = None, stuck_handler: str | None = None, stack: str = ""
    ) -> StopReport:
        """Make a report; without arguments, of an empty queue."""
        left = {} if left_by_class is None else dict(left_by_class)
        self = super().__new__(cls, sum(left.values()))
        self.left_by_class = left
        self.stuck_handler = stuck_handler
        self.stack = stack
        return self

    @property
    def clean(self) -> bool:
        """Whether every event was handled and no handler is stuck."""
        return self == 0 and self.stuck_handler is None

    def __str__(self) -> str:
        parts = [f"{count} of {name}" for name, count in sorted(self.left_by_class.items())]
        text = f"{int(self)} events left" + (f" ({', '.join(parts)})" if parts else "")
        return text if self.stuck_handler is None else f"{text}; {self.stuck_handler} did not return"
