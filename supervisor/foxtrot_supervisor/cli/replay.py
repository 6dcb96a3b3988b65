"""The command `replay`: runs recorded frames through the parsers and books of workers."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Sequence

import click

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import known_errors, resolve
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import output_ended, write_lines
from foxtrot_supervisor.cli.progress import progress, quiet_option

__all__ = ["replay"]

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
@click.option("--json", "_as_json", is_flag=True, help="JSON lines; the output is always JSON.")
@quiet_option
@known_errors
def replay(recordings: Sequence[str], exchange: str | None, depth: int | None, _as_json: bool, quiet: bool) -> None:
    """Run recorded frames through parsers and print the events.

    The parsers and books are those of the workers; the output is one JSON object per line.

    \b
    foxtrot-supervisor replay recordings/okx/2022-05-13.jsonl.gz --exchange okx --depth 10
    """
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
                write_lines(chunk)
                if output_ended():
                    return
                written += len(chunk)
                report(done=written)
    except recording_error as error:
        raise Failure(str(error), SupervisorExit.INTERNAL_ERROR) from None
    summary = lines.summary
    if summary.rejected_total:
        say(f"{summary.rejected_total} of {summary.frames_total} frames were rejected, the first of them:")
        for frame in summary.rejected:
            say(f"  {frame.path} line {frame.frame}: {frame.reason}")
