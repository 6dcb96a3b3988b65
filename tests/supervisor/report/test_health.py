"""When a run is ready, and what is named when it is not."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.core.services import LANDING
from foxtrot_supervisor.report.health import REASONS_MAX, connection_flows, not_ready, remote_connection_flows


def worker(connection: str = "one", side: str = "a", state: str = "RUNNING", *topics: str) -> dict[str, Any]:
    return {
        "name": f"{connection}.{side}",
        "connection": connection,
        "state": state,
        "topics": [{"topic": each, "state": each} for each in topics or ("flowing",)],
    }


def status(*workers: dict[str, Any], **more: Any) -> dict[str, Any]:
    engine = {"state": "RUNNING", "health": "healthy"}
    return {"supervisor": {"state": "running"}, "engine": engine, "workers": list(workers), **more}


@pytest.mark.parametrize(
    "ready",
    [
        status(worker()),
        status(worker("one", "a", "BACKOFF"), worker("one", "b")),
        status(worker("one", "a", "RUNNING", "acknowledged")),
        status(worker("one", "a", "RUNNING", "stale", "flowing")),
        status(worker(), supervisor={"state": "degraded"}),
        status(worker(), {**worker("two", "a", "STOPPED"), "stopped_by_operator": True}),
        status(worker(), engine={"state": "RUNNING", "health": "starting"}),  # an application: not judged
    ],
)
def test_ready(ready: dict[str, Any]) -> None:
    assert not_ready(ready) == []


@pytest.mark.parametrize(
    ("not_yet", "reason"),
    [
        (status(worker("one", "a", "FATAL")), "connection one does not flow: one.a is FATAL"),
        (
            status(worker("one", "a", "RUNNING", "stale", "silent"), worker("one", "b", "STARTING")),
            "connection one does not flow: one.a is RUNNING, topics silent, stale; one.b is STARTING",
        ),
        (status({**worker(), "topics": []}), "connection one does not flow: one.a is RUNNING without topics"),
        (status(worker(), engine={}), "engine is missing"),
        (status(worker(), engine={"state": "BACKOFF", "health": None}), "engine is BACKOFF"),
        (status(worker(), engine={"state": "RUNNING", "health": "late"}), "engine is late"),
        (status(worker(), supervisor={"state": "stopping"}), "the run is stopping"),
        (status(), "there is no connection"),
        (
            status({**worker("one", "a", "STOPPED"), "stopped_by_operator": True}),
            "an operator has stopped every connection",
        ),
        (
            status({**worker("one", "a", "STOPPED"), "stopped_by_operator": True}, worker("one", "b", "BACKOFF")),
            "connection one does not flow: one.a is STOPPED by an operator; one.b is BACKOFF",
        ),
    ],
)
def test_not_ready(not_yet: dict[str, Any], reason: str) -> None:
    assert not_ready(not_yet) == [reason]


def test_reasons_are_bounded() -> None:
    many = [worker(f"c{number}", "a", "FATAL") for number in range(REASONS_MAX + 30)]
    reasons = not_ready(status(*many))
    assert len(reasons) == REASONS_MAX + 1
    assert reasons[-1] == "30 further connections do not flow"
    assert len(connection_flows(status(*many))) == REASONS_MAX + 30


def remote(state: str, node: str = "n1", name: str = "btc.a0-a", **more: Any) -> dict[str, Any]:
    connection, shard = name.split(".")[0], f"{name.split('.')[0]}.a"
    return {"worker": name, "connection": connection, "shard": shard, "node": node, "state": state, **more}


def test_an_engine_of_a_cluster_is_ready_while_a_worker_of_each_connection_serves_on_a_node_that_can_be_heard() -> None:
    landing = {"services": [{"name": LANDING}]}
    assert not_ready(status(**landing, remote_workers=[])) == ["no worker of the cluster is known"]
    rows = [remote("away"), remote("serving", "n2", "btc.b0-a"), remote("leaving", "n2", "eth.a0-a")]
    assert not_ready(status(**landing, remote_workers=rows)) == []
    rows = [remote("away"), remote("starting", "n2", "btc.b0-a"), remote("ended", "", "old.a0-a", shard="")]
    assert remote_connection_flows(status(remote_workers=rows)) == {"btc": False}
    reason = "connection btc does not flow: btc.a0-a on n1 is away; btc.b0-a on n2 is starting"
    assert not_ready(status(**landing, remote_workers=rows)) == [reason]
