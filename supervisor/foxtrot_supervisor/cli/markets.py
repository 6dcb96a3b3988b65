"""The command `markets`: lists the instruments of an exchange."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_protocol.instruments import Instrument
from foxtrot_supervisor.cli.common import json_option, known_errors
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import emit, print_table
from foxtrot_supervisor.cli.progress import progress, quiet_option, waited_for
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.markets import FRESH_S
from foxtrot_supervisor.markets.age import age_text
from foxtrot_supervisor.markets.market_list import (
    ListSource,
    ListUnavailable,
    MarketList,
    cache_path,
    fetch,
    kept,
)
from foxtrot_supervisor.markets.selection import entry_problem, select

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["markets"]


@click.command()
@click.argument("exchange")
@click.option("--match", "entries", multiple=True, metavar="PATTERN", help="As in `symbols`; can be repeated.")
@click.option("--all", "with_all", is_flag=True, help="Also what is not traded: halted, announced, ended.")
@click.option("--refresh", is_flag=True, help="Ask the exchange even if the kept list is young.")
@click.option("--offline", is_flag=True, help="Show the kept list, whatever its age.")
@click.option("--rest-url", metavar="URL", help="REST address in place of the exchange's own.")
@click.option("--ca-file", metavar="FILE", help="Certificate authority to trust in place of the system's.")
@click.option("--proxy", metavar="URL", help="Proxy, http://HOST:PORT or https://HOST:PORT.")
@quiet_option
@json_option
@known_errors
def markets(
    exchange: str,
    entries: tuple[str, ...],
    with_all: bool,
    refresh: bool,
    offline: bool,
    rest_url: str | None,
    ca_file: str | None,
    proxy: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """List the instruments of EXCHANGE.

    The list is kept; if the exchange cannot be asked, the kept list is shown with its age.

    \b
    foxtrot-supervisor markets binance --match '*-USDT' --match '!*UP-USDT'
    foxtrot-supervisor markets okx --match 'kind:perpetual&BTC-*'
    """
    info = read_catalog().get(exchange)
    if info is None or info.error:
        reason = info.error if info is not None else f"unknown exchange {exchange!r}"
        raise Failure(reason, SupervisorExit.USAGE)
    for entry in entries:
        if problem := entry_problem(entry):
            raise Failure(f"--match {entry}: {problem}", SupervisorExit.USAGE)
    source = ListSource(exchange=exchange, rest_url=rest_url, ca_file=ca_file, proxy=proxy)
    with progress(f"list of {exchange}", "instruments", quiet=quiet) as report:
        found, problem = waited_for(lambda: _list(source, refresh=refresh, offline=offline), report)
    if found is None:
        raise Failure(f"{exchange}: no list of instruments: {problem}", SupervisorExit.INTERNAL_ERROR)
    chosen = found.instruments
    if entries:
        selection = select(entries, chosen, info.symbol_case)
        for unmatched in selection.unmatched:
            say(f"{unmatched.entry}: {unmatched.reason}")
        names = set(selection.symbols)
        chosen = [each for each in chosen if each.symbol in names]
    elif not with_all:
        chosen = [each for each in chosen if each.status == "trading"]
    age_s = max(0.0, time.time() - found.fetched_at)
    if as_json:
        emit(
            {
                "exchange": exchange,
                "age_s": round(age_s, 1),
                "problem": problem,
                "listed": len(found.instruments),
                "instruments": chosen,
            }
        )
        return
    if problem:
        say(f"{exchange}: the list is {age_text(age_s)} old: {problem}")
    print_table(lambda width: _table(chosen))
    click.echo(f"{exchange}: {len(chosen)} of {len(found.instruments)} instruments, list {age_text(age_s)} old")


def _list(source: ListSource, *, refresh: bool, offline: bool) -> tuple[MarketList | None, str]:
    """Return the list, and why it is not a fresh one."""
    directory = cache_path(dict(os.environ), os.path.expanduser("~"))
    old = kept(source, directory)
    now = time.time()
    if offline:
        return old, "" if old is not None else "none was kept (asked to stay offline)"
    if old is not None and not refresh and 0.0 <= now - old.fetched_at < FRESH_S:
        return old, ""
    try:
        return fetch(source, directory, now), ""
    except ListUnavailable as failure:
        return old, str(failure)


def _table(chosen: list[Instrument]) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for column in ("symbol", "instrument", "kind", "status"):
        table.add_column(column)
    for column in ("tick", "lot", "contract"):
        table.add_column(column, justify="right")
    table.add_column("expiry")
    for each in chosen:
        expiry = time.strftime("%Y-%m-%d", time.gmtime(each.expiry_ns // 10**9)) if each.expiry_ns else ""
        table.add_row(
            each.symbol,
            each.instrument,
            each.kind,
            each.status,
            each.tick_size,
            each.lot_size,
            each.contract_size,
            expiry,
        )
    return table
