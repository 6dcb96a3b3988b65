from __future__ import annotations

import json
from typing import Any

from foxtrot_protocol.events import BookDelta, BookSnapshot, Gap, MarketEvent
from foxtrot_workers.adapter import BookLost, SendText, SnapshotRejected
from foxtrot_workers.exchanges.huobi.adapter import Huobi
from tests.workers.exchanges.driven import RECEIVE_NS, Driven
from tests.workers.exchanges.huobi.samples import MBP, MBP_ANSWER

WIRE = "market.btcusdt.mbp.150"
REQUEST = SendText('{"req":"market.btcusdt.mbp.150","id":"book:market.btcusdt.mbp.150"}')
SECOND = 1_000_000_000


def _update(previous: int, last: int, size: str = "1") -> dict[str, Any]:
    tick = {"seqNum": last, "prevSeqNum": previous, "bids": [["10", size]], "asks": []}
    return {"ch": WIRE, "ts": 1573199608679, "tick": tick}


def _answer(last: int) -> dict[str, Any]:
    data = {"seqNum": last, "bids": [[9058.27, 0.5]], "asks": [[9084.27, 0.2]]}
    return {"id": f"book:{WIRE}", "rep": WIRE, "status": "ok", "ts": 1698359289261, "data": data}


def _ids(events: list[MarketEvent[str]]) -> list[tuple[str, str | None]]:
    return [(type(e).__name__, e.last_id) for e in events if isinstance(e, BookSnapshot | BookDelta | Gap)]


def test_the_first_update_requests_the_snapshot_on_the_connection() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt"])
    assert wire.parse(MBP) == []
    assert wire.take_notices() == [REQUEST]
    assert wire.adapter.held_ns == {WIRE: RECEIVE_NS}
    assert json.loads(REQUEST.text)["req"] == json.loads('{"req":"market.btcusdt.mbp.150","id":"4"}')["req"]


def test_updates_before_the_snapshot_are_dropped_and_later_ones_applied() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt"])
    for previous, last in ((1, 4), (4, 7), (7, 9), (9, 20)):
        assert wire.parse(_update(previous, last)) == []
    events = wire.parse(_answer(7))
    assert _ids(events) == [("BookSnapshot", "7"), ("BookDelta", "9"), ("BookDelta", "20")]
    snapshot = events[0]
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.bids == [("9058.27", "0.5")]
    assert snapshot.exchange_ns == 1698359289261_000_000
    assert wire.adapter.last_data_ns == {WIRE: RECEIVE_NS}
    assert _ids(wire.parse(_update(20, 21, "0"))) == [("BookDelta", "21")]


def test_an_old_snapshot_is_requested_again_after_a_second() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt"])
    wire.parse(_update(10, 11))
    assert wire.take_notices() == [REQUEST]
    assert wire.parse(_answer(9)) == []
    assert wire.take_notices() == []
    wire.parse(_update(11, 12), RECEIVE_NS + SECOND // 2)
    assert wire.take_notices() == []
    wire.parse(_update(12, 13), RECEIVE_NS + SECOND)
    assert wire.take_notices() == [REQUEST]
    assert _ids(wire.parse(_answer(12))) == [("BookSnapshot", "12"), ("BookDelta", "13")]


def test_a_gap_invalidates_the_book_and_requests_a_snapshot() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt"])
    wire.parse(_update(10, 11))
    wire.parse(_answer(10))
    wire.take_notices()
    events = wire.parse(_update(12, 13))
    assert [type(event) for event in events] == [Gap]
    notices = wire.take_notices()
    assert [type(notice) for notice in notices] == [BookLost]  # a book that broke at once is requested with a delay
    wire.parse(_update(13, 14), RECEIVE_NS + SECOND)
    assert wire.take_notices() == [REQUEST]
    assert _ids(wire.parse(_answer(13))) == [("BookSnapshot", "13"), ("BookDelta", "14")]


def test_a_refused_or_unreadable_answer_is_requested_again() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt"])
    wire.parse(_update(10, 11))
    wire.take_notices()
    for answer in ({"id": f"book:{WIRE}", "status": "error", "err-code": "busy"}, {**_answer(1), "data": {}}):
        assert wire.parse(answer) == []
        assert [type(notice) for notice in wire.take_notices()] == [SnapshotRejected]
    wire.parse(_update(11, 12), RECEIVE_NS + 10 * SECOND)
    assert wire.take_notices() == [REQUEST]


def test_a_fresh_subscription_begins_a_waiting_book_again() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt"])
    wire.parse(_update(10, 11))
    wire.take_notices()
    wire.adapter.subscribe(wire.topics)
    wire.parse(_update(12, 13))
    assert wire.take_notices() == [REQUEST]


def test_resync_requests_a_snapshot_while_updates_go_on() -> None:
    wire = Driven(Huobi, ["book"], ["btcusdt"])
    wire.parse(_update(10, 11))
    wire.parse(_answer(11))
    wire.take_notices()
    assert wire.adapter.resync(wire.topics) == []
    assert wire.take_notices() == [REQUEST]
    assert _ids(wire.parse(_update(11, 12))) == [("BookDelta", "12")]
    assert _ids(wire.parse(_answer(11))) == [("BookSnapshot", "12")]


def test_a_recorded_answer_opens_its_book() -> None:
    wire = Driven(Huobi, adopt=True)
    assert _ids(wire.parse(MBP_ANSWER)) == [("BookSnapshot", "104999417756")]
