"""The commands that send one request to a running supervisor: status, stop, restart, reload, split, (un)subscribe."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any

import click

from foxtrot_protocol.control import (
    ReloadRequest,
    Request,
    RestartAllRequest,
    RestartRequest,
    SplitRequest,
    StatusRequest,
    StopRequest,
    StopWorkersRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)
from foxtrot_supervisor.cli.common import (
    ANSWER_S,
    WAIT_POLL_S,
    ask,
    config_option,
    find_run,
    json_option,
    known_errors,
    resolve,
    run_dir_option,
)
from foxtrot_supervisor.cli.output import emit
from foxtrot_supervisor.cli.progress import ask_with_progress, quiet_option
from foxtrot_supervisor.client.answers import StopAnswer, read_stop_answer
from foxtrot_supervisor.client.event_stream import is_running
from foxtrot_supervisor.core.reload import describe, describe_preview
from foxtrot_supervisor.report.status_text import status_lines
from foxtrot_supervisor.report.unhandled_events import describe_unhandled

__all__ = ["reload", "restart", "split", "status", "stop", "subscribe", "unsubscribe"]

GONE_S = 10.0
"""Longest wait, in seconds, for a supervisor to exit after it has reported that everything is stopped."""


@click.command()
@click.option("--schema", is_flag=True, help="Print the JSON Schema of --json; needs no run.")
@config_option
@run_dir_option
@json_option
@known_errors
def status(schema: bool, config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    """Show the status of the supervisor and its children.

    \b
    foxtrot-supervisor status
    foxtrot-supervisor status --json | jq '.workers[] | {name, state, events_total}'
    """
    if schema:
        click.echo(
            resources.files("foxtrot_supervisor.report").joinpath("status.schema.json").read_text("utf-8"), nl=False
        )
        return
    data = ask(find_run(run_dir_path, config_path), StatusRequest(fresh=True), ANSWER_S)
    if as_json:
        emit(data)
        return
    for line in status_lines(data):
        click.secho(line.text, **_TONES[line.tone])


_TONES: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "title": {"bold": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "watch": {"fg": "yellow"},
    "dim": {"dim": True},
}
"""Colours on a terminal; click leaves them out elsewhere."""


@click.command()
@click.argument("workers", nargs=-1, metavar="[WORKER]...")
@config_option
@run_dir_option
@json_option
@known_errors
def stop(workers: Sequence[str], config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    """Stop everything, or single workers, and wait for the end.

    Prints for each process which rung of the stop ladder was needed. A WORKER, or all workers of a connection of that
    name, drains its ring and stays stopped until it is restarted.

    \b
    foxtrot-supervisor stop
    foxtrot-supervisor stop binance-spot.b
    """
    place = find_run(run_dir_path, config_path)
    if workers:
        _stop_workers(place, workers, as_json)
        return
    data = ask(place, StopRequest(), None)
    outcome = read_stop_answer(data)
    deadline = time.monotonic() + GONE_S
    while is_running(place) and time.monotonic() < deadline:
        time.sleep(WAIT_POLL_S)
    if as_json:
        emit(data)
    else:
        for line in _stop_lines(outcome):
            click.echo(line)
    raise click.exceptions.Exit(outcome.exit_code)


def _stop_workers(place: str, workers: Sequence[str], as_json: bool) -> None:
    data = ask(place, StopWorkersRequest(list(workers)), None)
    if as_json:
        emit(data)
        return
    for each in data["workers"]:
        was_down = f"has no process, {each['state']}: {each['cause']}"
        click.echo(f"{each['worker']}: {_RUNGS.get(each['rung'] or '', was_down)}")


def _stop_lines(outcome: StopAnswer) -> Iterator[str]:
    for child in outcome.children:
        how = _RUNGS.get(child.rung or "", "had ended before")
        yield f"{child.name}: {how}" + (f" ({child.cause})" if child.state == "FATAL" else "")
    if outcome.audit.unhandled:
        yield f"not handled: {describe_unhandled(outcome.audit.unhandled)}"
    leftovers = outcome.audit.left_behind()
    yield "left behind: " + (", ".join(f"{name} {left}" for name, left in leftovers.items()) or "nothing")
    yield f"stopped, exit code {outcome.exit_code}"


_RUNGS = {
    "ask": "stopped when asked",
    "term": "needed SIGTERM",
    "kill": "needed SIGKILL",
    "lost": "could not be killed",
}


@click.command()
@click.argument("worker", required=False)
@click.option("--all", "of_all", is_flag=True, help="Restart all workers, a few at a time; the others go on serving.")
@config_option
@run_dir_option
@quiet_option
@json_option
@known_errors
def restart(
    worker: str | None, of_all: bool, config_path: str | None, run_dir_path: str | None, quiet: bool, as_json: bool
) -> None:
    """Stop WORKER and start it again, also from FATAL.

    Returns when it is running. The name of a connection stands for all its workers, restarted one after the other.
    Both sides of a connection are never down together. With --all, a worker that does not serve again ends the whole,
    and Ctrl-C starts no further restart.

    \b
    foxtrot-supervisor restart binance-spot.a
    foxtrot-supervisor restart --all
    """
    if of_all == (worker is not None):
        raise click.UsageError("give the name of a worker or connection, or --all")
    request: Request = RestartAllRequest() if worker is None else RestartRequest(worker)
    data = ask_with_progress(find_run(run_dir_path, config_path), request, "restart", quiet=quiet)
    if as_json:
        emit(data)
    else:
        click.echo("all workers have been restarted" if worker is None else f"{worker} has been restarted")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what has changed and what would happen; change nothing.")
@config_option
@run_dir_option
@quiet_option
@json_option
@known_errors
def reload(dry_run: bool, config_path: str | None, run_dir_path: str | None, quiet: bool, as_json: bool) -> None:
    """Make the supervisor read its configuration again.

    Returns when all changes are in place: new connections are started, removed ones stopped, changed ones replaced;
    the others keep their processes. A file with a mistake changes nothing.

    \b
    foxtrot-supervisor reload --dry-run
    foxtrot-supervisor reload
    """
    place = find_run(run_dir_path, config_path)
    data = ask_with_progress(place, ReloadRequest(dry_run), "reload", quiet=quiet)
    if as_json:
        emit(data)
    elif dry_run:
        click.echo("\n".join(describe_preview(data)))
    else:
        click.echo(describe(data))


@click.command()
@click.argument("shard")
@config_option
@run_dir_option
@json_option
@known_errors
def split(shard: str, config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    """Give half of a shard's symbols to a new worker.

    No event is lost.

    Returns when the new worker brings them and the old one has let go of them. If that fails, nothing has changed.

    \b
    foxtrot-supervisor split binance-spot-1
    """
    data = ask(find_run(run_dir_path, config_path), SplitRequest(shard), None)
    if as_json:
        emit(data)
    else:
        left = f" ({data['reason']})" if data["reason"] else ""
        click.echo(f"{data['shard']} has been split: {data['symbols']} symbols are on {data['into']} now{left}")


save_option = click.option(
    "--save", is_flag=True, help="Also write it into the configuration file; comments and order stay."
)


@click.command()
@click.argument("worker")
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@save_option
@config_option
@run_dir_option
@json_option
@known_errors
def subscribe(
    worker: str, symbols: Sequence[str], save: bool, config_path: str | None, run_dir_path: str | None, as_json: bool
) -> None:
    """Add SYMBOLs to a running WORKER without reconnecting.

    \b
    foxtrot-supervisor subscribe binance-spot.a SOLUSDT XRPUSDT
    foxtrot-supervisor subscribe binance-spot SOLUSDT --save
    """
    place = find_run(run_dir_path, config_path)
    _change_symbols(place, SubscribeRequest(worker, list(symbols)), "subscribed", save, as_json)


@click.command()
@click.argument("worker")
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@save_option
@config_option
@run_dir_option
@json_option
@known_errors
def unsubscribe(
    worker: str, symbols: Sequence[str], save: bool, config_path: str | None, run_dir_path: str | None, as_json: bool
) -> None:
    """Remove SYMBOLs from a running WORKER without reconnecting.

    \b
    foxtrot-supervisor unsubscribe binance-spot.a XRPUSDT
    """
    place = find_run(run_dir_path, config_path)
    _change_symbols(place, UnsubscribeRequest(worker, list(symbols)), "unsubscribed", save, as_json)


def _change_symbols(
    place: str, request: SubscribeRequest | UnsubscribeRequest, done: str, save: bool, as_json: bool
) -> None:
    """Change symbols of a worker, and with `save` of the file; what cannot be saved is not begun."""
    to_save = None
    if save:
        saving = resolve("foxtrot_supervisor.cli.saving:SymbolsToSave")
        connection = resolve("foxtrot_supervisor.cli.saving:connection_to_save")(
            ask(place, StatusRequest(fresh=True), ANSWER_S), request.worker
        )
        to_save = saving(place, connection, request.symbols, added=isinstance(request, SubscribeRequest))
    data = ask(place, request, None)
    if to_save is not None:
        to_save.save(data["symbols"])
        data = {**data, "saved": to_save.path}
    if as_json:
        emit(data)
        return
    where = f", saved in {to_save.path}" if to_save is not None else ""
    click.echo(f"{request.worker} has {done} {', '.join(request.symbols)}{where}")


def _request(request: Request, message: str, config_path: str | None, run_dir_path: str | None, as_json: bool) -> None:
    """Send `request`; print the answer as JSON, or `message`."""
    data = ask(find_run(run_dir_path, config_path), request, None)
    if as_json:
        emit(data)
    else:
        click.echo(message)
