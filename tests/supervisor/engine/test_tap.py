"""Live events for operators: history first, then what comes, nothing twice, slow clients told of drops."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from foxtrot_supervisor.engine import tap as event_tap
from foxtrot_supervisor.engine.tap import EventTap
from tests.support.waiting import wait_until_async

LIMIT_S = 5.0


@pytest.fixture
async def tap(tmp_path: Path) -> AsyncIterator[EventTap]:
    tap = EventTap(str(tmp_path / "t.sock"))
    await tap.start()
    yield tap
    await tap.close(1.0)


async def read(reader: asyncio.StreamReader) -> bytes | int:
    """One batch, or the number of dropped ones."""
    (size,) = struct.unpack(">I", await asyncio.wait_for(reader.readexactly(4), LIMIT_S))
    if size == 0:
        return int(struct.unpack(">I", await reader.readexactly(4))[0])
    return await reader.readexactly(size)


def offer_all(tap: EventTap, batches: list[bytes]) -> None:
    for batch in batches:
        tap.offer(batch)


async def test_a_client_gets_history_then_live_and_nothing_twice(tap: EventTap, tmp_path: Path) -> None:
    for number in range(3):
        tap.offer(b"old%d" % number)
    reader, writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    assert [await read(reader) for _ in range(3)] == [b"old0", b"old1", b"old2"]
    task = asyncio.create_task(asyncio.to_thread(offer_all, tap, [b"new%d" % number for number in range(2000)]))
    late_reader, late_writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    assert [await read(reader) for _ in range(2000)] == [b"new%d" % number for number in range(2000)]
    late = [await read(late_reader) for _ in range(2003)]
    assert late == [b"old%d" % n for n in range(3)] + [b"new%d" % n for n in range(2000)]
    await task
    writer.close()
    late_writer.close()


async def test_history_is_bounded(tap: EventTap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_tap, "HISTORY_BYTES", 10)
    for number in range(8):
        tap.offer(b"%04d" % number)
    reader, writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    assert [await read(reader) for _ in range(2)] == [b"0006", b"0007"]
    writer.close()


async def test_a_slow_client_learns_how_much_it_missed(
    tap: EventTap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tap, "CLIENT_BYTES", 2 * 1024 * 1024)
    reader, writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    try:
        tap.offer(b"first")
        assert await read(reader) == b"first"
        # more than the sockets of both sides and the limit can hold together
        await asyncio.to_thread(offer_all, tap, [b"x" * 1024 * 1024] * 50)
        await wait_until_async(lambda: not tap._pending, LIMIT_S, "everything to be given to the client")
        got, dropped = 0, 0
        while got + dropped < 50:
            record = await read(reader)
            if isinstance(record, int):
                dropped += record
            else:
                got += 1
        assert dropped >= 40
        assert got >= 2
    finally:
        writer.close()


async def test_too_many_clients_are_turned_away(tap: EventTap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_tap, "CLIENTS_MAX", 1)
    tap.offer(b"a")
    first, first_writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    assert await read(first) == b"a"
    second, second_writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    assert await asyncio.wait_for(second.read(), LIMIT_S) == b""
    first_writer.close()
    second_writer.close()


async def test_a_client_that_left_is_forgotten(tap: EventTap, tmp_path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    await wait_until_async(lambda: len(tap._clients) == 1, LIMIT_S, "the client")
    writer.close()
    await wait_until_async(lambda: not tap._clients, LIMIT_S, "its end")
    tap.offer(b"nobody listens")


async def test_close_delivers_what_waits_and_removes_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "t.sock"
    tap = EventTap(str(path))
    await tap.start()
    reader, writer = await asyncio.open_unix_connection(path)
    await wait_until_async(lambda: len(tap._clients) == 1, LIMIT_S, "the client")
    tap.offer(b"last words")
    await tap.close(1.0)
    assert await read(reader) == b"last words"
    assert await reader.read() == b""
    assert not path.exists()
    writer.close()


async def test_readers_that_do_not_read_are_dropped(
    tap: EventTap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tap, "UNREAD_S", 0.0)
    monkeypatch.setattr(event_tap, "LOOK_S", 0.02)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.connect(str(tmp_path / "t.sock"))
        await wait_until_async(lambda: len(tap._clients) == 1, LIMIT_S, "the reader")
        tap.offer(b"x" * 2_000_000)
        await wait_until_async(lambda: not tap._clients, LIMIT_S, "its end")


async def test_one_more_reader_takes_the_place_of_one_that_does_not_read(
    tap: EventTap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tap, "CLIENTS_MAX", 2)
    monkeypatch.setattr(event_tap, "LOOK_S", 0.02)
    tap.offer(b"a")
    reading, writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    assert await read(reading) == b"a"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.connect(str(tmp_path / "t.sock"))
        await wait_until_async(lambda: len(tap._clients) == 2, LIMIT_S, "both readers")
        mute_one = next(client for client in tap._clients if client.unread_s(asyncio.get_running_loop().time()) > 0)
        await wait_until_async(
            lambda: mute_one.unread_s(asyncio.get_running_loop().time()) > 0.02, LIMIT_S, "it to be idle"
        )
        newcomer, new_writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
        assert await read(newcomer) == b"a"
        tap.offer(b"b")
        assert await read(reading) == b"b"
        assert await read(newcomer) == b"b"
        writer.close()
        new_writer.close()


async def test_the_end_waits_for_no_reader(tmp_path: Path) -> None:
    tap = EventTap(str(tmp_path / "t.sock"))
    await tap.start()
    with socket.socket(socket.AF_UNIX) as mute:
        mute.connect(str(tmp_path / "t.sock"))
        await wait_until_async(lambda: len(tap._clients) == 1, LIMIT_S, "the reader")
        tap.offer(b"x" * 2_000_000)
        async with asyncio.timeout(LIMIT_S):
            await tap.close(0.05)
    assert not (tmp_path / "t.sock").exists()


async def test_it_listens_again_where_its_socket_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_tap, "LOOK_S", 0.02)
    tap = EventTap(str(tmp_path / "t.sock"))
    await tap.start()
    tap.offer(b"a")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    assert await read(reader) == b"a"
    (tmp_path / "t.sock").unlink()
    await wait_until_async((tmp_path / "t.sock").exists, LIMIT_S, "the socket")
    await wait_until_async(lambda: (tmp_path / "t.sock").stat().st_mode & 0o777 == 0o600, LIMIT_S, "its mode")
    again, again_writer = await asyncio.open_unix_connection(tmp_path / "t.sock")
    assert await read(again) == b"a"
    tap.offer(b"b")
    assert await read(reader) == await read(again) == b"b"
    for each in (writer, again_writer):
        each.close()
    await tap.close(1.0)
