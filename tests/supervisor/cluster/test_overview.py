"""``cluster status``: nodes, shards and what waits, as the buckets show them."""

from __future__ import annotations

from foxtrot_supervisor.cluster.failures import noted
from foxtrot_supervisor.cluster.overview import lines_of, overview_of
from tests.supervisor.cluster.test_lease import DESIRED, holder
from tests.supervisor.cluster.test_placement import desired, node


def test_states_of_nodes_and_shards() -> None:
    nodes = {
        "n1": (node("n1", "btc.a", host="h"), 99.5),
        "n2": (node("n2", draining=True), 99.0),
        "n3": (node("n3"), 10.0),
    }
    wanted = {"btc.a": DESIRED, "btc.b": desired("btc.b"), "eth.a": desired("eth.a"), "sol.a": desired("sol.a")}
    holders = {
        "btc.a": holder(workers={"btc_a0_5.a": 2}),
        "btc.b": holder(node="n2", side="b", state="starting"),
        "eth.a": holder(state="gone", failed=noted({}, "n1", "crashed", desired("eth.a").table, 90.0)),
    }
    state = overview_of(nodes, wanted, holders, 100.0, 2, {"desk": 3})
    assert [(row.node, row.state, row.shards) for row in state.nodes] == [
        ("n1", "ready", 1),
        ("n2", "draining", 0),
        ("n3", "away", 0),
    ]
    assert [(row.shard, row.state, row.node) for row in state.shards] == [
        ("btc.a", "serving", "n1"),
        ("btc.b", "starting", "n2"),
        ("eth.a", "waiting", ""),
        ("sol.a", "waiting", ""),
    ]
    assert state.shards[0].problem == "both sides on one host"
    assert state.shards[2].problem == "failed on n1: crashed (again there in 50 s)"
    text = "\n".join(lines_of(state))
    assert "btc_a0_5.a/2" in text
    assert "1 of 4 shards serve, 2 wait in the queue" in text
    assert "engine desk: 3 batches behind" in text


def test_sides_on_different_hosts_are_no_problem() -> None:
    holders = {"btc.a": holder(host="h1"), "btc.b": holder(node="n2", host="h2", side="b")}
    state = overview_of({}, {"btc.a": DESIRED, "btc.b": desired("btc.b")}, holders, 100.0, 0, {})
    assert [(row.host, row.problem) for row in state.shards] == [("h1", ""), ("h2", "")]
