"""What became of each part of an application when it was closed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

__all__ = ["CloseReport", "describe_close"]


class CloseReport(Struct, frozen=True, kw_only=True):
    """How `MainEngine.close` went; names are those of adapters and engines."""

    closed: Sequence[str] = ()
    """In order in time."""
    stuck: Mapping[str, str] = {}
    """Did not return in time, and after how long that was given up."""
    failed: Mapping[str, str] = {}
    """Raised something, and what; its handlers are deregistered all the same."""
    event_engine: str = ""
    """What the EventEngine left, or that it is stuck; "" if nothing."""
    took_s: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether everything closed as it should."""
        return not (self.stuck or self.failed or self.event_engine)


def describe_close(report: CloseReport) -> list[str]:
    """One line for people for everything that is not as it should be."""
    lines = [f"{name} did not close: {reason}" for name, reason in report.stuck.items()]
    lines += [f"{name} failed to close: {reason}" for name, reason in report.failed.items()]
    return [*lines, *([f"event engine: {report.event_engine}"] if report.event_engine else [])]
