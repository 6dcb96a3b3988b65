"""Frames that are cut out of reads are those that picows would have delivered, whatever stands between them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import random

import pytest

from foxtrot_workers.websocket import picows_client
from foxtrot_workers.websocket.burst_listener import PureBurstListener
from foxtrot_workers.websocket.client import BURST_FRAMES_MAX, ClientOptions
from foxtrot_workers.websocket.picows_client import PicowsClient
from foxtrot_workers.websocket.plain_frames import BUFFER_BYTES_MAX, PLAIN_BYTES_MAX, PlainFrames

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
LIMIT_S = 10.0
BYTES_MAX = 300_000


def frame(payload: bytes, first: int = 0x81) -> bytes:
    """One frame of a server; `first`: FIN and opcode."""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size <= PLAIN_BYTES_MAX:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


class World:
    """A client, and a server that sends what it is given, in pieces that arrive one by one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, frame_bytes_max: int = BYTES_MAX) -> None:
        monkeypatch.setattr(picows_client, "BurstListener", PureBurstListener)
        self.frames: list[bytes] = []
        self.bursts: list[tuple[int, bool]] = []
        self.controls = 0
        self.first = asyncio.Event()
        self.cause: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.frame_bytes_max = frame_bytes_max

    def _on_frames(self, frames: list[bytes], last: bool) -> None:
        self.frames += frames
        self.bursts.append((len(frames), last))
        self.first.set()

    def _on_control(self) -> None:
        self.controls += 1

    async def run(self, pieces: list[bytes]) -> str:
        """Send `pieces`, then end the connection; return the cause that the client gives."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
            accept = base64.b64encode(hashlib.sha1(key.split(b":")[1].strip() + GUID).digest())
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            await connected.wait()
            for number, piece in enumerate(pieces):
                if number == 1:
                    await self.first.wait()  # a read has ended with a frame
                with contextlib.suppress(OSError):
                    writer.write(piece)
                    await writer.drain()
                await asyncio.sleep(0)
            writer.write_eof()
            with contextlib.suppress(OSError):
                await reader.read()  # until the client has seen the end, or ended the connection
            writer.close()

        connected = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = ClientOptions(
            url=f"ws://127.0.0.1:{port}", connect_s=LIMIT_S, frame_bytes_max=self.frame_bytes_max, compression=False
        )
        client = PicowsClient(options, self._on_frames, self._on_control, self.cause.set_result)
        async with server:
            async with asyncio.timeout(LIMIT_S):
                await client.connect()
                connected.set()
                cause = await self.cause
            await client.close(0.1)
        return cause


def pieces_of(chance: random.Random, data: bytes, size_max: int) -> list[bytes]:
    pieces = []
    at = 0
    while at < len(data):
        size = chance.randint(1, size_max)
        pieces.append(data[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("seed", range(12))
async def test_messages_come_whole_and_in_order_however_they_are_cut(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    world = World(monkeypatch)
    first = frame(b"first")
    expected = [b"first"]
    sent = []
    controls = 0
    pieces_max = [9, 300, 5000, 2_000_000][seed % 4]
    sizes = [0, 1, 7, 124, 125, 126, 127, 200, 200, 200, 3000, PLAIN_BYTES_MAX, PLAIN_BYTES_MAX + 1]
    if pieces_max < 5000:
        sizes = sizes[:-3]
    for number in range(50 if pieces_max < 300 else 300):
        size = chance.choice(sizes)
        payload = (b"%d " % number * size)[:size]
        kind = chance.choice(["text", "text", "text", "binary", "ping", "fragments"])
        if kind == "ping":
            sent.append(frame(payload[:125], 0x89))
            controls += 1
            continue
        expected.append(payload)
        if kind == "fragments":
            cut = chance.randint(0, size)
            sent += [frame(payload[:cut], 0x01), frame(b"", 0x8A), frame(payload[cut:], 0x80)]
            controls += 1
        else:
            sent.append(frame(payload, 0x81 if kind == "text" else 0x82))
    await world.run([first, *pieces_of(chance, b"".join(sent), pieces_max)])
    assert world.frames == expected
    assert world.controls == controls


async def test_frames_of_one_read_are_handed_over_together(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    taken = []
    take_plain = PlainFrames._take_plain
    monkeypatch.setattr(
        PlainFrames, "_take_plain", lambda self, data: taken.append(take_plain(self, data)) or taken[-1]
    )
    message = frame(b"x" * 200)
    await world.run([message, message * (2 * BURST_FRAMES_MAX + 5)])
    assert len(world.frames) == 2 * BURST_FRAMES_MAX + 6
    assert sum(taken) == len(message) * (2 * BURST_FRAMES_MAX + 5), "all but the first were cut out of reads"
    assert max(count for count, _ in world.bursts) <= BURST_FRAMES_MAX
    assert world.bursts[-1][1]


async def test_a_burst_that_fills_up_with_the_last_frame_of_a_read_is_handed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    message = frame(b"x" * 30)
    await world.run([message, message * BURST_FRAMES_MAX, message])
    assert len(world.frames) == BURST_FRAMES_MAX + 2


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (bytes((0x81, 0x80 | 5)) + b"maskhello", "masked"),
        (bytes((0x81, 126, 0, 5)) + b"hello", "invalid 16-bit"),
        (bytes((0x81, 127)) + (5).to_bytes(8) + b"hello", "invalid 64-bit"),
        (frame(b"x" * (BYTES_MAX + 1))[:1000], "exceeding"),
        (frame(b"x", 0x83), "opcode"),
        (frame(b"x" * 200, 0xC1), "compressed"),
        (frame(b"x", 0x01) + frame(b"y" * 200, 0x81), "fragments out of order"),
        (frame(b"\x03\xe8bye", 0x88), "closed by the exchange: 1000 bye"),
    ],
)
async def test_what_ends_a_connection_is_left_to_picows(
    wrong: bytes, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(monkeypatch)
    message = frame(b"x" * 200)
    said = await world.run([message, message * 3 + wrong])
    assert len(world.frames) >= 1
    assert world.frames == [b"x" * 200] * len(world.frames)
    assert len(world.frames) <= 4
    assert cause in said


async def test_where_frames_must_be_short_picows_reads_all(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, frame_bytes_max=1000)
    message = frame(b"x" * 200)
    said = await world.run([message * 3, frame(b"x" * 1001)])
    assert world.frames == [b"x" * 200] * 3
    assert "exceeding" in said


def test_the_largest_plain_frame_fits_into_the_buffer() -> None:
    assert BUFFER_BYTES_MAX >= PLAIN_BYTES_MAX + 4
