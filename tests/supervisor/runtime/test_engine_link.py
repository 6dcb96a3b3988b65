"""What the engine is sent, and what a new one is told first."""

from __future__ import annotations

import pytest

from foxtrot_protocol.commands import Fenced, Logged, RemoteWorkers, ToChild, WorkerChanged, WorkersStarted
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord
from foxtrot_supervisor.runtime import engine_link
from foxtrot_supervisor.runtime.engine_link import EngineLink


def record(name: str, state: State, incarnation: int) -> ChildRecord:
    return ChildRecord(plan=ChildPlan(name=name, tier=1), state=state, incarnation=incarnation)


class Scene:
    def __init__(self, *records: ChildRecord, engine: State = State.RUNNING) -> None:
        self.sent: list[ToChild] = []
        self.records = {each.name: each for each in (record("engine", engine, 4), *records)}
        self.link = EngineLink(self.records, self._send)

    def _send(self, name: str, incarnation: int, command: ToChild) -> bool:
        assert (name, incarnation) == ("engine", 4)
        self.sent.append(command)
        return True


def test_nothing_is_sent_where_no_engine_lives() -> None:
    scene = Scene(engine=State.BACKOFF)
    scene.link.fence("feed.a", 1)
    scene.link.worker_started("feed.a", 2)
    assert scene.sent == []
    assert scene.link.started_workers == {"feed.a": 2}


def test_a_new_engine_learns_what_was_started_what_is_dead_and_how_each_worker_is() -> None:
    scene = Scene(
        record("feed.a", State.RUNNING, 3), record("feed.b", State.BACKOFF, 2), record("feed.c", State.STARTING, 1)
    )
    scene.link.started_workers = {"feed.a": 3, "feed.b": 2}
    scene.link.brief(["feed.a", "feed.b", "feed.c", "gone.a", "new.a"], _last)
    started, *rest = scene.sent
    assert started == WorkersStarted({"feed.a": 3, "feed.b": 2})
    fenced = [(each.worker, each.incarnation) for each in rest if isinstance(each, Fenced)]
    assert fenced == [("feed.a", 2), ("feed.b", 2), ("gone.a", 7)]
    states = [(each.worker, each.state) for each in rest if isinstance(each, WorkerChanged)]
    assert states == [("feed.a", "RUNNING"), ("feed.b", "BACKOFF"), ("feed.c", "STARTING")]


def _last(name: str) -> int:
    return {"gone.a": 7}.get(name, 0)


def test_many_started_workers_come_in_several_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_link, "WORKERS_PER_MESSAGE", 2)
    scene = Scene()
    scene.link.started_workers = {f"feed{number}.a": 1 for number in range(5)}
    scene.link.brief([], _last)
    assert [(len(each.workers), each.more) for each in scene.sent if isinstance(each, WorkersStarted)] == [
        (2, True),
        (2, True),
        (1, False),
    ]


def test_a_log_line_names_its_worker_or_the_supervisor() -> None:
    scene = Scene()
    scene.link.log("info", "worker_state", {"worker": "feed.a", "state": "RUNNING"})
    scene.link.log("info", "started", {"pid": "7"})
    assert scene.sent == [
        Logged("feed.a", "info", "worker_state", {"state": "RUNNING"}),
        Logged("supervisor", "info", "started", {"pid": "7"}),
    ]


def test_an_engine_waits_for_what_is_known_of_workers_elsewhere() -> None:
    scene = Scene()
    scene.link = EngineLink(scene.records, scene._send, awaits_remote=True)
    scene.link.brief([], _last)
    assert scene.sent == [], "it would take the rings for those of strangers"
    assert scene.link.take_remote(RemoteWorkers("landing", 1, {"btc.a0-a": 5_000_002}, {"btc.a0-a": 5_000_001}))
    assert scene.sent == []
    scene.link.brief([], _last)
    assert scene.sent == [WorkersStarted({"btc.a0-a": 5_000_002}), Fenced("btc.a0-a", 5_000_001)]


def test_workers_elsewhere_are_announced_once_and_fenced_for_every_engine() -> None:
    scene = Scene()
    first = RemoteWorkers("landing", 1, {"btc.a0-a": 2}, {})
    assert not scene.link.take_remote(first)
    assert not scene.link.take_remote(first)
    scene.link.take_remote(RemoteWorkers("landing", 1, {}, {"btc.a0-a": 2}))
    assert scene.sent == [WorkersStarted({"btc.a0-a": 2}), Fenced("btc.a0-a", 2)]
    scene.sent.clear()
    scene.link.brief([], _last)
    assert scene.sent == [WorkersStarted({"btc.a0-a": 2}), Fenced("btc.a0-a", 2)]


def test_sinks_get_what_concerns_rings_and_nothing_else() -> None:
    sink = record("sink-tape", State.RUNNING, 2)
    records = {
        each.name: each for each in (record("engine", State.RUNNING, 4), sink, record("metrics", State.RUNNING, 1))
    }
    sent: list[tuple[str, int, ToChild]] = []

    def send(name: str, incarnation: int, command: ToChild) -> bool:
        sent.append((name, incarnation, command))
        return True

    link = EngineLink(records, send)
    link.worker_started("feed.a", 1)
    link.fence("feed.a", 1)
    expected = [WorkersStarted({"feed.a": 1}), Fenced("feed.a", 1)]
    assert sent == [(name, number, each) for each in expected for name, number in (("engine", 4), ("sink-tape", 2))]
    sent.clear()
    records["feed.a"] = record("feed.a", State.RUNNING, 2)
    link.brief(["feed.a"], _last, "sink-tape")
    assert sent == [("sink-tape", 2, each) for each in expected]
