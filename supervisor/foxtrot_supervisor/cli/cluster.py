"""The command group `cluster`: what nodes are to run, what they do run, and moving it away from one."""

from __future__ import annotations

import functools
import os
import time
from typing import Any

import click
import msgspec

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.cluster_options import cluster_of, cluster_options, with_store
from foxtrot_supervisor.cli.common import config_option, json_option, known_errors
from foxtrot_supervisor.cli.configuration import find_configuration
from foxtrot_supervisor.cli.messages import Failure, say
from foxtrot_supervisor.cli.output import emit
from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.load import load_config
from foxtrot_supervisor.config.markets import Markets
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.markets.market_list import cache_path

__all__ = ["cluster"]

DRAIN_S = 600.0


@click.group()
def cluster() -> None:
    """Run connections on several machines, placed by NATS."""


def _configured(config_path: str | None) -> ClusterConfig:
    """Return ``[cluster]`` of a configuration, the defaults without one."""
    if config_path is None:
        return ClusterConfig()
    return load_config(config_path, without_connections=True).cluster


@cluster.command()
@cluster_options
@config_option
@click.option("--dry-run", is_flag=True, help="Show the differences, change nothing.")
@json_option
@known_errors
def apply(
    url: str | None,
    credentials_file: str | None,
    ca_file: str | None,
    config_path: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make the connections of a configuration those of the cluster.

    The same file again changes nothing. Nodes follow within seconds; a connection that is not in the file any more
    is stopped.

    \b
    foxtrot-supervisor cluster apply -c foxtrot.toml --dry-run
    foxtrot-supervisor cluster apply -c foxtrot.toml
    """
    catalog = functools.cache(read_catalog)
    config, path = find_configuration(config_path, catalog)
    if path is None:
        raise Failure("no configuration file found: name one with -c", SupervisorExit.CONFIGURATION)
    settings = cluster_of(config.cluster, url, credentials_file, ca_file)
    from foxtrot_supervisor.cluster import desired as shards
    from foxtrot_supervisor.cluster.apply import applied, present

    def resolve(before: dict[str, Any]) -> FoxtrotConfig:
        markets = Markets(cache_path(dict(os.environ), os.path.expanduser("~")), say)
        return markets.resolve(config, catalog(), path or "", online=True, present=shards.present_of(config, before))

    before = with_store(settings, lambda store, _: present(store))
    after = shards.desired_of(resolve(before), catalog(), path)
    plan = shards.plan(before, after)
    if not dry_run:
        with_store(settings, lambda store, client: applied(store, client, settings, plan, after))
    if as_json:
        emit({"applied": not dry_run, **msgspec.to_builtins(plan)})
        return
    click.echo(f"{path}: {'would change' if dry_run else 'changed'}" if not plan.is_empty else f"{path}: no difference")
    for line in shards.describe(plan):
        click.echo(line)


@cluster.command()
@cluster_options
@config_option
@json_option
@known_errors
def status(
    url: str | None, credentials_file: str | None, ca_file: str | None, config_path: str | None, as_json: bool
) -> None:
    """Show nodes, shards, their holders and what waits.

    \b
    foxtrot-supervisor cluster status --cluster nats://127.0.0.1:4222
    """
    settings = cluster_of(_configured(config_path), url, credentials_file, ca_file)
    from foxtrot_supervisor.cluster.overview import lines_of

    found = with_store(settings, lambda store, _: store.overview(time.time()))
    if as_json:
        emit(msgspec.to_builtins(found))
        return
    for line in lines_of(found):
        click.echo(line)


@cluster.command()
@click.argument("node")
@cluster_options
@config_option
@click.option("--undo", is_flag=True, help="Let the node take shards again.")
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=DRAIN_S, show_default=True, metavar="S")
@json_option
@known_errors
def drain(
    node: str,
    url: str | None,
    credentials_file: str | None,
    ca_file: str | None,
    config_path: str | None,
    undo: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Move all shards of NODE to other nodes, and wait until they serve there.

    Each shard runs on NODE until its successor serves. The node takes no shards until --undo or until it is restarted.

    \b
    foxtrot-supervisor cluster drain tokyo-1
    """
    settings = cluster_of(_configured(config_path), url, credentials_file, ca_file)
    from foxtrot_supervisor.cluster.drain import drained, request_drain

    async def work(store: Any, client: Any) -> list[str] | None:
        await store.open()
        if not await request_drain(client, node, on=not undo):
            return None
        return [] if undo else await drained(store, node, wait_s, None if as_json else say)

    left = with_store(settings, work)
    if left is None:
        raise Failure(f'no node called "{node}" answers', SupervisorExit.START_FAILED)
    if as_json:
        emit({"node": node, "draining": not undo, "left": left})
    elif undo:
        click.echo(f"{node} takes shards again")
    elif not left:
        click.echo(f"{node} holds no shard")
    if left:
        raise Failure(
            f"{node} still holds {len(left)} shard(s) after {wait_s:g} s: {', '.join(left[:10])}; "
            "is there room on other nodes?",
            SupervisorExit.INTERNAL_ERROR,
        )


@cluster.command()
@click.option("--directory", "-d", default="foxtrot-nats", show_default=True, help="Where streams are kept.")
@click.option("--port", type=click.IntRange(1, 65_535), default=4222, show_default=True)
@known_errors
def up(directory: str, port: int) -> None:
    """Run a local NATS server with JetStream in the foreground, for trying a cluster out.

    It listens on the loopback address only, without credentials.

    \b
    foxtrot-supervisor cluster up
    """
    from foxtrot_supervisor.cluster.local_server import ServerMissing, run_server

    try:
        code = run_server(directory, port, say)
    except (ServerMissing, OSError) as error:
        raise Failure(str(error), SupervisorExit.START_FAILED) from None
    raise click.exceptions.Exit(code)
