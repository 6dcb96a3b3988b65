"""One assembly serves all viewers; a fresh one begins after its request."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from foxtrot_protocol.control import decode_reply
from foxtrot_supervisor.runtime import shared_status
from foxtrot_supervisor.runtime.shared_status import SharedStatus


@pytest.fixture(autouse=True)
def a_turn_for_each_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_status, "TURN_S", 0.0)


class Source:
    """Statuses with a number each, in three parts."""

    def __init__(self) -> None:
        self.made = 0
        self.broken = False

    def slices(self) -> Iterator[dict[str, Any]]:
        self.made += 1
        number = self.made
        yield {"number": number}
        if self.broken:
            raise RuntimeError("broken")
        yield {"workers": [{"name": "a"}, {"name": "b"}]}
        yield {"workers": [{"name": "c"}]}


def number(line: bytes) -> int:
    return int(decode_reply(line).data["number"])


async def test_parts_make_one_reply() -> None:
    line = await SharedStatus(Source().slices).line(fresh=False)
    assert decode_reply(line).data == {"number": 1, "workers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}
    assert line.endswith(b"\n")


async def test_a_run_without_workers() -> None:
    line = await SharedStatus(lambda: iter([{"engine": {}}])).line(fresh=False)
    assert decode_reply(line).data == {"engine": {}, "workers": []}


async def test_all_viewers_get_the_same_bytes() -> None:
    source = Source()
    shared = SharedStatus(source.slices)
    lines = await asyncio.gather(*(shared.line(fresh=False) for _ in range(10)))
    assert all(line is lines[0] for line in lines)
    assert await shared.line(fresh=False) is lines[0]
    assert source.made == 1


async def test_after_its_time_it_is_assembled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(100.0, shared_status.SHARED_S)
    monkeypatch.setattr(shared_status.time, "monotonic", lambda: next(clock))
    shared = SharedStatus(Source().slices)
    assert [number(await shared.line(fresh=False)) for _ in range(3)] == [1, 2, 3]


async def test_a_fresh_one_begins_after_the_request() -> None:
    source = Source()
    shared = SharedStatus(source.slices)
    begun = asyncio.create_task(shared.line(fresh=False))
    await asyncio.sleep(0)
    assert source.made == 1, "it is being assembled"
    fresh = await asyncio.gather(*(shared.line(fresh=True) for _ in range(5)))
    assert number(await begun) == 1
    assert {number(line) for line in fresh} == {2}, "those that ask meanwhile share the next one"


async def test_viewers_are_served_although_the_one_that_came_first_has_left() -> None:
    shared = SharedStatus(Source().slices)
    first = asyncio.create_task(shared.line(fresh=False))
    await asyncio.sleep(0)
    second = asyncio.create_task(shared.line(fresh=False))
    await asyncio.sleep(0)
    first.cancel()
    assert number(await second) == 2


async def test_a_failure_is_that_of_each_request() -> None:
    source = Source()
    source.broken = True
    shared = SharedStatus(source.slices)
    results = await asyncio.gather(*(shared.line(fresh=False) for _ in range(2)), return_exceptions=True)
    assert [str(each) for each in results] == ["broken", "broken"]
    source.broken = False
    assert number(await shared.line(fresh=False)) == 3
