"""The exchange over real sockets: protocol, limits, life, ledger, REST."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from picows import WSFrame, WSListener, WSTransport, ws_connect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeLimits
from tests.support.sim_client import FoldedBook, fetch, fetch_json
from tests.support.tls import make_tls
from tests.support.waiting import wait_until_async

_LIMIT_S = 10.0


@asynccontextmanager
async def _client(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    # a client whose queue is full reads on only after its close has timed out
    async with connect(url, compression=None, max_size=None, proxy=None, close_timeout=0.5, **options) as client:
        yield client


async def _next(client: ClientConnection) -> Any:
    async with asyncio.timeout(_LIMIT_S):
        return json.loads(await client.recv())


async def _ask(client: ClientConnection, method: str, params: list[Any] | None, request_id: Any = 1) -> Any:
    request = {"method": method, "id": request_id} | ({} if params is None else {"params": params})
    await client.send(json.dumps(request))
    while "result" not in (answer := await _next(client)) and "code" not in answer and "error" not in answer:
        pass
    return answer


async def _closed(client: ClientConnection) -> ConnectionClosed:
    """How the connection ends, whatever data comes before."""
    async with asyncio.timeout(_LIMIT_S):
        try:
            while True:
                await client.recv()
        except ConnectionClosed as closed:
            return closed


async def test_a_combined_stream_by_address() -> None:
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        _client(f"{sim.url}/stream?streams=btcusdt@trade") as client,
    ):
        for _ in range(5):
            frame = await _next(client)
            assert frame["stream"] == "btcusdt@trade"
            assert frame["data"]["s"] == "BTCUSDT"


async def test_raw_stream_by_address_and_switch_to_combined() -> None:
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        _client(f"{sim.url}/ws/btcusdt@bookTicker") as client,
    ):
        assert set(await _next(client)) == {"u", "s", "b", "B", "a", "A"}
        assert (await _ask(client, "SET_PROPERTY", ["combined", True]))["result"] is None
        assert "stream" in await _next(client)


async def test_subscribe_list_unsubscribe() -> None:
    async with (
        SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=1000) as sim,
        _client(f"{sim.url}/stream") as client,
    ):
        assert await _ask(client, "SUBSCRIBE", ["btcusdt@trade", "ethusdt@trade"], "a1") == {
            "result": None,
            "id": "a1",
        }
        seen: set[str] = set()
        while len(seen) < 2:
            seen.add((await _next(client))["stream"])
        assert (await _ask(client, "UNSUBSCRIBE", ["btcusdt@trade"]))["result"] is None
        assert (await _ask(client, "LIST_SUBSCRIPTIONS", None))["result"] == ["ethusdt@trade"]
        assert {(await _next(client))["stream"] for _ in range(30)} == {"ethusdt@trade"}
        assert (await _ask(client, "SHOUT", None))["code"] == 2


async def test_an_unknown_symbol_is_acknowledged_and_silent() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1000) as sim, _client(f"{sim.url}/ws") as client:
        assert (await _ask(client, "SUBSCRIBE", ["nosuch@trade", "BTCUSDT@trade"]))["result"] is None
        await wait_until_async(lambda: (sim.ledger.made_range("btcusdt@trade") or (0, 0, 0))[2] > 50)
        assert (await _ask(client, "LIST_SUBSCRIPTIONS", None))["result"] == ["nosuch@trade", "BTCUSDT@trade"]
        assert sim.ledger.sent_count(0) == 0


@pytest.mark.parametrize("stream", ["btcusdt@depth@100ms", "btcusdt@depth"])
async def test_books_begun_at_different_snapshots_become_one(stream: str) -> None:
    """A wrong delta or a snapshot that does not fit its id would leave them apart."""
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=2_000, seed=11) as sim:
        depth = f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT&limit=5000"
        async with _client(f"{sim.url}/ws/{stream}") as client:
            deltas = [await _next(client)]
            early = FoldedBook(await fetch_json(depth))
            assert early.last_id >= deltas[0]["U"]
            while len(deltas) < (12 if "100ms" in stream else 2):
                deltas.append(await _next(client))
            late = FoldedBook(await fetch_json(depth))
            while deltas[-1]["u"] <= late.last_id:
                deltas.append(await _next(client))
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


async def test_what_nobody_heard_lies_between_what_was_sent() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=2_000) as sim:
        stream = "btcusdt@trade"
        for number in range(2):
            async with _client(f"{sim.url}/ws/{stream}"):
                await wait_until_async(lambda n=number: sim.ledger.sent_count(n, stream) > 20)
            await wait_until_async(lambda: sim.connections == 0)
            total = (sim.ledger.made_range(stream) or (0, 0, 0))[2]
            await wait_until_async(lambda t=total: (sim.ledger.made_range(stream) or (0, 0, 0))[2] > t + 10)
        first, last, total = sim.ledger.made_range(stream) or (0, 0, 0)
        unheard = {n for run in sim.ledger.unheard(stream) for n in range(run.first_id, run.last_id + 1)}
        sent = sim.ledger.sent_to_any(stream)
        assert sent | unheard == set(range(first, last + 1))
        assert not sent & unheard
        assert total == last - first + 1


async def test_each_client_gets_all_that_the_others_get() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=2_000) as sim:
        stream = "btcusdt@trade"
        url = f"{sim.url}/stream?streams={stream}"
        async with _client(url) as one, _client(url) as two, _client(f"{sim.url}/ws/{stream}") as raw:
            for number, client in enumerate((one, two, raw)):
                frames = [await _next(client) for _ in range(50)]
                ids = [frame["t"] if client is raw else frame["data"]["t"] for frame in frames]
                assert ids == list(range(ids[0], ids[0] + 50))
                assert ids == sim.ledger.sent(number, stream)[:50]
            await wait_until_async(lambda: min(sim.ledger.sent_count(n, stream) for n in range(3)) > 200)
            first, *others = (set(sim.ledger.sent(n, stream)) for n in range(3))
            for other in others:
                assert first & other == {n for n in first if n >= min(other)}


async def test_the_sixth_message_within_a_second_closes_with_1008() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim:
        async with _client(f"{sim.url}/ws") as client:
            for number in range(5):
                await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            await client.ping()
            closed = await _closed(client)
            assert closed.rcvd is not None
            assert (closed.rcvd.code, closed.rcvd.reason) == (1008, "Too many requests")
        await wait_until_async(lambda: sim.ledger.connections()[0].closed_ns)
        assert "1008" in sim.ledger.connections()[0].cause


async def test_five_messages_are_fine() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim, _client(f"{sim.url}/ws") as client:
        for number in range(5):
            await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        assert [(await _next(client))["id"] for _ in range(5)] == list(range(5))
        assert sim.connections == 1


async def test_too_many_streams() -> None:
    limits = ExchangeLimits(streams_max=3)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim:
        async with _client(f"{sim.url}/ws") as client:
            answer = await _ask(client, "SUBSCRIBE", ["a@trade", "b@trade", "c@trade", "d@trade"])
            assert answer["code"] == 2
        with pytest.raises(InvalidStatus) as refused:
            async with _client(f"{sim.url}/ws/a/b/c/d"):
                pass
        assert refused.value.response.status_code == 400


async def test_a_wrong_address_is_refused() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim:
        with pytest.raises(InvalidStatus) as refused:
            async with _client(f"{sim.url}/wrong"):
                pass
        assert refused.value.response.status_code == 404


async def test_pings_carry_a_payload_and_a_silent_client_is_closed() -> None:
    limits = ExchangeLimits(ping_interval_s=0.3, pong_timeout_s=0.5)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        begun = time.monotonic()
        async with asyncio.timeout(_LIMIT_S):
            await reader.readuntil(b"\r\n\r\n")
            head = await reader.readexactly(2)
            assert head[0] == 0x89, "a ping frame"
            assert head[1] > 0
            assert (await reader.readexactly(head[1])).isdigit()
            rest = await reader.read()
        assert time.monotonic() - begun >= 0.7
        assert b"Pong timeout" in rest
        writer.close()
        await writer.wait_closed()
        async with _client(f"{sim.url}/ws") as good:
            await asyncio.wait_for(good.ping(), _LIMIT_S)
            opened = time.monotonic()
            await wait_until_async(lambda: time.monotonic() - opened > 1.5)
            assert sim.connections == 1, "a client that answers stays, though its pings are counted"


@pytest.mark.parametrize(("path", "wrapped"), [("/ws", False), ("/stream", True)])
async def test_a_day_scaled_to_a_second(path: str, wrapped: bool) -> None:
    limits = ExchangeLimits(lifetime_s=1.0, shutdown_notice_s=0.5)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim, _client(sim.url + path) as client:
        begun = time.monotonic()
        notice = await _next(client)
        assert 0.4 <= time.monotonic() - begun < 1.0
        if wrapped:
            assert notice["stream"] == "!serverShutdown"
            notice = notice["data"]
        assert notice["e"] == "serverShutdown"
        closed = await _closed(client)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1001
        assert time.monotonic() - begun >= 0.9


async def test_connection_limits() -> None:
    limits = ExchangeLimits(attempts_max=2, attempts_window_s=0.5)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim:
        for _ in range(2):
            async with _client(f"{sim.url}/ws"):
                pass
        with pytest.raises(InvalidStatus) as refused:
            async with _client(f"{sim.url}/ws"):
                pass
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "1"

        async def accepted() -> bool:
            try:
                async with _client(f"{sim.url}/ws"):
                    return True
            except InvalidStatus:
                return False

        await wait_until_async(accepted, what="the window to pass")


async def test_open_connections_are_bounded() -> None:
    limits = ExchangeLimits(connections_max=1)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10, limits=limits) as sim, _client(f"{sim.url}/ws"):
        with pytest.raises(InvalidStatus):
            async with _client(f"{sim.url}/ws"):
                pass


async def test_rest_over_one_kept_connection() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        request = b"GET /api/v3/%b HTTP/1.1\r\nHost: x\r\n\r\n"
        writer.write(request % b"time" + request % b"ping" + request % b"depth?symbol=NOPE")
        async with asyncio.timeout(_LIMIT_S):
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


async def test_no_http_is_cut_off() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=10) as sim:
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(b"\x16\x03\x01 hello\r\n\r\n")
        async with asyncio.timeout(_LIMIT_S):
            assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
        await writer.wait_closed()


async def test_as_fast_as_it_is_taken() -> None:
    async with SimulatedExchange(["BTCUSDT", "ETHUSDT"], rate_per_s=0) as sim:
        assert sim.ledger.made_range("btcusdt@trade") is None, "nobody listens, nothing is made"
        async with _client(f"{sim.url}/ws/btcusdt@trade/ethusdt@bookTicker/btcusdt@bookTicker") as client:
            count, begun = 0, time.perf_counter()
            while time.perf_counter() - begun < 1.0:
                await client.recv(decode=False)
                count += 1
            # client and server share one loop, and the machine with others: the paced default gives 50
            assert count > 1_000
            sent = sim.ledger.sent(0, "btcusdt@trade")
            assert sent == list(range(sent[0], sent[0] + len(sent)))
        assert sim.ledger.slow_clients_total == 0


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
        async with _client(f"{sim.url}/ws/btcusdt@trade") as other:
            await wait_until_async(lambda: sim.ledger.slow_clients_total == 1, 30.0)
            assert (await _next(other))["e"] == "trade"
        assert sim.ledger.connections()[0].cause == "too slow"
        writer.close()
        del reader


async def test_one_that_takes_nothing_does_not_stop_the_market_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_workers.simulator.server.server._TAKEN_S", 0.5)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=0) as sim:
        _, writer = await asyncio.open_connection("127.0.0.1", sim.port, limit=1024)
        writer.write(
            b"GET /stream?streams=btcusdt@trade/btcusdt@bookTicker HTTP/1.1\r\nHost: x\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
        await wait_until_async(lambda: sim.ledger.slow_clients_total == 1, 60.0)
        async with _client(f"{sim.url}/ws/btcusdt@trade") as client:
            assert (await _next(client))["e"] == "trade"
        writer.close()


async def test_what_a_rate_too_high_leaves_out_is_counted() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=100_000_000) as sim:
        await wait_until_async(lambda: sim.left_out_total > 0, 30.0)


async def test_tls(tmp_path: Path) -> None:
    tls = make_tls(tmp_path)
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500, ssl_context=tls.server_context()) as sim:
        assert sim.url.startswith("wss://")
        assert sim.rest_url.startswith("https://")
        async with _client(f"{sim.url}/ws/btcusdt@trade", ssl=tls.client_context()) as client:
            assert (await _next(client))["e"] == "trade"
        status, _, _ = await fetch(f"{sim.rest_url}/api/v3/ping", context=tls.client_context())
        assert status == 200


async def test_compression_where_it_is_wanted() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500, compression=True) as sim:
        async with connect(f"{sim.url}/ws/btcusdt@trade", proxy=None) as client:
            assert client.protocol.extensions
            ids = [(await _next(client))["t"] for _ in range(20)]
            assert ids == list(range(ids[0], ids[0] + 20))
        async with _client(f"{sim.url}/ws/btcusdt@trade") as client:
            assert (await _next(client))["e"] == "trade"
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        connect(f"{sim.url}/ws/btcusdt@trade", proxy=None) as client,
    ):
        assert not client.protocol.extensions


async def test_the_ledger_file_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=1_000, ledger_file=path) as sim:
        async with _client(f"{sim.url}/ws/btcusdt@trade"):
            await wait_until_async(lambda: sim.ledger.sent_count(0) > 100)
        await wait_until_async(lambda: sim.connections == 0)
        sent = sim.ledger.sent(0, "btcusdt@trade")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [n for row in rows if row["what"] == "sent" for n in row["ids"]] == sent
    assert next(row["what"] for row in rows if row.get("connection") == 0) == "open"
    assert any(row["what"] == "unheard" and row["stream"] == "btcusdt@trade" for row in rows)


async def test_control_from_another_process() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim:
        async with _client(f"{sim.url}/ws/btcusdt@trade") as client:
            await _next(client)
            summary = await fetch_json(f"{sim.rest_url}/sim/ledger")
            assert summary["connections"][0]["sent"]["btcusdt@trade"] >= 1
            sent = await fetch_json(f"{sim.rest_url}/sim/sent?connection=0&stream=btcusdt@trade")
            assert len(sent["ids"]) == len(sent["times_ns"]) >= 1
            assert (await fetch(f"{sim.rest_url}/sim/sent?connection=x"))[0] == 400
            assert (await fetch(f"{sim.rest_url}/sim/nothing"))[0] == 404
            body = json.dumps({"kind": "close", "code": 4321, "reason": "told to"}).encode()
            assert (await fetch(f"{sim.rest_url}/sim/fault", "POST", body))[0] == 200
            closed = await _closed(client)
            assert closed.rcvd is not None
            assert (closed.rcvd.code, closed.rcvd.reason) == (4321, "told to")
        assert (await fetch(f"{sim.rest_url}/sim/fault", "POST", b'{"kind":"explode"}'))[0] == 400
        assert (await fetch(f"{sim.rest_url}/sim/fault", "DELETE"))[0] == 200
        async with _client(f"{sim.url}/ws/btcusdt@trade") as client:
            assert (await _next(client))["e"] == "trade", "the fault for all was disarmed"
        two = json.dumps([{"kind": "refuse"}, {"kind": "refuse", "status": 418}]).encode()
        assert json.loads((await fetch(f"{sim.rest_url}/sim/fault", "POST", two))[2]) == {"armed": 2}


async def test_stop_cuts_everything_and_the_port_can_be_had_again() -> None:
    sim = SimulatedExchange(["BTCUSDT"], rate_per_s=500)
    await sim.start()
    async with _client(f"{sim.url}/ws/btcusdt@trade") as client:
        await _next(client)
        begun = time.monotonic()
        await sim.stop()
        assert time.monotonic() - begun < 1.0
        await _closed(client)
    await sim.stop()
    again = SimulatedExchange(["BTCUSDT"], port=sim.port)
    await again.start()
    assert again.port == sim.port
    with pytest.raises(OSError, match="in use"):
        await SimulatedExchange(["BTCUSDT"], port=again.port).start()
    await again.stop()


async def test_okx_needs_a_recording() -> None:
    with pytest.raises(ValueError, match="needs a recording"):
        SimulatedExchange(["BTC-USDT"], exchange="okx")


async def test_the_rate_is_kept() -> None:
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=200) as sim:
        made = [0]
        assert sim.market is not None
        act = sim.market.act

        def counted(now_ms: int) -> Any:
            made[0] += 1
            return act(now_ms)

        sim.market.act = counted  # type: ignore[method-assign]
        begun = time.monotonic()
        await wait_until_async(lambda: time.monotonic() - begun > 1.5)
        assert 200 <= made[0] <= 320


async def test_faults_given_at_the_start() -> None:
    faults = [Fault(kind="refuse", status=503), Fault(kind="abort", connection=1)]
    async with SimulatedExchange(["BTCUSDT"], rate_per_s=500, faults=faults) as sim:
        with pytest.raises(InvalidStatus):
            async with _client(f"{sim.url}/ws"):
                pass
        async with _client(f"{sim.url}/ws/btcusdt@trade") as client:
            await _next(client)
            async with _client(f"{sim.url}/ws/btcusdt@trade") as second:
                closed = await _closed(second)
                assert closed.rcvd is None, "no close frame: the connection was reset"
            await _next(client)


async def test_market_faults_change_what_all_connections_and_rest_are_given() -> None:
    async with (
        SimulatedExchange(["BTCUSDT"], rate_per_s=500) as sim,
        _client(f"{sim.url}/ws/btcusdt@trade") as client,
    ):
        assert (await _next(client))["t"] > 1_000
        sim.inject(Fault(kind="ids_restart"), Fault(kind="ids_leap", count=100))
        ids = [(await _next(client))["t"] for _ in range(50)]
        first = ids.index(100)
        assert ids[first : first + 5] == [100, 200, 300, 400, 500]
        assert (await fetch_json(f"{sim.rest_url}/api/v3/depth?symbol=BTCUSDT"))["lastUpdateId"] < 100_000
