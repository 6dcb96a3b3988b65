"""The command `incidents`: what went wrong in a run, and what was done about it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from foxtrot_protocol import standard_streams
from foxtrot_protocol.control import IncidentsRequest
from foxtrot_supervisor.cli.common import (
    ANSWER_S,
    ask,
    config_option,
    find_run,
    interruptible,
    json_option,
    known_errors,
    run_dir_option,
)
from foxtrot_supervisor.cli.output import output_ended, write_lines
from foxtrot_supervisor.client.trust import NotRunning

__all__ = ["incidents"]

FOLLOW_S = 0.5
"""Seconds between two requests with ``--follow``."""


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Print further incidents as they come, until the end of the run.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only this kind (death, gap, ...); repeatable.")
@click.option("--worker", "workers", multiple=True, metavar="NAME", help="Only this worker or connection; repeatable.")
@click.option("--after", default=0, metavar="SEQ", help="Only incidents with a number above SEQ.")
@config_option
@run_dir_option
@json_option
@known_errors
def incidents(
    follow: bool,
    kinds: tuple[str, ...],
    workers: tuple[str, ...],
    after: int,
    config_path: str | None,
    run_dir_path: str | None,
    as_json: bool,
) -> None:
    """List what went wrong in a run, and what was done about it.

    The latest comes last: deaths with their causes, gaps, resynchronized books, refusals, rotations, reloads. Of the
    older ones a bounded number is kept.

    \b
    foxtrot-supervisor incidents
    foxtrot-supervisor incidents --follow --json | jq -r 'select(.kind == "death") | .cause'
    """
    place = find_run(run_dir_path, config_path)
    interruptible()
    first = True
    try:
        while not output_ended():
            for page in _pages(place, after):
                if page["first_seq"] > after + 1 and not (first and after == 0):
                    _say_missing(page["first_seq"] - after - 1)
                first = False
                after = page["incidents"][-1]["seq"] if page["incidents"] else after
                _write(filter(lambda each: _wanted(each, kinds, workers), page["incidents"]), as_json)
            if not follow:
                return
            time.sleep(FOLLOW_S)
    except KeyboardInterrupt:
        return  # the usual way to end it
    except NotRunning:
        if first:
            raise
        # the end of the run is the end of its incidents


def _pages(place: str, after: int) -> Iterator[dict[str, Any]]:
    while True:
        page = ask(place, IncidentsRequest(after), ANSWER_S)
        yield page
        if not page["more"]:
            return
        after = page["incidents"][-1]["seq"]


def _wanted(incident: Mapping[str, Any], kinds: tuple[str, ...], workers: tuple[str, ...]) -> bool:
    of_kind = not kinds or incident["kind"] in kinds
    return of_kind and (not workers or incident["worker"] in workers or incident["connection"] in workers)


def _write(found: Iterator[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        write_lines(found)
    else:
        for incident in found:
            click.echo(_line(incident))
        standard_streams.flush(0.0)


def _line(incident: Mapping[str, Any]) -> str:
    at = datetime.datetime.fromtimestamp(incident["at_ns"] / 1e9).astimezone()
    who = incident["worker"] or "supervisor"
    number = f"#{incident['incarnation']}" if incident["incarnation"] else ""
    more = f" ({incident['suppressed']} more of these before)" if incident["suppressed"] else ""
    when = at.isoformat(" ", "milliseconds")
    return f"{when}  {incident['kind']:<18} {who + number:<22} {incident['cause']}{more}".rstrip()


def _say_missing(count: int) -> None:
    click.echo(f"{count} older incidents are not kept any more", err=True)
