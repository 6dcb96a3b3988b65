"""The command `events`: which events are printed, and what is said about the stream."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.endpoints import tap_path
from foxtrot_protocol.events import MarketEvent, Quote, Trade
from tests.support.called_commands import FakeSupervisor, Run


def serve_events(run_dir: Path, data: bytes, operator: FakeSupervisor) -> threading.Thread:
    """One engine that sends `data` to one reader, and ends together with its supervisor."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(tap_path(str(run_dir)))
    server.listen(4)

    def serve() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                connection.sendall(data)
                operator.close()
        Path(tap_path(str(run_dir))).unlink()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def stream(*, publish_ns: int = 3) -> bytes:
    events: list[MarketEvent[str]] = [
        Trade("SIM", "BTCUSDT", 1, 2, "100.10", "0.5", "buy", "7"),
        Quote("SIM", "ETHUSDT", 1, 2, "10", "1", "11", "1", "8"),
    ]
    data = BatchEncoder("sim.a", 1).encode(1, publish_ns, events)
    return struct.pack(">I", len(data)) + data + struct.pack(">II", 0, 5)


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ("", ["trade", "quote"]),
        ("--json", ["trade", "quote"]),
        ("--type trade", ["trade"]),
        ("--type eBbo. --type eMarketTrade.", ["trade", "quote"]),
        ("--symbol ETHUSDT.SIM", ["quote"]),
        ("--count 1", ["trade"]),
        ("--live", []),
        ("--wait 5", ["trade", "quote"]),
    ],
)
def test_events_are_lines(run: Run, supervise: Any, tmp_path: Path, options: str, kinds: list[str]) -> None:
    engine = serve_events(tmp_path / "foxtrot", stream(), supervise())
    assert run("events", *options.split()) == 0
    engine.join(10)
    assert [line["kind"] for line in run.lines()] == kinds
    if "--count" not in options:
        assert "5 batches were dropped" in run.err
        assert "the run has ended" in run.err


def test_events_are_rows_of_csv(run: Run, supervise: Any, tmp_path: Path) -> None:
    engine = serve_events(tmp_path / "foxtrot", stream(publish_ns=99), supervise())
    assert run("events", "--type", "trade", "--format", "csv") == 0
    engine.join(10)
    assert run.out.splitlines() == [
        "kind,exchange,symbol,instrument,ts,event,receive_ns,publish_ns,redelivered,backfilled,price,amount,side,id,count",
        "trade,SIM,BTCUSDT,BTC-USDT,1,eMarketTrade.,2,99,false,false,100.1,0.5,buy,7,",
    ]


def test_an_event_line_has_its_instrument_and_times(run: Run, supervise: Any, tmp_path: Path) -> None:
    engine = serve_events(tmp_path / "foxtrot", stream(publish_ns=99), supervise())
    assert run("events", "--type", "trade", "--count", "1") == 0
    engine.join(10)
    (line,) = run.lines()
    assert line["instrument"] == "BTC-USDT"
    assert line["event"] == "eMarketTrade."
    assert (line["price"], line["receive_ns"], line["publish_ns"]) == ("100.1", 2, 99)
