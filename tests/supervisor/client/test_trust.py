"""Which sockets of a run directory are trusted."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_supervisor.client.control_client import ControlClient
from foxtrot_supervisor.client.event_stream import EventStream, is_running
from foxtrot_supervisor.client.trust import NotTrusted, check_peer, distrust

_SERVE = """
import os, socket, sys
os.setgid(12345); os.setuid(12345)
listeners = []
for name in ("operator.sock", "events.sock"):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1] + "/" + name)
    os.chmod(sys.argv[1] + "/" + name, 0o777)
    listener.listen(8)
    listeners.append(listener)
print(flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("me", "peer", "owner", "shared_parent", "believed"),
    [
        (1000, 1000, 1000, True, True),
        (1000, 0, 0, False, True),
        (1000, 1000, 0, False, True),
        (1000, 2000, 2000, False, False),
        (1000, 2000, 1000, False, False),
        (0, 0, 0, True, True),
        (0, 1000, 1000, False, True),
        (0, 1000, 1000, True, False),
        (0, 2000, 1000, False, False),
        (0, 1000, 0, False, False),
    ],
)
def test_which_peers_and_owners_are_trusted(
    me: int, peer: int, owner: int, shared_parent: bool, believed: bool
) -> None:
    reason = distrust(me=me, peer=peer, owner=owner, is_directory=True, shared_parent=shared_parent)
    assert (reason == "") == believed, reason


def test_a_symbolic_link_as_run_directory_is_not_trusted() -> None:
    assert "symbolic link" in distrust(me=1, peer=1, owner=1, is_directory=False, shared_parent=False)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user can reach."""
    path = Path(tempfile.mkdtemp(prefix="fx"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("owner", [12345, 0])
def test_sockets_of_another_user(reachable: Path, owner: int) -> None:
    (reachable / "shared").mkdir()
    (reachable / "shared").chmod(0o1777)
    place = reachable / "shared" / "run"
    place.mkdir()
    place.chmod(0o777)
    os.chown(place, owner, -1)
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/"
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        for ask in (ControlClient, EventStream, is_running):
            with pytest.raises(NotTrusted, match="not a supervisor of yours"):
                ask(str(place))
    finally:
        server.kill()
        server.communicate()


def test_a_removed_directory_means_that_the_run_has_ended(tmp_path: Path) -> None:
    ours, other = socket.socketpair()
    with ours, other, pytest.raises(FileNotFoundError):
        check_peer(ours, str(tmp_path / "gone" / "operator.sock"))


def test_an_unknown_peer_is_not_trusted(tmp_path: Path) -> None:
    end = socket.socket(socket.AF_UNIX)
    end.close()
    with pytest.raises(NotTrusted, match="is unknown"):
        check_peer(end, str(tmp_path / "operator.sock"))
