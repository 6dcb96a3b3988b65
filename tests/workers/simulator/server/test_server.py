"""The exchange over real sockets: protocol, limits, start and stop, ledger."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from picows import WSFrame, WSListener, WSTransport, ws_connect
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import LIMITED_HOST, SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from tests.support.sim_client import FoldedBook, fetch, fetch_json
from tests.support.tls import make_tls
from tests.support.waiting import wait_until_async
from tests.workers.simulator.server.clients import LIMIT_S, closed_by, connected, receive_json, request


async def test_a_combined_stream_by_address() -> None:
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        connected(f"{sim.url}/stream?streams=btcusdt@trade") as client,
    ):
        for _ in range(5):
            frame = await receive_json(client)
            assert frame["stream"] == "btcusdt@trade"
            assert frame["data"]["s"] == "BTCUSDT"


async def test_raw_stream_by_address_and_switch_to_combined() -> None:
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        connected(f"{sim.url}/ws/btcusdt@bookTicker") as client,
    ):
        assert set(await receive_json(client)) == {"u", "s", "b", "B", "a", "A"}
        assert (await request(client, "SET_PROPERTY", ["combined", True]))["result"] is None
        assert "stream" in await receive_json(client)


async def test_subscribe_list_unsubscribe() -> None:
    async with (
        SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=1000) as sim,
        connected(f"{sim.url}/stream") as client,
    ):
        assert await request(client, "SUBSCRIBE", ["btcusdt@trade", "ethusdt@trade"], "a1") == {
            "result": None,
            "id": "a1",
        }
        seen: set[str] = set()
        while len(seen) < 2:
            seen.add((await receive_json(client))["stream"])
        assert (await request(client, "UNSUBSCRIBE", ["btcusdt@trade"]))["result"] is None
        assert (await request(client, "LIST_SUBSCRIPTIONS", None))["result"] == ["ethusdt@trade"]
        assert {(await receive_json(client))["stream"] for _ in range(30)} == {"ethusdt@trade"}
        assert (await request(client, "SHOUT", None))["code"] == 2


async def test_an_unknown_symbol_is_acknowledged_and_silent() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1000) as sim, connected(f"{sim.url}/ws") as client:
        assert (await request(client, "SUBSCRIBE", ["nosuch@trade", "BTCUSDT@trade"]))["result"] is None
        await wait_until_async(lambda: (sim.ledger.made_range("btcusdt@trade") or (0, 0, 0))[2] > 50)
        assert (await request(client, "LIST_SUBSCRIPTIONS", None))["result"] == ["nosuch@trade", "BTCUSDT@trade"]
        assert sim.ledger.sent_count(0) == 0


@pytest.mark.parametrize("stream", ["btcusdt@depth@100ms", "btcusdt@depth"])
async def test_books_from_different_snapshots_become_equal(stream: str) -> None:
    """A wrong delta or a snapshot that does not fit its id would leave them apart."""
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=2_000, seed=11) as sim:
        depth = f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT&limit=5000"
        async with connected(f"{sim.url}/ws/{stream}") as client:
            deltas = [await receive_json(client)]
            early = FoldedBook(await fetch_json(depth))
            assert early.last_id >= deltas[0]["U"]
            while len(deltas) < (12 if "100ms" in stream else 2):
                deltas.append(await receive_json(client))
            late = FoldedBook(await fetch_json(depth))
            while deltas[-1]["u"] <= late.last_id:
                deltas.append(await receive_json(client))
            for delta in deltas:
                early.update(delta)
                late.update(delta)
            assert late.applied < early.applied
            assert early.last_id == late.last_id == deltas[-1]["u"]
            assert early.picture() == late.picture()


async def test_a_picows_client_gets_every_trade_once() -> None:
    class Listener(WSListener):  # type: ignore[misc]  # picows ships no types
        def __init__(self) -> None:
            self.ids: list[int] = []

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            self.ids.append(json.loads(frame.get_payload_as_bytes())["t"])

    async with SimulatedExchange(["BTCUSDT"], rate_per_s=3_000) as sim:
        transport, listener = await ws_connect(Listener, f"{sim.url}/ws/btcusdt@trade")
        await wait_until_async(lambda: len(listener.ids) > 300)
        transport.disconnect()
        await transport.wait_disconnected()
        await wait_until_async(lambda: sim.connections == 0)
        sent = sim.ledger.sent(0, "btcusdt@trade")
        assert listener.ids == sent[: len(listener.ids)]
        assert sent == list(range(sent[0], sent[0] + len(sent)))


async def test_the_sixth_message_within_a_second_closes_with_1008() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim:
        async with connected(f"{sim.url}/ws") as client:
            for number in range(5):
                await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            await client.ping()
            closed = await closed_by(client)
            assert closed.rcvd is not None
            assert (closed.rcvd.code, closed.rcvd.reason) == (1008, "Too many requests")
        await wait_until_async(lambda: sim.ledger.connections()[0].closed_ns)
        assert "1008" in sim.ledger.connections()[0].cause


async def test_five_messages_within_a_second_are_answered() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim, connected(f"{sim.url}/ws") as client:
        for number in range(5):
            await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        assert [(await receive_json(client))["id"] for _ in range(5)] == list(range(5))
        assert sim.connections == 1


async def test_too_many_streams() -> None:
    limits = ExchangeLimits(streams_max=3)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim:
        async with connected(f"{sim.url}/ws") as client:
            answer = await request(client, "SUBSCRIBE", ["a@trade", "b@trade", "c@trade", "d@trade"])
            assert answer["code"] == 2
        with pytest.raises(InvalidStatus) as refused:
            async with connected(f"{sim.url}/ws/a/b/c/d"):
                pass
        assert refused.value.response.status_code == 400


async def test_a_wrong_address_is_refused() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim:
        with pytest.raises(InvalidStatus) as refused:
            async with connected(f"{sim.url}/wrong"):
                pass
        assert refused.value.response.status_code == 404


async def test_connection_limits() -> None:
    limits = ExchangeLimits(attempts_max=2, attempts_window_s=0.5)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim:
        for _ in range(2):
            async with connected(f"{sim.url}/ws"):
                pass
        with pytest.raises(InvalidStatus) as refused:
            async with connected(f"{sim.url}/ws"):
                pass
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "1"

        async def accepted() -> bool:
            try:
                async with connected(f"{sim.url}/ws"):
                    return True
            except InvalidStatus:
                return False

        await wait_until_async(accepted, what="the window to pass")


async def test_open_connections_are_bounded() -> None:
    limits = ExchangeLimits(connections_max=1)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim, connected(f"{sim.url}/ws"):
        with pytest.raises(InvalidStatus):
            async with connected(f"{sim.url}/ws"):
                pass


async def test_bytes_that_are_not_http_are_answered_with_400() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        async with asyncio.timeout(LIMIT_S):
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_does_not_read_is_cut_off_and_counted() -> None:
    limits = ExchangeLimits(send_buffer_bytes=100_000)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=5_000, limits=limits) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port, limit=1024)
        writer.write(
            b"GET /stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth20@100ms HTTP/1.1\r\nHost: x\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
        await wait_until_async(lambda: sim.ledger.opened_total == 1)
        async with connected(f"{sim.url}/ws/btcusdt@trade") as other:
            await wait_until_async(lambda: sim.ledger.slow_clients_total == 1, 30.0)
            assert (await receive_json(other))["e"] == "trade"
        assert sim.ledger.connections()[0].cause == "too slow"
        writer.close()
        del reader


async def test_tls(tmp_path: Path) -> None:
    tls = make_tls(tmp_path)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500, ssl_context=tls.server_context()) as sim:
        assert sim.url.startswith("wss://")
        assert sim.rest_url.startswith("https://")
        async with connected(f"{sim.url}/ws/btcusdt@trade", ssl=tls.client_context()) as client:
            assert (await receive_json(client))["e"] == "trade"
        status, _, _ = await fetch(f"{sim.rest_url}/api/v3/ping", context=tls.client_context())
        assert status == 200


async def test_compression_is_negotiated_only_if_enabled() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500, compression=True) as sim:
        async with connect(f"{sim.url}/ws/btcusdt@trade", proxy=None) as client:
            assert client.protocol.extensions
            ids = [(await receive_json(client))["t"] for _ in range(20)]
            assert ids == list(range(ids[0], ids[0] + 20))
        async with connected(f"{sim.url}/ws/btcusdt@trade") as client:
            assert (await receive_json(client))["e"] == "trade"
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        connect(f"{sim.url}/ws/btcusdt@trade", proxy=None) as client,
    ):
        assert not client.protocol.extensions


async def test_the_ledger_file_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1_000, ledger_file=path) as sim:
        async with connected(f"{sim.url}/ws/btcusdt@trade"):
            await wait_until_async(lambda: sim.ledger.sent_count(0) > 100)
        await wait_until_async(lambda: sim.connections == 0)
        sent = sim.ledger.sent(0, "btcusdt@trade")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [n for row in rows if row["what"] == "sent" for n in row["ids"]] == sent
    assert next(row["what"] for row in rows if row.get("connection") == 0) == "open"
    assert any(row["what"] == "unheard" and row["stream"] == "btcusdt@trade" for row in rows)


async def test_stop_cuts_all_connections_and_frees_the_port() -> None:
    sim = SimulatedExchange(["BTCUSDT"], rate_per_s=500)
    await sim.start()
    async with connected(f"{sim.url}/ws/btcusdt@trade") as client:
        await receive_json(client)
        begun = time.monotonic()
        await sim.stop()
        assert time.monotonic() - begun < 1.0
        await closed_by(client)
    await sim.stop()
    again = SimulatedExchange(["BTCUSDT"], port=sim.port)
    await again.start()
    assert again.port == sim.port
    with pytest.raises(OSError, match="in use"):
        await SimulatedExchange(["BTCUSDT"], port=again.port).start()
    await again.stop()


async def test_faults_given_at_the_start() -> None:
    faults = [Fault(kind="refuse", status=503), Fault(kind="abort", connection=1)]
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500, faults=faults) as sim:
        with pytest.raises(InvalidStatus):
            async with connected(f"{sim.url}/ws"):
                pass
        async with connected(f"{sim.url}/ws/btcusdt@trade") as client:
            await receive_json(client)
            async with connected(f"{sim.url}/ws/btcusdt@trade") as second:
                closed = await closed_by(second)
                assert closed.rcvd is None, "no close frame: the connection was reset"
            await receive_json(client)


async def test_symbols_join_and_leave_the_market() -> None:
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        connected(f"{sim.url}/ws/newusdt@trade") as client,
    ):
        sim.inject(Fault(kind="list", topic="NEWUSDT"), Fault(kind="list", topic="NEWUSDT"))
        assert (await receive_json(client))["s"] == "NEWUSDT"
        listed = (await fetch_json(f"{sim.rest_url}/api/v3/exchangeInfo"))["symbols"]
        assert [each["symbol"] for each in listed] == ["BTCUSDT", "NEWUSDT"]
        sim.inject(Fault(kind="delist", topic="BTCUSDT"))
        listed = (await fetch_json(f"{sim.rest_url}/api/v3/exchangeInfo"))["symbols"]
        assert [each["symbol"] for each in listed] == ["NEWUSDT"]
        for symbol in ("BTCUSDT", "NEWUSDT"):
            with pytest.raises(ValueError, match="cannot be delisted"):
                sim.inject(Fault(kind="delist", topic=symbol))


async def test_market_faults_reach_all_connections_and_rest() -> None:
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        connected(f"{sim.url}/ws/btcusdt@trade") as client,
    ):
        assert (await receive_json(client))["t"] > 1_000
        sim.inject(Fault(kind="ids_restart"), Fault(kind="ids_leap", count=100))
        ids = [(await receive_json(client))["t"] for _ in range(50)]
        first = ids.index(100)
        assert ids[first : first + 5] == [100, 200, 300, 400, 500]
        assert (await fetch_json(f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT"))["lastUpdateId"] < 100_000


async def test_a_forgotten_stream_is_neither_sent_nor_listed() -> None:
    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=1.0) as sim, connected(f"{sim.url}/ws") as client:
        await request(client, "SUBSCRIBE", ["btcusdt@trade", "ethusdt@trade"], 1)
        sim.inject(Fault(kind="forget", connection=0, topic="eth"))
        answer = await request(client, "LIST_SUBSCRIPTIONS", None, 2)
        assert answer["result"] == ["btcusdt@trade"]


async def test_broken_limits_are_counted_and_lead_to_a_ban() -> None:
    limits = ExchangeLimits(
        attempts_max=4, weight_per_minute=4, refusals_max=1, ban_s=60.0, messages_per_s=3, streams_max=1
    )
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits, host=LIMITED_HOST) as sim:
        assert sim.url.startswith("ws://127.0.0.2:")
        async with connected(f"{sim.url}/ws") as client:
            await client.send('{"method":"SUBSCRIBE","params":["a@trade","b@trade"],"id":1}')
            assert "too many" in str(await client.recv())
        async with connected(f"{sim.url}/ws") as client:
            for number in range(5):
                await client.send(f'{{"method":"LIST_SUBSCRIPTIONS","id":{number}}}')
            await wait_until_async(lambda: sim.ledger.violations["messages"], what="the fourth message")
        depth = f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT&limit=5"
        assert [(await fetch(depth))[0] for _ in range(3)] == [429, 418, 418]
        for _ in range(2):
            with pytest.raises(InvalidStatus) as refused:
                async with connected(f"{sim.url}/ws"):
                    pass
            assert refused.value.response.status_code == 418
        with pytest.raises(InvalidStatus) as refused:
            async with connected(f"{sim.url}/ws"):
                pass
        assert refused.value.response.status_code == 429
        counts = sim.ledger.summary()["violations"]
        assert {name: counts[name] for name in ("topics", "weight", "banned", "attempts")} == {
            "topics": 1,
            "weight": 1,
            "banned": 4,
            "attempts": 1,
        }
