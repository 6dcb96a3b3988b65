"""What can be read of a batch is kept; what cannot is a gap, counted and logged."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
import structlog
from structlog.testing import capture_logs

from foxtrot_protocol.codec import BatchEncoder
from foxtrot_protocol.events import EVENT_MARKET_TRADE, Gap, Trade
from foxtrot_supervisor.engine.delivery.decode import BatchReader


def trade(price: str, trade_id: str) -> Any:
    return Trade("SIM", "BTCUSDT", 1, 5, price, "2", "buy", trade_id)


def reader() -> BatchReader:
    return BatchReader("float", structlog.get_logger())


def test_a_good_batch_has_the_configured_numbers_and_the_text_ones_on_request() -> None:
    batches, data = reader(), BatchEncoder("w", 1).encode(1, 7, [trade("1.50", "1")])
    decoded = batches.decode(data)
    assert decoded is not None
    batch, made = decoded
    assert (batch.events[0].price, list(made), batches.malformed_total) == (1.5, [], 0)
    assert batches.as_text(data).events[0].price == "1.50"


def test_one_invalid_number_costs_one_event() -> None:
    batches = reader()
    with capture_logs() as logs:
        decoded = batches.decode(BatchEncoder("w", 1).encode(1, 7, [trade("1", "1"), trade("x", "2"), trade("3", "3")]))
    assert decoded is not None
    batch, made = decoded
    assert [getattr(event, "trade_id", None) for event in batch.events] == ["1", None, "3"]
    (gap,) = made
    assert gap is batch.events[1]
    assert isinstance(gap, Gap)
    assert (gap.stream, gap.first_id, gap.last_id, gap.start_ns) == (EVENT_MARKET_TRADE, "2", "2", 5)
    assert batches.malformed_total == 1
    assert [line["event"] for line in logs] == ["event_rejected"]


@pytest.mark.parametrize(
    ("data", "event", "worker", "incarnation"),
    [
        (b"", "batch_malformed", "unknown", 0),
        (msgpack.packb([1, "w", 3, 1, 0, [["unheard-of", 1]]]), "batch_malformed", "w", 3),
        (msgpack.packb([3, "w", 1, 1, 0, []]), "batch_of_other_version", None, None),
    ],
)
def test_what_is_no_batch_is_counted_and_logged(
    data: bytes, event: str, worker: str | None, incarnation: int | None
) -> None:
    batches = reader()
    with capture_logs() as logs:
        assert batches.decode(data) is None
    assert batches.malformed_total == 1
    assert [(line["event"], line.get("worker"), line.get("incarnation")) for line in logs] == [
        (event, worker, incarnation)
    ]
