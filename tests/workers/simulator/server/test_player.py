"""A served recording, received over a real socket by the very adapters, gives what reading it gives."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from foxtrot_protocol.events import MarketEvent
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.catalog import adapter_class
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import RestRequest, SendText
from foxtrot_workers.replay.recording import read_recording
from foxtrot_workers.simulator.recorded.playback import DataItem, Playback
from foxtrot_workers.simulator.server.entry import load_playback
from foxtrot_workers.simulator.server.faults import Fault
from foxtrot_workers.simulator.server.server import SimulatedExchange
from foxtrot_workers.simulator.venues.options import ExchangeName, PlaybackOptions
from tests.support.sim_client import FoldedBook, fetch, fetch_json
from tests.support.waiting import wait_until_async

_SHARED = Path(__file__).parents[5] / "shared" / "data"
_LIMIT_S = 20.0
_SECOND_NS = 1_000_000_000
_START_NS = 1_700_000_000 * _SECOND_NS


def _line(seconds: float, way: str, body: Any, url: str = "wss://example.invalid/stream") -> str:
    raw = body if isinstance(body, str) else json.dumps(body)
    return json.dumps({"t": _START_NS + int(seconds * _SECOND_NS), "dir": way, "url": url, "raw": raw})


def _delta(first: int, last: int, bid: str) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": 1, "s": "ABCUSDT", "U": first, "u": last, "b": [[bid, "1"]], "a": []}
    return {"stream": "abcusdt@depth@100ms", "data": data}


def _trade(number: int) -> dict[str, Any]:
    data = {"e": "trade", "E": 1, "s": "ABCUSDT", "t": number, "p": "1", "q": "1", "T": 1, "m": True, "M": True}
    return {"stream": "abcusdt@trade", "data": data}


_DEPTH = "https://api.example.invalid/api/v1/depth?symbol=ABCUSDT&limit=5000"


def _book_recording(folder: Path) -> Path:
    """Two deltas, the snapshot that fits behind the first, two more deltas; a trade on each side."""
    path = folder / "sample.jsonl"
    lines = [
        _line(0.0, "in", _trade(1)),
        _line(0.1, "in", _delta(10, 11, "5.0")),
        _line(0.2, "in", _delta(12, 12, "5.1")),
        _line(0.3, "http", {"lastUpdateId": 11, "bids": [["4.0", "9"]], "asks": [["9.0", "9"]]}, _DEPTH),
        _line(0.4, "in", _delta(13, 14, "5.2")),
        _line(0.5, "in", _trade(2)),
        _line(0.6, "in", _delta(15, 15, "5.3")),
    ]
    path.write_text("\n".join(lines) + "\n")
    listed = {"symbols": [{"symbol": "ABCUSDT", "baseAsset": "ABC", "quoteAsset": "USDT"}]}
    path.with_name("sample-instruments.jsonl").write_text(
        _line(0, "http", listed, "https://api.example.invalid/api/v3/exchangeInfo") + "\n"
    )
    return path


def _sim(playback: Playback, speed: float = 0.0, **options: Any) -> SimulatedExchange:
    chosen = PlaybackOptions(speed=speed, settle_s=0.1, **options)
    return SimulatedExchange(exchange=playback.exchange, playback=playback, playback_options=chosen)


def _connect(url: str) -> connect:
    return connect(url, compression=None, max_size=None, proxy=None, close_timeout=0.5)


async def _next(client: ClientConnection) -> Any:
    async with asyncio.timeout(_LIMIT_S):
        return json.loads(await client.recv())


_ALL = "abcusdt@trade/abcusdt@depth@100ms"


async def test_playback_waits_at_a_snapshot_until_it_is_requested(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    async with _sim(playback) as sim, _connect(f"{sim.url}/stream?streams={_ALL}") as client:
        early = [await _next(client) for _ in range(3)]
        assert [frame["data"].get("u") for frame in early] == [None, 11, 12]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.recv()
        book = FoldedBook(await fetch_json(f"{sim.rest_url}/api/v3/depth?symbol=ABCUSDT&limit=1000"))
        assert book.last_id == 11
        late = [await _next(client) for _ in range(3)]
        for frame in early + late:
            if frame["stream"].endswith("depth@100ms"):
                book.update(frame["data"])
        assert book.picture()[0] == [("5.3", "1"), ("5.2", "1"), ("5.1", "1"), ("4.0", "9")]
        assert sim.ledger.sent(0, "abcusdt@depth@100ms") == [1, 2, 4, 6]


async def test_a_snapshot_request_waits_until_playback_reaches_it(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    async with _sim(playback, speed=1.0) as sim, _connect(f"{sim.url}/stream") as client:
        await client.send(json.dumps({"method": "SUBSCRIBE", "params": _ALL.split("/"), "id": 1}))
        assert await _next(client) == {"result": None, "id": 1}
        begun = time.monotonic()
        snapshot = await fetch_json(f"{sim.rest_url}/api/v3/depth?symbol=ABCUSDT")
        assert snapshot["lastUpdateId"] == 11
        assert time.monotonic() - begun >= 0.25
        assert sim.ledger.sent(0, "abcusdt@depth@100ms") == [1, 2]


async def test_playback_does_not_wait_for_a_book_that_is_not_subscribed(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    async with _sim(playback) as sim, _connect(f"{sim.url}/ws/abcusdt@trade") as client:
        assert [(await _next(client))["t"] for _ in range(2)] == [1, 2]
        snapshot = await fetch_json(f"{sim.rest_url}/api/v3/depth?symbol=ABCUSDT")
        assert snapshot["lastUpdateId"] == 11
        assert (await fetch(f"{sim.rest_url}/api/v3/depth?symbol=NOPE"))[0] == 400


async def test_both_waits_are_bounded(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    async with _sim(playback, hold_s=0.3) as sim, _connect(f"{sim.url}/stream?streams={_ALL}") as client:
        begun = time.monotonic()
        for _ in range(6):
            await _next(client)
        assert time.monotonic() - begun >= 0.3
    async with _sim(playback, speed=0.01, hold_s=0.3) as sim, _connect(f"{sim.url}/stream?streams={_ALL}") as client:
        await _next(client)
        assert (await fetch_json(f"{sim.rest_url}/api/v3/depth?symbol=ABCUSDT"))["lastUpdateId"] == 11


async def test_recorded_times_are_kept_and_scaled(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    for speed, least_s, most_s in ((1.0, 0.45, 1.5), (5.0, 0.08, 0.45)):
        async with _sim(playback, speed=speed) as sim, _connect(f"{sim.url}/ws/abcusdt@trade") as client:
            await _next(client)
            begun = time.monotonic()
            await _next(client)
            assert least_s <= time.monotonic() - begun <= most_s


async def test_every_client_has_its_own_playback_from_the_beginning(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    async with _sim(playback) as sim:
        for _ in range(2):
            async with _connect(f"{sim.url}/ws/abcusdt@trade") as client:
                assert [(await _next(client))["t"] for _ in range(2)] == [1, 2]


async def test_all_topics_can_be_sent_and_the_end_can_close_the_connection(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    async with (
        _sim(playback, send_all=True, at_end="close", hold_s=0.1) as sim,
        _connect(f"{sim.url}/stream?streams=abcusdt@trade") as client,
    ):
        assert len([await _next(client) for _ in range(6)]) == 6
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


async def test_after_the_end_the_connection_stays_open_and_answers(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    async with _sim(playback) as sim, _connect(f"{sim.url}/ws/abcusdt@trade") as client:
        for _ in range(2):
            await _next(client)
        await asyncio.wait_for(await client.ping(), _LIMIT_S)
        await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 9}))
        assert await _next(client) == {"result": ["abcusdt@trade"], "id": 9}
        info = await fetch_json(f"{sim.rest_url}/api/v3/exchangeInfo?symbols=%5B%22ABCUSDT%22%5D")
        assert info["symbols"][0]["baseAsset"] == "ABC"
        assert "serverTime" in await fetch_json(f"{sim.rest_url}/api/v3/time")
        assert await fetch_json(f"{sim.rest_url}/api/v3/ping") == {}
        assert (await fetch(f"{sim.rest_url}/api/v3/klines"))[0] == 404


async def test_a_second_subscription_is_waited_for(tmp_path: Path) -> None:
    playback = load_playback(_book_recording(tmp_path), "binance")
    async with _sim(playback, hold_s=0.1) as sim, _connect(f"{sim.url}/stream") as client:
        for number, stream in enumerate(_ALL.split("/")):
            await client.send(json.dumps({"method": "SUBSCRIBE", "params": [stream], "id": number}))
        frames = [await _next(client) for _ in range(8)]
        assert [frame.get("id") for frame in frames[:2]] == [0, 1]
        assert len(frames[2:]) == 6


async def test_okx_over_the_wire(tmp_path: Path) -> None:
    arg = {"channel": "trades", "instId": "A-B"}
    acknowledged = '{"event":"subscribe","arg":{"channel":"trades","instId":"A-B"}}'
    lines = [
        _line(0, "out", {"op": "subscribe", "args": [arg]}),
        _line(0, "in", acknowledged),
        *(_line(n / 10, "in", {"arg": arg, "data": [{"tradeId": str(n)}]}) for n in range(3)),
        _line(1, "in", "pong"),
    ]
    path = tmp_path / "okx.jsonl"
    path.write_text("\n".join(lines) + "\n")
    async with (
        _sim(load_playback(path, "okx")) as sim,
        _connect(f"{sim.url}/ws/v5/public") as client,
    ):
        await client.send("ping")
        assert await client.recv() == "pong"
        await client.send(json.dumps({"op": "subscribe", "args": [arg, {"channel": "books", "instId": "A-B"}]}))
        assert await client.recv() == acknowledged
        assert (await _next(client))["arg"]["channel"] == "books"
        assert [(await _next(client))["data"][0]["tradeId"] for _ in range(3)] == ["0", "1", "2"]


async def test_a_slow_reader_holds_playback_back_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    filler = "x" * 2_000
    body = (_line(0, "in", {"stream": "abcusdt@trade", "data": {"t": n, "x": filler}}) for n in range(8_000))
    path.write_text("\n".join(body) + "\n")
    async with (
        _sim(load_playback(path, "binance")) as sim,
        _connect(f"{sim.url}/ws/abcusdt@trade") as client,
    ):
        await wait_until_async(lambda: sim.ledger.sent_count(0) > 100)
        before = -1
        while sim.ledger.sent_count(0) != before:
            before = sim.ledger.sent_count(0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.wait_closed()
        assert before < 8_000, "held back by a client that does not read"
        assert [(await _next(client))["t"] for _ in range(8_000)] == list(range(8_000))
        assert sim.ledger.slow_clients_total == 0


async def test_okx_announces_its_close(tmp_path: Path) -> None:
    arg = {"channel": "trades", "instId": "A-B"}
    path = tmp_path / "okx.jsonl"
    path.write_text(_line(0, "in", {"arg": arg, "data": []}) + "\n")
    async with _sim(load_playback(path, "okx")) as sim, _connect(f"{sim.url}/ws/v5/public") as client:
        sim.inject(Fault(kind="shutdown"))
        notice = await _next(client)
        assert (notice["event"], notice["code"]) == ("notice", "64008")


# -- real recordings through real adapters


def _topics(adapter: Adapter, playback: Playback) -> list[Topic]:
    """The adapter's topics for all that the recording holds."""
    if playback.exchange != "okx":
        return [Topic("any", wire.split("@")[0].upper(), wire) for wire in sorted(playback.topics)]
    args = [dict(part.split("=", 1) for part in topic.split("/")) for topic in sorted(playback.topics)]
    return [Topic(arg["channel"], arg["instId"], f"{arg['channel']}:{arg['instId']}") for arg in args]


def _by_stream(events: list[MarketEvent[str]]) -> dict[tuple[str, str], list[Any]]:
    """Events in order for each kind and symbol, without the times that differ from run to run."""
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for event in events:
        fields = msgspec.to_builtins(msgspec.structs.asdict(event))
        for name in ("receive_ns", "publish_ns", "start_ns", "end_ns"):
            if type(event).__name__ != "Bar" or name != "start_ns":
                fields.pop(name, None)
        kind = "Book" if type(event).__name__.startswith("Book") else type(event).__name__
        found[kind, event.symbol].append((type(event).__name__, fields))
    return found


def _read(exchange: str, path: Path) -> list[MarketEvent[str]]:
    adapter = adapter_class(exchange)(adopt=True)
    events: list[MarketEvent[str]] = []
    for frame in read_recording(path):
        if frame.direction == "in":
            adapter.parse(frame.payload, 1, events)
        elif frame.direction == "http":
            adapter.on_rest(frame.url, 200, frame.payload, 1, events)
    return events


async def _receive(sim: SimulatedExchange, exchange: str, playback: Playback) -> list[MarketEvent[str]]:
    """What the adapter makes of a whole playback, driven as the feed drives it."""
    adapter = adapter_class(exchange)(adopt=False)
    events: list[MarketEvent[str]] = []
    tasks: set[asyncio.Task[None]] = set()
    last_line = max(item.line for item in playback.items if isinstance(item, DataItem))

    async def fetch_rest(request: RestRequest) -> None:
        status, _, body = await fetch(sim.rest_url + request.path)
        adapter.on_rest(request.path, status, body, 1, events)

    def complete() -> bool:
        number = sim.ledger.connections()[0].number
        return any(
            last_line in sim.ledger.sent(number, stream)[-1:] for stream in sim.ledger.streams(number)
        ) and not any(not task.done() for task in tasks)

    async with _connect(adapter.address(sim.url)) as client:
        for text in [*adapter.opening(), *adapter.subscribe(_topics(adapter, playback))]:
            await client.send(text)
        received = 0
        while not complete() or received < sim.ledger.sent_count(0):
            async with asyncio.timeout(_LIMIT_S):
                frame = await client.recv(decode=False)
            assert isinstance(frame, bytes)
            before = len(adapter.notices)
            adapter.parse(frame, 1, events)
            received += before == len(adapter.notices) or b'"data"' in frame
            for notice in adapter.notices:
                if isinstance(notice, RestRequest):
                    tasks.add(asyncio.create_task(fetch_rest(notice)))
                elif isinstance(notice, SendText):
                    await client.send(notice.text)
            adapter.notices.clear()
            await asyncio.sleep(0)
    for task in tasks:
        await task
    return events


@pytest.mark.skipif(not _SHARED.is_dir(), reason="the recorded exchange data are not on this machine")
@pytest.mark.parametrize(
    ("exchange", "name"),
    [
        ("binance", "2021-08-14-spot"),
        ("binance", "2021-10-11-spot"),
        ("binance_us", "2021-08-14"),
        ("binance_us", "2021-10-11"),
        ("okx", "2022-05-13"),
        ("okx", "2021-07-22-tbt"),
    ],
)
async def test_a_recording_received_over_the_wire_equals_its_replay(exchange: ExchangeName, name: str) -> None:
    path = _SHARED / exchange / f"{name}.jsonl.gz"
    playback = load_playback(path, exchange)
    async with _sim(playback) as sim:
        received = await _receive(sim, exchange, playback)
        await wait_until_async(lambda: sim.connections == 0)
    expected, live = _by_stream(_read(exchange, path)), _by_stream(received)
    assert sum(map(len, expected.values())) > 200
    assert {key: len(found) for key, found in live.items()} == {key: len(found) for key, found in expected.items()}
    assert live == expected
