"""The command `engine`: runs an engine whose workers are on the nodes of a cluster."""

from __future__ import annotations

import functools

import click
import msgspec

from foxtrot_supervisor.cli.cluster_options import cluster_of, cluster_options
from foxtrot_supervisor.cli.common import config_option, known_errors
from foxtrot_supervisor.cli.foreground import Foreground, duration_option, foreground_options
from foxtrot_supervisor.cli.start import import_path
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.engine_cluster import engine_of
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements

__all__ = ["engine"]


@click.command()
@cluster_options
@config_option
@click.option("--name", default="main", show_default=True, help="Name of the engine.")
@click.option("--handlers", multiple=True, metavar="MODULE:FUNCTION", help="Handlers; may be given repeatedly.")
@click.option("--from-start", is_flag=True, help="An engine of a new name gets what the stream holds already.")
@duration_option
@foreground_options
@known_errors
def engine(
    url: str | None,
    credentials_file: str | None,
    ca_file: str | None,
    config_path: str | None,
    name: str,
    handlers: tuple[str, ...],
    from_start: bool,
    duration_s: float | None,
    foreground: Foreground,
) -> None:
    """Run an engine with the events of a cluster.

    In the foreground until stopped, without workers of its own. Engines of different names each get everything. A
    second engine of the same name waits until the first is gone, and goes on where that stopped.

    \b
    foxtrot-supervisor engine --cluster nats://127.0.0.1:4222
    foxtrot-supervisor engine -c engine.toml --name risk --handlers my_risk:setup
    """
    options = functools.partial(cluster_of, url=url, credentials_file=credentials_file, ca_file=ca_file)

    def read() -> FoxtrotConfig:
        config = FoxtrotConfig()
        if config_path is not None:
            config = config_file.load_config(config_path, catalog=read_catalog, without_connections=True)
        if handlers:
            config = msgspec.structs.replace(
                config, engine=msgspec.structs.replace(config.engine, handlers=list(handlers))
            )
        return engine_of(config, options(config.cluster), name, from_start=from_start, source=config_path or "engine")

    config = read()

    def read_again(_: Placements) -> FoxtrotConfig:
        return read()

    foreground.run(
        config,
        import_path=import_path(),
        config_path=config_path,
        duration_s=duration_s,
        read_config=read_again if config_path else None,
    )
