"""Joins the cluster as a process that has to serve in any case: it waits for what it needs."""

from __future__ import annotations

import asyncio

from foxtrot_protocol.child import ChildLog
from foxtrot_supervisor.cluster.connection import CannotConnect, connect
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client
from foxtrot_supervisor.config.cluster import ClusterConfig

__all__ = ["RETRY_S", "join"]

RETRY_S = 2.0
"""Interval of attempts after the servers, or the files named in the settings, were refused."""


async def join(settings: ClusterConfig, role: str, log: ChildLog) -> Client:
    """Connect as soon as a server answers and accepts this role; the client then reconnects for as long as it lives.

    `log` gets ``nats_unreachable`` when the reason changes.
    """
    logged = ""

    def problem(reason: str) -> None:
        nonlocal logged
        if reason != logged:
            logged = reason
            log.warning("nats_unreachable", servers=", ".join(settings.servers), reason=reason)

    while True:
        try:
            return await connect(settings, role, problem=problem)
        except (CannotConnect, *NATS_ERRORS) as error:
            problem(str(error) or type(error).__name__)
        await asyncio.sleep(RETRY_S)
