"""A delivery is an invitation; the token says who has lost a shard, and the lease when to stop without NATS."""

from __future__ import annotations

from typing import Any

import pytest

from foxtrot_supervisor.cluster.lease import Delivery, HeldShard, Leases, judge, next_part, patience_s, request_s
from foxtrot_supervisor.cluster.model import Desired, Holder

DESIRED = Desired(shard="btc.a", connection="btc", side="a", exchange="sim", table={})


def holder(**changes: Any) -> Holder:
    values: dict[str, Any] = {
        "token": 5,
        "epoch": 5,
        "node": "n1",
        "instance": "i1",
        "host": "h",
        "addresses": [],
        "connection": "btc",
        "side": "a",
        "part": "a0",
        "state": "serving",
        "ack": "ack5",
    }
    return Holder(**{**values, **changes})


def delivery(token: int) -> Delivery:
    return Delivery(shard="btc.a", token=token, ack=f"ack{token}")


def held(token: int = 5) -> HeldShard:
    return HeldShard(
        desired=DESIRED, token=token, epoch=token, part="a0", ack=f"ack{token}", revision=1, entry=holder(token=token)
    )


def leases(now: float = 100.0) -> Leases:
    made = Leases(lease_s=30.0, ack_wait_s=2.0, now=now)
    made.shards["btc.a"] = held()
    return made


@pytest.mark.parametrize(
    ("token", "entry", "is_held", "verdict"),
    [
        (1, None, False, "place"),
        (5, holder(), False, "outdated"),
        (6, holder(), True, "keep"),
        (6, holder(), False, "place"),  # this run held it, and has stopped it
        (6, holder(instance="before"), True, "place"),
        (6, holder(node="n2"), False, "ask"),
        (6, holder(node="n2", state="gone"), False, "place"),
        (6, holder(node="n2", state="leaving"), False, "place"),
    ],
)
def test_what_a_delivery_means(token: int, entry: Holder | None, is_held: bool, verdict: str) -> None:
    assert judge(delivery(token), entry, "n1", "i1", held=is_held) == verdict


def test_a_holder_is_asked_for_longer_after_this_node_has_reconnected() -> None:
    assert patience_s(2.0, 100.0) == 0.5
    assert patience_s(2.0, 0.0) == 2.0
    assert patience_s(2.0, 1.0) == 1.0


def test_the_part_changes_with_each_holder() -> None:
    assert next_part("b", None) == "b0"
    assert next_part("a", holder(part="a0")) == "a1"
    assert next_part("a", holder(part="a1")) == "a0"


def test_the_local_name_says_part_and_epoch() -> None:
    assert held(7).local_name == "btc_a0_7"


def test_renewals_are_due_four_times_in_the_time_of_the_server() -> None:
    now = leases()
    assert now.renew_s == 0.5
    assert [each.ack for each in now.due(100.0)] == ["ack5"]
    assert list(now.due(100.4)) == []
    assert len(list(now.due(100.5))) == 1
    now.shards["btc.a"].leaving_since = 100.6
    assert list(now.due(200.0)) == []


def test_a_node_without_contact_stops_its_shards_when_the_lease_is_over() -> None:
    now = leases()
    now.contact(110.0)
    now.contact(105.0)  # an answer that came late
    assert now.ends_at == 140.0
    assert not now.is_silent(112.0)
    assert now.is_silent(112.1)
    assert now.expire(139.9) == []
    assert now.expire(140.0) == ["btc.a"]
    assert now.expire(141.0) == []


@pytest.mark.parametrize(("lease_s", "stop_s"), [(2.0, 0.5), (4.0, 1.0), (30.0, 3.0)])
def test_their_stop_begins_so_early_that_none_is_left_at_the_end(lease_s: float, stop_s: float) -> None:
    made = Leases(lease_s=lease_s, ack_wait_s=2.0, now=100.0)
    made.shards["btc.a"] = held()
    assert made.stop_s == stop_s
    assert list(made.running(100.0 + lease_s - stop_s - 0.01)) == ["btc.a"]
    assert list(made.running(100.0 + lease_s - stop_s)) == []
    assert list(made.shards) == ["btc.a"], "it is this node's until the end: contact before that starts it again"
    made.contact(100.0 + lease_s - 0.1)
    assert list(made.running(100.0 + lease_s)) == ["btc.a"]


def test_a_holder_that_lives_goes_on_under_the_higher_token() -> None:
    now = leases()
    assert now.claim(delivery(6))
    assert (now.shards["btc.a"].token, now.shards["btc.a"].ack, now.shards["btc.a"].epoch) == (6, "ack6", 5)
    assert now.claim(delivery(4))
    assert now.shards["btc.a"].ack == "ack6"
    now.shards["btc.a"].leaving_since = 1.0
    assert not now.claim(delivery(7))
    assert not now.claim(Delivery(shard="other.a", token=1, ack=""))


def test_the_entry_says_whether_a_shard_is_lost() -> None:
    now = leases()
    assert not now.is_lost("btc.a", None, "i1")
    assert not now.is_lost("btc.a", holder(instance="i1", epoch=5, token=9), "i1")
    assert now.is_lost("btc.a", holder(instance="i2", token=6, epoch=6, state="starting"), "i1")
    assert now.is_lost("btc.a", holder(instance="i1", token=6, epoch=6), "i1")
    assert not now.is_lost("btc.a", holder(instance="i0", token=4, epoch=4), "i1")


def test_while_it_is_handed_over_it_is_lost_when_the_successor_serves() -> None:
    now = leases()
    now.shards["btc.a"].leaving_since = 100.0
    assert not now.is_lost("btc.a", holder(instance="i2", token=6, epoch=6, state="starting"), "i1")
    assert now.is_lost("btc.a", holder(instance="i2", token=6, epoch=6, state="serving"), "i1")


@pytest.mark.parametrize("ack_wait_s", [0.5, 2.0, 30.0])
def test_the_request_of_a_dead_node_has_ended_when_its_shards_are_given_away(ack_wait_s: float) -> None:
    leases = Leases(lease_s=2 * ack_wait_s, ack_wait_s=ack_wait_s, now=0.0)
    request_sent_at = died_at = 100.0  # in the worst case it asked in its last moment
    renewed_at = died_at - leases.renew_s  # and was about to renew
    assert request_sent_at + request_s(ack_wait_s) < renewed_at + ack_wait_s
