"""Texts of the panels."""

from __future__ import annotations

import datetime
from typing import Any

from foxtrot_protocol.codec import BatchEncoder, batch_decoder
from foxtrot_protocol.events import BookSnapshot, MarketEvent, Quote, Trade
from foxtrot_supervisor.cli.screen.texts import (
    TOPICS_SHOWN,
    details_text,
    engine_text,
    header_text,
    incident_text,
    incidents_text,
    market_text,
)
from foxtrot_supervisor.client.history import History
from foxtrot_supervisor.client.market_view import MarketView
from tests.support.statuses import STATUS, remote, worker

INCIDENT: dict[str, Any] = {
    "seq": 1,
    "at_ns": 3_000_000_000,
    "kind": "death",
    "worker": "one.a",
    "incarnation": 2,
    "cause": "killed by SIGKILL",
    "rung": "kill",
    "suppressed": 4,
}


def utc(at_ns: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_ns / 1e9, datetime.UTC)


def header(status: dict[str, Any], *, connected: bool = True, problem: str = "") -> str:
    return header_text(
        status, connected=connected, problem=problem, for_s=3.0, incidents=7, run_dir="/run/foxtrot"
    ).plain


def test_the_header_says_how_it_is() -> None:
    text = header(STATUS)
    for fact in ("running", "up 1m01s", "4/5 workers serve", "50 events/s", "0 lost", "7 incidents", "/run/foxtrot"):
        assert fact in text, fact


def test_the_header_says_what_is_left_while_it_stops() -> None:
    stopping = {**STATUS, "supervisor": {"state": "stopping"}, "workers": [worker("a.a"), worker("b.a", pid=None)]}
    assert "stopping" in header(stopping)
    assert "1 processes left" in header(stopping)


def test_the_header_says_that_nothing_is_known() -> None:
    assert "waiting for the run" in header({}, connected=False, problem="no supervisor")
    gone = header(STATUS, connected=False, problem="it has ended")
    assert "NOT CONNECTED for 3.0s" in gone
    assert "it has ended" in gone
    assert "running" not in gone


def test_handlers_are_shown_by_cost() -> None:
    history = History()
    history.add(1.0, STATUS)
    text = engine_text(STATUS, history, 60, 10).plain
    assert "queue 3" in text
    assert "dispatch p50 12us p99 34us" in text
    assert text.index("dear.Dear.on_trade every event  3 failed  suspended") < text.index("cheap.Cheap.on_trade eBbo.")
    assert "Cheap" not in engine_text(STATUS, history, 60, 3).plain
    assert "no handler" in engine_text({}, history, 60, 10).plain


def test_incidents() -> None:
    assert (
        incident_text(INCIDENT, utc).plain
        == "00:00:03 death         one.a#2 killed by SIGKILL  (stop ladder: kill)  and 4 more before"
    )
    assert incident_text({"kind": "topic_gap"}, utc).plain.split() == ["00:00:00", "topic", "gap", "supervisor"]
    later = {**INCIDENT, "at_ns": 9_000_000_000}
    lines = incidents_text([INCIDENT, later], utc, 5).plain.splitlines()
    assert [line[:8] for line in lines] == ["00:00:09", "00:00:03"], "the latest first"
    assert len(incidents_text([INCIDENT, later], utc, 1).plain.splitlines()) == 1
    assert "none" in incidents_text([], utc, 5).plain


def market(*events: MarketEvent[str]) -> MarketView:
    view = MarketView(symbol="X")
    view.feed(batch_decoder("text").decode(BatchEncoder("one.a", 1).encode(1, 3, list(events))))
    return view


def test_the_market() -> None:
    trade = Trade("SIM", "X", 1, 1_000_000_000, "100.5", "2", "sell", "1")
    bids, asks = [("100", "1"), ("99", "2")], [("101", "3"), ("102", "4")]
    view = market(trade, BookSnapshot("SIM", "X", 1, 5, bids, asks, None, "1", None))
    first, spread, *levels = market_text(view, 3_000_000_000, 6).plain.splitlines()
    assert first == "100.5  sell 2  2.0s ago"
    assert spread.startswith("spread 1  99.01 bp  2 events")
    assert [line.split() for line in levels] == [["102", "4"], ["101", "3"], ["100", "1"], ["99", "2"]]


def test_the_market_without_a_book() -> None:
    text = market_text(market(Quote("SIM", "X", 1, 5, "100", "1", "100.5", "2", "")), 0, 6).plain
    assert text.splitlines()[0] == "no trade yet"
    assert [line.split() for line in text.splitlines()[2:]] == [["100.5", "2"], ["100", "1"]]
    text = market_text(market(Quote("SIM", "X", 1, 5, None, None, None, None, "")), 0, 6).plain
    assert text.splitlines()[1] == "spread -  1 events"
    assert "no event" in market_text(None, 0, 6).plain
    assert "no event" in market_text(MarketView(), 0, 6).plain


def test_details() -> None:
    exits = [
        {"incarnation": 1, "signal": 9, "code": None, "rung": "kill", "cause": "hung", "at": "2026-01-01T00:00:00.000"},
        {"incarnation": 2, "signal": None, "code": 10, "rung": None, "cause": "lost", "at": "2026-01-01T00:00:09.000"},
    ]
    topics = [
        {"topic": "good", "state": "flowing", "age_s": 1.0},
        {"topic": "bad", "state": "stale", "age_s": 99.0, "reason": "quiet"},
    ]
    shown = worker("one.a", "BACKOFF", cause="refused", exits=exits, topics=topics, stacks="File x.py")
    text = details_text(shown, [INCIDENT], utc).plain
    for fact in ("one.a  BACKOFF", "wanted: RUNNING", "cause: refused", "pid 100", "restarts 0", "latency p50 100us"):
        assert fact in text, fact
    assert text.index("#2  code 10  lost") < text.index("#1  signal 9, rung kill  hung"), "the latest first"
    assert text.index("bad") < text.index("good"), "what is wrong first"
    assert "killed by SIGKILL" in text
    assert "File x.py" in text


def test_details_of_little() -> None:
    assert details_text({}, [], utc).plain.strip().startswith("-  -")
    last = {"incarnation": 1, "code": 1, "cause": "crash"}
    assert "code 1" in details_text({"last_exit": last}, [], utc).plain
    many = [{"topic": f"t{number}", "state": "flowing"} for number in range(TOPICS_SHOWN + 3)]
    assert "and 3 more" in details_text({"topics": many}, [], utc).plain


def test_workers_on_other_nodes() -> None:
    rows = [remote("btc.a0-a", lost_total=None), remote("btc.b0-a", "n2", "away", lost_total=7)]
    shown = header({**STATUS, "workers": [], "remote_workers": rows})
    assert "1/2 workers serve" in shown
    assert "7 lost" in shown
    text = details_text({**rows[1], "name": "btc.b0-a"}, [], utc).plain
    assert text.startswith("btc.b0-a  away  node n2 on host-n2  shard btc.b\n")
    assert "wanted" not in text
    assert "no node  shard -" in details_text({**rows[0], "node": "", "shard": "", "state": "ended"}, [], utc).plain
