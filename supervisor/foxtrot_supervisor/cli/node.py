"""The command `node`: a supervisor whose connections come from a cluster."""

from __future__ import annotations

import functools

import click
from msgspec import structs

from foxtrot_supervisor.cli.cluster_options import cluster_of, cluster_options
from foxtrot_supervisor.cli.common import config_option, known_errors
from foxtrot_supervisor.cli.foreground import Foreground, foreground_options
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.cluster.machine import node_of
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.load import load_config
from foxtrot_supervisor.config.schema import FoxtrotConfig

__all__ = ["node"]


@click.command()
@cluster_options
@config_option
@click.option("--name", help="Name of this node (default: of the machine).")
@click.option("--host", help="Machine of this node: twins are kept on different ones (default: its name).")
@click.option("--address", "addresses", multiple=True, help="Address from which exchanges see this node.")
@click.option("--capacity", type=click.IntRange(0, 10_000), help="Largest number of shards (default: by its cores).")
@foreground_options
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
    foreground: Foreground,
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
    foreground.run(config, import_path="", config_path=config_path)
