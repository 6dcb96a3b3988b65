"""Where shards are, whether another kill may come, and how long shards were away."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from foxtrot_supervisor.chaos.rules.takeovers import Holdings, Takeover, judge_takeovers
from foxtrot_supervisor.cluster.model import Holder, Previous


def holder(node: str, side: str = "a", **more: Any) -> Holder:
    entry = Holder(
        token=1,
        epoch=1,
        node=node,
        instance=f"{node}-1",
        host=node,
        addresses=[],
        connection="btc",
        side=side,
        part=f"{side}0",
        state="serving",
        ack="",
    )
    return structs.replace(entry, **more)


def apart() -> Holdings:
    holdings = Holdings()
    holdings.take("btc.a", holder("n1"), 10.0)
    holdings.take("btc.b", holder("n2", "b"), 10.0)
    return holdings


def test_twins_that_serve_apart_are_settled() -> None:
    holdings = apart()
    assert holdings.unsettled(["btc.a", "btc.b"]) == ""
    assert holdings.held_by("n1") == ["btc.a"]
    assert holdings.unsettled(["btc.a", "eth.a"]) == "eth.a is nowhere"


def test_what_moves_starts_or_shares_a_host_is_not() -> None:
    for entry, reason in (
        (holder("n3", "b", state="starting"), "btc.b is starting"),
        (holder("n3", "b", previous=Previous("n2", 1, "b0")), "btc.b is still served by n2 too"),
        (holder("n1", "b"), "both sides of btc are on n1"),
    ):
        holdings = apart()
        holdings.take("btc.b", entry, 11.0)
        assert holdings.unsettled(["btc.b"]) == reason


def test_a_takeover_is_what_another_run_has_written_after_the_kill() -> None:
    holdings = apart()
    holdings.take("btc.a", holder("n3", state="starting"), 9.0)  # before
    assert holdings.takeover("btc.a", "n1-1", 20.0) == Takeover("btc.a", None, None)
    holdings.take("btc.a", holder("n1"), 20.5)  # on its way when the node was killed
    holdings.take("btc.a", holder("n3", state="starting"), 22.5)
    assert holdings.takeover("btc.a", "n1-1", 20.0) == Takeover("btc.a", 2.5, None)
    holdings.take("btc.a", holder("n3"), 23.0)
    assert holdings.takeover("btc.a", "n1-1", 20.0) == Takeover("btc.a", 2.5, 3.0)


def test_later_than_promised() -> None:
    good, late, never = Takeover("a", 2.0, 5.0), Takeover("b", 2.0, 6.0), Takeover("c", None, None)
    assert judge_takeovers([good]) == []
    assert judge_takeovers([good, late]) == ["1 of 2 shards were served elsewhere later than 5 s, worst 6.0"]
    assert judge_takeovers([late], patience=2.0) == []
    assert judge_takeovers([never], patience=2.0) == ["1 of 1 shards were served elsewhere later than 10 s, worst inf"]
