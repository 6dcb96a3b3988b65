"""A datagram socket of this user only, in the place of an old file."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from foxtrot_supervisor.system.datagram_socket import bound_datagram


def test_it_takes_the_place_of_an_old_file_and_is_private(tmp_path: Path) -> None:
    path = str(tmp_path / "bell.sock")
    bound_datagram(path).close()
    assert os.path.lexists(path)
    bell = bound_datagram(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"ring", path)
    assert bell.recv(10) == b"ring"
    bell.close()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        bound_datagram(str(tmp_path / "none" / "bell.sock"))
