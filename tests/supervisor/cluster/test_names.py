"""Names of shards, parts and local connections say what they are, and nothing else does."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.cluster import names


def test_a_local_name_says_connection_part_and_epoch() -> None:
    name = names.local_name("btc-1", names.part_of("b", 1), 12)
    assert name == "btc-1_b1_12"
    parsed = names.parse_local(f"{name}.a")
    assert (parsed.connection, parsed.part, parsed.epoch, parsed.shard) == ("btc-1", "b1", 12, "btc-1.b")
    assert names.parse_local("my_btc_a0_1").connection == "my_btc"
    assert names.cluster_incarnation(f"{name}.a", 3) == 12_000_003


@pytest.mark.parametrize("name", ["btc", "btc.a", "btc_a0", "_a0_1", "btc_c0_1", "btc_a0_x", "btc_a00_1"])
def test_other_names_are_no_connections_of_a_cluster(name: str) -> None:
    with pytest.raises(ValueError):
        names.parse_local(name)


def test_a_connection_has_as_many_shards_as_sides() -> None:
    assert names.shard_sides("btc", 1) == ["btc.a"]
    assert names.shard_sides("btc", 2) == ["btc.a", "btc.b"]
    assert names.split_shard_id("btc.b") == ("btc", "b")
    for shard in ("btc", ".a", "btc.c"):
        with pytest.raises(ValueError, match="is no shard"):
            names.split_shard_id(shard)


def test_subjects() -> None:
    assert names.shard_subject("btc.a") == "foxtrot.shards.btc.a"
    assert names.node_subject("n1", "claim") == "foxtrot.node.n1.claim"
    assert names.event_subject("btc", "a0.b") == "events.btc.a0.b"
