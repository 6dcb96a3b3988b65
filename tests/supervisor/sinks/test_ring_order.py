"""Order of rings: a sink that comes late gets what one that was there all along got."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from foxtrot_protocol.events import Quote, Trade
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME as POSITIONS_NAME
from tests.support.sink_world import SinkFeed, SinkProcess, quote, trade


@pytest.fixture
def feed(tmp_path: Path) -> SinkFeed:
    made = SinkFeed(tmp_path)
    for worker in ("c.a", "c.b"):
        made.start(worker)
    return made


def other(number: int) -> Trade[str]:
    return Trade("SIM", "Y", number, number, "1", "2", "buy", str(number))


def pumped(feed: SinkFeed, folder: Path) -> SinkProcess:
    process = SinkProcess(feed, folder)
    process.pump()
    return process


@pytest.mark.parametrize(("first", "second"), [("c.a", "c.b"), ("c.b", "c.a")])
def test_what_the_first_of_twins_had_alone_is_kept_whatever_their_names_are(
    feed: SinkFeed, tmp_path: Path, first: str, second: str
) -> None:
    feed.write(first, *map(trade, range(1, 4)))
    feed.write(first, *map(trade, range(4, 6)))
    feed.write(second, *map(trade, range(4, 6)))
    assert pumped(feed, tmp_path / "spool").trades() == ["1", "2", "3", "4", "5"]


def test_each_stream_begins_with_what_was_sent_first_of_it(feed: SinkFeed, tmp_path: Path) -> None:
    feed.write("c.a", trade(1))
    feed.write("c.b", trade(1), other(11), other(12))
    feed.write("c.a", trade(2), other(12), other(13))
    feed.write("c.b", trade(2), other(13))
    events = [row.event for row in pumped(feed, tmp_path / "spool").rows()]
    assert [event.trade_id for event in events if event.symbol == "Y"] == ["11", "12", "13"]


def test_one_side_is_read_to_its_end_while_the_other_has_nothing(feed: SinkFeed, tmp_path: Path) -> None:
    for number in range(1, 300):
        feed.write("c.b", trade(number))
    process = pumped(feed, tmp_path / "spool")
    assert process.trades() == [str(number) for number in range(1, 300)]
    feed.write("c.a", trade(300))
    process.pump()
    assert process.trades()[-1] == "300"


def test_rings_of_dead_workers_are_read_in_their_turn_and_closed(feed: SinkFeed, tmp_path: Path) -> None:
    feed.write("c.b", trade(1), trade(2))
    feed.write("c.a", trade(2), trade(3))
    incarnation = feed.end("c.b")
    feed.start("c.b")
    feed.write("c.b", trade(3), trade(4))
    feed.write("c.a", trade(4))
    process = SinkProcess(feed, tmp_path / "spool")
    process.fence("c.b", incarnation)
    process.pump()
    assert process.trades() == ["1", "2", "3", "4"]
    assert sorted(entry.name for entry in feed.links.glob("ring-*")) == ["ring-c.a-1", "ring-c.b-2"]


@pytest.mark.parametrize("seed", range(3))
def test_a_late_sink_gets_what_an_early_one_got(feed: SinkFeed, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    early = SinkProcess(feed, tmp_path / "early")
    sent: dict[tuple[str, str], int] = {}
    newest: dict[str, int] = {}
    for _ in range(150):
        worker, symbol = chance.choice(("c.a", "c.b")), chance.choice("XYZ")
        place = worker, symbol
        if place not in sent:  # a side that joins begins at or a little before what the other one has brought
            sent[place] = max(0, newest.get(symbol, chance.randrange(50)) - chance.randrange(3))
        count = chance.randrange(1, 4)
        numbers = range(sent[place] + 1, sent[place] + count + 1)
        if numbers[-1] > newest.get(symbol, 0) + 3:  # the other side catches up first
            continue
        sent[place] += count
        newest[symbol] = max(newest.get(symbol, 0), sent[place])
        events = [kind(number) for number in numbers for kind in (trade, quote)]
        feed.write(worker, *(_of(symbol, event) for event in events))
        early.pump(1)
    early.pump(20)
    (feed.links / POSITIONS_NAME).unlink()  # both have the same folder; the late one begins without positions
    late = SinkProcess(feed, tmp_path / "late")
    late.pump(20)
    assert [row.key for row in late.rows()] == [row.key for row in early.rows()]
    assert late.gaps() == early.gaps()


def _of(symbol: str, event: Trade[str] | Quote[str]) -> Trade[str] | Quote[str]:
    return msgspec.structs.replace(event, symbol=symbol)
