from __future__ import annotations

import asyncio
import json
import time

import pytest

from foxtrot_workers.http.client import HttpClient, HttpFailed
from foxtrot_workers.simulator.server.faults import ENDLESS, Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from tests.support.sim_client import fetch
from tests.workers.simulator.server.clients import LIMIT_S


async def test_one_connection_serves_several_requests() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        request = b"GET /api/v3/%b HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(request % b"time" + request % b"ping" + request % b"depth?symbol=NOPE")
        async with asyncio.timeout(LIMIT_S):
            bodies = []
            for _ in range(3):
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = next(line for line in head.split("\r\n") if line.startswith("content-length"))
                bodies.append(json.loads(await reader.readexactly(int(length.split(":")[1]))))
                assert "x-mbx-used-weight-1m" in head
        assert list(bodies[0]) == ["serverTime"]
        assert bodies[1] == {}
        assert bodies[2]["code"] == -1121
        writer.close()
        await writer.wait_closed()


async def test_rest_errors_and_weight() -> None:
    limits = ExchangeLimits(weight_per_minute=30)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim:
        assert (await fetch(f"{sim.rest_url}/api/v3/nope"))[0] == 404
        assert (await fetch(f"{sim.rest_url}/api/v3/ping", "DELETE"))[0] == 405
        assert (await fetch(f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT&limit=500"))[0] == 200
        status, headers, _ = await fetch(f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT&limit=500")
        assert status == 429
        assert 1 <= int(headers["retry-after"]) <= 60


async def test_rest_faults(sim: SimulatedExchange) -> None:
    sim.inject(Fault(kind="rest_refuse", topic="depth", status=418, retry_after_s=9))
    sim.inject(Fault(kind="rest_stall", topic="time", duration_s=0.3))
    sim.inject(Fault(kind="rest_body", topic="exchangeInfo"))
    begun = time.monotonic()
    assert (await fetch(f"{sim.rest_url}/api/v3/time"))[0] == 200
    assert time.monotonic() - begun >= 0.3
    status, headers, _ = await fetch(f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT")
    assert (status, headers["retry-after"]) == (418, "9")
    assert (await fetch(f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT"))[0] == 200


@pytest.mark.parametrize("kind", sorted(ENDLESS))
async def test_an_endless_answer_ends_a_clients_request_at_its_limit(sim: SimulatedExchange, kind: str) -> None:
    sim.inject(Fault(kind=kind, topic="time"))  # type: ignore[arg-type]  # a Literal by parametrization
    client = HttpClient(sim.rest_url, None, None)
    with pytest.raises(HttpFailed, match=r"no complete answer|interim response"):
        await client.get("/api/v3/time", 0.4, 10_000_000)
    assert (await client.get("/api/v3/time", 10.0, 10_000)).status == 200
    client.close()
