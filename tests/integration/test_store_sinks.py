"""Whole runs with a sink for a real store: whatever is killed under load, the store has each trade once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from foxtrot_supervisor.config.schema import SinkConfig
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.delivery_run import DeliveryRun
from tests.support.store_contents import make_store, stored_trades
from tests.support.store_servers import NATS_SERVER, POSTGRES, REDIS_SERVER, StoreServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.variant  # of test_sinks, which plays the same with a sink that writes files

SYMBOLS = ["BTCUSDT"]
SINK = "sink-store"
RATE_PER_S = 300.0
LIMIT_S = 60.0

STORES = [
    pytest.param("nats", marks=pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")),
    pytest.param("redis", marks=pytest.mark.skipif(REDIS_SERVER is None, reason="redis-server is not installed")),
    pytest.param("postgresql", marks=pytest.mark.skipif(POSTGRES is None, reason="PostgreSQL is not installed")),
]


def scene(run: DeliveryRun, server: StoreServer) -> None:
    """Kill the store, and while it is away the sink and the worker."""
    run.more(SYMBOLS[0], 100)
    server.kill()
    run.more(SYMBOLS[0], 100)
    for name in (SINK, "btcusdt.a"):
        run.replaced(name, run.kill(name))
    run.more(SYMBOLS[0], 50)
    server.start()
    run.more(SYMBOLS[0], 100)
    wait_until(lambda: delivered(run) > 0, LIMIT_S, "the store to be reached again")
    run.supervisor.stop(timeout_s=60.0)


def delivered(run: DeliveryRun) -> int:
    """Rows that the present process of the sink has handed over."""
    return int(run.supervisor.child(SINK).get("counts", {}).get("delivered_total", 0))


@pytest.mark.parametrize("kind", STORES)
async def test_a_store_has_each_trade_once_whatever_is_killed(tmp_path: Path, kind: str) -> None:
    pytest.importorskip({"postgresql": "psycopg"}.get(kind, kind))
    server, options = make_store(kind, tmp_path)
    with server:
        async with SimulatedExchange(SYMBOLS, rate_per_s=RATE_PER_S) as sim:

            def body() -> list[str]:
                sink = SinkConfig(name="store", kind=kind, options=options, spool_directory=str(tmp_path / "spool"))
                with DeliveryRun(tmp_path, sim, SYMBOLS, sinks=[sink]) as run:
                    scene(run, server)
                    return [str(each.trade_id) for each in run.handled(SYMBOLS[0])]

            handled = await asyncio.to_thread(body)
        found = await stored_trades(kind, server)
    assert len({key for key, _ in found}) == len(found), "no key twice"
    identifiers = [identifier for _, identifier in found]
    assert len(set(identifiers)) == len(identifiers)
    assert set(identifiers) == set(handled)
