"""The control link: what is sent arrives, what is malformed is counted, and a closed link raises nothing."""

from __future__ import annotations

from pathlib import Path

import zmq

from foxtrot_protocol.codec import decode_from_child, encode_control
from foxtrot_protocol.commands import Done, Stop, ToChild
from foxtrot_workers.child.command_link import CommandLink
from tests.support.waiting import wait_until_async

LIMIT_S = 20.0


async def test_sending_after_close_is_counted_and_raises_nothing(tmp_path: Path) -> None:
    link = CommandLink(f"ipc://{tmp_path}/c", "w#1", lambda _: None)
    link.send(Done("w", 1, 1, ""))
    assert link.dropped_total == 0
    link.close(0.0)
    link.close(0.0)
    assert link.is_closed()
    link.send(Done("w", 1, 2, ""))
    assert link.dropped_total == 1


async def test_messages_of_both_sides_and_malformed_ones(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    got: list[ToChild] = []
    with context.socket(zmq.ROUTER) as router:
        router.bind(f"ipc://{tmp_path}/c")
        link = CommandLink(f"ipc://{tmp_path}/c", "w#1", got.append)
        link.send(Done("w", 1, 1, ""))
        link.flush(LIMIT_S)
        assert router.poll(LIMIT_S * 1000.0)
        identity, data = router.recv_multipart()
        assert identity == b"w#1"
        assert decode_from_child(data) == Done("w", 1, 1, "")
        router.send_multipart([b"w#1", b"not msgpack"])
        router.send_multipart([b"w#1", encode_control(Stop(1.0)), b"and more"])
        router.send_multipart([b"w#1", encode_control(Stop(2.0))])
        await wait_until_async(lambda: got, LIMIT_S)
        assert got == [Stop(2.0)]
        assert link.malformed_total == 2
        link.close(0.0)
    context.term()


async def test_closing_sends_what_is_queued_and_hands_nothing_over(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    got: list[ToChild] = []
    link = CommandLink(f"ipc://{tmp_path}/c", "w#1", got.append)
    for number in range(3):
        link.send(Done("w", 1, number, ""))
    with context.socket(zmq.ROUTER) as router:
        router.bind(f"ipc://{tmp_path}/c")
        link.close(LIMIT_S)
        for number in range(3):
            assert router.poll(LIMIT_S * 1000.0)
            assert decode_from_child(router.recv_multipart()[1]) == Done("w", 1, number, "")
    assert not got
    context.term()
