"""The early bell: its descriptor wakes a waiting process when the exchange sends something, and nothing else."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_workers.feed.early_bell import EarlyBell


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        exchange, _ = server.accept()
        with exchange:
            yield exchange, ours


@pytest.fixture
def bell() -> Iterator[EarlyBell]:
    made = EarlyBell()
    yield made
    made.close()


def engine_of(bell: EarlyBell) -> tuple[select.epoll, int]:
    """An engine's poller, and its copy of the bell's descriptor."""
    poller, copy = select.epoll(), os.dup(bell.fileno())
    poller.register(copy, select.EPOLLIN | select.EPOLLET)
    poller.poll(0)
    return poller, copy


def test_it_rings_for_everything_that_comes_whether_or_not_it_was_read(
    bell: EarlyBell, ends: tuple[socket.socket, socket.socket]
) -> None:
    exchange, ours = ends
    bell.watch(ours.fileno())
    poller, copy = engine_of(bell)
    for number in range(20):
        exchange.sendall(b"x")
        ours.recv(1)  # as when the worker is faster than the engine: it has to be heard all the same
        assert [descriptor for descriptor, _ in poller.poll(5.0)] == [copy], number
        assert poller.poll(0.0) == [], "once for each"
    ours.sendall(b"answer")
    assert exchange.recv(100) == b"answer"
    assert poller.poll(0.05) == [], "not for what we send"
    os.close(copy)
    poller.close()


def test_the_kernel_wakes_it_after_the_worker_itself(
    bell: EarlyBell, ends: tuple[socket.socket, socket.socket]
) -> None:
    """Exclusive waiters stand at the end of the socket's queue (`epoll_ctl(2)`, `EPOLLEXCLUSIVE`)."""
    bell.watch(ends[1].fileno())
    watched = Path(f"/proc/self/fdinfo/{bell.fileno()}").read_text().partition("events:")[2].split()[0]
    assert int(watched, 16) & select.EPOLLEXCLUSIVE


def test_it_keeps_no_connection_open(bell: EarlyBell, ends: tuple[socket.socket, socket.socket]) -> None:
    exchange, ours = ends
    bell.watch(ours.fileno())
    poller, copy = engine_of(bell)
    bell.close()  # as at the end of the worker, whose copy the engine still has
    ours.close()
    exchange.settimeout(5.0)
    assert exchange.recv(100) == b"", "the exchange sees the end at once"
    assert poller.poll(0.0) in ([], [(copy, select.EPOLLIN)]), "at most a last ringing"
    assert poller.poll(0.05) == []
    os.close(copy)
    poller.close()


@pytest.mark.parametrize("descriptor", [-1, 1_000_000])
def test_a_socket_that_is_gone_is_ignored(bell: EarlyBell, descriptor: int) -> None:
    bell.watch(descriptor)


def test_a_socket_after_a_closed_one_rings_too(bell: EarlyBell) -> None:
    poller, copy = engine_of(bell)
    for _ in range(3):
        exchange, ours = socket.socketpair()
        with exchange, ours:
            bell.watch(ours.fileno())
            poller.poll(0)
            exchange.send(b"x")
            assert poller.poll(5.0)
    os.close(copy)
    poller.close()
