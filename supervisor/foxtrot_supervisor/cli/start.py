"""The command `start`: runs a supervisor in this process.

Exchange code is never imported here: it runs in children only, and the list of exchanges is read from a process of
its own.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Literal

import click

from foxtrot_protocol.lean_import import without
from foxtrot_supervisor.cli.common import (
    absolute,
    config_option,
    known_errors,
    run_dir_option,
    surroundings,
    working_directory,
)
from foxtrot_supervisor.cli.configuration import find_configuration
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.cli.start_display import display
from foxtrot_supervisor.config import discovery
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.markets import Markets
from foxtrot_supervisor.config.schema import ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.markets.market_list import cache_path
from foxtrot_supervisor.runtime import run_dir

with without("dill"):
    from foxtrot_supervisor.runtime.main import run_supervisor

__all__ = ["import_path", "start"]


@click.command()
@config_option
@run_dir_option
@click.option(
    "--duration", "duration_s", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop after S seconds."
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    show_default=True,
    help="auto: a live view on a terminal, else console lines.",
)
@click.option("--plain", is_flag=True, help="On a terminal a live table instead of the full-screen view.")
@click.option("--boot", hidden=True, metavar="TARGET", help="What children call first (fault tests: docs/chaos.md).")
@known_errors
def start(
    config_path: str | None,
    run_dir_path: str | None,
    duration_s: float | None,
    log_level: str,
    log_format: Literal["auto", "console", "json"],
    plain: bool,
    boot: str | None,
) -> None:
    """Supervise in the foreground until stopped.

    By Ctrl-C, SIGTERM or `foxtrot-supervisor stop`.

    \b
    foxtrot-supervisor start                      # foxtrot.toml, else the simulated exchange
    foxtrot-supervisor start -c my.toml
    foxtrot-supervisor start --duration 60 --log-format json
    """
    catalog = functools.cache(read_catalog)  # for reloads too: a running supervisor must not start foreign processes
    config, path = find_configuration(config_path, catalog)
    if path is None:
        say(
            "No configuration file found (looked for "
            + ", ".join(discovery.config_candidates(surroundings()))
            + '): using the embedded SIMULATED exchange (exchange = "sim", symbols end in .SIM). '
            "`foxtrot-supervisor init` writes an example configuration."
        )
    markets = Markets(cache_path(dict(os.environ), os.path.expanduser("~")), say)
    config = markets.resolve(config, catalog(), path or "", online=True)
    directory = run_dir_path or config.supervisor.run_dir or run_dir.default_path(os.environ, os.getuid())
    directory = absolute(directory)
    wanted = "plain" if plain and log_format == "auto" else log_format
    with display(wanted, log_level, directory) as (effective_format, on_snapshot):
        code = run_supervisor(
            config,
            run_dir_path=directory,
            import_path=import_path(),
            log_level=log_level,
            log_format=effective_format,
            duration_s=duration_s,
            on_snapshot=on_snapshot,
            config_path=absolute(path) if path else "",
            read_config=functools.partial(_read_again, absolute(path), catalog, markets) if path else None,
            targets=None if boot is None else Targets(boot=boot),
        )
    if effective_format == "link":
        say(f"stopped, exit code {int(code)}")  # the view, and with it the last state, has gone
    raise click.exceptions.Exit(int(code))


def _read_again(
    path: str, catalog: Callable[[], dict[str, ExchangeInfo]], markets: Markets, present: Placements
) -> FoxtrotConfig:
    config = config_file.load_config(path, catalog=catalog)
    return markets.resolve(config, catalog(), path, online=False, present=present)


def import_path() -> str:
    """The folder where handlers are found beside installed packages: the working directory, "" if it is unusable."""
    path = working_directory()
    try:
        path.encode()
    except UnicodeEncodeError:
        say("the working directory's path is not valid UTF-8: handlers are not looked for in it")
        return ""
    return path
