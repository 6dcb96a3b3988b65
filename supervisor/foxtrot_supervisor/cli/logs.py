"""The command `logs`: recent log lines of a running supervisor, from its memory."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import click

from foxtrot_protocol import standard_streams
from foxtrot_protocol.control import LogLevel
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_protocol.log_fields import log_schema
from foxtrot_protocol.log_text import console_text
from foxtrot_supervisor.cli.common import (
    ANSWER_S,
    config_option,
    find_run,
    interruptible,
    json_option,
    known_errors,
    run_dir_option,
)
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import output_ended, write_lines
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.client.log_tail import LogTail, parse_since

__all__ = ["logs"]

WAIT_S = 20.0
"""How long the supervisor is asked to wait for a line, in seconds."""

RETRY_S = 0.25
"""Seconds between attempts to find the next run."""

Show = Callable[[Iterable[dict[str, Any]]], None]


def _since(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int:
    try:
        return parse_since(text, datetime.datetime.now().astimezone()) if text else 0
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("worker", required=False, default="")
@click.option("-f", "--follow", is_flag=True, help="Continue with new lines until Ctrl-C, also over restarts.")
@click.option(
    "--since", "since_ns", callback=_since, metavar="TIME", help="Only lines from then on: 30s, 5m, 2h, or a time."
)
@click.option("--level", type=click.Choice(["debug", "info", "warning", "error"]), default="debug", help="Or worse.")
@click.option("-n", "--lines", "count", type=click.IntRange(min=0), metavar="N", help="Begin with the last N lines.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a line of --json; needs no run.")
@config_option
@run_dir_option
@json_option
@known_errors
def logs(
    worker: str,
    schema: bool,
    follow: bool,
    since_ns: int,
    level: LogLevel,
    count: int | None,
    config_path: str | None,
    run_dir_path: str | None,
    as_json: bool,
) -> None:
    """Print recent log lines of all processes.

    They come from the supervisor's memory: 10,000 lines, 4 MiB.
    WORKER is a worker, a connection, or a process (engine, supervisor): lines that it wrote, and lines about it.

    \b
    foxtrot-supervisor logs --since 5m --level warning
    foxtrot-supervisor logs okx-swap.a --follow
    """
    if schema:
        click.echo(json.dumps(log_schema(), indent=2))
        return
    place = find_run(run_dir_path, config_path)
    tail = LogTail(worker, level, since_ns)
    show = write_lines if as_json else _shown_as_text(standard_streams.shows_colour("stdout"))
    interruptible()
    try:
        _begin(place, tail, show, count)
        if follow:
            _follow(place, tail, show)
    except KeyboardInterrupt:
        return  # the usual way to end it


def _begin(place: str, tail: LogTail, show: Show, count: int | None) -> None:
    """Print what the supervisor has, or the last `count` of it."""
    latest: deque[dict[str, Any]] = deque(maxlen=count)
    while tail.more and not output_ended():
        lines = _read(place, tail)
        if count is None:
            show(lines)
        else:
            latest.extend(lines)
    show(latest)


def _follow(place: str, tail: LogTail, show: Show) -> None:
    """Print new lines of this run and of later ones until the output ends."""
    is_away = False
    while not output_ended():
        try:
            show(_read(place, tail, WAIT_S))
            is_away = False
        except NotRunning:
            if not is_away:
                say("the run has ended; waiting for the next")
            is_away = True
            time.sleep(RETRY_S)


def _read(place: str, tail: LogTail, wait_s: float = 0.0) -> list[dict[str, Any]]:
    with ControlClient(place) as client:
        reply = client.request(tail.request(wait_s), wait_s + ANSWER_S)
    if reply.error:
        raise Failure(reply.error, SupervisorExit.INTERNAL_ERROR)
    lines = tail.take(reply.data)
    for notice in tail.notices:
        say(notice)
    return lines


def _shown_as_text(coloured: bool) -> Show:
    def show(lines: Iterable[dict[str, Any]]) -> None:
        text = "".join(console_text(line, colour=coloured) + "\n" for line in lines)
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()

    return show
