"""The handler that measures: what it reports, and when."""

from __future__ import annotations

import array
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.events import EVENT_BBO, EVENT_BOOK, EVENT_MARKET_TRADE
from foxtrot_workers.benchmark.counting_handler import JOB_VARIABLE, Job, setup, setup_for_dicts


class Engine:
    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[Any], Any]] = {}

    def register(self, type: str, handler: Callable[[Any], Any]) -> None:  # noqa: A002
        self.handlers[type] = handler


class Stub:
    """An event of the EventEngine, as far as the handler looks at it."""

    def __init__(self, exchange_ns: int) -> None:
        self.data = self
        self.exchange_ns = exchange_ns


class Listener:
    def __init__(self, path: str) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)

    def reports(self) -> list[dict[str, Any]]:
        heard = []
        while True:
            try:
                heard.append(json.loads(self.socket.recv(4096)))
            except BlockingIOError:
                return heard


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "r"))
    yield listener
    listener.socket.close()


def job(monkeypatch: pytest.MonkeyPatch, listener: Listener, **fields: Any) -> None:
    told = msgspec.json.encode(Job(report_path=listener.path, **fields)).decode()
    monkeypatch.setenv(JOB_VARIABLE, told)


def test_primers_are_not_counted_and_first_and_last_events_are_reported(
    monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    job(monkeypatch, listener, events=3, primers=2)
    engine = Engine()
    handler = setup(engine)
    assert set(engine.handlers) == {EVENT_MARKET_TRADE, EVENT_BBO, EVENT_BOOK}
    handle = engine.handlers[EVENT_BOOK]
    expected = [[], ["primed"], ["first"], [], ["done"], []]
    for told in expected:
        handle(Stub(0))
        assert [report["what"] for report in listener.reports()] == told
    handler.close()


def test_the_run_lasts_from_the_first_event_to_the_last(monkeypatch: pytest.MonkeyPatch, listener: Listener) -> None:
    job(monkeypatch, listener, events=2)
    engine = Engine()
    handler = setup(engine)
    before = time.monotonic_ns()
    engine.handlers[EVENT_BBO](Stub(0))
    time.sleep(0.02)
    engine.handlers[EVENT_MARKET_TRADE](Stub(0))
    upper = time.monotonic_ns() - before
    first, done = listener.reports()
    assert first["what"] == "first"
    assert 20_000_000 <= done["elapsed_ns"] <= upper
    handler.close()


def test_one_event_is_first_and_last(monkeypatch: pytest.MonkeyPatch, listener: Listener) -> None:
    job(monkeypatch, listener, events=1)
    engine = Engine()
    handler = setup(engine)
    engine.handlers[EVENT_BBO](Stub(0))
    assert [report["what"] for report in listener.reports()] == ["first", "done"]
    handler.close()


@pytest.mark.parametrize("dicts", [False, True])
def test_latencies_are_written_for_every_event(
    monkeypatch: pytest.MonkeyPatch, listener: Listener, tmp_path: Path, dicts: bool
) -> None:
    path = tmp_path / "samples"
    job(monkeypatch, listener, events=4, primers=1, samples_path=os.fspath(path))
    engine = Engine()
    handler = (setup_for_dicts if dicts else setup)(engine)
    sent_ns = time.time_ns() - 1_000_000_000
    for _ in range(5):
        engine.handlers[EVENT_MARKET_TRADE]({"exchange_ns": sent_ns} if dicts else Stub(sent_ns))
    samples = array.array("q", path.read_bytes())
    assert len(samples) == 4, "the primer is not among them"
    assert all(1_000_000_000 <= sample < 20_000_000_000 for sample in samples)
    handler.close()
