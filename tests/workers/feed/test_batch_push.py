"""A worker's PUSH socket never blocks; what it does not send is in the ring."""

from __future__ import annotations

from pathlib import Path

import zmq

from foxtrot_protocol import endpoints
from foxtrot_workers.feed.batch_push import BatchPush


def test_batches_are_sent_and_a_missing_engine_blocks_nothing(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    endpoint = endpoints.data_endpoint(str(tmp_path))
    push = BatchPush(context, endpoint)
    for number in range(5000):
        push.committed(str(number).encode())
    with context.socket(zmq.PULL) as pull:
        pull.setsockopt(zmq.RCVTIMEO, 5000)
        pull.bind(endpoint)
        assert pull.recv() == b"0"
    push.close()
    context.term()
