"""Display of `start`: a full-screen view or a live table on a terminal, elsewhere log lines and a regular summary.

`rich` is imported for a terminal only: it is a fifth of the memory of a supervisor.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from foxtrot_protocol import standard_streams
from foxtrot_supervisor.cli.attached_view import attached_view
from foxtrot_supervisor.cli.summary import Summary
from foxtrot_supervisor.cli.terminal_keeper import has_full_screen
from foxtrot_supervisor.config.schema import LogFormat
from foxtrot_supervisor.runtime.logs import Logs

__all__ = ["FRAMES_PENDING_MAX", "OnSnapshot", "display"]

FRAMES_PENDING_MAX = 4
"""Frames that may wait for a slow terminal; with more waiting (the terminal is stopped by Ctrl-S) none is drawn."""

OnSnapshot: TypeAlias = Callable[[Mapping[str, Any]], float | None]
"""Shows a status; returns the seconds until it needs the next one, None for the usual interval."""


@contextlib.contextmanager
def display(
    wanted: Literal["auto", "console", "json", "plain"], log_level: str, run_dir: str
) -> Iterator[tuple[LogFormat, OnSnapshot | None]]:
    """Yield the log format to run with and the function to call with each status; the view ends with the context.

    `wanted`: auto: the full-screen view where it is possible, else the table on a terminal, else the log; plain: no
    full-screen view. `run_dir`: of the run that is shown.
    """
    standard_streams.drain("stdout")
    standard_streams.drain("stderr")
    if wanted == "auto" and has_full_screen():
        with attached_view(run_dir):
            yield "link", None
    elif wanted in ("auto", "plain") and sys.stderr.isatty() and sys.stdout.isatty():
        from rich.console import Console

        from foxtrot_supervisor.cli.live import LiveView

        with LiveView(Console(stderr=True), _is_terminal_busy) as view:
            yield "link", view.show
    else:
        log_format: LogFormat = "json" if wanted == "json" else "console"
        yield log_format, _summary_log(log_format, log_level)


def _is_terminal_busy() -> bool:
    return standard_streams.pending("stderr") > FRAMES_PENDING_MAX


def _summary_log(log_format: LogFormat, log_level: str) -> OnSnapshot:
    summary = Summary()
    log = Logs(log_level, log_format).log

    def show(status: Mapping[str, Any]) -> float:
        for event, fields in summary.records(status):
            log.info(event, **fields)
        return summary.due_in_s()

    return show
