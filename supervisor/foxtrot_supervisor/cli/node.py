"""The command `node`: a supervisor whose connections come from a cluster."""

from __future__ import annotations

import functools
import os
from typing import Literal

import click
from msgspec import structs

from foxtrot_supervisor.cli.cluster_options import cluster_of, cluster_options
from foxtrot_supervisor.cli.common import absolute, config_option, known_errors, run_dir_option
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.cli.start_display import display
from foxtrot_supervisor.cluster.machine import node_of
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.load import load_config
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime import run_dir
from foxtrot_supervisor.runtime.main import run_supervisor

__all__ = ["node"]


@click.command()
@cluster_options
@config_option
@click.option("--name", help="Name of this node (default: of the machine).")
@click.option("--host", help="Machine of this node: twins are kept on different ones (default: its name).")
@click.option("--address", "addresses", multiple=True, help="Address from which exchanges see this node.")
@click.option("--capacity", type=click.IntRange(0, 10_000), help="Largest number of shards (default: by its cores).")
@run_dir_option
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
def node(
    url: str | None,
    credentials_file: str | None,
    ca_file: str | None,
    config_path: str | None,
    name: str | None,
    host: str | None,
    addresses: tuple[str, ...],
    capacity: int | None,
    run_dir_path: str | None,
    log_level: str,
    log_format: Literal["auto", "console", "json"],
    plain: bool,
    boot: str | None,
) -> None:
    """Run the connections that a cluster gives to this machine.

    \b
    foxtrot-supervisor node --cluster nats://127.0.0.1:4222
    foxtrot-supervisor node -c node.toml --name tokyo-1 --address 203.0.113.7
    """
    catalog = functools.cache(read_catalog)
    config = (
        FoxtrotConfig() if config_path is None else load_config(config_path, catalog=catalog, without_connections=True)
    )
    if config.connections:
        say(f"{config_path}: its connections are not used: a node has those of the cluster (`cluster apply`)")
    cluster = cluster_of(
        config.cluster, url, credentials_file, ca_file, node=name, host=host, addresses=list(addresses)
    )
    if capacity is not None:
        cluster = structs.replace(cluster, capacity=capacity)
    usable = sorted(name for name, info in catalog().items() if not info.error)
    config = structs.replace(
        config,
        connections=[],
        engine=structs.replace(config.engine, handlers=[], transport="ring"),
        cluster=node_of(cluster, usable),
    )
    directory = run_dir_path or config.supervisor.run_dir or run_dir.default_path(os.environ, os.getuid())
    directory = absolute(directory)
    wanted = "plain" if plain and log_format == "auto" else log_format
    with display(wanted, log_level, directory) as (effective_format, on_snapshot):
        code = run_supervisor(
            config,
            run_dir_path=directory,
            import_path="",
            log_level=log_level,
            log_format=effective_format,
            on_snapshot=on_snapshot,
            config_path=absolute(config_path) if config_path else "",
            targets=None if boot is None else Targets(boot=boot),
        )
    if effective_format == "link":
        say(f"stopped, exit code {int(code)}")
    raise click.exceptions.Exit(int(code))
