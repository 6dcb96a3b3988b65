"""Real sockets: the stream is followed across engines; the end of a run differs from a missing engine."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.endpoints import operator_path, tap_path
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_protocol.events import Trade
from foxtrot_supervisor.client.event_stream import EngineAway, EventStream, follow, is_running


def batch(sequence: int, incarnation: int = 1, worker: str = "sim.a") -> bytes:
    trade = Trade("SIM", "BTCUSDT", 1, 2, "100.10", "0.5", "buy", str(sequence))
    data = BatchEncoder(worker, incarnation).encode(sequence, 3, [trade])
    return struct.pack(">I", len(data)) + data


@contextlib.contextmanager
def listening(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen(64)
        try:
            yield server
        finally:
            Path(path).unlink(missing_ok=True)


@contextlib.contextmanager
def in_thread(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join(10)
    assert not thread.is_alive()


def serve_once(server: socket.socket, data: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(data)


def ids(run_dir: Path, said: list[str], engine_wait_s: float = 5.0) -> list[str]:
    decoder = batch_decoder("text")
    return [
        event.trade_id
        for batches in follow(str(run_dir), decoder, said.append, engine_wait_s=engine_wait_s)
        for one in batches
        for event in one.events
    ]


def test_a_run_is_running_only_while_it_listens(tmp_path: Path) -> None:
    assert not is_running(str(tmp_path))
    with listening(operator_path(str(tmp_path))):
        assert is_running(str(tmp_path))
    assert not is_running(str(tmp_path))


def test_a_supervisor_too_busy_to_answer_is_running(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server, socket.socket(socket.AF_UNIX) as waiting:
        server.bind(operator_path(str(tmp_path)))
        server.listen(0)
        waiting.connect(operator_path(str(tmp_path)))
        assert is_running(str(tmp_path))


def test_the_stream_goes_on_across_engines_without_repeating(tmp_path: Path) -> None:
    run_dir = str(tmp_path)
    said: list[str] = []

    with contextlib.ExitStack() as stack:
        operator = stack.enter_context(listening(operator_path(run_dir)))
        first = stack.enter_context(listening(tap_path(run_dir)))

        def engines() -> None:
            serve_once(first, batch(1) + batch(2) + struct.pack(">II", 0, 7))
            first.close()
            Path(tap_path(run_dir)).unlink()
            with listening(tap_path(run_dir)) as second:
                serve_once(second, batch(2) + batch(3) + batch(1, incarnation=2) + batch(9))
            operator.close()

        with in_thread(engines):
            got = ids(tmp_path, said)
    assert got == ["1", "2", "3", "1"]
    assert said == [
        "7 batches were dropped: this reader is too slow",
        "the engine has ended the stream",
        "connected to the new engine",
        "the engine has ended the stream",
        "the run has ended",
    ]


def test_a_run_without_an_engine_ends_the_stream_after_the_limit(tmp_path: Path) -> None:
    with listening(operator_path(str(tmp_path))), pytest.raises(EngineAway, match="gives no events: No such file"):
        ids(tmp_path, [], engine_wait_s=0.2)


def test_an_engine_that_refuses_readers_ends_the_stream_after_the_limit(tmp_path: Path) -> None:
    said: list[str] = []
    with listening(operator_path(str(tmp_path))), listening(tap_path(str(tmp_path))) as server:

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        with in_thread(refuse):
            with pytest.raises(EngineAway, match="too many readers"):
                ids(tmp_path, said, engine_wait_s=0.3)
            server.shutdown(socket.SHUT_RDWR)
    assert said == []


def test_a_malformed_stream_raises(tmp_path: Path) -> None:
    with listening(operator_path(str(tmp_path))), listening(tap_path(str(tmp_path))) as server:

        def garbage() -> None:
            serve_once(server, b"\xff" * 64)

        with in_thread(garbage), pytest.raises(MalformedMessage, match="over the limit"):
            ids(tmp_path, [])


def test_a_reset_connection_ends_the_stream(tmp_path: Path) -> None:
    with listening(tap_path(str(tmp_path))) as server, EventStream(str(tmp_path)) as stream:
        connection, _ = server.accept()
        stream._socket.sendall(b"never read")
        connection.close()  # with unread data: the peer gets a reset
        assert list(stream.records()) == []
