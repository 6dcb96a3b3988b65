"""A topic that stays silent on a living connection, driven through `ConnectionLife`."""

from __future__ import annotations

import pytest

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import RestRequest
from foxtrot_workers.feed.connection_life import ConnectionLife
from foxtrot_workers.feed.effects import FeedEffect, Leave, Look, Rotate
from foxtrot_workers.feed.topic_watch import LOOKS_MAX, QUIET_S
from tests.workers.feed.life import data, of, run, states, texts
from tests.workers.feed.test_stall_watch import Watched


class Unwatched(Watched):
    """Cannot be asked by REST."""

    def liveness_request(self, topic: Topic) -> RestRequest | None:
        return None


class Venue:
    """A connection with three quotes, of which A falls silent after ten seconds."""

    def __init__(self, adapter: Adapter, stale_after_s: float | None = None) -> None:
        self.adapter = adapter
        self.feed = ConnectionLife(
            adapter, adapter.topics(["quote"], ["A", "B", "C"]), stale_after_s=stale_after_s, rotate_after_s=1e9
        )
        self.effects: list[FeedEffect] = []
        self.looks: list[str] = []
        self.answer: str | None = ""
        """What REST answers; None: nothing readable, "": always something new."""
        self.now = 0.0
        self.feed.opened(0.0)

    def play(self, until: float, *silent: str) -> None:
        while self.now < until:
            self.now += 0.25
            for symbol in "ABC":
                if self.now < 10.0 or symbol not in silent:
                    data(self.adapter, f"{symbol}@quote", int(self.now * 4))
            for effect in self.feed.tick(self.now, self.now):
                self.effects.append(effect)
                if isinstance(effect, Look):
                    self.looks.append(effect.request.path)
                    body = self.answer or str(len(self.looks))
                    self.feed.looked(200 if self.answer is not None else 0, body.encode(), self.now)


def test_a_topic_that_stays_silent_while_its_market_moves_gets_a_new_connection() -> None:
    venue = Venue(Watched())
    venue.play(200.0, "A")
    assert states(venue.effects)[3:5] == [("A@quote", "stale"), ("A@quote", "resubscribed")]
    assert texts(venue.effects)[4:6] == ["-A@quote", "+A@quote"]
    first = of(Rotate, venue.effects)[0]
    assert first.reason.startswith("A@quote: no data for ")
    assert first.reason.endswith("REST shows that it has moved meanwhile")
    assert set(venue.looks) == {"/newest/A@quote"}
    assert of(Leave, venue.effects) == [], "the connection serves until its successor takes over"
    assert {wire for wire, state in states(venue.effects) if state == "stale"} == {"A@quote"}


def test_a_quiet_market_keeps_the_connection_and_is_looked_at_seldom() -> None:
    venue = Venue(Watched())
    venue.answer = "same"
    venue.play(40.0 + QUIET_S, "A")
    assert of(Rotate, venue.effects) == []
    assert len(venue.looks) == LOOKS_MAX
    venue.play(40.0 + 3 * QUIET_S, "A")
    assert LOOKS_MAX < len(venue.looks) <= 3 * LOOKS_MAX


def test_the_busiest_is_examined_first_then_the_next() -> None:
    venue = Venue(Watched())
    venue.answer = "same"
    for symbol in "ABC":
        for tick in range(3 if symbol == "B" else 0):  # B has been seen at more looks
            data(venue.adapter, f"{symbol}@quote", -tick - 1)
            venue.feed.tick(venue.now + tick / 4, venue.now)
    venue.now = 1.0
    for symbol in "DEFGH":  # two of eight are not most of the connection
        venue.feed.add(1, [symbol], ["quote"], venue.now)
    venue.play(400.0, "A", "B")
    assert dict.fromkeys(venue.looks) == dict.fromkeys(["/newest/B@quote", "/newest/A@quote"])


@pytest.mark.parametrize(("adapter", "limit_s", "replaced"), [(Unwatched, None, False), (Unwatched, 30.0, True)])
def test_without_rest_only_a_configured_limit_is_enough(
    adapter: type[Adapter], limit_s: float | None, replaced: bool
) -> None:
    venue = Venue(adapter(), limit_s)
    venue.play(400.0, "A")
    assert bool(of(Rotate, venue.effects)) is replaced


def test_unreadable_answers_prove_nothing() -> None:
    venue = Venue(Watched())
    venue.answer = None
    venue.play(400.0, "A")
    assert (of(Rotate, venue.effects), len(venue.looks)) == ([], LOOKS_MAX)
    configured = Venue(Watched(), 30.0)
    configured.answer = None
    configured.play(400.0, "A")
    assert "nothing shows whether its market is quiet" in of(Rotate, configured.effects)[0].reason


def test_a_topic_that_comes_back_is_not_examined_any_more() -> None:
    venue = Venue(Watched())
    venue.answer = "same"
    venue.play(80.0, "A")
    looks = len(venue.looks)
    assert looks > 0
    venue.play(400.0)
    assert len(venue.looks) == looks
    assert of(Rotate, venue.effects) == []


def test_the_successor_on_which_it_never_flowed_stays() -> None:
    adapter = Watched()
    feed = ConnectionLife(adapter, adapter.topics(["quote"], ["A", "B", "C"]))
    feed.opened(0.0)
    effects: list[FeedEffect] = []
    for tick in range(1, 4000):
        for symbol in "BC":
            data(adapter, f"{symbol}@quote", tick)
        effects += run(feed, tick / 4, tick / 4)
    assert of(Rotate, effects) == []


def test_an_answer_that_nobody_waits_for_proves_nothing() -> None:
    venue = Venue(Watched())
    venue.play(5.0)
    venue.feed.looked(200, b"7", venue.now)
    venue.play(30.0)
    assert [state for _, state in states(venue.effects)] == ["flowing"] * 3
    assert venue.looks == []
