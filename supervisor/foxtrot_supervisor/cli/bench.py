"""The command `bench`: measures on this machine, prints a table or JSON."""

from __future__ import annotations

import click
import msgspec

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.bench.bench import QUICK, BenchFailed, BenchOptions, run_bench
from foxtrot_supervisor.bench.report import render_bench
from foxtrot_supervisor.cli.common import interruptible, json_option, known_errors
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import emit, print_table

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
    type=click.Choice(["trades", "mixed", "latency", "start", "ring"]),
    help="Only this measurement; repeatable. ring (with and without rings) is measured only if named.",
)
@json_option
@known_errors
def bench(quick: bool, events: int | None, only: tuple[str, ...], as_json: bool) -> None:
    """Measure throughput, latency, start, stop and memory.

    Each figure stands beside that of a plain implementation without a supervisor.

    \b
    foxtrot-supervisor bench
    foxtrot-supervisor bench --quick --only trades --json
    """
    interruptible()
    options = msgspec.structs.replace(QUICK if quick else BenchOptions(), events=events, only=only)
    try:
        report = run_bench(options, say)
    except BenchFailed as error:
        raise Failure(f"not measured: {error}", SupervisorExit.INTERNAL_ERROR) from None
    if as_json:
        emit(report)
        return
    print_table(lambda _columns: render_bench(report))
