"""Credentials of the peer of a Unix socket."""

from __future__ import annotations

import os
import socket

from foxtrot_supervisor.system.peer_credentials import PeerCredentials, credentials_of


def test_the_peer_of_a_pair_is_this_process() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert credentials_of(one) == PeerCredentials(os.getpid(), os.getuid(), os.getgid())
