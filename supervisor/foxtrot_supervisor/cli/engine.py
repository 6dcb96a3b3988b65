"""The command `engine`: runs an engine whose workers are on the nodes of a cluster."""

from __future__ import annotations

import functools
import os
from typing import Literal

import click
import msgspec

from foxtrot_supervisor.cli.cluster_options import cluster_of, cluster_options
from foxtrot_supervisor.cli.common import absolute, config_option, known_errors, run_dir_option
from foxtrot_supervisor.cli.messages import say
from foxtrot_supervisor.cli.start import import_path
from foxtrot_supervisor.cli.start_display import display
from foxtrot_supervisor.config import load as config_file
from foxtrot_supervisor.config.engine_cluster import engine_of
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Placements
from foxtrot_supervisor.runtime import run_dir
from foxtrot_supervisor.runtime.main import run_supervisor

__all__ = ["engine"]


@click.command()
@cluster_options
@config_option
@run_dir_option
@click.option("--name", default="main", show_default=True, help="Name of the engine.")
@click.option("--handlers", multiple=True, metavar="MODULE:FUNCTION", help="Handlers; may be given repeatedly.")
@click.option("--from-start", is_flag=True, help="An engine of a new name gets what the stream holds already.")
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
@known_errors
def engine(
    url: str | None,
    credentials_file: str | None,
    ca_file: str | None,
    config_path: str | None,
    run_dir_path: str | None,
    name: str,
    handlers: tuple[str, ...],
    from_start: bool,
    duration_s: float | None,
    log_level: str,
    log_format: Literal["auto", "console", "json"],
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
    directory = run_dir_path or config.supervisor.run_dir or run_dir.default_path(os.environ, os.getuid())
    directory = absolute(directory)

    def read_again(_: Placements) -> FoxtrotConfig:
        return read()

    with display(log_format, log_level, directory) as (effective_format, on_snapshot):
        code = run_supervisor(
            config,
            run_dir_path=directory,
            import_path=import_path(),
            log_level=log_level,
            log_format=effective_format,
            duration_s=duration_s,
            on_snapshot=on_snapshot,
            config_path=absolute(config_path) if config_path else "",
            read_config=read_again if config_path else None,
        )
    if effective_format == "link":
        say(f"stopped, exit code {int(code)}")
    raise click.exceptions.Exit(int(code))
