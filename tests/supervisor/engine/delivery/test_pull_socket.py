"""The PULL socket without libzmq: real PUSH sockets of libzmq, raw peers, and every bound."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from foxtrot_protocol import zmtp
from foxtrot_protocol.codec import BATCH_BYTES_MAX
from foxtrot_supervisor.engine.delivery import pull_socket
from foxtrot_supervisor.engine.delivery.early_bells import EarlyBells
from foxtrot_supervisor.engine.delivery.pull_socket import READ_BYTES, PullSocket
from tests.support.raw_push import RawPush
from tests.support.waiting import wait_until

LIMIT_S = 5.0


class Log:
    """Keeps the reasons of refusals."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def error(self, event: str, /, **fields: Any) -> None:
        assert event == "data_peer_refused"
        self.reasons.append(fields["reason"])


class World:
    """One socket that is read by the test."""

    def __init__(self, path: Path) -> None:
        self.log = Log()
        self.bells = EarlyBells()
        self.pull = PullSocket(str(path), self.log, self.bells)  # type: ignore[arg-type]
        self.got: list[bytes] = []

    def pump(self) -> None:
        for _ in range(100):
            data = self.pull.receive()
            if data is None:
                return
            self.got.append(data)

    def until(self, count: int) -> list[bytes]:
        def enough() -> bool:
            self.pump()
            return len(self.got) >= count

        wait_until(enough, LIMIT_S, f"{count} messages")
        got, self.got = self.got, []
        return got

    def push(self) -> RawPush:
        return RawPush(self.pull.path, self.pump)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "data.ipc")
    yield world
    world.pull.close()
    world.bells.close()


@pytest.fixture
def libzmq(world: World) -> Iterator[zmq.Socket[bytes]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    push = context.socket(zmq.PUSH)
    push.setsockopt(zmq.HEARTBEAT_IVL, 50)
    push.setsockopt(zmq.HEARTBEAT_TIMEOUT, 1000)
    push.setsockopt(zmq.RECONNECT_IVL, 10)
    push.connect(f"ipc://{world.pull.path}")
    yield push
    push.close(linger=0)
    context.term()


def is_closed(end: socket.socket) -> bool:
    try:
        while end.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def test_messages_of_libzmq_come_in_order_whatever_their_size(world: World, libzmq: zmq.Socket[bytes]) -> None:
    sizes = [0, 1, 255, 256, 8191, 8192, READ_BYTES - 9, READ_BYTES, 3 * READ_BYTES + 1, BATCH_BYTES_MAX]
    sent = [bytes((number,)) * size for number, size in enumerate(sizes)] + [b"%d" % number for number in range(2000)]
    position = 0
    got: list[bytes] = []
    deadline = time.monotonic() + LIMIT_S
    while len(got) < len(sent):
        while position < len(sent):
            try:
                libzmq.send(sent[position], zmq.NOBLOCK)
            except zmq.Again:
                break
            position += 1
        world.pump()
        got += world.got
        world.got.clear()
        assert time.monotonic() < deadline
    assert got == sent
    assert world.log.reasons == []


def test_a_message_of_several_frames_is_several_messages(world: World, libzmq: zmq.Socket[bytes]) -> None:
    libzmq.send_multipart([b"a", b"", b"c"])
    assert world.until(3) == [b"a", b"", b"c"]


def test_pings_of_libzmq_are_answered(world: World, libzmq: zmq.Socket[bytes]) -> None:
    libzmq.send(b"first")
    world.until(1)
    (peer,) = world.pull._peers.values()
    end = time.monotonic() + 0.3  # six pings
    while time.monotonic() < end:
        world.pump()
        time.sleep(0.005)
    libzmq.send(b"second")
    assert world.until(1) == [b"second"]
    assert list(world.pull._peers.values()) == [peer], "the same connection"


def test_many_peers_at_once(world: World) -> None:
    peers = [world.push() for _ in range(20)]
    for number, peer in enumerate(peers):
        for count in range(3):
            peer.send(b"%d:%d" % (number, count))
    got = world.until(60)
    for number in range(20):
        own = [data for data in got if data.startswith(b"%d:" % number)]
        assert own == [b"%d:%d" % (number, count) for count in range(3)]
    for peer in peers:
        peer.close()
    world.pump()
    wait_until(lambda: not world.pump() and not world.pull._peers, LIMIT_S, "the ends")
    assert world.log.reasons == []


def test_it_is_readable_while_there_is_more_and_only_then(world: World) -> None:
    peer = world.push()
    world.pump()
    assert not world.pull.wait(0)
    peer.send(b"x")
    assert world.pull.wait(1000)
    assert world.until(1) == [b"x"]
    world.pump()
    assert not world.pull.wait(0)
    peer.close()


def test_the_file_is_private_replaced_at_the_start_and_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "data.ipc"
    path.write_text("left by a dead engine")
    world = World(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    peer = world.push()
    path.unlink()
    world.pull.bind_again()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    later = world.push()
    peer.send(b"old")
    later.send(b"new")
    assert sorted(world.until(2)) == [b"new", b"old"], "the connection from before stays"
    world.pull.close()
    assert not path.exists()
    assert is_closed(peer.end)
    peer.close()
    later.close()


def test_a_directory_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        World(tmp_path / "missing" / "data.ipc")


def test_processes_of_other_users_are_closed_before_anything_is_read(world: World) -> None:
    world.pull._uid += 1
    end = socket.socket(socket.AF_UNIX)
    end.settimeout(LIMIT_S)
    end.connect(world.pull.path)
    world.pump()
    assert is_closed(end)
    assert world.log.reasons == [f"a process of user {os.geteuid()}"]
    end.close()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no ZMTP greeting"),
        (zmtp.GREETING + zmtp.message(b"too early"), "before READY"),
        (zmtp.GREETING + b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL", "PULL"),
    ],
)
def test_who_violates_the_protocol_is_dropped(world: World, data: bytes, reason: str) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(LIMIT_S)
        end.connect(world.pull.path)
        end.sendall(data)
        wait_until(lambda: not world.pump() and world.log.reasons, LIMIT_S, "the refusal")
        assert reason in world.log.reasons[0]
        assert is_closed(end)
    assert world.pull.refused_total == 1
    assert world.got == []


def test_too_large_messages_are_refused_before_they_are_held(world: World) -> None:
    peer = world.push()
    peer.send(b"good")
    peer.end.sendall(b"\x02" + (BATCH_BYTES_MAX + 1).to_bytes(8, "big"))
    assert world.until(1) == [b"good"]
    wait_until(lambda: not world.pump() and world.log.reasons, LIMIT_S, "the refusal")
    assert is_closed(peer.end)
    peer.close()


def test_a_handshake_has_a_limit(world: World) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(LIMIT_S)
        end.connect(world.pull.path)
        end.sendall(zmtp.GREETING)
        wait_until(lambda: not world.pump() and world.pull._opening, LIMIT_S, "the connection")
        (peer,) = world.pull._opening.values()
        peer.deadline = time.monotonic()
        world.pump()
        assert world.log.reasons == ["no handshake within 1 s"]
        assert is_closed(end)


def test_incomplete_messages_are_bounded_in_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_socket, "HELD_BYTES_MAX", 100_000)
    first, second = world.push(), world.push()
    half = b"\x02" + (80_000).to_bytes(8, "big") + bytes(60_000)
    first.end.sendall(half)
    world.pump()
    assert world.pull._held_bytes == 60_009
    second.end.sendall(half)
    wait_until(lambda: not world.pump() and world.log.reasons, LIMIT_S, "the refusal")
    assert "incomplete messages" in world.log.reasons[0]
    assert is_closed(second.end)
    assert world.pull._held_bytes == 60_009
    first.end.sendall(bytes(20_000))
    assert world.until(1) == [bytes(80_000)]
    assert world.pull._held_bytes == 0
    first.close()
    second.close()


def test_connections_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull_socket, "PEERS_MAX", 1)
    peer = world.push()
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(LIMIT_S)
        end.connect(world.pull.path)
        world.pump()
        assert is_closed(end)
    assert world.log.reasons == ["more than 1 connections"]
    peer.send(b"x")
    assert world.until(1) == [b"x"]
    peer.close()


def test_without_descriptors_it_accepts_later_and_does_not_spin(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """A listener of a process that has no descriptor left."""

        def __init__(self, real: socket.socket) -> None:
            self.real = real
            self.asked = 0

        def accept(self) -> Any:
            self.asked += 1
            raise OSError(errno.EMFILE, "Too many open files")

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

    listener = world.pull._listener
    full = Full(listener)
    world.pull._listener = full  # type: ignore[assignment]
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(world.pull.path)
        world.pump()
        world.pump()
        assert full.asked == 1
        assert not world.pull.wait(0), "the descriptor is not readable"
        world.pull._listener = listener
        monkeypatch.setattr(pull_socket, "ACCEPT_AGAIN_S", 0.0)
        world.pull._accept_at = time.monotonic()
        world.pump()
        wait_until(lambda: not world.pump() and world.pull._peers, LIMIT_S, "the connection")


def test_a_peer_that_takes_no_answer_is_dropped(world: World) -> None:
    peer = world.push()
    ping = b"\x04\x07\x04PING\0\0"
    deadline = time.monotonic() + LIMIT_S
    peer.end.setblocking(False)
    while world.pull._peers and time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            peer.end.send(ping)
        world.pump()
    assert not world.pull._peers
    peer.close()


def test_the_only_connection_is_read_directly_and_others_are_found(world: World) -> None:
    first = world.push()
    for number in range(5):
        first.send(b"%d" % number)
        assert world.until(1) == [b"%d" % number]
    assert world.pull._alone is not None
    second = world.push()  # nothing of the first is readable now
    second.send(b"second")
    assert world.until(1) == [b"second"]
    assert world.pull._alone is None
    second.close()
    wait_until(lambda: not world.pump() and len(world.pull._peers) == 1, LIMIT_S, "the end of the second")
    first.send(b"a")
    first.send(b"b")  # two messages in one read
    first.end.sendall(b"\0\x05par")
    assert world.until(2) == [b"a", b"b"]
    first.end.sendall(b"ts")
    assert world.until(1) == [b"parts"]
    first.close()
    wait_until(lambda: not world.pump() and not world.pull._peers, LIMIT_S, "the end")
    assert world.log.reasons == []


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_peer_may_pass_its_early_bell_with_the_handshake_which_is_closed_with_it(world: World) -> None:
    with select.epoll() as bell:
        before = open_descriptors()
        peers = [RawPush(world.pull.path, world.pump, passed=bell.fileno()) for _ in range(3)]
        assert len(world.bells) == 3
        peers[0].send(b"message")
        assert world.until(1) == [b"message"]
        for peer in peers:
            peer.close()
        wait_until(lambda: world.pump() or not world.bells, LIMIT_S, "all to be closed")
        assert open_descriptors() == before


def test_a_descriptor_that_comes_later_is_closed_by_the_kernel(world: World) -> None:
    with select.epoll() as bell:
        peer = world.push()
        before = open_descriptors()
        socket.send_fds(peer.end, [zmtp.message(b"message")], [bell.fileno()] * 3)
        assert world.until(1) == [b"message"]
        assert (len(world.bells), open_descriptors()) == (0, before)
        peer.close()


def test_of_several_descriptors_one_is_taken(world: World) -> None:
    with select.epoll() as bell:
        before = open_descriptors()
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(world.pull.path)
        socket.send_fds(peer, [zmtp.GREETING], [bell.fileno()] * 5)
        wait_until(lambda: world.pump() or len(world.bells), LIMIT_S, "the bell")
        assert open_descriptors() == before + 3, "the connection's two ends, and one bell"
        peer.close()
        wait_until(lambda: world.pump() or not world.bells, LIMIT_S, "it to be closed")
        assert open_descriptors() == before
