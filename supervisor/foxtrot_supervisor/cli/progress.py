"""Progress of long work on stderr: on a terminal a bar with count, rate and time left, elsewhere lines at intervals.

Nothing is printed for work that takes less than `FIRST_S`, nor with `quiet`, but for notes: results of single steps.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import click

from foxtrot_protocol.control import Request, StatusRequest
from foxtrot_supervisor.cli.common import ANSWER_S, ask
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.pace import Pace
from foxtrot_supervisor.client.trust import NotRunning

__all__ = ["FIRST_S", "LINE_S", "Report", "ask_with_progress", "progress", "quiet_option", "waited_for"]

FIRST_S = 1.0
"""Seconds of work without any sign of progress."""

LINE_S = 10.0
"""Interval of plain lines, in seconds."""

FRAME_S = 0.1
"""Shortest time between two frames of the bar, in seconds."""

_POLL_S = 0.5

T = TypeVar("T")


def quiet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option ``--quiet`` to a command that reports progress."""
    return click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")(command)


class Report(Protocol):
    """Reports progress: `done` units of `total` (0: unknown) are finished; `text`, if any, is a line to keep."""

    def __call__(self, text: str = "", done: int = 0, total: int = 0) -> None: ...


@contextlib.contextmanager
def progress(title: str, unit: str, *, quiet: bool = False, rated: bool = True) -> Iterator[Report]:
    """Yield the function to report with; what is shown ends with the context.

    Args:
        title: of the work, such as ``replay``.
        unit: what is counted, in the plural.
        quiet: show no progress, and no kept lines either.
        rated: whether a rate and the time left make sense.
    """
    if quiet:
        yield _silent
    elif sys.stderr is not None and sys.stderr.isatty():
        bar = _Bar(title, Pace(title, unit, time.monotonic(), rated=rated))
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield _Lines(Pace(title, unit, time.monotonic(), rated=rated))


def _silent(text: str = "", done: int = 0, total: int = 0) -> None:
    """Report nothing."""


class _Lines:
    """Plain lines."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._due = time.monotonic() + LINE_S

    def __call__(self, text: str = "", done: int = 0, total: int = 0) -> None:
        now = time.monotonic()
        if text:
            say(text)
        self._pace.at(done, total, now)
        if now >= self._due:
            self._due = now + LINE_S
            say(self._pace.line(now))


class _Bar:
    """A bar drawn by rich, without a thread: it moves when something is reported."""

    def __init__(self, title: str, pace: Pace) -> None:
        self._pace = pace
        self._title = title
        self._due = time.monotonic() + FIRST_S
        self._shown: Any = None
        self._task: Any = None

    def __call__(self, text: str = "", done: int = 0, total: int = 0) -> None:
        now = time.monotonic()
        self._pace.at(done, total, now)
        if text:
            say(text) if self._shown is None else self._shown.console.print(text, markup=False, highlight=False)
        if now < self._due:
            return
        self._due = now + FRAME_S
        if self._shown is None:
            self._show()
        figures = self._pace.figures(now)
        self._shown.update(self._task, completed=self._pace.done, total=self._pace.total or None, figures=figures)
        self._shown.refresh()

    def close(self) -> None:
        """Remove the bar."""
        if self._shown is not None:
            self._shown.stop()

    def _show(self) -> None:
        rich = importlib.import_module("rich.progress")
        console = importlib.import_module("rich.console").Console(stderr=True)
        columns = (rich.TextColumn("{task.description}"), rich.BarColumn(), rich.TextColumn("{task.fields[figures]}"))
        self._shown = rich.Progress(
            *columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._task = self._shown.add_task(self._title, total=None, figures="")
        self._shown.start()


def waited_for(work: Callable[[], T], look: Callable[[], None]) -> T:
    """Do `work` in a thread, and call `look` meanwhile; return or raise what `work` does."""
    outcome: list[Callable[[], T]] = []

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            failure = error

            def fail() -> T:
                raise failure

            outcome.append(fail)
        else:
            outcome.append(lambda: result)

    thread = threading.Thread(target=run, daemon=True)  # Ctrl-C leaves it waiting
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_S)
        if thread.is_alive():
            look()
    return outcome[0]()


def ask_with_progress(place: str, request: Request, title: str, *, quiet: bool = False) -> dict[str, Any]:
    """Send a request that takes long, and show meanwhile how many workers serve; return its answer as `ask` does."""
    with progress(title, "workers serve", quiet=quiet, rated=False) as report:

        def look() -> None:
            with contextlib.suppress(Failure, NotRunning, TimeoutError):
                workers = ask(place, StatusRequest(), ANSWER_S).get("workers") or ()
                report(done=sum(worker.get("state") == "RUNNING" for worker in workers), total=len(workers))

        return waited_for(lambda: ask(place, request, None), look)
