"""The blocking client against a server that misbehaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foxtrot_protocol.control import Reply, StatusRequest
from foxtrot_protocol.endpoints import operator_path
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.client.control_client import ControlClient, NotRunning


@contextmanager
def served(tmp_path: Path, behave: Callable[[socket.socket], None]) -> Iterator[ControlClient]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(operator_path(str(tmp_path)))
        listener.listen()

        def run() -> None:
            end, _ = listener.accept()
            with end:
                end.recv(1000)
                behave(end)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            with ControlClient(str(tmp_path)) as client:
                yield client
        finally:
            thread.join(5)


def test_reply_in_pieces(tmp_path: Path) -> None:
    def behave(end: socket.socket) -> None:
        for byte in b'{"data":{"a":1}}\n{"error":"x"}\n':
            end.sendall(bytes((byte,)))

    with served(tmp_path, behave) as client:
        assert client.request(StatusRequest(), 5) == Reply(data={"a": 1})
        assert client.request(StatusRequest(), 5) == Reply(error="x")


def test_end_without_an_answer(tmp_path: Path) -> None:
    with served(tmp_path, lambda end: end.sendall(b'{"da')) as client, pytest.raises(NotRunning, match="ended"):
        client.request(StatusRequest(), 5)


def test_a_refusal_sent_before_closing_is_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(operator_path(str(tmp_path)))
        listener.listen()
        with ControlClient(str(tmp_path)) as client:
            end, _ = listener.accept()
            end.sendall(b'{"error":"go away"}\n')
            end.close()
            assert client.request(StatusRequest(), 5) == Reply(error="go away")


def test_no_answer_in_time(tmp_path: Path) -> None:
    done = threading.Event()

    def behave(_: socket.socket) -> None:
        done.wait(5)

    with served(tmp_path, behave) as client:
        with pytest.raises(TimeoutError):
            client.request(StatusRequest(), 0.05)
        done.set()


def test_garbage(tmp_path: Path) -> None:
    with served(tmp_path, lambda end: end.sendall(b"\xff\n")) as client, pytest.raises(MalformedMessage):
        client.request(StatusRequest(), 5)


def test_endless_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from foxtrot_supervisor.client import control_client

    monkeypatch.setattr(control_client, "LINE_BYTES_MAX", 1000)
    with (
        served(tmp_path, lambda end: end.sendall(b"x" * 5000)) as client,
        pytest.raises(MalformedMessage, match="longer"),
    ):
        client.request(StatusRequest(), 5)
