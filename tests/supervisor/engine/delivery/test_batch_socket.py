"""The PULL socket; what it does with batches is tested with the receiver."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest
import structlog
import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import Trade
from foxtrot_protocol.ring_layout import CAPACITY_MIN
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.delivery.batch_socket import BatchSocket
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver
from foxtrot_workers.feed.ring_writer import RingWriter
from tests.support.waiting import wait_until


def test_it_is_private_and_bound_again_beside_the_old_file(tmp_path: Path) -> None:
    receiver = EventReceiver(
        endpoints.data_endpoint(str(tmp_path)),
        "float",
        EventEngine(),
        structlog.get_logger(),
        lambda _: None,
        run_dir=str(tmp_path),
        on_drained=lambda *_: None,
    )
    arrivals = receiver._arrivals
    assert isinstance(arrivals, BatchSocket)
    assert stat.S_IMODE(os.stat(arrivals.path).st_mode) == 0o600
    os.unlink(arrivals.path)
    arrivals.bind_again()
    assert stat.S_IMODE(os.stat(arrivals.path).st_mode) == 0o600
    assert (arrivals.pump(), arrivals.wait(0), arrivals.due()) == (False, False, float("inf"))
    receiver.close()


def test_what_is_read_from_the_ring_is_not_decoded_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    endpoint = endpoints.data_endpoint(str(tmp_path))
    receiver = EventReceiver(
        endpoint,
        "float",
        EventEngine(),
        structlog.get_logger(),
        lambda _: None,
        run_dir=str(tmp_path),
        on_drained=lambda *_: None,
    )
    decoded: list[bytes] = []
    decode = receiver._batches.decode
    monkeypatch.setattr(receiver._batches, "decode", lambda data: decoded.append(data) or decode(data))
    ring, encoder = RingWriter(str(tmp_path), "w.a", 1, CAPACITY_MIN), BatchEncoder("w.a", 1)
    push = context.socket(zmq.PUSH)
    push.connect(endpoint)

    def commit(sequence: int) -> bytes:
        trade = Trade("SIM", "BTCUSDT", 1, 2, "1", "2", "buy", str(sequence))
        data = encoder.encode(sequence, 77, [trade])
        assert ring.append(sequence, 1, data)
        return data

    def pump_until(events: int) -> None:
        deadline = time.monotonic() + 5.0
        while (receiver.events_total < events or receiver._arrivals.pump()) and time.monotonic() < deadline:
            receiver.pump()
        assert receiver.events_total == events

    batches = [commit(sequence) for sequence in (1, 2, 3)]
    push.send(batches[2])  # a jump: all are read from the ring
    pump_until(3)
    for data in batches:
        push.send(data)
    known = len(decoded)
    push.send(commit(4))
    pump_until(4)
    # the fourth may be read from the ring as well, by the regular look at all rings
    assert known < len(decoded) <= known + 2
    push.send(commit(5))
    push.send(b"\xc1 rubbish")
    pump_until(5)
    wait_until(lambda: bool(receiver.pump()) or receiver.malformed_total == 1, 5.0, "the rubbish")
    push.close(linger=0)
    ring.close()
    receiver.close()
    context.term()
