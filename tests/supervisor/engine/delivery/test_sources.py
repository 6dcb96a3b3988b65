"""Workers and groups: bounded, and a worker without a connection is a group of its own."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.engine.delivery.sources import Sources


def test_workers_are_remembered_by_valid_names_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxtrot_supervisor.engine.delivery.sources.WORKERS_MAX", 2)
    sources = Sources("snapshot", None)
    assert sources.worker("w.a") is sources.worker("w.a") is not None
    for name in ("", "../w", "w/a", "x" * 300):
        assert sources.worker(name) is None
    assert sources.worker("w.b") is not None
    assert sources.worker("w.c") is None
    assert list(sources.workers) == ["w.a", "w.b"]
    assert not sources.has_ringless()
    sources.close()


def test_workers_of_one_connection_share_a_group() -> None:
    sources = Sources("snapshot", None)
    rules = {"eMarketTrade.": "sequence"}
    assert sources.group("c", "c.a", rules) is sources.group("c", "c.b", rules)
    alone = sources.group("", "x", {})
    assert (alone.name, alone is sources.group("", "x", {}), alone is sources.group("", "y", {})) == ("x", True, False)
    group = sources.group("c", "c.a", rules)
    source = sources.worker("c.b")
    assert source is not None
    group.waiting.add("c.b")
    sources.wake_waiting(group)
    assert sources.reading == {"c.b": source}
