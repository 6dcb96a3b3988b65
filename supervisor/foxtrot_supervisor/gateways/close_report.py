"""Result of closing the parts of an application. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

__all__ = ["CloseReport", "describe_close"]


class CloseReport(Struct, frozen=True, kw_only=True):
    """Result of `MainEngine.close`; names are those of adapters and engines."""

    closed: Sequence[str] = ()
    """Parts that closed in time, in order."""
    stuck: Mapping[str, str] = {}
    """Parts that did not return in time, with the time limit."""
    failed: Mapping[str, str] = {}
    """Parts that raised an exception, with that exception; their handlers are unregistered all the same."""
    event_engine: str = ""
    """What the EventEngine left, or which handler is stuck; "" for a clean stop."""
    took_s: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether everything closed in time and without an exception."""
        return not (self.stuck or self.failed or self.event_engine)


def describe_close(report: CloseReport) -> list[str]:
    """Return one line of text for each problem."""
    lines = [f"{name} did not close: {reason}" for name, reason in report.stuck.items()]
    lines += [f"{name} failed to close: {reason}" for name, reason in report.failed.items()]
    return [*lines, *([f"event engine: {report.event_engine}"] if report.event_engine else [])]
