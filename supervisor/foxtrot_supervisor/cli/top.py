"""The command `top`: shows the status of a running supervisor at a steady interval."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import click

from foxtrot_protocol.control import Reply, StatusRequest
from foxtrot_supervisor.cli.common import (
    config_option,
    find_run,
    interruptible,
    known_errors,
    run_dir_option,
)
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.cli.output import PIPE_COLUMNS, emit, output_ended
from foxtrot_supervisor.cli.terminal_keeper import has_full_screen, run_view
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning

__all__ = ["ANSWER_S", "top"]

ANSWER_S = 10.0
"""Longest wait for one status, in seconds; a supervisor that takes longer is reported as not answering."""


@click.command()
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Seconds between two updates.",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N updates (default: Ctrl-C).")
@config_option
@run_dir_option
@click.option("--json", "as_json", is_flag=True, help="One status object per line, on stdout.")
@click.option("--plain", is_flag=True, help="A table instead of the full-screen view, until the run ends.")
def top(
    interval_s: float,
    count: int | None,
    config_path: str | None,
    run_dir_path: str | None,
    as_json: bool,
    plain: bool,
) -> None:
    """Show a live view of the run until it ends or Ctrl-C.

    Every connection, incidents, the market; ? lists the keys.

    On a terminal it fills the screen, survives restarts of the supervisor, and ends with q or Ctrl-C. This needs
    textual (pip install 'foxtrot-supervisor[top]'); without it, with --plain, --count or on another output it prints
    tables until the run ends.

    \b
    foxtrot-supervisor top
    foxtrot-supervisor top --json --interval 5 | jq -c '[.supervisor.state, .engine.events_per_s]'
    """

    def watch() -> None:
        place = find_run(run_dir_path, config_path)
        if not (as_json or plain or count) and has_full_screen():
            raise click.exceptions.Exit(run_view(lambda: _full_screen(place, interval_s)))
        with _shown(as_json, emit) as show:
            for number, status in enumerate(_statuses(place, interval_s), start=1):
                show(status)
                if number == count or output_ended():
                    return
        say("the run has ended")

    interruptible()
    with contextlib.suppress(KeyboardInterrupt):
        known_errors(watch)()


def _full_screen(place: str, interval_s: float) -> None:
    importlib.import_module("foxtrot_supervisor.cli.screen.app").TopApp(place, interval_s).run()


def _statuses(place: str, interval_s: float) -> Iterator[dict[str, Any]]:
    """Yield a status every `interval_s` seconds until the run has ended."""
    with ControlClient(place) as client:
        due = time.monotonic()
        while True:
            try:
                reply: Reply = client.request(StatusRequest(), ANSWER_S)
            except (NotRunning, ConnectionError):
                return
            yield reply.data
            now = time.monotonic()
            due = max(due + interval_s, now)
            time.sleep(due - now)


@contextlib.contextmanager
def _shown(as_json: bool, emit: Callable[[object], None]) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield the function that shows one status: JSON, live view, or a table each."""
    if as_json:
        yield emit
        return
    live = importlib.import_module("foxtrot_supervisor.cli.live")
    console_of = importlib.import_module("rich.console").Console
    if sys.stdout.isatty():
        with live.LiveView(console_of()) as view:
            yield view.show
        return
    console = console_of(width=PIPE_COLUMNS)
    yield lambda status: console.print(live.render_status(status, console.width))
