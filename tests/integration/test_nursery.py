"""The nursery: real clones, whose parent is this process and not the nursery."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest
import zmq

from foxtrot_protocol import endpoints
from foxtrot_protocol.codec import decode_from_child
from foxtrot_protocol.commands import Hello
from foxtrot_protocol.nursery_wire import FORKED, HELLO, PONG, READY, pack
from foxtrot_protocol.spec import ChildKind, ChildSpec, NurserySettings, encode_spec
from foxtrot_supervisor.runtime.processes.nursery_link import FORK_LIMIT_S, NurseryFailed, NurseryLink
from foxtrot_workers.child.nursery import client_module
from foxtrot_workers.websocket.client import CLIENTS
from tests.support.waiting import wait_until_async

LIMIT_S = 20.0

TARGETS = """
import asyncio

async def sleeps(context):
    await asyncio.sleep(100)

async def quits(context):
    return 12
"""


class Ward:
    """A nursery and the socket on which its children say hello."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "nursery_targets.py").write_text(TARGETS)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.endpoint = endpoints.child_control_endpoint(str(folder))
        self.router.bind(self.endpoint)
        self.heard: list[bytes] = []
        self.path = endpoints.nursery_path(str(folder))
        self.link = NurseryLink(asyncio.get_running_loop(), self.path, lambda kind, _: self.heard.append(kind))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.born: list[int] = []

    def spec(self, name: str, kind: ChildKind, target: str, settings: object = None) -> bytes:
        return encode_spec(
            ChildSpec(
                name=name,
                kind=kind,
                target=f"nursery_targets:{target}",
                incarnation=1,
                run_id="r",
                run_dir=str(self.folder),
                parent_pid=os.getpid(),
                control_endpoint=self.endpoint,
                heartbeat_s=10.0,
                log_level="info",
                log_format="json",
                settings=msgspec.msgpack.encode(settings),
            )
        )

    async def start(self) -> subprocess.Popen[bytes]:
        settings = NurserySettings(
            socket_path=self.path,
            boot="foxtrot_workers.child.boot:run",
            exchanges=["binance", "unheard-of"],
            clients=["picows"],
        )
        code = "import sys; from foxtrot_workers.child.nursery import run; run(bytes.fromhex(sys.argv[1]))"
        process = subprocess.Popen(  # noqa: ASYNC220 - the test needs a plain child of this process
            [sys.executable, "-c", code, self.spec("nursery", "nursery", "", settings).hex()],
            env={**os.environ, "PYTHONPATH": str(self.folder)},
        )
        self.processes.append(process)
        self.link.expect(process.pid)
        await wait_until_async(lambda: self.link.ready, LIMIT_S, "the nursery")
        return process

    def fork_child(self, name: str, target: str) -> int:
        pid = self.link.fork_child(self.spec(name, "connection", target))
        self.born.append(pid)
        return pid

    def close(self) -> None:
        self.link.close()
        for process in self.processes:
            process.kill()
            process.wait()
        for pid in self.born:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue
        self.router.close(linger=0)
        self.context.term()


@pytest.fixture
async def ward(tmp_path: Path) -> AsyncIterator[Ward]:
    ward = Ward(tmp_path)
    yield ward
    ward.close()


async def test_children_are_ours_speak_soon_and_share_memory(ward: Ward) -> None:
    await ward.start()
    assert ward.heard == [HELLO, READY]
    for number in range(3):
        asked_at = time.monotonic()
        pid = ward.fork_child(f"w{number}.a", "sleeps")
        assert ward.router.poll(5000)
        hello = decode_from_child(ward.router.recv_multipart()[1])
        took_s = time.monotonic() - asked_at
        assert isinstance(hello, Hello)
        assert hello.pid == pid
        assert took_s < 1.0
        child = psutil.Process(pid)
        assert child.ppid() == os.getpid()
        assert os.getsid(pid) == pid
    memory = psutil.Process(ward.born[-1]).memory_full_info()
    assert memory.pss < memory.rss / 2, "most pages are shared"


async def test_the_exit_status_comes_to_us(ward: Ward) -> None:
    await ward.start()
    pid = ward.fork_child("w.a", "quits")
    _, status = await asyncio.to_thread(os.waitpid, pid, 0)
    assert os.waitstatus_to_exitcode(status) == 12


async def test_the_nurserys_death_harms_no_child_and_a_new_one_takes_over(ward: Ward) -> None:
    first = await ward.start()
    pid = ward.fork_child("w.a", "sleeps")
    first.kill()
    await wait_until_async(lambda: not ward.link.ready, LIMIT_S, "its end to be seen")
    with pytest.raises(NurseryFailed):
        ward.link.fork_child(b"")
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    await ward.start()
    ward.fork_child("x.a", "sleeps")


async def test_pings_are_answered_and_quit_ends_it(ward: Ward) -> None:
    process = await ward.start()
    ward.link.ping()
    await wait_until_async(lambda: PONG in ward.heard, LIMIT_S, "a pong")
    ward.link.quit()
    assert await asyncio.to_thread(process.wait, LIMIT_S) == 0


async def test_a_stopped_nursery_is_given_up_in_time(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.runtime.processes.nursery_link.FORK_LIMIT_S", 0.2)
    process = await ward.start()
    process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(NurseryFailed) as caught:
        ward.link.fork_child(ward.spec("w.a", "connection", "sleeps"))
    assert time.monotonic() - started < 1.0
    assert not caught.value.alive
    assert not ward.link.ready


async def test_strangers_are_turned_away(ward: Ward) -> None:
    await ward.start()
    reader, writer = await asyncio.open_unix_connection(ward.path)
    assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
    writer.close()
    assert ward.link.ready


async def test_a_machine_without_a_known_system_call_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from foxtrot_workers.child import nursery

    monkeypatch.setattr("platform.machine", lambda: "pdp11")
    with pytest.raises(OSError, match="pdp11"):
        nursery.clone_sibling()


async def test_closing_twice_is_allowed(ward: Ward) -> None:
    ward.link.close()
    ward.link.close()
    assert not os.path.exists(ward.path)  # noqa: ASYNC240 - a look at a local file


@pytest.mark.parametrize("drip", [b"x", b"\x01" + b"\x00" * 200])
async def test_a_nursery_that_answers_in_drops_costs_the_supervisor_one_limit(tmp_path: Path, drip: bytes) -> None:
    """Each read ends in time; the whole answer never does."""
    heard: list[bytes] = []
    path = str(tmp_path / "nursery.sock")
    link = NurseryLink(asyncio.get_running_loop(), path, lambda kind, _: heard.append(kind))
    link.expect(os.getpid())
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as nursery:
        nursery.connect(path)
        nursery.sendall(pack(HELLO) + pack(READY))
        await wait_until_async(lambda: link.ready, LIMIT_S, "the nursery to be ready")

        def answer_in_drops() -> None:
            message = pack(FORKED, b"1" * 4000)
            with contextlib.suppress(OSError):
                for start in range(len(message)):
                    nursery.sendall(message[start : start + 1] if len(drip) == 1 else pack(PONG, drip))
                    if ended.wait(0.05):
                        return

        thread = threading.Thread(target=answer_in_drops)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(NurseryFailed, match="did not answer"):
            link.fork_child(b"spec")
        took_s = time.monotonic() - begun
        ended.set()
        thread.join(LIMIT_S)
    assert took_s < 10 * FORK_LIMIT_S
    link.close()


def test_the_modules_of_websocket_libraries_are_those_that_workers_load() -> None:
    assert {name: client_module(name) for name in CLIENTS} == {
        name: target.partition(":")[0] for name, target in CLIENTS.items()
    }
