"""A command gives up in time (test_cluster connects to real servers)."""

from __future__ import annotations

import asyncio

import nats
import pytest

from foxtrot_supervisor.cluster import connection
from foxtrot_supervisor.config.cluster import ClusterConfig


async def test_a_client_that_forgets_a_cancellation_does_not_hold_up_the_end_of_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As `asyncio.wait_for` of Python 3.11 does in nats-py, which goes on after refused credentials."""
    forgotten = 0

    async def connect(**_: object) -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if forgotten:
                    raise
                forgotten += 1

    monkeypatch.setattr(nats, "connect", connect)
    monkeypatch.setattr(connection, "GIVE_UP_S", 0.01)
    async with asyncio.timeout(20):
        with pytest.raises(TimeoutError):
            await connection.connect(ClusterConfig(servers=["nats://127.0.0.1:4222"]), "test", forever=False)
    assert forgotten == 1
