"""The command `start`: runs a supervisor in this process.

Exchange code is never imported here: it runs in children only, and the list of exchanges is read from a process of
its own.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

import click

from foxtrot_supervisor.cli.common import (
    absolute,
    config_option,
    known_errors,
    surroundings,
    working_directory,
)
from foxtrot_supervisor.cli.configuration import find_configuration
from foxtrot_supervisor.cli.foreground import Foreground, duration_option, foreground_options
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.config import discovery
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.markets import Markets
from foxtrot_supervisor.config.schema import ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.markets.market_list import cache_path

__all__ = ["import_path", "start"]


@click.command()
@config_option
@duration_option
@foreground_options
@known_errors
def start(
    config_path: str | None,
    duration_s: float | None,
    foreground: Foreground,
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
    foreground.run(
        config,
        import_path=import_path(),
        config_path=path,
        duration_s=duration_s,
        read_config=functools.partial(_read_again, absolute(path), catalog, markets) if path else None,
    )


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
