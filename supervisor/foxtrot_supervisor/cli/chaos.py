"""The command `chaos`: checks its options, runs a campaign, prints a table or JSON."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import get_args

import click

from foxtrot_protocol.endpoints import Transport
from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.chaos.rules.delivery_faults import DELIVERY_FAULTS
from foxtrot_supervisor.chaos.rules.mishaps import Mishap, choose
from foxtrot_supervisor.chaos.rules.schedule import FAULTS, PHASES, ChaosOptions, Phase
from foxtrot_supervisor.chaos.rules.venues import VENUES
from foxtrot_supervisor.cli.common import interruptible, json_option
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.cli.output import emit, print_table
from foxtrot_supervisor.cli.progress import progress, quiet_option

__all__ = ["chaos"]

PIPE_COLUMNS = 160
"""Width of tables that are written to a file or a pipe, in characters."""

EPILOG = (
    f"Faults: {', '.join(FAULTS)}; each in these phases: {', '.join(PHASES)}. Delivery faults, each with one worker "
    f"and with twins: {', '.join(DELIVERY_FAULTS)}. What each does: docs/chaos.md."
)


def _names(_context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    known: Sequence[str] = (*FAULTS, *DELIVERY_FAULTS) if parameter.name == "faults" else PHASES
    if text is None:
        return tuple(known)
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'}: not one of {', '.join(known)}")
    return names


def _mishaps(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> list[Mishap]:
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    try:
        return choose(names)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(epilog=EPILOG)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same schedule.")
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Repeat passes for S seconds (default: one pass, every fault in every phase once).",
)
@click.option("--faults", callback=_names, metavar="A,B", help="Only these faults.")
@click.option("--phases", callback=_names, metavar="A,B", help="Only these phases.")
@click.option(
    "--kills",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Instead: N SIGKILLs of workers under load.",
)
@click.option(
    "--supervisor-kills",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Instead: N SIGKILLs of the supervisor under load.",
)
@click.option(
    "--redundancy",
    type=click.IntRange(1, 2),
    metavar="N",
    help="With --kills: compare what handlers received with the exchange's ledger, N workers per connection.",
)
@click.option("--backfill", is_flag=True, help="Compare with the ledger, and require that gaps are filled over REST.")
@click.option("--engine-kills", type=click.IntRange(min=0), default=0, metavar="N", help="N SIGKILLs of the engine.")
@click.option("--pair-kills", type=click.IntRange(min=0), default=0, metavar="N", help="N SIGKILLs of both twins.")
@click.option(
    "--engine-stop",
    "engine_stop_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="S",
    help="SIGSTOP of the engine for S seconds.",
)
@click.option("--splits", type=click.IntRange(min=0), default=0, metavar="N", help="N splits of shards under load.")
@click.option(
    "--markets",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="N symbols by pattern at an exchange that enforces its limits; one is listed and one delisted live.",
)
@click.option(
    "--recordings",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Instead: N SIGKILLs of the recorder and of recorded workers; the recording is replayed and compared.",
)
@click.option(
    "--over",
    "over_s",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="S",
    help="With --recordings: spread the kills over S seconds (default: each follows the recovery from the last one).",
)
@click.option(
    "--node-kills", type=click.IntRange(min=0), default=0, metavar="N", help="N SIGKILLs of a cluster's nodes."
)
@click.option(
    "--node-cuts",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Cut a cluster's nodes off from NATS N times; they live on.",
)
@click.option(
    "--engine-host-kills",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="N SIGKILLs of the host that has a cluster's engine: another one goes on.",
)
@click.option(
    "--nats-kills", type=click.IntRange(min=0), default=0, metavar="N", help="N SIGKILLs of a cluster's NATS server."
)
@click.option(
    "--nats-servers",
    type=click.Choice(["1", "3"]),
    default="1",
    show_default=True,
    help="NATS servers of the cluster: of three, one is killed, and streams have three replicas.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 200),
    metavar="N",
    help="Workers to kill (default: 8), or connections where delivery is checked (default: 2).",
)
@click.option(
    "--rate",
    "rate_per_s",
    type=click.FloatRange(min=1),
    default=500.0,
    show_default=True,
    help="Orders per second while workers or supervisors are killed.",
)
@click.option(
    "--exchange",
    type=click.Choice(list(VENUES)),
    default="binance",
    show_default=True,
    help="Exchange that is simulated, with its protocol and its adapter.",
)
@click.option("--start-method", type=click.Choice(["auto", "nursery", "spawn"]), default="auto", show_default=True)
@click.option(
    "--transport",
    type=click.Choice(get_args(Transport)),
    default="zeromq",
    show_default=True,
    help="How the engine learns of batches ([engine] transport).",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=1),
    default=1.0,
    show_default=True,
    metavar="X",
    help="Multiply all time limits by X, on a machine that is busy with other work.",
)
@click.option("--mishaps", is_flag=True, help="Instead: ordinary mishaps, each in a place of its own.")
@click.option(
    "--only",
    "chosen",
    callback=_mishaps,
    metavar="A,B",
    help="With --mishaps: only these names, or letters of groups; repeatable.",
    multiple=True,
)
@click.option("--plan", "only_plan", is_flag=True, help="Print the schedule; do nothing.")
@quiet_option
@json_option
def chaos(
    seed: int,
    duration_s: float | None,
    faults: tuple[str, ...],
    phases: tuple[Phase, ...],
    kills: int,
    supervisor_kills: int,
    redundancy: int | None,
    backfill: bool,
    engine_kills: int,
    pair_kills: int,
    engine_stop_s: float,
    splits: int,
    markets: int,
    recordings: int,
    over_s: float,
    node_kills: int,
    node_cuts: int,
    engine_host_kills: int,
    nats_kills: int,
    nats_servers: str,
    workers: int | None,
    rate_per_s: float,
    exchange: str,
    start_method: str,
    transport: Transport,
    patience: float,
    mishaps: bool,
    chosen: list[Mishap],
    only_plan: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Inject faults into real supervisors and check all promises.

    Every fault in every phase, on a simulated exchange. Exit code 0: all promises held.

    \b
    foxtrot-supervisor chaos --seed 7
    foxtrot-supervisor chaos --faults sigkill,gil_held --phases streaming
    foxtrot-supervisor chaos --kills 500 --supervisor-kills 200
    foxtrot-supervisor chaos --kills 1000 --redundancy 2 --rate 4000
    foxtrot-supervisor chaos --kills 200 --redundancy 1 --backfill --exchange okx
    foxtrot-supervisor chaos --engine-kills 100 --engine-stop 10 --rate 14000
    foxtrot-supervisor chaos --engine-kills 100 --redundancy 2 --transport ring
    foxtrot-supervisor chaos --splits 20 --backfill --rate 4000
    foxtrot-supervisor chaos --markets 2000 --rate 8000
    foxtrot-supervisor chaos --recordings 50 --rate 4000
    foxtrot-supervisor chaos --recordings 50 --over 864 --workers 1 --redundancy 2
    foxtrot-supervisor chaos --node-kills 30 --nats-kills 3 --rate 3000
    foxtrot-supervisor chaos --node-cuts 10 --rate 3000
    foxtrot-supervisor chaos --engine-host-kills 10 --rate 1500
    foxtrot-supervisor chaos --mishaps --only output_unread,A
    """
    if mishaps:
        _play_mishaps(chosen, patience, only_plan=only_plan, quiet=quiet, as_json=as_json)
        return
    possible = importlib.import_module("foxtrot_supervisor.runtime.processes.nursery_link").nursery_possible
    if pair_kills and redundancy == 1:
        raise click.UsageError("--pair-kills needs twins: --redundancy 2")
    if supervisor_kills and (
        redundancy or backfill or engine_kills or pair_kills or engine_stop_s or splits or markets
    ):
        raise click.UsageError("--supervisor-kills does not check delivery: run it without the other options")
    judged = redundancy or backfill or engine_kills or pair_kills or engine_stop_s or splits or markets
    of_cluster = node_kills or node_cuts or engine_host_kills or nats_kills
    if of_cluster and (judged or kills or supervisor_kills or recordings):
        raise click.UsageError("kills and cuts in a cluster are a campaign of their own: without the other ones")
    if of_cluster and importlib.util.find_spec("nats") is None:
        raise click.UsageError("a cluster needs nats-py: pip install 'foxtrot-supervisor[cluster]'")
    if over_s and not recordings:
        raise click.UsageError("--over needs --recordings")
    sides = 0 if not (judged or recordings or of_cluster) else redundancy or (2 if pair_kills else 1)
    options = ChaosOptions(
        seed=seed,
        duration_s=duration_s,
        faults=faults,
        phases=phases,
        kills=kills,
        supervisor_kills=supervisor_kills,
        redundancy=sides,
        backfill=backfill,
        engine_kills=engine_kills,
        pair_kills=pair_kills,
        engine_stop_s=engine_stop_s,
        splits=splits,
        markets=markets,
        recordings=recordings,
        over_s=over_s,
        node_kills=node_kills,
        node_cuts=node_cuts,
        engine_host_kills=engine_host_kills,
        nats_kills=nats_kills,
        nats_servers=int(nats_servers),
        workers=workers or (2 if sides else 8),
        rate_per_s=rate_per_s,
        start_method=start_method,
        nursery=start_method != "spawn" and possible(),
        transport=transport,
        patience=patience,
        exchange=exchange,
    )
    interruptible()
    playing = importlib.import_module("foxtrot_supervisor.chaos.campaigns.matrix")
    trouble_class = importlib.import_module("foxtrot_supervisor.chaos.harness.supervised_run").Trouble
    if only_plan:
        steps = playing.plan_of(options)
        emit({"steps": steps}) if as_json else _print_table("render_plan", steps)
        return
    try:
        with progress("chaos", "steps", quiet=quiet) as reported:
            report = playing.run_chaos(options, reported)
    except trouble_class as trouble:
        say(f"not tested: {trouble}")
        raise click.exceptions.Exit(SupervisorExit.START_FAILED) from None
    emit(report) if as_json else _print_table("render_chaos", report)
    raise click.exceptions.Exit(SupervisorExit.CLEAN if report["held"] else SupervisorExit.INTERNAL_ERROR)


def _play_mishaps(chosen: list[Mishap], patience: float, *, only_plan: bool, quiet: bool, as_json: bool) -> None:
    if only_plan:
        emit({"mishaps": chosen}) if as_json else _print_table("render_mishap_plan", chosen)
        return
    interruptible()
    suite = importlib.import_module("foxtrot_supervisor.chaos.campaigns.mishaps.suite")
    with progress("chaos", "mishaps", quiet=quiet) as reported:
        report = suite.run_mishaps(chosen, patience, reported)
    emit(report) if as_json else _print_table("render_mishaps", report)
    raise click.exceptions.Exit(SupervisorExit.CLEAN if report["held"] else SupervisorExit.INTERNAL_ERROR)


def _print_table(render: str, value: object) -> None:
    tables = importlib.import_module("foxtrot_supervisor.chaos.rules.tables")
    print_table(lambda _columns: getattr(tables, render)(value), PIPE_COLUMNS)
