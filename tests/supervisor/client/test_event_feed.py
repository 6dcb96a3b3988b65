"""Streams for `async for`: from threads to a loop, bounded, cancelled cleanly, never blocking."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from foxtrot_supervisor.client import event_feed
from foxtrot_supervisor.client.event_buffer import EventBuffer, StreamOverflow
from foxtrot_supervisor.client.event_feed import EventFeed, Funnel


class World:
    """A feed with `limit` events; `offer` comes from another thread."""

    def __init__(self, limit: int = 100, overflow: Any = "drop_oldest") -> None:
        self.released = 0
        self.funnel = Funnel(EventBuffer(limit, 10**9, overflow))
        self.feed: EventFeed | None = EventFeed(self.funnel, self._release)

    def _release(self) -> None:
        self.released += 1

    async def offer(self, *events: Any) -> None:
        await asyncio.to_thread(lambda: [self.funnel.offer(event) for event in events])


async def test_events_come_in_order_and_the_end_after_them() -> None:
    world = World()
    await world.offer(*range(200))
    world.funnel.close()
    assert world.feed is not None
    assert [event async for event in world.feed] == list(range(100, 200))
    assert world.feed.dropped_total == 100
    assert world.released == 1


async def test_a_consumer_that_waits_is_woken() -> None:
    world = World()
    assert world.feed is not None
    waiting = asyncio.create_task(anext(world.feed))
    await asyncio.sleep(0)
    await world.offer("x")
    assert await asyncio.wait_for(waiting, 5) == "x"
    assert world.feed.waiting == 0


async def test_other_tasks_have_their_turn_while_events_are_consumed() -> None:
    world = World(limit=10_000)
    await world.offer(*range(10_000))
    world.funnel.close()
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert world.feed is not None
    async for _ in world.feed:
        pass
    task.cancel()
    assert turns >= 10_000 // event_feed.TURN_EVENTS


async def test_the_policy_error_raises_after_what_was_there() -> None:
    world = World(2, "error")
    await world.offer(1, 2, 3)
    assert world.feed is not None
    assert [await anext(world.feed), await anext(world.feed)] == [1, 2]
    with pytest.raises(StreamOverflow, match="1 events were dropped"):
        await anext(world.feed)
    assert world.released == 1


async def test_the_policy_block_holds_the_producer_back_without_a_loss() -> None:
    world = World(2, "block")
    producer = asyncio.create_task(world.offer(*range(50)))
    assert world.feed is not None
    assert [await anext(world.feed) for _ in range(50)] == list(range(50))
    await producer
    assert world.feed.dropped_total == 0


async def test_a_producer_does_not_wait_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_feed, "BLOCK_S", 0.01)
    world = World(2, "block")
    await asyncio.wait_for(world.offer(*range(50)), 5)
    assert world.feed is not None
    assert world.feed.dropped_total == 48


async def test_a_producer_that_waits_is_freed_by_the_end() -> None:
    world = World(1, "block")
    producer = asyncio.create_task(world.offer(1, 2, 3))
    await asyncio.sleep(0.01)
    assert world.feed is not None
    await world.feed.aclose()
    await asyncio.wait_for(producer, 5)
    assert world.released == 1


async def test_in_the_loop_itself_the_producer_waits_for_room() -> None:
    world = World(1, "block")

    async def produce() -> None:
        for number in range(5):
            await world.funnel.offer_here(number)
        world.funnel.close()

    task = asyncio.create_task(produce())
    assert world.feed is not None
    assert [event async for event in world.feed] == list(range(5))
    await task


async def test_cancellation_loses_nothing_and_a_context_releases() -> None:
    world = World()
    assert world.feed is not None
    async with world.feed as feed:
        waiting = asyncio.create_task(anext(feed))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert world.released == 0
        await world.offer("still")
        assert await anext(feed) == "still"
    assert world.released == 1
    await feed.aclose()
    assert world.released == 1


async def test_a_feed_that_is_forgotten_releases_soon() -> None:
    world = World()
    world.feed = None
    gc.collect()
    await asyncio.sleep(0)
    assert world.released == 1


async def test_a_failure_of_the_source_is_the_consumers() -> None:
    world = World()
    await world.offer(1)
    world.funnel.close(ValueError("broken"))
    assert world.feed is not None
    assert await anext(world.feed) == 1
    with pytest.raises(ValueError, match="broken"):
        await anext(world.feed)


def test_a_closed_loop_is_no_error_for_the_producer() -> None:
    async def make() -> World:
        return World()

    world = asyncio.run(make())
    threads = threading.active_count()
    world.funnel.offer("x")
    world.funnel.offer("y")
    world.funnel.close()
    assert threading.active_count() == threads
