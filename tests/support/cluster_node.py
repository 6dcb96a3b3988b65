"""A program that is a node of a cluster with given shards: what an agent would have been assigned.

Arguments: NATS addresses (comma), address of the simulated exchange, its REST address, shards (comma), each
``connection:part:epoch``, symbols (comma), then ``--run-dir DIR --log-format json``.
"""

from __future__ import annotations

import asyncio
import sys

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Stop, ToChild
from foxtrot_supervisor.cluster.names import local_name
from foxtrot_supervisor.config.cluster import NodeCluster
from foxtrot_supervisor.config.placed import Placed
from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, FoxtrotConfig, RingConfig, SupervisorConfig
from foxtrot_supervisor.core.targets import Targets
from foxtrot_supervisor.runtime.main import run_supervisor


def main() -> int:
    """Run it until it is stopped."""
    servers, url, rest_url, shards, symbols, _, run_dir = sys.argv[1:8]
    connections: list[ConnectionConfig] = []
    for shard in shards.split(","):
        connection, part, epoch = shard.split(":")
        connections.append(
            Placed(
                name=local_name(connection, part, int(epoch)),
                merged_as=connection,
                part=part,
                exchange="binance",
                url=url,
                rest_url=rest_url,
                symbols=symbols.split(","),
                channels=["trade", "quote", "book"],
                backfill=True,
            )
        )
    config = FoxtrotConfig(
        supervisor=SupervisorConfig(heartbeat_s=0.2, restart_intensity=1_000_000, backoff_s=0.0, backoff_max_s=0.0),
        cluster=NodeCluster(servers=servers.split(",")),
        engine=EngineConfig(transport="ring"),
        ring=RingConfig(size_mib=4),
        connections=connections,
    )
    targets = Targets(agent="tests.support.cluster_node:idle")
    return int(run_supervisor(config, run_dir_path=run_dir, import_path="", log_format="json", targets=targets))


async def idle(context: ChildContext) -> int:
    """Start target in the place of the agent: the shards are given."""
    stopped = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopped.set()

    context.on_command(on_command)
    context.ready()
    await stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
