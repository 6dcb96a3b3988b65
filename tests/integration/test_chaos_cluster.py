"""A short form of the campaign against a cluster, on real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_supervisor.chaos.harness.cluster_ground import nats_program
from foxtrot_supervisor.cluster.handover import HANDOVER_EVENTS_MAX
from tests.integration.test_chaos import chaos

pytestmark = [
    pytest.mark.timeout(110),
    pytest.mark.variant,
    pytest.mark.skipif(nats_program() is None, reason="nats-server is not installed"),
]


def test_a_whole_node_and_the_server_are_killed_and_nothing_is_missing(tmp_path: Path) -> None:
    words = "--node-kills 2 --nats-kills 1 --workers 1 --rate 300 --seed 2"
    code, report = chaos(tmp_path, *words.split())
    assert report["broken"] == []
    assert code == 0
    (row,) = report["campaigns"]
    account = row["delivery"]
    assert (account["lost"], account["announced"], account["duplicated"], account["out_of_order"]) == (0, 0, 0, 0)
    assert account["seen"] > 300
    assert row["recovery_ms"]["count"] == 1
    assert row["recovery_silent_ms"]["count"] == 1
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_a_node_that_is_cut_off_stops_within_its_lease_and_nothing_is_doubled_on_its_return(tmp_path: Path) -> None:
    code, report = chaos(tmp_path, *["--node-cuts", "3", "--workers", "1", "--rate", "1000", "--seed", "5"])
    assert report["broken"] == []
    assert code == 0
    (row,) = report["campaigns"]
    account = row["delivery"]
    assert (account["lost"], account["announced"], account["duplicated"], account["out_of_order"]) == (0, 0, 0, 0)
    assert row["cuts"]["stopped_ms"]["count"] == 2
    assert row["cuts"]["stopped_ms"]["max"] <= 4000.0
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_the_engines_host_is_killed_and_only_one_hand_over_comes_again(tmp_path: Path) -> None:
    code, report = chaos(tmp_path, *["--engine-host-kills", "2", "--workers", "1", "--rate", "1000", "--seed", "6"])
    assert report["broken"] == []
    assert code == 0
    (row,) = report["campaigns"]
    account = row["delivery"]
    assert (account["lost"], account["announced"], account["duplicated"], account["out_of_order"]) == (0, 0, 0, 0)
    assert row["engine_taken_ms"]["count"] == 2
    assert max(account["marked_by_engine"].values(), default=0) <= HANDOVER_EVENTS_MAX
    assert list(tmp_path.iterdir()) == [], "nothing is left"


def test_other_campaigns_are_not_played_beside_it(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="campaign of their own"):
        chaos(tmp_path, "--node-kills", 1, "--kills", 1)
