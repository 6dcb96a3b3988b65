"""Frames and incidents for many browsers: encoded once, each gets what it lacks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from foxtrot_supervisor.web.hub import INCIDENTS_MAX, Hub, Place, market_frame


def events(data: bytes) -> list[tuple[str, Any]]:
    """The server-sent events in `data`."""
    found = []
    for record in data.decode().split("\n\n")[:-1]:
        first, second = record.split("\n")
        found.append((first.removeprefix("event: "), json.loads(second.removeprefix("data: "))))
    return found


def incident(seq: int) -> dict[str, Any]:
    return {"seq": seq, "kind": "death"}


def test_a_browser_gets_the_newest_of_each_frame_once() -> None:
    hub, early, late = Hub(), Place(), Place()
    assert hub.news(early) == b""
    hub.publish("view", {"at": 1})
    hub.publish("topics", [])
    assert events(hub.news(early)) == [("view", {"at": 1}), ("topics", [])]
    assert hub.news(early) == b""
    hub.publish("view", {"at": 2})
    hub.publish("view", {"at": 3})
    assert events(hub.news(early)) == [("view", {"at": 3})]
    assert events(hub.news(late)) == [("view", {"at": 3}), ("topics", [])]


def test_a_frame_that_is_the_same_is_no_news() -> None:
    hub, place = Hub(), Place()
    hub.publish("topics", ["a"])
    hub.news(place)
    hub.publish("topics", ["a"])
    assert hub.news(place) == b""


def test_a_line_feed_in_a_text_ends_no_record() -> None:
    hub = Hub()
    hub.publish("view", {"text": "a\n\nevent: b\r\n\u2028"})
    assert events(hub.news(Place())) == [("view", {"text": "a\n\nevent: b\r\n\u2028"})]


def test_incidents_continue_where_a_browser_is() -> None:
    hub, place, later = Hub(), Place(), Place(incident=2)
    hub.set_incidents("run", [incident(1), incident(2), incident(3)])
    assert events(hub.news(place)) == [
        ("incidents", {"run_id": "run", "incidents": [incident(1), incident(2), incident(3)]})
    ]
    assert events(hub.news(later)) == [("incidents", {"run_id": "run", "incidents": [incident(3)]})]
    hub.set_incidents("run", [incident(3), incident(4)])
    assert events(hub.news(place)) == [("incidents", {"run_id": "run", "incidents": [incident(4)]})]


def test_incidents_of_another_run_begin_again() -> None:
    hub, place = Hub(), Place()
    hub.set_incidents("one", [incident(7)])
    hub.news(place)
    hub.set_incidents("two", [incident(1)])
    assert events(hub.news(place)) == [("incidents", {"run_id": "two", "incidents": [incident(1)]})]
    hub.set_incidents("two", [incident(1), incident(8)])
    assert [each["seq"] for each in events(hub.news(place))[0][1]["incidents"]] == [8]


def test_the_number_of_incidents_is_bounded() -> None:
    hub = Hub()
    hub.set_incidents("run", [incident(seq) for seq in range(1, INCIDENTS_MAX * 2)])
    ((name, content),) = events(hub.news(Place()))
    assert name == "incidents"
    assert [each["seq"] for each in content["incidents"]] == list(range(INCIDENTS_MAX, INCIDENTS_MAX * 2))


def test_a_market_goes_only_to_those_who_watch_it() -> None:
    hub, place, other = Hub(), Place(symbol="X.SIM"), Place()
    hub.publish(market_frame("X.SIM"), {"symbol": "X.SIM"})
    hub.publish(market_frame("Y.SIM"), {"symbol": "Y.SIM"})
    assert events(hub.news(place)) == [("market", {"symbol": "X.SIM"})]
    assert hub.news(other) == b""
    hub.withdraw(market_frame("X.SIM"))
    hub.withdraw("unknown")
    assert hub.news(Place(symbol="X.SIM")) == b""


async def test_a_change_wakes_everybody() -> None:
    hub = Hub()
    waiting = [asyncio.create_task(hub.turn().wait()) for _ in range(3)]
    await asyncio.sleep(0)
    hub.publish("view", 1)
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    again = asyncio.create_task(hub.turn().wait())
    await asyncio.sleep(0)
    assert not again.done()
    hub.set_incidents("run", [incident(1)])
    await asyncio.wait_for(again, 5)
