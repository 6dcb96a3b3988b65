from __future__ import annotations

import json

from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.sim_client import fetch, fetch_json
from tests.workers.simulator.server.clients import closed_by, connected, receive_json


async def test_another_process_controls_faults_and_reads_the_ledger() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim:
        async with connected(f"{sim.url}/ws/btcusdt@trade") as client:
            await receive_json(client)
            summary = await fetch_json(f"{sim.rest_url}/sim/ledger")
            assert summary["connections"][0]["sent"]["btcusdt@trade"] >= 1
            sent = await fetch_json(f"{sim.rest_url}/sim/sent?connection=0&stream=btcusdt@trade")
            assert len(sent["ids"]) == len(sent["times_ns"]) >= 1
            assert (await fetch(f"{sim.rest_url}/sim/sent?connection=x"))[0] == 400
            assert (await fetch(f"{sim.rest_url}/sim/nothing"))[0] == 404
            body = json.dumps({"kind": "close", "code": 4321, "reason": "told to"}).encode()
            assert (await fetch(f"{sim.rest_url}/sim/fault", "POST", body))[0] == 200
            closed = await closed_by(client)
            assert closed.rcvd is not None
            assert (closed.rcvd.code, closed.rcvd.reason) == (4321, "told to")
        assert (await fetch(f"{sim.rest_url}/sim/fault", "POST", b'{"kind":"explode"}'))[0] == 400
        assert (await fetch(f"{sim.rest_url}/sim/fault", "DELETE"))[0] == 200
        async with connected(f"{sim.url}/ws/btcusdt@trade") as client:
            assert (await receive_json(client))["e"] == "trade", "the fault for all was disarmed"
        two = json.dumps([{"kind": "refuse"}, {"kind": "refuse", "status": 418}]).encode()
        assert json.loads((await fetch(f"{sim.rest_url}/sim/fault", "POST", two))[2]) == {"armed": 2}
