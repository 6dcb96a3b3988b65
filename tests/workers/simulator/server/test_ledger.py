"""The account of what was sent, and what nobody heard."""

from __future__ import annotations

import io
import json
from typing import Any

from foxtrot_workers.simulator.server import ledger as module
from foxtrot_workers.simulator.server.ledger import Ledger


def _rows(file: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_ids_in_order_for_each_connection_and_stream() -> None:
    ledger = Ledger()
    first, second = ledger.opened("/ws", 10), ledger.opened("/stream", 20)
    assert (first.number, second.number, ledger.opened_total) == (0, 1, 2)
    for message_id in (5, 6, 6, 8):
        ledger.log(0, "a@trade").add(message_id, message_id * 100)
    ledger.log(1, "a@trade").add(7, 700)
    ledger.log(1, "b@trade")
    assert ledger.sent(0, "a@trade") == [5, 6, 6, 8]
    assert ledger.sent_times_ns(0, "a@trade") == [500, 600, 600, 800]
    assert ledger.sent(1, "b@trade") == ledger.sent(9, "a@trade") == ledger.sent_times_ns(9, "x") == []
    assert ledger.sent_to_any("a@trade") == {5, 6, 7, 8}
    assert ledger.sent_to_any("b@trade") == ledger.sent_to_any("c") == set()
    assert ledger.sent_count(0) == ledger.sent_count(0, "a@trade") == 4
    assert ledger.sent_count(0, "c") == ledger.sent_count(9) == 0
    assert ledger.streams(1) == ["a@trade"]
    assert [record.path for record in ledger.connections()] == ["/ws", "/stream"]


def test_closing_keeps_the_first_cause() -> None:
    ledger = Ledger()
    ledger.opened("/ws", 10)
    ledger.closed(0, "too slow", 30)
    ledger.closed(0, "client went away", 40)
    ledger.closed(7, "never there", 40)
    (record,) = ledger.connections()
    assert (record.cause, record.closed_ns) == ("too slow", 30)


def test_messages_without_subscribers_are_noted_in_runs() -> None:
    ledger = Ledger()
    for message_id, heard in ((1, False), (2, False), (3, True), (4, False), (6, False), (7, True)):
        ledger.made("a@trade", message_id, message_id, message_id * 10, heard=heard)
    runs = [(run.first_id, run.last_id, run.count, run.start_ns, run.end_ns) for run in ledger.unheard("a@trade")]
    assert runs == [(1, 2, 2, 10, 20), (4, 6, 2, 40, 60)]
    assert ledger.made_range("a@trade") == (1, 7, 6)
    assert ledger.made_range("b") is None
    assert ledger.unheard("b") == []


def test_faults_are_counted_for_their_connection() -> None:
    file = io.StringIO()
    ledger = Ledger(file)
    ledger.opened("/ws", 1)
    ledger.fault(0, "garbage", 2)
    ledger.fault(0, "garbage", 3)
    ledger.fault(None, "refuse", 4)
    ledger.fault(5, "abort", 4)
    ledger.held_back(0, "a@depth")
    (record,) = ledger.connections()
    assert record.made_up == {"garbage": 2}
    assert record.held_back == {"a@depth": 1}
    assert [row["kind"] for row in _rows(file) if row["what"] == "fault"] == ["garbage", "garbage", "refuse", "abort"]


def test_the_file_is_complete_although_memory_is_bounded() -> None:
    file = io.StringIO()
    ledger = Ledger(file, entries_max=10)
    ledger.opened("/ws", 1)
    sent = 0
    for _ in range(5):
        for _ in range(25):
            ledger.log(0, "a@trade").add(sent, sent)
            sent += 1
        ledger.log(0, "b@trade").add(sent, sent)
        ledger.flush()
        assert len(ledger.sent(0, "a@trade")) + len(ledger.sent(0, "b@trade")) <= 10
    ledger.made("c", 1, 1, 1, heard=False)
    ledger.closed(0, "done", 2)
    ledger.finish()
    rows = _rows(file)
    ids = [n for row in rows if row["what"] == "sent" and row["stream"] == "a@trade" for n in row["ids"]]
    assert ids == list(range(125))
    assert ledger.sent_count(0, "a@trade") == 125
    assert ledger.sent(0, "a@trade") == list(range(125))[-len(ledger.sent(0, "a@trade")) :]
    assert [row["what"] for row in rows[-2:]] == ["unheard", "made"]
    assert {row["what"] for row in rows} >= {"open", "close"}


def test_without_a_file_the_oldest_are_forgotten_and_counted() -> None:
    ledger = Ledger(entries_max=10)
    ledger.opened("/ws", 1)
    for number in range(30):
        ledger.log(0, "a").add(number, number)
    ledger.finish()
    assert ledger.sent(0, "a") == list(range(20, 30))
    assert ledger.log(0, "a").forgotten == 20


def test_ended_connections_are_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "CONNECTIONS_MAX", 2)
    ledger = Ledger()
    for number in range(3):
        ledger.opened("/ws", number)
    assert len(ledger.connections()) == 3, "open connections are never forgotten"
    ledger.closed(1, "done", 9)
    ledger.opened("/ws", 10)
    assert [record.number for record in ledger.connections()] == [0, 2, 3]


def test_summary_is_plain_data() -> None:
    ledger = Ledger()
    ledger.opened("/ws", 1)
    ledger.log(0, "a").add(1, 1)
    ledger.made("a", 1, 1, 1, heard=True)
    ledger.made("b", 4, 5, 1, heard=False)
    summary = json.loads(json.dumps(ledger.summary()))
    assert summary["connections"][0]["sent"] == {"a": 1}
    assert summary["made"]["b"] == {"first_id": 4, "last_id": 5, "total": 1, "unheard": 1}
