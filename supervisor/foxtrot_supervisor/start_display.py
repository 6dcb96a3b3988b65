"""How `start` shows itself: a live table on a terminal, log lines and a summary at a steady pace elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import structlog
from rich.console import Console

from foxtrot_supervisor.live import LiveView
from foxtrot_supervisor.summary import Summary

__all__ = ["LogFormat", "OnSnapshot", "display"]

LogFormat: TypeAlias = Literal["console", "json", "link"]
OnSnapshot: TypeAlias = Callable[[Mapping[str, Any]], None]


@contextlib.contextmanager
def display(wanted: Literal["auto", "console", "json"]) -> Iterator[tuple[LogFormat, OnSnapshot]]:
    """(log format to run with, what to call with each status); the live table ends with the context."""
    if wanted == "auto" and sys.stderr.isatty() and sys.stdout.isatty():
        with LiveView(Console(stderr=True)) as view:
            yield "link", view.show
    else:
        yield "console" if wanted == "auto" else wanted, _summary_log()


def _summary_log() -> OnSnapshot:
    summary = Summary()
    log = structlog.get_logger("summary")

    def show(status: Mapping[str, Any]) -> None:
        for event, fields in summary.records(status):
            log.info(event, **fields)

    return show
