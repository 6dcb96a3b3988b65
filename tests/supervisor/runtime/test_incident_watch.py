"""Incidents of a run: each gets its time and its connection."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from foxtrot_protocol.commands import Heartbeat, SourceCounters
from foxtrot_protocol.events import WorkerStatus
from foxtrot_supervisor.config.schema import ConnectionConfig
from foxtrot_supervisor.core.effects import Publish
from foxtrot_supervisor.core.targets import WorkerPlace
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.incident_watch import IncidentWatch, WatchedLog


def watch() -> IncidentWatch:
    place = WorkerPlace(ConnectionConfig(name="one", exchange="binance", channels=["trade"], symbols=["X"]), "a")
    return IncidentWatch(cast(ActiveConfig, SimpleNamespace(specs=SimpleNamespace(places={"one.a": place}))))


def test_a_change_of_state_gets_its_time_and_connection() -> None:
    incidents = watch()
    before = time.time_ns()
    incidents.state_changed(Publish(WorkerStatus("one.a", 1, "BACKOFF", "why", None, 9, None, 0)))
    incidents.state_changed(Publish(WorkerStatus("one.a", 1, "STARTING", "why", None, None, None, 0)))
    (found,) = incidents.memory.after(0).incidents
    assert (found.kind, found.connection, found.exchange) == ("death", "one", "binance")
    assert before <= found.at_ns <= time.time_ns()


def test_heartbeats_of_the_engine_are_read_as_such() -> None:
    incidents = watch()
    beat = Heartbeat("engine", 1, 0.0, 1, 2, 3, 4, sources={"one.a": SourceCounters(1, 0, 2, 0, 0.0, 0.0)})
    incidents.heartbeat("engine", None, beat)
    incidents.heartbeat("engine", beat, beat)
    incidents.heartbeat("one.a", None, Heartbeat("one.a", 1, 0.0, 1, 2, 3, 4, rejected_total=1))
    found = incidents.memory.after(0).incidents
    assert [(each.kind, each.worker, each.connection) for each in found] == [
        ("gap", "one.a", "one"),
        ("frames_rejected", "one.a", "one"),
    ]


class Sink:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.lines.append(f"{level} {event} {fields}")


def test_logged_lines_are_noted_and_still_logged() -> None:
    incidents, sink = watch(), Sink()
    log = WatchedLog(sink, incidents.logged)
    log.debug("guard_lost", reason="d")
    log.info("reloaded", added=[], removed=[], restarted=[], failed={})
    log.warning("guard_lost", reason="r")
    log.error("reload_refused", reason="line 3")
    assert [line.split()[0] for line in sink.lines] == ["debug", "info", "warning", "error"]
    found = [(each.kind, each.cause) for each in incidents.memory.after(0).incidents]
    assert found[1:] == [("guard", "the guard was lost: r"), ("reload_refused", "line 3")]
