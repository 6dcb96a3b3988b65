"""The commands `check` and `init`, and the search for the configuration that they share with `start`."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping

import click

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import config_option, json_option, known_errors, surroundings
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import emit
from foxtrot_supervisor.config import discovery
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.check import default_config
from foxtrot_supervisor.config.example import EXAMPLE
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.markets import Markets
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.values import offered
from foxtrot_supervisor.markets.market_list import cache_path

__all__ = ["check", "find_configuration", "init"]


def find_configuration(
    config_path: str | None, catalog: Callable[[], Mapping[str, ExchangeInfo]] = read_catalog
) -> tuple[FoxtrotConfig, str | None]:
    """Return the configuration and the path of its file; without a file the embedded simulated exchange and None.

    `config_path`: the file to read; None: the first one found in the usual places. Raises `ConfigInvalid`,
    `CatalogUnavailable`.
    """
    path = config_path or discovery.find_config(surroundings(), os.path.isfile)
    if path is None:
        return default_config(), None
    return config_file.load_config(path, catalog=catalog), path


@click.command()
@config_option
@click.option("--online", is_flag=True, help="Ask the exchanges for their instruments where the kept list is old.")
@json_option
@known_errors
def check(config_path: str | None, online: bool, as_json: bool) -> None:
    """Check a configuration and list every mistake.

    Each with file, key and reason. Starts nothing. Patterns and instruments are resolved with the kept lists of
    instruments, with --online as `start` does it.

    \b
    foxtrot-supervisor check -c foxtrot.toml
    foxtrot-supervisor check --online
    """
    catalog = functools.cache(read_catalog)
    markets = Markets(cache_path(dict(os.environ), os.path.expanduser("~")), say)
    try:
        config, path = find_configuration(config_path, catalog)
        resolved = markets.resolve(config, catalog(), path or "", online=online)
    except ConfigInvalid as error:
        if not as_json:
            raise
        emit({"ok": False, "file": error.source, "errors": [_as_json(error.source, p) for p in error.problems]})
        raise click.exceptions.Exit(SupervisorExit.CONFIGURATION) from None
    exchanges = {name: info for name, info in catalog().items() if not info.error}
    if as_json:
        emit({"ok": True, "file": path, "errors": [], "connections": [c.name for c in resolved.connections]})
        return
    click.echo(f"{path or 'no file found, the built-in configuration'}: ok, {len(config.connections)} connection(s)")
    click.echo("exchanges that can be configured:")
    for name, info in sorted(exchanges.items()):
        click.echo(f"  {name}: {offered(info.channels)}")


def _as_json(source: str, problem: Problem) -> dict[str, str]:
    return {"file": source, "key": problem.key, "reason": problem.reason}


@click.command()
@click.option("-o", "--output", default=discovery.CONFIG_NAME, show_default=True, help="File to write; - for stdout.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@known_errors
def init(output: str, force: bool) -> None:
    """Write a commented example configuration.

    \b
    foxtrot-supervisor init
    foxtrot-supervisor init -o - | less
    """
    if output == "-":
        click.echo(EXAMPLE, nl=False)
        return
    try:
        with open(output, "w" if force else "x", encoding="utf-8") as file:
            file.write(EXAMPLE)
    except FileExistsError:
        raise Failure(f"{output} exists already; --force replaces it", SupervisorExit.USAGE) from None
    except OSError as error:
        raise Failure(f"{output} cannot be written: {error.strerror}", SupervisorExit.USAGE) from None
    say(f"wrote {output}; `foxtrot-supervisor check` checks it, `foxtrot-supervisor start` runs it")
