"""The context of a sink under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foxtrot_supervisor.sinks.sink import SinkContext

__all__ = ["KeptLog", "sink_context"]


class KeptLog:
    """A log that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def debug(self, event: str, /, **fields: Any) -> None:
        """Keep a line."""
        self.lines.append((event, fields))

    info = warning = error = debug

    def events(self) -> list[str]:
        """Names of what was logged."""
        return [event for event, _ in self.lines]


def sink_context(folder: Path, log: KeptLog | None = None) -> SinkContext:
    """A context whose directory is `folder`."""
    return SinkContext("kept", str(folder), str(folder), log or KeptLog())
