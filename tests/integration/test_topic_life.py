"""The life of one topic among others, with real processes and a simulated exchange: each step is an event."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.codec import batch_decoder
from foxtrot_protocol.events import FeedStatus, Gap, Trade
from foxtrot_supervisor.client.event_stream import EventStream
from foxtrot_supervisor.client.tap_decoder import BatchBytes
from foxtrot_supervisor.config.schema import ConnectionConfig, FoxtrotConfig
from foxtrot_supervisor.core.targets import Targets
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from tests.support.supervisor_process import SupervisorProcess, quick
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(110)

LIMIT_S = 20.0
"""Longest time for each step; all of them together end before the test's own limit."""

STALE_S = 2.0
"""More than the exchange, which shares this process and its processor, ever pauses."""

SILENT, OTHER = "ethusdt@trade", "btcusdt@trade"


class Reader:
    """Everything that the engine gives to readers, from now on; use it as a context manager.

    The end of the engine ends it.
    """

    def __init__(self, run_dir: str) -> None:
        self._stream = EventStream(run_dir)
        self._thread = threading.Thread(target=self._read)
        self.events: list[tuple[str, Any]] = []

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # a test that failed has not stopped the engine yet
            self._thread.join(LIMIT_S)
            assert not self._thread.is_alive(), "the engine has ended the stream"

    def _read(self) -> None:
        decoder = batch_decoder("text")
        with self._stream:
            for records in self._stream.records():
                for record in records:
                    assert isinstance(record, BatchBytes), "this reader is fast enough"
                    batch = decoder.decode(record.data)
                    self.events += [(batch.worker, event) for event in batch.events]

    def states(self, topic: str) -> list[tuple[str, str]]:
        """Worker and state of each event about a topic."""
        return [(w, e.state) for w, e in self.events if isinstance(e, FeedStatus) and e.topic == topic]


def topic_states(supervisor: SupervisorProcess) -> set[str]:
    """The states of all topics, as the status has them."""
    return {topic["state"] for worker in supervisor.status().get("workers", []) for topic in worker["topics"]}


async def test_a_topic_that_goes_silent_is_resubscribed_then_its_connection_replaced(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()

    def inject(sim: SimulatedExchange, fault: Fault) -> None:
        loop.call_soon_threadsafe(sim.inject, fault)

    def play(sim: SimulatedExchange) -> None:
        connection = ConnectionConfig(
            name="one",
            exchange="binance",
            channels=["trade"],
            symbols=["BTCUSDT", "ETHUSDT"],
            url=sim.url,
            rest_url=sim.rest_url,
            stale_after_s=STALE_S,
        )
        supervision = quick(start_method="auto", hung_s=20.0, late_s=10.0, stop_ask_s=10.0)
        config = FoxtrotConfig(supervisor=supervision, connections=[connection])
        with SupervisorProcess(tmp_path, config=config, targets=Targets()) as supervisor:
            supervisor.wait_running(LIMIT_S)
            with Reader(str(supervisor.run_dir)) as reader:
                # a topic that has never flowed on its connection is another case: it is `silent`, after a longer limit
                wait_until(lambda: topic_states(supervisor) == {"flowing"}, LIMIT_S, "both topics to flow")
                inject(sim, Fault(kind="silence", connection=0, topic=SILENT))
                wait_until(lambda: ("one.b", "flowing") in reader.states(SILENT), LIMIT_S, "the new connection")
                wait_until(lambda: len(supervisor.status()["workers"]) == 1, LIMIT_S, "the end of the old one")
                supervisor.stop()
            old = [state for worker, state in reader.states(SILENT) if worker == "one.a"]
            assert old[old.index("stale") :][:2] == ["stale", "resubscribed"]
            new = [state for worker, state in reader.states(SILENT) if worker == "one.b"]
            assert new == ["asked", "acknowledged", "flowing"]
            (wanted,) = supervisor.events("rotation_wanted")
            assert wanted["reason"].startswith(f"{SILENT}: no data for ")
            assert {state for _, state in reader.states(OTHER)} <= {"asked", "acknowledged", "flowing"}
            assert not [event for _, event in reader.events if isinstance(event, Gap) and event.symbol == "BTCUSDT"]
            ids = [e.trade_id for _, e in reader.events if isinstance(e, Trade) and e.symbol == "BTCUSDT"]
            assert sorted(set(map(int, ids))) == list(range(int(ids[0]), int(ids[-1]) + 1))

    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=100.0) as sim:
        await asyncio.to_thread(play, sim)
