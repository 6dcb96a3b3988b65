"""The ZeroMQ tap: what subscribers get, who may subscribe, and that a slow one is not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
import zmq.asyncio

from foxtrot_protocol.events import BookDelta, Trade
from foxtrot_supervisor.sinks.sink import SinkContext, SinkMisconfigured, SinkRow, SinkUnavailable
from foxtrot_supervisor.sinks.zeromq_tap import ZeromqSettings, ZeromqTap
from tests.support.twin_world import Silent

LIMIT_S = 20.0


def row(number: int, symbol: str = "BTCUSDT") -> SinkRow:
    trade = Trade("SIM", symbol, 5, 6, "1.10", "2", "buy", str(number))
    return SinkRow(number, f"key-{number}", "sim", "SIM", "trade", symbol, trade)


class _Subscriber:
    def __init__(self, endpoint: str, *topics: bytes, **options: Any) -> None:
        self.context = zmq.asyncio.Context()
        self.socket = self.context.socket(zmq.SUB)
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(endpoint)
        for topic in topics or (b"",):
            self.socket.subscribe(topic)

    async def take(self) -> tuple[bytes, bytes]:
        async with asyncio.timeout(LIMIT_S):
            topic, body = await self.socket.recv_multipart()
            return topic, body

    def close(self) -> None:
        self.context.destroy(0)


@pytest.fixture
async def made() -> AsyncIterator[list[Any]]:
    closing: list[Any] = []
    yield closing
    for each in closing:
        done = each.close()
        if done is not None:
            await done


async def opened(made: list[Any], folder: Path, **settings: Any) -> ZeromqTap:
    tap = ZeromqTap(ZeromqSettings(**settings), SinkContext("tap", str(folder), str(folder), Silent()))
    made.append(tap)
    await tap.open()
    return tap


async def subscribed(made: list[Any], tap: ZeromqTap, subscriber: _Subscriber) -> None:
    """Publish until the subscriber has one message, then drain."""
    made.append(subscriber)
    async with asyncio.timeout(LIMIT_S):
        while True:
            await tap.write([row(1_000_000)])
            if await subscriber.socket.poll(20):
                break
    await asyncio.sleep(0.05)
    while await subscriber.socket.poll(50):
        await subscriber.socket.recv_multipart()


@pytest.mark.parametrize("form", ["msgpack", "json"])
async def test_subscribers_get_events_by_topic(made: list[Any], tmp_path: Path, form: str) -> None:
    tap = await opened(made, tmp_path, format=form)
    subscriber = _Subscriber(f"ipc://{tmp_path}/tap.ipc", b"trade.BTC", b"book.")
    await subscribed(made, tap, subscriber)
    delta = BookDelta("SIM", "BTCUSDT", 5, 6, [("1.10", "2")], [], "5", "6", None)
    rows = [row(1), row(2, "ETHUSDT"), SinkRow(3, "key-3", "sim", "SIM", "book", "BTCUSDT", delta)]
    assert await tap.write(rows) == 3
    topic, body = await subscriber.take()
    decode = msgspec.json.decode if form == "json" else msgspec.msgpack.decode
    event = decode(body)
    assert topic == b"trade.BTCUSDT.SIM"
    assert (event["kind"], event["type"], event["number"], event["key"]) == ("trade", "Trade", 1, "key-1")
    assert (event["price"], event["trade_id"], event["exchange_ns"]) == ("1.10", "1", 5)
    topic, body = await subscriber.take()
    assert topic == b"book.BTCUSDT.SIM"
    assert decode(body)["bids"] == [["1.10", "2"]]
    assert await tap.flush() == 0


async def test_a_slow_subscriber_is_not_waited_for_and_sees_what_it_has_missed(made: list[Any], tmp_path: Path) -> None:
    tap = await opened(made, tmp_path, queue_rows=10)
    slow = _Subscriber(f"ipc://{tmp_path}/tap.ipc", rcvhwm=10)
    await subscribed(made, tap, slow)
    before = tap.counts()
    count = 20_000
    async with asyncio.timeout(LIMIT_S):
        for first in range(0, count, 500):
            await tap.write([row(number) for number in range(first + 1, first + 501)])
    counts = tap.counts()
    assert counts["sent_total"] - before["sent_total"] == count
    assert counts["slow_total"] > before["slow_total"]
    sequences = []
    while await slow.socket.poll(200):
        sequences.append(msgspec.msgpack.decode((await slow.socket.recv_multipart())[1])["sequence"])
    assert sequences == sorted(set(sequences))
    assert len(sequences) < count  # and the holes among them are what it has missed


async def test_only_clients_with_a_known_key_are_served(made: list[Any], tmp_path: Path) -> None:
    public, secret = zmq.curve_keypair()
    known_public, known_secret = zmq.curve_keypair()
    other_public, other_secret = zmq.curve_keypair()
    key_file, clients = tmp_path / "tap.key", tmp_path / "clients"
    key_file.write_bytes(secret + b"\n")
    key_file.chmod(0o600)
    clients.write_bytes(b"# desks\n" + known_public + b"\n")
    tap = await opened(made, tmp_path, secret_key_file=str(key_file), client_keys_file=str(clients))
    endpoint = f"ipc://{tmp_path}/tap.ipc"
    keys = {"curve_serverkey": public, "curve_publickey": known_public, "curve_secretkey": known_secret}
    known = _Subscriber(endpoint, **keys)
    other = _Subscriber(endpoint, **{**keys, "curve_publickey": other_public, "curve_secretkey": other_secret})
    plain = _Subscriber(endpoint)
    made += [other, plain]
    await subscribed(made, tap, known)
    await tap.write([row(1)])
    assert (await known.take())[0] == b"trade.BTCUSDT.SIM"
    assert not await other.socket.poll(50)
    assert not await plain.socket.poll(50)


async def test_a_key_that_others_may_read_is_refused(made: list[Any], tmp_path: Path) -> None:
    key_file = tmp_path / "tap.key"
    key_file.write_bytes(zmq.curve_keypair()[1])
    key_file.chmod(0o644)
    with pytest.raises(SinkMisconfigured, match="chmod 600"):
        await opened(made, tmp_path, secret_key_file=str(key_file))


async def test_an_address_in_use_is_unavailable_until_it_is_free(made: list[Any], tmp_path: Path) -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with pytest.raises(SinkUnavailable, match=str(port)):
            await opened(made, tmp_path, endpoint=f"tcp://127.0.0.1:{port}")
    tap = made[-1]
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                await tap.open()
                break
            except SinkUnavailable:
                await asyncio.sleep(0.05)
    assert await tap.write([row(1)]) == 1


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({}, []),
        ({"endpoint": "tcp://127.0.0.1:5600"}, []),
        ({"endpoint": "tcp://0.0.0.0:5600"}, ["secret_key_file", "client_keys_file"]),
        ({"endpoint": "udp://127.0.0.1:5600"}, ["endpoint"]),
        ({"endpoint": "tcp://127.0.0.1"}, ["endpoint"]),
        ({"endpoint": "ipc://relative"}, ["endpoint"]),
        ({"endpoint": "tcp://[::1"}, ["endpoint"]),
        ({"client_keys_file": "/nowhere"}, ["client_keys_file", "client_keys_file"]),
        ({"secret_key_file": "/nowhere"}, ["secret_key_file"]),
    ],
)
def test_mistakes_are_found_before_the_start(settings: dict[str, Any], keys: list[str]) -> None:
    assert [key for key, _ in ZeromqTap.problems(ZeromqSettings(**settings))] == keys
