"""The order to the load server."""

from __future__ import annotations

from foxtrot_supervisor.bench.load import Load


def test_the_order_says_kind_number_and_rate() -> None:
    assert Load("trades", 1000, 50).path == "/bench/send?kind=trades&events=1000&rate=50"
    assert Load("mixed", 7).path.endswith("&rate=0"), "as fast as it is taken"
