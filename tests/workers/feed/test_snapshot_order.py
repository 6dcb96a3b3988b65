"""Which snapshot is fetched first."""

from __future__ import annotations

from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.feed.snapshot_order import SnapshotOrder


def test_what_trades_now_comes_first_then_the_order_of_the_configuration() -> None:
    flowing: set[str] = set()
    topics = [Topic(channel, symbol, f"{symbol}@{channel}") for symbol in "ABCD" for channel in ("book", "trade")]
    order = SnapshotOrder(topics, lambda wire: wire in flowing)
    keys = [f"depth {symbol}" for symbol in "XDCBA"] + ["liveness"]

    def fetched() -> list[str]:
        return [key[-1] for key in sorted(keys, key=order.rank)]

    assert fetched() == ["s", "A", "B", "C", "D", "X"]
    flowing |= {"D@trade", "C@trade", "B@book"}
    assert fetched() == ["s", "C", "D", "A", "B", "X"], "a book that flows says nothing of trades"
