"""The service manager, played by a datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_supervisor.runtime.service_state import Extend, Ready, Reloading, Status, Stopping
from foxtrot_supervisor.runtime.systemd import STATUS_CHARACTERS_MAX, Systemd


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = str(tmp_path / "notify") if request.param == "file" else f"\0foxtrot-test-{os.getpid()}"
        listener.bind(name)
        listener.settimeout(5)
        yield listener, name.replace("\0", "@")


def test_each_message(manager: tuple[socket.socket, str]) -> None:
    listener, name = manager
    systemd = Systemd({"NOTIFY_SOCKET": name})
    assert systemd.present
    systemd.ready("3 of 3\nrunning")
    assert listener.recv(1000) == b"READY=1\nSTATUS=3 of 3 running"
    systemd.status("x" * 1000)
    assert listener.recv(1000) == b"STATUS=" + b"x" * STATUS_CHARACTERS_MAX
    systemd.watchdog()
    assert listener.recv(1000) == b"WATCHDOG=1"
    systemd.stopping("bye")
    assert listener.recv(1000) == b"STOPPING=1\nSTATUS=bye"
    systemd.extend_timeout(1.5)
    assert listener.recv(1000) == b"EXTEND_TIMEOUT_USEC=1500000"
    systemd.reloading()
    assert listener.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_tells_what_was_decided(manager: tuple[socket.socket, str]) -> None:
    listener, name = manager
    Systemd({"NOTIFY_SOCKET": name}).tell([Status("a"), Ready("b"), Reloading(), Stopping("c"), Extend(2.0)])
    told = [listener.recv(1000) for _ in range(5)]
    assert told[:2] == [b"STATUS=a", b"READY=1\nSTATUS=b"]
    assert told[2].startswith(b"RELOADING=1\n")
    assert told[3:] == [b"STOPPING=1\nSTATUS=c", b"EXTEND_TIMEOUT_USEC=2000000"]


def test_silent_where_absent(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": "nonsense"}):
        systemd = Systemd(environ)
        assert not systemd.present
        systemd.ready("")
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_watchdog_time(more: dict[str, str], expected: float | None) -> None:
    assert Systemd({"NOTIFY_SOCKET": "/nowhere", **more}).watchdog_s == expected
    assert Systemd(more).watchdog_s is None
