"""The command `unit`: prints the systemd unit for a configuration."""

from __future__ import annotations

import os
import sys

import click

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import absolute, surroundings
from foxtrot_supervisor.cli.systemd_unit import UnitOptions, UnitRefused, render_unit
from foxtrot_supervisor.config import discovery
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.exchanges import CatalogUnavailable
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import SupervisorConfig
from foxtrot_supervisor.system.interpreter import find_interpreter

__all__ = ["SYSTEM_CONFIG", "unit"]

SYSTEM_CONFIG = f"/etc/foxtrot/{discovery.CONFIG_NAME}"
"""Configuration that the unit names where none is found: the usual place on a server."""

_NAME = "foxtrot-supervisor"


@click.command()
@click.option("--user", metavar="NAME", help="Run as this user (default: a dynamic user of systemd).")
@click.option(
    "-c", "--config", "config_path", metavar="PATH", help=f"Configuration (default: as `start`, else {SYSTEM_CONFIG})."
)
@click.option("--exec", "program", metavar="PATH", help="The program (default: this one).")
def unit(user: str | None, config_path: str | None, program: str | None) -> None:
    """Print a hardened systemd unit for the configuration.

    Its time limits follow from those of the configuration.

    \b
    foxtrot-supervisor unit -c /etc/foxtrot/foxtrot.toml > /etc/systemd/system/foxtrot-supervisor.service
    scripts/install-systemd does this and prepares the directories that the unit needs
    """
    path, supervisor = _configuration(config_path)
    options = UnitOptions(
        program=absolute(program or _this_program()),
        config_path=path,
        supervisor=supervisor,
        user=user,
        reads=(sys.prefix, sys.base_prefix),
    )
    try:
        text = render_unit(options)
    except UnitRefused as refusal:
        click.echo(f"no unit can be written: {refusal.reason}", err=True)
        raise click.exceptions.Exit(SupervisorExit.USAGE) from None
    click.echo(text, nl=False)


def _configuration(config_path: str | None) -> tuple[str, SupervisorConfig]:
    path = config_path or discovery.find_config(surroundings(), os.path.isfile)
    if path is None:
        click.echo(f"no configuration was found: the unit names {SYSTEM_CONFIG}, which you have to write", err=True)
        return SYSTEM_CONFIG, SupervisorConfig()
    try:
        return absolute(path), config_file.load_config(path).supervisor
    except ConfigInvalid as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(SupervisorExit.CONFIGURATION) from None
    except CatalogUnavailable as error:
        click.echo(str(error), err=True)
        raise click.exceptions.Exit(SupervisorExit.INTERNAL_ERROR) from None


def _this_program() -> str:
    called = sys.argv[0]
    if os.path.basename(called) == _NAME and os.path.isfile(called):
        return called
    return os.path.join(os.path.dirname(find_interpreter()), _NAME)
