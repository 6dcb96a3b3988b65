"""The socket without libzmq, against libzmq: PULL and ROUTER of pyzmq, both directions, deaths, full buffers."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from foxtrot_protocol import endpoints, zmtp
from foxtrot_workers.child.zmtp_socket import SocketKind, ZmtpSocket
from tests.support.waiting import wait_until_async

PUSH = SocketKind(
    socket_type=b"PUSH",
    message_bytes_max=0,
    queue_count_max=100,
    queue_bytes_max=1_000_000,
    reconnect_s=0.01,
    reconnect_s_max=0.02,
    keeps=False,
)
DEALER = SocketKind(
    socket_type=b"DEALER",
    identity=b"w#1",
    message_bytes_max=100_000,
    queue_count_max=100,
    queue_bytes_max=1_000_000,
    reconnect_s=0.01,
    reconnect_s_max=0.02,
    keeps=True,
)
LIMIT_S = 20.0


Bind = Callable[..., "zmq.Socket[bytes]"]


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[Bind]:
    """Binds sockets of libzmq where the sockets under test connect, as supervisor and engine do."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[zmq.Socket[bytes]] = []

    def bind(kind: int, **options: Any) -> zmq.Socket[bytes]:
        end = context.socket(kind)
        made.append(end)
        end.setsockopt(zmq.LINGER, 0)
        end.setsockopt(zmq.ZAP_DOMAIN, endpoints.ZAP_DOMAIN)
        end.setsockopt(zmq.IPC_FILTER_UID, os.geteuid())
        for name, value in options.items():
            end.setsockopt(getattr(zmq, name), value)
        end.bind(f"ipc://{tmp_path}/s")
        return end

    yield bind
    for each in made:
        each.close()
    context.term()


class Made:
    """Sockets under test; closed at the end."""

    def __init__(self, folder: Path) -> None:
        self.path = f"{folder}/s"
        self.all: list[ZmtpSocket] = []
        self.got: list[tuple[bytes, ...]] = []

    def __call__(self, kind: SocketKind) -> ZmtpSocket:
        self.all.append(ZmtpSocket(asyncio.get_running_loop(), self.path, kind, self.got.append))
        return self.all[-1]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Made]:
    made = Made(tmp_path)
    yield made
    for each in made.all:
        each.close()


class Server:
    """A peer that does what the test says."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket.bind(path)
        self._socket.listen()
        self._loop = asyncio.get_running_loop()

    async def accept(self) -> socket.socket:
        end, _ = await asyncio.wait_for(self._loop.sock_accept(self._socket), LIMIT_S)
        return end

    async def receive(self, end: socket.socket, count: int) -> bytes:
        return await asyncio.wait_for(self._loop.sock_recv(end, count), LIMIT_S)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
async def server(make: Made) -> AsyncIterator[Server]:
    server = Server(make.path)
    yield server
    server.close()


async def until(condition: Callable[[], object]) -> None:
    await wait_until_async(condition, LIMIT_S)


def received(end: zmq.Socket[bytes]) -> list[bytes]:
    got = []
    while end.poll(0):
        got.append(end.recv_multipart()[-1])
    return got


async def test_a_pull_socket_gets_messages_of_every_size_in_order(make: Made, bind: Bind) -> None:
    pull = bind(zmq.PULL)
    push = make(msgspec.structs.replace(PUSH, queue_bytes_max=16_000_000))
    sent = [os.urandom(size) for size in (0, 1, 255, 256, 70_000, 3_000_000, 10)]
    for data in sent:
        assert push.send(data)
    got: list[bytes] = []
    await until(lambda: got.extend(received(pull)) or len(got) == len(sent))  # type: ignore[func-returns-value]
    assert got == sent


async def test_a_router_knows_who_speaks_and_answers(make: Made, bind: Bind) -> None:
    router = bind(zmq.ROUTER, ROUTER_MANDATORY=1)
    dealer = make(DEALER)
    assert dealer.send(b"hello")
    await until(lambda: router.poll(0))
    identity, message = router.recv_multipart(copy=False)
    assert (identity.bytes, message.bytes) == (b"w#1", b"hello")
    # libzmq's name of a peer on a unix socket: uid, gid, pid
    assert str(message.get("Peer-Address")).split(":")[-3:] == [str(os.geteuid()), str(os.getegid()), str(os.getpid())]
    for data in (b"", b"stop", bytes(70_000)):
        router.send_multipart([b"w#1", data])
    router.send_multipart([b"w#1", b"two", b"frames"])
    await until(lambda: len(make.got) == 4)
    assert make.got == [(b"",), (b"stop",), (bytes(70_000),), (b"two", b"frames")]


async def test_heartbeats_of_libzmq_are_answered(make: Made, bind: Bind) -> None:
    router = bind(zmq.ROUTER, HEARTBEAT_IVL=10, HEARTBEAT_TIMEOUT=100)
    monitor = router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    dealer = make(DEALER)
    dealer.send(b"x")
    for _ in range(60):
        await asyncio.sleep(0.01)
    assert received(router) == [b"x"]
    assert not monitor.poll(0), "the connection is the first one"
    router.disable_monitor()
    monitor.close()


async def test_control_messages_wait_for_their_reader_up_to_the_bounds(make: Made, bind: Bind) -> None:
    dealer = make(DEALER)
    accepted = [data for number in range(200) if dealer.send(data := str(number).encode())]
    assert len(accepted) == DEALER.queue_count_max
    large = make(msgspec.structs.replace(DEALER, identity=b"w#2"))
    assert [large.send(bytes(400_000)) for _ in range(3)] == [True, True, False]
    router = bind(zmq.ROUTER)
    got: list[bytes] = []
    await until(lambda: got.extend(received(router)) or len(got) == len(accepted) + 2)  # type: ignore[func-returns-value]
    assert [data for data in got if len(data) < 10] == accepted


async def test_batches_do_not_wait_without_an_engine(make: Made, bind: Bind) -> None:
    push = make(PUSH)
    assert not push.send(b"in the ring")
    pull = bind(zmq.PULL)
    await until(lambda: push.send(b"now"))
    await until(lambda: pull.poll(0))
    assert pull.recv() == b"now"


def ready(socket_type: bytes) -> bytes:
    """Greeting and READY of a peer."""
    body = b"\x05READY\x0bSocket-Type" + len(socket_type).to_bytes(4, "big") + socket_type
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(52, b"\0")
    return greeting + bytes((4, len(body))) + body


async def test_a_peer_that_stops_reading_fills_kernel_and_queue_and_then_gets_all_of_it(
    make: Made, server: Server
) -> None:
    push = make(PUSH)
    with await server.accept() as end:
        end.sendall(ready(b"PULL"))
        await until(lambda: push.send(b"first"))
        sent = [b"first"]
        for number in range(100_000):
            data = number.to_bytes(4, "big") * 2500
            if not push.send(data):
                break
            sent.append(data)
        assert PUSH.queue_count_max * 0.9 < len(sent) < 1000
        expected = b"".join(map(zmtp.message, sent))
        stream = b""
        while not stream.endswith(expected):
            stream += await server.receive(end, 7777)  # never at a boundary of messages
        assert push.send(b"and on")


async def test_a_message_that_a_dying_peer_had_in_part_comes_whole_to_the_next(make: Made, server: Server) -> None:
    dealer = make(msgspec.structs.replace(DEALER, queue_bytes_max=10_000_000))
    expected = zmtp.message(bytes(3_000_000)) + zmtp.message(b"after it")
    with await server.accept() as end:
        end.sendall(ready(b"ROUTER"))
        await until(lambda: dealer._is_open)
        assert dealer.send(bytes(3_000_000))
        assert dealer.send(b"after it")
        await server.receive(end, 70_000)
    with await server.accept() as end:
        end.sendall(ready(b"ROUTER"))
        stream = b""
        while not stream.endswith(expected):
            stream += await server.receive(end, 1_000_000)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400\r\n", ready(b"PULL")], ids=["no ZMTP", "another type"])
async def test_a_peer_that_violates_the_protocol_is_left_and_tried_again(
    make: Made, server: Server, answer: bytes
) -> None:
    make(DEALER).send(b"x")
    for _ in range(3):
        with await server.accept() as end:
            end.sendall(answer)
            got = b""
            while part := await server.receive(end, 1000):
                got += part
            assert got.startswith(zmtp.GREETING)
            assert zmtp.message(b"x") not in got


async def test_a_silent_peer_is_left_after_the_handshakes_limit(
    make: Made, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foxtrot_workers.child.zmtp_socket.HANDSHAKE_S", 0.02)
    make(DEALER)
    for _ in range(2):
        end = await server.accept()
        while await server.receive(end, 1000):
            pass
        end.close()


async def test_flush_makes_the_handshake_and_sends_without_the_loop(make: Made, bind: Bind) -> None:
    dealer = make(DEALER)
    dealer.send(b"hello")
    assert not dealer.flush(0.05), "nobody listens"
    router = bind(zmq.ROUTER)
    assert dealer.flush(LIMIT_S)
    assert router.poll(LIMIT_S * 1000.0)
    assert router.recv_multipart() == [b"w#1", b"hello"]
    assert dealer.flush(0.0), "nothing is left"


async def test_what_was_sent_arrives_after_close(make: Made, bind: Bind) -> None:
    router = bind(zmq.ROUTER)
    dealer = make(DEALER)
    dealer.send(b"hello")
    assert dealer.flush(LIMIT_S)
    for number in range(50):
        assert dealer.send(str(number).encode())
    dealer.close()
    dealer.close()
    assert not dealer.send(b"late")
    got: list[bytes] = []
    await until(lambda: got.extend(received(router)) or len(got) == 51)  # type: ignore[func-returns-value]
    assert got == [b"hello", *(str(number).encode() for number in range(50))]


async def test_the_next_engine_at_the_same_place_is_found(make: Made, bind: Bind) -> None:
    pull = bind(zmq.PULL)
    push = make(PUSH)
    await until(lambda: push.send(b"one"))
    await until(lambda: pull.poll(0))
    pull.close()
    await until(lambda: not push._is_open)
    pull = bind(zmq.PULL)
    await until(lambda: push.send(b"two"))
    await until(lambda: pull.poll(0))
    assert pull.recv() == b"two"


async def test_a_command_that_closes_the_link_ends_the_reading(make: Made, server: Server) -> None:
    dealer = make(DEALER)
    dealer._on_message = lambda _: dealer.close()
    with await server.accept() as end:
        end.sendall(ready(b"ROUTER") + zmtp.message(b"x"))
        await until(lambda: dealer._closed)


@pytest.mark.parametrize("queued", [False, True], ids=["at once", "from the queue"])
@pytest.mark.parametrize("kind", [DEALER, PUSH], ids=["kept", "not kept"])
async def test_a_peer_that_dies_before_the_loop_knows(
    make: Made, server: Server, kind: SocketKind, queued: bool
) -> None:
    """The send itself fails; the message waits for the next connection, or is dropped and that is said."""
    peer = ready(b"ROUTER" if kind.keeps else b"PULL")
    kind = msgspec.structs.replace(kind, queue_bytes_max=10_000_000)
    end_of_worker = make(kind)
    end = await server.accept()
    end.sendall(peer)
    await until(lambda: end_of_worker._is_open)
    if queued:
        assert end_of_worker.send(bytes(3_000_000))
    end.close()
    if queued:
        end_of_worker._write()  # as the loop may call it before it sees the end
        assert end_of_worker._queue_bytes == (3_000_009 if kind.keeps else 0)
    else:
        assert end_of_worker.send(b"x") == kind.keeps
    assert not end_of_worker._is_open
    with await server.accept() as end:
        end.sendall(peer)
        await until(lambda: end_of_worker._is_open)
        assert end_of_worker.send(b"last")
        stream = b""
        while not stream.endswith(zmtp.message(b"last")):
            stream += await server.receive(end, 1_000_000)
        assert (zmtp.message(b"x") in stream) == (kind.keeps and not queued)


async def test_flush_outlasts_the_death_of_a_peer(make: Made, server: Server) -> None:
    dealer = make(msgspec.structs.replace(DEALER, queue_bytes_max=10_000_000))
    end = await server.accept()
    end.sendall(ready(b"ROUTER"))
    await until(lambda: dealer._is_open)
    assert dealer.send(bytes(3_000_000))
    end.close()
    assert not dealer.flush(0.1), "the next peer does not answer"
    with await server.accept() as end:
        end.sendall(ready(b"ROUTER"))
        stream = b""
        while not stream.endswith(zmtp.message(bytes(3_000_000))):
            stream += await server.receive(end, 1_000_000)
