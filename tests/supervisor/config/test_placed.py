"""A placed connection is merged under the name of the cluster, with its part in the side of its ring."""

from __future__ import annotations

from foxtrot_supervisor.config.placed import Placed
from foxtrot_supervisor.config.shards import logical_name, merged_as

PLACED = Placed(name="btc_a0_5", exchange="sim", channels=["trade"], symbols=["X"], merged_as="btc", part="a0")


def test_it_is_merged_as_the_connection() -> None:
    assert merged_as(PLACED) == "btc"
    assert logical_name(PLACED) == "btc_a0_5"
