"""A worker's ringing never fails or blocks, whatever is at the other end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from foxtrot_workers.feed.doorbell import Doorbell


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Doorbell]:
    doorbell = Doorbell(str(tmp_path / "bell"), "ring-w-1")
    yield doorbell
    doorbell.close()


def answer_at(path: Path) -> socket.socket:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    end.settimeout(1.0)
    end.bind(str(path))
    return end


def test_each_commit_names_the_ring(bell: Doorbell, tmp_path: Path) -> None:
    with answer_at(tmp_path / "bell") as engine:
        for _ in range(2):
            bell.committed(b"batch")
            assert engine.recv(100) == b"ring-w-1"


def test_without_an_engine_nothing_happens_and_the_next_one_hears_it(bell: Doorbell, tmp_path: Path) -> None:
    for _ in range(3):
        bell.committed(b"batch")
    for _ in range(2):
        with answer_at(tmp_path / "bell") as engine:
            bell.committed(b"batch")
            assert engine.recv(100) == b"ring-w-1"
        (tmp_path / "bell").unlink()
        bell.committed(b"batch")


def test_a_full_socket_does_not_block(bell: Doorbell, tmp_path: Path) -> None:
    with answer_at(tmp_path / "bell") as engine:
        for _ in range(5000):
            bell.committed(b"batch")
        assert engine.recv(100) == b"ring-w-1"
        bell.committed(b"batch")
