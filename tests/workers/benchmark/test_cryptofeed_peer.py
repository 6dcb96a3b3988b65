"""cryptofeed as a peer: its worker says why it cannot take part, and takes part where the library is installed."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import pytest

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import FeedSettings
from foxtrot_supervisor.bench import bench
from foxtrot_workers.benchmark import cryptofeed_peer
from foxtrot_workers.benchmark.counting_handler import JOB_VARIABLE


class Context:
    """As much of a child's context as is needed before anything is connected."""

    def __init__(self) -> None:
        settings = FeedSettings(
            connection="bench",
            side="a",
            exchange="binance",
            channels=["agg_trade"],
            symbols=["BTCUSDT"],
            data_endpoint="",
            client="picows",
            ring_bytes=0,
            full_wait_s=0.0,
        )
        self.spec: Any = type("Spec", (), {"settings": msgspec.msgpack.encode(settings)})
        self.causes: list[str] = []

    def failed(self, cause: str) -> None:
        self.causes.append(cause)


async def test_without_the_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptofeed", None)
    monkeypatch.setitem(sys.modules, "cryptofeed.exchanges", None)
    monkeypatch.setenv(JOB_VARIABLE, "{}")
    context: Any = Context()
    assert await cryptofeed_peer.run(context) == ChildExit.CONFIGURATION
    assert "cryptofeed" in context.causes[0]


@pytest.mark.alone
def test_it_is_measured_beside_the_product() -> None:
    pytest.importorskip("cryptofeed")
    options = bench.BenchOptions(events=5_000, run_s=0.3, repeats=1, only=("trades", "mixed"), peers=("cryptofeed",))
    report = bench.run_bench(options)
    for figures in report["throughput"].values():
        assert figures["cryptofeed"].events_per_s.median > 100
        assert figures["ratio to cryptofeed"].median > 0
    assert list(report["processes"]["cryptofeed"]) == ["worker"]
