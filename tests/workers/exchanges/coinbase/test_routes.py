from __future__ import annotations

from foxtrot_workers.exchanges.coinbase.adapter import Coinbase
from foxtrot_workers.exchanges.coinbase.routes import Routes


def test_the_beginning_of_a_frame_names_its_type() -> None:
    routes = Routes(Coinbase())
    assert routes.by_beginning[b'{"type":"l2update"'] == routes.by_type["l2update"]
    assert len(routes.by_beginning) == len(routes.by_type)


def test_topics_come_and_go() -> None:
    routes = Routes(Coinbase())
    for _ in range(2):
        routes.add("level2_batch:BTC-USD")
    assert "level2_batch:BTC-USD" in routes
    for _ in range(2):
        routes.remove("level2_batch:BTC-USD")
    assert "level2_batch:BTC-USD" not in routes
