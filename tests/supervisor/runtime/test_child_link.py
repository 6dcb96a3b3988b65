"""The ROUTER end against DEALER peers, honest and others."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import zmq

from foxtrot_protocol.codec import decode_to_child, encode_control
from foxtrot_protocol.commands import FromChild, Heartbeat, Hello, LogRecord, Ready, Stop
from foxtrot_supervisor.runtime.child_link import ENDED_KEPT, TURN_MESSAGES_MAX, ChildLink, identity_of
from tests.support.waiting import wait_until, wait_until_async

Dealer = Callable[[bytes], "zmq.Socket[bytes]"]


class Told:
    def __init__(self) -> None:
        self.messages: list[tuple[str, int, FromChild]] = []
        self.rejected: list[str] = []
        self.pids = {("a", 1): os.getpid()}

    def on_message(self, name: str, incarnation: int, message: FromChild) -> None:
        self.messages.append((name, incarnation, message))

    def expected_pid(self, name: str, incarnation: int) -> int | None:
        return self.pids.get((name, incarnation))


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/control.ipc"


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def link(context: zmq.Context[zmq.Socket[bytes]], endpoint: str, told: Told) -> AsyncIterator[ChildLink]:
    made = ChildLink(context, endpoint, told.on_message, told.expected_pid, told.rejected.append)
    yield made
    made.close()
    made.close()
    assert not made.send("a", 1, Stop(1.0))


@pytest.fixture
def dealer(context: zmq.Context[zmq.Socket[bytes]], endpoint: str) -> Iterator[Dealer]:
    sockets: list[zmq.Socket[bytes]] = []

    def connect(identity: bytes) -> zmq.Socket[bytes]:
        made = context.socket(zmq.DEALER)
        made.setsockopt(zmq.IDENTITY, identity)
        made.setsockopt(zmq.LINGER, 0)
        made.connect(endpoint)
        sockets.append(made)
        return made

    yield connect
    for each in sockets:
        each.close()


async def test_both_ways(link: ChildLink, told: Told, dealer: Dealer) -> None:
    child = dealer(b"a#1")
    child.send(encode_control(Hello("a", 1, os.getpid())))
    await wait_until_async(lambda: told.messages, what="HELLO")
    assert told.messages == [("a", 1, Hello("a", 1, os.getpid()))]
    assert link.send("a", 1, Stop(2.0))
    assert await asyncio.to_thread(child.poll, 5000)
    assert decode_to_child(child.recv()) == Stop(2.0)


async def test_a_command_to_an_unconnected_child_is_refused(link: ChildLink) -> None:
    assert not link.send("a", 1, Stop(1.0))
    assert link.refused_total == 1


async def test_who_is_connected_no_more_has_nothing_left_to_say(
    link: ChildLink, told: Told, context: zmq.Context[zmq.Socket[bytes]], dealer: Dealer
) -> None:
    assert not link.connected("a", 1)
    child = dealer(b"a#1")
    child.send(encode_control(Hello("a", 1, os.getpid())))
    await wait_until_async(lambda: told.messages, what="HELLO")
    assert link.connected("a", 1)
    count = TURN_MESSAGES_MAX // 2
    for _ in range(count):
        child.send(encode_control(Ready("a", 1, {})))
    child.close(linger=5000)
    # nothing is taken meanwhile: this never leaves the loop's turn
    wait_until(lambda: not link.connected("a", 1), what="the end of the connection")
    link.drain()
    assert len(told.messages) == 1 + count
    link.close()
    assert not link.connected("a", 1)


async def test_flood_is_taken_whole_and_wakes_nothing_up_too_late(link: ChildLink, told: Told, dealer: Dealer) -> None:
    child = dealer(b"a#1")
    count = TURN_MESSAGES_MAX * 3 + 1
    for number in range(count):
        child.send(encode_control(Ready("a", 1, {"n": str(number)})))
    await wait_until_async(lambda: len(told.messages) == count, what="all messages")
    assert [message.info["n"] for _, _, message in told.messages if isinstance(message, Ready)] == [
        str(number) for number in range(count)
    ]


async def test_messages_that_came_while_sending_are_not_forgotten(link: ChildLink, told: Told, dealer: Dealer) -> None:
    """The descriptor is edge-triggered: sending may swallow the wake-up of what came in."""
    child = dealer(b"a#1")
    child.send(encode_control(Hello("a", 1, os.getpid())))
    await wait_until_async(lambda: told.messages, what="HELLO")
    for number in range(100):
        seen = len(told.messages)
        child.send(encode_control(Ready("a", 1)))
        link.send("a", 1, Stop(float(number)))
        await wait_until_async(lambda seen=seen: len(told.messages) > seen, limit_s=2, what=f"answer {number}")


@pytest.mark.parametrize(
    ("identity", "frames", "reason"),
    [
        (b"b#1", [encode_control(Hello("b", 1, 1))], "not a supervised process: b#1"),
        (b"a#2", [encode_control(Hello("a", 2, 1))], "not a supervised process: a#2"),
        (b"a#x", [encode_control(Hello("a", 1, 1))], "not a supervised process"),
        (b"\xff\xfe", [encode_control(Hello("a", 1, 1))], "not a supervised process"),
        (b"a#99999999999", [b""], "not a supervised process"),
        (b"a#1", [encode_control(Hello("b", 1, 1))], "speaks for another"),
        (b"a#1", [encode_control(Hello("a", 2, 1))], "speaks for another"),
        (b"a#1", [encode_control(LogRecord("b", "info", "x", {}))], "speaks for another"),
        (b"a#1", [b"garbage"], "a#1: control message"),
        (b"a#1", [b"one", b"two"], "message of 3 frames"),
    ],
)
async def test_who_is_not_believed(
    link: ChildLink, told: Told, dealer: Dealer, identity: bytes, frames: list[bytes], reason: str
) -> None:
    child = dealer(identity)
    child.send_multipart(frames)
    await wait_until_async(lambda: told.rejected, what="the rejection")
    assert reason in told.rejected[0]
    assert link.rejected_total == 1
    assert told.messages == []


async def test_a_message_of_a_child_that_has_just_ended_is_dropped(link: ChildLink, told: Told, dealer: Dealer) -> None:
    late = dealer(b"a#1")
    del told.pids["a", 1]
    link.ended("a", 1, os.getpid())
    late.send(encode_control(Hello("a", 1, 1)))
    await wait_until_async(lambda: link.late_total, what="the late message")
    link.ended("a", 3, 1)
    dealer(b"a#3").send(encode_control(Hello("a", 3, 1)))
    await wait_until_async(lambda: told.rejected, what="the rejection")
    assert told.rejected == ["not a supervised process: a#3"], "another process says that it has been a child"
    assert told.messages == []
    assert (link.rejected_total, link.late_total) == (1, 1)


async def test_how_many_ended_children_are_remembered_is_bounded(link: ChildLink) -> None:
    for incarnation in range(2 * ENDED_KEPT):
        link.ended("a", incarnation, 1)
    assert len(link._ended) == ENDED_KEPT


async def test_another_process_in_a_childs_name_is_not_believed(link: ChildLink, told: Told, endpoint: str) -> None:
    code = f"""
import zmq
from foxtrot_protocol.codec import encode_control
from foxtrot_protocol.commands import Hello
s = zmq.Context().socket(zmq.DEALER)
s.setsockopt(zmq.IDENTITY, b"a#1")
s.connect({endpoint!r})
s.send(encode_control(Hello("a", 1, {os.getpid()})))
s.close(linger=2000)
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=subprocess.DEVNULL)
    await wait_until_async(lambda: told.rejected, what="the rejection")
    assert "claimed by a process that is not it" in told.rejected[0]
    assert told.messages == []
    assert await process.wait() == 0


async def test_new_incarnation_takes_the_identity_over(link: ChildLink, told: Told, dealer: Dealer) -> None:
    """ROUTER_HANDOVER: a peer that vanished without a word must not block its own return."""
    first, second = dealer(b"a#1"), None
    first.send(encode_control(Hello("a", 1, 1)))
    await wait_until_async(lambda: told.messages, what="the first")
    second = dealer(b"a#1")
    second.send(encode_control(Ready("a", 1)))
    await wait_until_async(lambda: len(told.messages) == 2, what="the second")


async def test_oversized_message_never_arrives(link: ChildLink, told: Told, dealer: Dealer) -> None:
    dealer(b"a#1").send(b"x" * (2 * 1024 * 1024))
    other = dealer(b"a#1")
    beat = Heartbeat("a", 1, 0.0, 1, 1, 1, 1)
    other.send(encode_control(beat))
    await wait_until_async(lambda: told.messages, what="the honest message")
    assert told.messages == [("a", 1, beat)]
    assert told.rejected == []


def test_identity() -> None:
    assert identity_of("binance-spot.a", 7) == b"binance-spot.a#7"
