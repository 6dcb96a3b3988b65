"""The command `replay`: recorded frames through the parsers and books of workers, printed or given to handlers."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Sequence
from typing import Any

import click

from foxtrot_protocol.bar_intervals import INTERVALS
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import absolute, known_errors, resolve
from foxtrot_supervisor.cli.line_output import line_writer
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import output_ended
from foxtrot_supervisor.cli.progress import progress, quiet_option

__all__ = ["replay", "say_summary"]

REPLAY_CHUNK = 1000
"""Lines encoded and written together."""


@click.command()
@click.argument("recordings", nargs=-1, required=True, metavar="RECORDING...")
@click.option(
    "--exchange",
    metavar="NAME",
    help="Exchange of the recordings (default: derived from the recorded addresses, else from the folder).",
)
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Books: the best N levels after each update.")
@click.option(
    "--handlers",
    multiple=True,
    metavar="MODULE:FUNCTION",
    help="Call these handlers, as a run does, instead of printing; repeatable.",
)
@click.option("-c", "--config", "config_path", metavar="FILE", help="Take handlers and settings of [engine] from FILE.")
@click.option("--from", "begin", metavar="TIME", help="Handlers get what was received from then on (ISO time, or ns).")
@click.option("--until", "end", metavar="TIME", help="Handlers get what was received until then.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="N recorded seconds for each second (default: as fast as possible).",
)
@click.option("--ticks", type=click.Choice(["off", "change", "trade", "interval"]), help="When ticks are made.")
@click.option("--bars", multiple=True, type=click.Choice(list(INTERVALS)), help="Make bars of trades; repeatable.")
@click.option("--numbers", type=click.Choice(["float", "decimal", "text"]), help="Type of prices and sizes.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "csv", "parquet"]),
    help="Of the events: JSON lines (default), CSV, or a directory of Parquet files (with --output).",
)
@click.option("--output", metavar="DIR", help="New directory for --format parquet.")
@click.option("--json", "as_json", is_flag=True, help="Events are always JSON lines; of handlers, a report as JSON.")
@quiet_option
@known_errors
def replay(
    recordings: Sequence[str],
    exchange: str | None,
    depth: int | None,
    handlers: Sequence[str],
    config_path: str | None,
    begin: str | None,
    end: str | None,
    speed: float | None,
    ticks: Any,
    bars: Sequence[str],
    numbers: Any,
    form: str | None,
    output: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run recorded frames: print the events, or call handlers.

    The parsers and books are those of the workers; the output is one JSON object per line. With --handlers the events
    are merged as in a run and handlers are called, always in the same order; a report is printed at the end.
    A crash bundle shows the crash of its parser again: exit code 1 if it crashes, 0 if it does not, 3 without frames.

    \b
    foxtrot-supervisor replay recordings/okx/2022-05-13.jsonl.gz --exchange okx --depth 10
    foxtrot-supervisor replay --handlers my_strategy:setup recordings/okx/*.jsonl.gz
    foxtrot-supervisor replay recordings/binance-spot       # a folder of the recorder
    foxtrot-supervisor replay recordings/okx/*.jsonl.gz --format parquet --output rec
    """
    if output is not None and form != "parquet":
        raise click.UsageError("--output is for --format parquet")
    bundles = [path for path in recordings if path.endswith(".zip")]
    if bundles:
        if len(bundles) < len(recordings) or handlers or config_path is not None or form is not None:
            raise click.UsageError("a crash bundle is replayed alone, without handlers and --format")
        importlib.import_module("foxtrot_supervisor.cli.replay_bundle").replay_bundles(bundles, as_json=as_json)
        return
    if handlers or config_path is not None:
        if depth is not None:
            raise click.UsageError("--depth is for printed events, not for --handlers")
        if form is not None:
            raise click.UsageError("--format is for printed events, not for --handlers")
        module = importlib.import_module("foxtrot_supervisor.cli.replay_handlers")
        asked = module.HandlerReplay(
            recordings=list(recordings),
            exchange=exchange,
            handlers=list(handlers),
            config_path=config_path,
            ticks=ticks,
            bars=list(bars),
            numbers=numbers,
            speed=speed,
            period=module.period_of(begin, end),
        )
        module.replay_to_handlers(asked, quiet=quiet, as_json=as_json)
        return
    options = {"--from": begin, "--until": end, "--speed": speed, "--ticks": ticks, "--numbers": numbers}
    for name, value in {**options, "--bars": bars or None}.items():
        if value is not None:
            raise click.UsageError(f"{name} is for handlers: name them with --handlers or -c")
    if form == "parquet":
        if output is None:
            raise click.UsageError("--format parquet needs --output DIR")
        if depth is not None:
            raise click.UsageError("--depth is for printed events: files have the levels of each event")
        importlib.import_module("foxtrot_supervisor.cli.replay_parquet").replay_to_parquet(
            recordings, exchange, absolute(output), quiet=quiet
        )
        return
    _print_events(recordings, exchange, depth, form or "json", quiet=quiet)


def _print_events(
    recordings: Sequence[str], exchange: str | None, depth: int | None, form: str, *, quiet: bool
) -> None:
    first = ("recording", "frame")
    write = line_writer(form, (), first=first, depth=depth)
    module = importlib.import_module("foxtrot_workers.replay.replay")
    recording_error = resolve("foxtrot_workers.replay.recording:RecordingError")
    try:
        lines = module.replay_lines(list(recordings), exchange, depth)
    except (module.UnknownExchange, ImportError) as error:
        raise click.UsageError(str(error)) from None
    except recording_error as error:
        raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
    written = 0
    # on a terminal the lines themselves show how it goes on
    try:
        with progress("replay", "events", quiet=quiet or sys.stdout.isatty()) as report:
            while chunk := list(itertools.islice(lines, REPLAY_CHUNK)):
                write(chunk)
                if output_ended():
                    return
                written += len(chunk)
                report(done=written)
    except recording_error as error:
        raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
    say_summary(lines.summary)


def say_summary(summary: Any) -> None:
    """Say what a `foxtrot_workers.replay.replay.ReplaySummary` has of damage, holes and rejected frames."""
    for damage in summary.damaged:
        say(f"{damage}; what stands before it was replayed")
    if summary.holes_total:
        say(f"{summary.lost_total} frames or more are missing at {summary.holes_total} places: they were not recorded")
    if summary.rejected_total:
        say(f"{summary.rejected_total} of {summary.frames_total} frames were rejected, the first of them:")
        for frame in summary.rejected:
            say(f"  {frame.path} line {frame.frame}: {frame.reason}")
