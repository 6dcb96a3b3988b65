"""The command `bench`: measures on this machine, prints a table or JSON."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.bench.bench import QUICK, BenchFailed, BenchOptions, run_bench
from foxtrot_supervisor.bench.changes import changes
from foxtrot_supervisor.bench.history import append, last_of
from foxtrot_supervisor.bench.report import render_bench, render_changes
from foxtrot_supervisor.bench.variants import PEERS, System
from foxtrot_supervisor.cli.common import interruptible, json_option, known_errors
from foxtrot_supervisor.cli.messages import Failure
from foxtrot_supervisor.cli.output import emit, print_table
from foxtrot_supervisor.cli.progress import progress, quiet_option

__all__ = ["bench"]


@click.command()
@click.option("--quick", is_flag=True, help="One short run of each measurement: an estimate, not a figure to quote.")
@click.option(
    "--events",
    type=click.IntRange(min=1),
    help="Events of each throughput run (default: as many as take about 2.5 s).",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["trades", "mixed", "latency", "start", "ring", "recording", "parse"]),
    help="Only this measurement; repeatable. ring, recording (with and without them) and parse only if named.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    type=click.Choice(PEERS),
    help="Measure this project, too, where it is installed (trades and latency); repeatable.",
)
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=click.Path(dir_okay=False, exists=True),
    help="With --only parse: parse the frames of this recording, instead of made ones; repeatable.",
)
@click.option(
    "--compare",
    "history_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Compare with the last report in FILE, then append this one.",
)
@quiet_option
@json_option
@known_errors
def bench(
    quick: bool,
    events: int | None,
    only: tuple[str, ...],
    peers: tuple[System, ...],
    recordings: tuple[str, ...],
    history_path: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Measure throughput, latency, start, stop and memory.

    Each figure stands beside that of a plain implementation without a supervisor.

    \b
    foxtrot-supervisor bench
    foxtrot-supervisor bench --quick --only trades --json
    foxtrot-supervisor bench --only parse --recording okx.jsonl.gz
    foxtrot-supervisor bench --only latency --peer cryptofeed --compare history.jsonl
    """
    interruptible()
    options = msgspec.structs.replace(
        QUICK if quick else BenchOptions(), events=events, only=only, peers=peers, recordings=recordings
    )
    try:
        before = None if history_path is None else last_of(history_path)
        with progress("bench", "measurements", quiet=quiet) as reported:
            report = run_bench(options, reported)
        if history_path is not None:
            append(history_path, report)
    except BenchFailed as error:
        raise Failure(f"not measured: {error}", SupervisorExit.INTERNAL_ERROR) from None
    changed = [] if before is None else changes(before, report)
    if as_json:
        emit({**report, "changes": changed} if history_path is not None else report)
        return
    print_table(lambda _columns: render_bench(report))
    if changed:
        print_table(lambda _columns: render_changes(changed))
