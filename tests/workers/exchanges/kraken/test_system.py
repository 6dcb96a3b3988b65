"""Time and state of the exchange."""

from __future__ import annotations

import pytest

from foxtrot_workers.exchanges.kraken.system import STATUS


@pytest.mark.parametrize(("state", "found"), [("online", ""), ("post_only", ""), ("maintenance", "maintenance")])
def test_state(state: str, found: str) -> None:
    assert (
        STATUS.read(b'{"error":[],"result":{"status":"%b","timestamp":"2023-07-06T18:52:00Z"}}' % state.encode())
        == found
    )
