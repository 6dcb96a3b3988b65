"""The operator's interface over a real socket, blocking client and raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from foxtrot_protocol.control import LINE_BYTES_MAX, Reply, Request, RestartRequest, StatusRequest, StopRequest
from foxtrot_protocol.endpoints import operator_path
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning
from foxtrot_supervisor.runtime import control_server
from foxtrot_supervisor.runtime.control_server import CLIENTS_MAX, REQUEST_BYTES_MAX, ControlServer
from foxtrot_supervisor.runtime.shared_status import SharedStatus
from foxtrot_supervisor.system.peer_credentials import PeerCredentials, peer_of
from tests.support.waiting import wait_until_async


class Answers:
    """Answers with what was asked; `StopRequest` only after `released`."""

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.seen: list[Request] = []
        self.padding = ""

    async def __call__(self, request: Request) -> Reply:
        self.seen.append(request)
        if isinstance(request, StopRequest):
            await self.released.wait()
        if isinstance(request, RestartRequest):
            return Reply(error=f"no worker {request.worker}")
        padding = {"padding": self.padding} if self.padding else {}
        return Reply(data={"asked": type(request).__name__, **padding})


@pytest.fixture
async def answers() -> Answers:
    return Answers()


@pytest.fixture
async def server(tmp_path: Path, answers: Answers) -> AsyncIterator[ControlServer]:
    served = ControlServer(operator_path(str(tmp_path)), answers)
    await served.start()
    yield served
    await served.close()
    assert os.listdir(tmp_path) == []
    assert served.tasks == served.descriptors == frozenset()


async def test_request_and_reply(server: ControlServer, tmp_path: Path) -> None:
    def ask() -> list[Reply]:
        with ControlClient(str(tmp_path)) as client:
            return [client.request(StatusRequest(), 5), client.request(RestartRequest("x"), 5)]

    status, restart = await asyncio.to_thread(ask)
    assert status == Reply(data={"asked": "StatusRequest"})
    assert restart == Reply(error="no worker x")
    await wait_until_async(lambda: not server.tasks, what="the end of the connection")


async def test_socket_is_for_its_owner_only(server: ControlServer, tmp_path: Path) -> None:
    assert os.stat(operator_path(str(tmp_path))).st_mode & 0o777 == 0o600


async def raw(tmp_path: Path, *lines: bytes) -> list[dict[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(operator_path(str(tmp_path)), limit=LINE_BYTES_MAX)
    writer.write(b"".join(lines))
    replies = [json.loads(await asyncio.wait_for(reader.readline(), 5)) for _ in lines]
    writer.close()
    with contextlib.suppress(ConnectionError):  # it may have gone with something of ours unread
        await writer.wait_closed()
    return replies


async def test_bad_requests_are_answered_and_the_next_is_served(server: ControlServer, tmp_path: Path) -> None:
    bad_json, unknown, old, good = await raw(
        tmp_path,
        b"nonsense\n",
        b'{"type":"explode"}\n',
        b'{"type":"status","version":99}\n',
        b'{"type":"status"}\n',
    )
    assert "request" in str(bad_json["error"])
    assert "explode" in str(unknown["error"])
    assert "version 99" in str(old["error"])
    assert good["data"] == {"asked": "StatusRequest"}


async def test_endless_line_is_refused(server: ControlServer, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(operator_path(str(tmp_path)))
    writer.write(b"x" * (REQUEST_BYTES_MAX * 3))
    reply = json.loads(await asyncio.wait_for(reader.readline(), 5))
    assert str(REQUEST_BYTES_MAX) in reply["error"]
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_one_more_operator_takes_the_place_of_the_idlest(
    server: ControlServer, answers: Answers, tmp_path: Path
) -> None:
    path = operator_path(str(tmp_path))
    held = [await asyncio.open_unix_connection(path) for _ in range(CLIENTS_MAX)]
    await wait_until_async(lambda: len(server.tasks) == CLIENTS_MAX, what="all connections")
    held[0][1].write(b'{"type":"stop"}\n')  # waits for its answer
    held[1][1].write(b'{"type":"status"}\n')
    await held[1][0].readline()
    assert await raw(tmp_path, b'{"type":"status"}\n') == [{"data": {"asked": "StatusRequest"}}]
    assert await asyncio.wait_for(held[2][0].read(), 5) == b""  # neither busy nor the last that asked
    answers.released.set()
    assert json.loads(await asyncio.wait_for(held[0][0].readline(), 5)) == {"data": {"asked": "StopRequest"}}
    for _, each in held:
        each.close()
    await wait_until_async(lambda: not server.tasks, what="the end of all connections")


async def test_busy_operators_make_room_too(server: ControlServer, answers: Answers, tmp_path: Path) -> None:
    path = operator_path(str(tmp_path))
    held = [await asyncio.open_unix_connection(path) for _ in range(CLIENTS_MAX)]
    for _, each in held:
        each.write(b'{"type":"stop"}\n')
    await wait_until_async(lambda: len(answers.seen) == CLIENTS_MAX, what="all requests")
    assert await raw(tmp_path, b'{"type":"status"}\n') == [{"data": {"asked": "StatusRequest"}}]
    for _, each in held:
        each.close()


async def test_a_connection_that_asks_nothing_is_dropped(
    server: ControlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_server, "IDLE_S", 0.05)
    reader, writer = await asyncio.open_unix_connection(operator_path(str(tmp_path)))
    writer.write(b'{"type":')  # the beginning of a request is none
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


@pytest.mark.parametrize("closing", [False, True])
async def test_an_unread_answer_does_not_delay_other_clients(
    server: ControlServer, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closing: bool
) -> None:
    monkeypatch.setattr(control_server, "UNREAD_S", 30.0 if closing else 0.05)
    monkeypatch.setattr(control_server, "FLUSH_S", 0.05)
    answers.padding = "x" * 3_000_000
    with socket.socket(socket.AF_UNIX) as mute:
        mute.connect(operator_path(str(tmp_path)))
        mute.sendall(b'{"type":"status"}\n')
        await wait_until_async(lambda: answers.seen, what="the request")
        if closing:
            async with asyncio.timeout(5):
                await server.settle()
                await server.close()
        else:
            await wait_until_async(lambda: not server.tasks, what="the end of the connection")


async def test_nine_viewers_are_served_beside_one_that_does_not_read(tmp_path: Path) -> None:
    """All get the same bytes, of one assembly; what the tenth leaves unread holds up nobody."""
    assemblies = 0

    def slices() -> Iterator[dict[str, Any]]:
        nonlocal assemblies
        assemblies += 1
        yield {"supervisor": {"padding": "x" * 3_000_000}}
        yield {"workers": [{"name": "a"}]}

    shared = SharedStatus(slices)

    async def answer(request: Request) -> Reply | bytes:
        assert isinstance(request, StatusRequest)
        return await shared.line(fresh=request.fresh)

    served = ControlServer(operator_path(str(tmp_path)), answer)
    await served.start()
    with socket.socket(socket.AF_UNIX) as mute:
        mute.connect(operator_path(str(tmp_path)))
        mute.sendall(b'{"type":"status"}\n' * 100)
        await wait_until_async(lambda: served.tasks, what="the connection")
        looks = await asyncio.gather(*(raw(tmp_path, b'{"type":"status"}\n') for _ in range(9)))
        assert [each["data"]["workers"] for (each,) in looks] == [[{"name": "a"}]] * 9
        assert assemblies == 1
        await raw(tmp_path, b'{"type":"status","fresh":true}\n')
        assert assemblies == 2
        await wait_until_async(lambda: len(served.tasks) == 1, what="the end of all but the mute one")
    await served.close()


async def test_it_listens_again_where_its_socket_was_removed(server: ControlServer, tmp_path: Path) -> None:
    path = operator_path(str(tmp_path))
    assert server.is_bound
    reader, writer = await asyncio.open_unix_connection(path)
    await wait_until_async(lambda: server.tasks, what="the connection")
    os.unlink(path)
    assert not server.is_bound
    await server.restart()
    assert server.is_bound
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert await raw(tmp_path, b'{"type":"status"}\n') == [{"data": {"asked": "StatusRequest"}}]
    writer.write(b'{"type":"status"}\n')  # who was connected still is
    assert await asyncio.wait_for(reader.readline(), 5)
    writer.close()


async def test_other_users_are_refused(server: ControlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_server, "peer_of", lambda _: PeerCredentials(1, 12345, 1))
    (reply,) = await raw(tmp_path, b'{"type":"status"}\n')
    assert "another user" in str(reply["error"])


async def test_reply_given_just_before_the_end_arrives(server: ControlServer, answers: Answers, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(operator_path(str(tmp_path)))
    writer.write(b'{"type":"stop"}\n')
    await wait_until_async(lambda: answers.seen, what="the request")
    assert server.descriptors
    answers.released.set()
    closing = asyncio.create_task(server.settle())
    assert json.loads(await asyncio.wait_for(reader.readline(), 5))["data"] == {"asked": "StopRequest"}
    await closing
    await server.close()
    assert await reader.read() == b""
    writer.close()


async def test_a_client_that_leaves_while_it_waits(server: ControlServer, answers: Answers, tmp_path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(operator_path(str(tmp_path)))
    writer.write(b'{"type":"stop"}\n')
    await wait_until_async(lambda: answers.seen, what="the request")
    writer.close()
    answers.released.set()
    await wait_until_async(lambda: not server.tasks, what="the end of the connection")


async def test_peer_is_this_process(server: ControlServer, tmp_path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(operator_path(str(tmp_path)))
    assert peer_of(writer) == PeerCredentials(os.getpid(), os.geteuid(), os.getegid())
    writer.close()
    del reader


async def test_a_socket_that_cannot_be_made(tmp_path: Path, answers: Answers) -> None:
    served = ControlServer(str(tmp_path / "no" / "operator.sock"), answers)
    with pytest.raises(OSError, match="No such file"):
        await served.start()
    await served.close()


def test_without_a_supervisor_the_client_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="No such file"):
        ControlClient(str(tmp_path))
    # a socket without a listener
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(operator_path(str(tmp_path)))
    with pytest.raises(NotRunning, match="refused"):
        ControlClient(str(tmp_path))


def test_the_same_on_uvloop(tmp_path: Path) -> None:
    """Its transports show stand-ins for sockets."""

    async def serve_one() -> None:
        served = ControlServer(operator_path(str(tmp_path)), Answers())
        await served.start()
        assert await raw(tmp_path, b'{"type":"status"}\n') == [{"data": {"asked": "StatusRequest"}}]
        reader, writer = await asyncio.open_unix_connection(operator_path(str(tmp_path)))
        assert peer_of(writer) == PeerCredentials(os.getpid(), os.geteuid(), os.getegid())
        await wait_until_async(lambda: len(served.descriptors) == 2, what="the connection")
        await served.settle()
        await served.close()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_one())
    assert list(tmp_path.iterdir()) == []
