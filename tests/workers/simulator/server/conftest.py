from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import ClientConnection

from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.workers.simulator.server.clients import STREAM, connected


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedExchange]:
    """A market of one symbol with 1,000 orders a second."""
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1_000, seed=2) as made:
        yield made


@pytest.fixture
async def client(sim: SimulatedExchange) -> AsyncIterator[ClientConnection]:
    """A client of its trades."""
    # an unbounded queue: a test that does not read at once must still see pongs
    async with connected(f"{sim.url}/ws/{STREAM}", max_queue=None) as made:
        yield made
