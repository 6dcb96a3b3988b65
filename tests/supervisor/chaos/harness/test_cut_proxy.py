"""The proxy of campaigns passes bytes on, holds them back, and refuses."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from foxtrot_supervisor.chaos.harness.cut_proxy import CutProxy


@pytest.fixture
def echo_port() -> Iterator[int]:
    """A server that answers each connection with what it is sent."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(ConnectionError):
            while data := connection.recv(65_536):
                connection.sendall(data)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10.0)


def connected(proxy: CutProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), 10.0)


def received(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := connection.recv(count - len(data))):
        data += more
    return data


def test_everything_that_waited_comes_in_order_after_a_stall(echo_port: int) -> None:
    with CutProxy(echo_port) as proxy, connected(proxy) as connection:
        connection.sendall(b"before")
        assert received(connection, 6) == b"before"
        proxy.cut("stalled")
        connection.sendall(b"first ")
        connection.sendall(b"second")
        with connected(proxy) as another:  # the connection is made, and that is all
            another.sendall(b"hello")
            for each in (connection, another):
                each.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    each.recv(1)
                each.settimeout(10.0)
            proxy.heal()
            assert received(connection, 12) == b"first second"
            assert received(another, 5) == b"hello"


def test_more_than_the_proxy_holds_back_comes_through_after_a_stall(echo_port: int) -> None:
    sent = bytes(range(256)) * 16_384  # 4 MiB
    with CutProxy(echo_port) as proxy, connected(proxy) as connection:
        proxy.cut("stalled")
        sender = threading.Thread(target=connection.sendall, args=(sent,), daemon=True)
        sender.start()
        proxy.heal()
        assert received(connection, len(sent)) == sent
        sender.join(10.0)


def test_connections_are_reset_and_refused_until_it_is_healed(echo_port: int) -> None:
    with CutProxy(echo_port) as proxy, connected(proxy) as connection:
        connection.sendall(b"before")
        assert received(connection, 6) == b"before"
        proxy.cut("refused")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
        with pytest.raises(ConnectionRefusedError):
            connected(proxy)
        proxy.heal()
        with connected(proxy) as again:
            again.sendall(b"again")
            assert received(again, 5) == b"again"


def test_without_a_server_behind_it_connections_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with CutProxy(port) as proxy, contextlib.suppress(ConnectionResetError), connected(proxy) as connection:
        assert connection.recv(1) == b""
