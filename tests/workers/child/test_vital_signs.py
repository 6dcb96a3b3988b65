"""Memory and descriptors of the own process."""

from __future__ import annotations

import os

import psutil
import pytest

from foxtrot_workers.child import vital_signs


def test_memory_and_descriptors_are_those_of_this_process() -> None:
    assert vital_signs.rss_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    before = vital_signs.open_fds()
    descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    assert vital_signs.open_fds() == before + 3
    for descriptor in descriptors:
        os.close(descriptor)


def test_without_procfs_it_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", absent)
    monkeypatch.setattr("os.listdir", absent)
    assert vital_signs.rss_bytes() > 1_000_000
    assert vital_signs.open_fds() == 0
