"""The PULL socket; what it does with batches is tested with the receiver."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import structlog
import zmq

from foxtrot_protocol import endpoints
from foxtrot_supervisor.engine.bus.event_engine import EventEngine
from foxtrot_supervisor.engine.delivery.batch_socket import BatchSocket
from foxtrot_supervisor.engine.delivery.receiver import EventReceiver


def test_it_is_private_and_bound_again_beside_the_old_file(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    receiver = EventReceiver(
        context,
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
    context.term()
