"""A worker's PUSH socket never blocks; what it does not send is in the ring."""

from __future__ import annotations

import asyncio
from pathlib import Path

import zmq

from foxtrot_protocol import endpoints
from foxtrot_workers.feed.batch_push import BatchPush


async def test_batches_are_sent_and_a_missing_engine_blocks_nothing(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    endpoint = endpoints.data_endpoint(str(tmp_path))
    push = BatchPush(asyncio.get_running_loop(), endpoint)
    for number in range(5000):
        push.committed(str(number).encode())
    with context.socket(zmq.PULL) as pull:
        pull.bind(endpoint)
        while not pull.poll(0):
            push.committed(b"there is an engine")
            await asyncio.sleep(0.002)
        assert pull.recv() == b"there is an engine"
    push.close()
    context.term()


async def test_an_engine_that_hangs_blocks_nothing_and_costs_a_bounded_amount_of_memory(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    endpoint = endpoints.data_endpoint(str(tmp_path))
    with context.socket(zmq.PULL) as pull:
        pull.setsockopt(zmq.RCVHWM, 1)
        pull.setsockopt(zmq.LINGER, 0)
        pull.bind(endpoint)
        push = BatchPush(asyncio.get_running_loop(), endpoint)
        while not pull.poll(0):
            push.committed(b"first")
            await asyncio.sleep(0.002)
        for _ in range(2000):
            push.committed(bytes(100_000))
        assert len(push._socket._queue) <= endpoints.DATA_SEND_HWM
        assert push._socket._queue_bytes <= endpoints.DATA_SEND_BYTES_MAX + 100_000
        push.close()
    context.term()
