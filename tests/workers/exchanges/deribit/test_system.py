"""Time and state of the exchange."""

from __future__ import annotations

from foxtrot_workers.exchanges.deribit.adapter import Deribit
from foxtrot_workers.exchanges.deribit.system import TIME


def test_time() -> None:
    assert TIME.read_ns(b'{"jsonrpc":"2.0","result":1550147385946,"testnet":false}') == 1_550_147_385_946_000_000


def test_the_adapter_says_where_the_time_is() -> None:
    assert Deribit().system_time() == TIME
