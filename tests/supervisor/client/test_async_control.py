"""The client for asyncio against a server that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from foxtrot_protocol.control import Reply, StatusRequest
from foxtrot_protocol.endpoints import operator_path
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client import async_control
from foxtrot_supervisor.client.async_control import AsyncControlClient
from foxtrot_supervisor.client.trust import NotRunning, NotTrusted
from tests.support.played_server import Behave, playing


@asynccontextmanager
async def served(tmp_path: Path, behave: Behave) -> AsyncIterator[AsyncControlClient]:
    async with playing(operator_path(str(tmp_path)), behave), AsyncControlClient(str(tmp_path)) as client:
        yield client


async def test_requests_one_after_the_other(tmp_path: Path) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(2):
            await reader.readline()
            writer.write(b'{"data":{"a":%d}}\n' % number)

    async with served(tmp_path, behave) as client:
        assert await client.request(StatusRequest(), 5) == Reply(data={"a": 0})
        assert await client.request(StatusRequest(), 5) == Reply(data={"a": 1})


async def test_after_an_end_it_connects_again(tmp_path: Path) -> None:
    connections = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readline()
        if connections > 1:
            writer.write(b'{"data":{"a":1}}\n')

    async with served(tmp_path, behave) as client:
        with pytest.raises(NotRunning, match="ended without an answer"):
            await client.request(StatusRequest(), 5)
        assert await client.request(StatusRequest(), 5) == Reply(data={"a": 1})


async def test_no_answer_in_time(tmp_path: Path) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(tmp_path, behave) as client:
        with pytest.raises(TimeoutError):
            await client.request(StatusRequest(), 0.05)


async def test_an_answer_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_control, "LINE_BYTES_MAX", 1000)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"x" * 5000)
        await reader.read()

    async with served(tmp_path, behave) as client:
        with pytest.raises(MalformedMessage, match="longer than 1000"):
            await client.request(StatusRequest(), 5)


async def test_where_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="No such file"):
        await AsyncControlClient(str(tmp_path)).request(StatusRequest(), 5)


async def test_a_server_of_another_user_is_sent_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    received = asyncio.get_running_loop().create_future()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.read())

    def refuse(_: object, path: str) -> None:
        raise NotTrusted(path, "foreign")

    monkeypatch.setattr(async_control, "check_peer", refuse)
    async with served(tmp_path, behave) as client:
        with pytest.raises(NotTrusted, match="foreign"):
            await client.request(StatusRequest(), 5)
        assert await received == b""
