"""Slots that are given by rank."""

from __future__ import annotations

import asyncio

from foxtrot_workers.feed.ranked_slots import RankedSlots


async def test_the_lowest_rank_is_next_and_a_cancelled_one_takes_no_slot() -> None:
    ranks = {"a": (5, 0), "b": (3, 0), "c": (1, 0), "d": (3, 0), "e": (2, 0)}
    slots = RankedSlots(1, ranks.__getitem__)
    order: list[str] = []
    go = asyncio.Event()

    async def hold(key: str) -> None:
        async with slots.held(key):
            order.append(key)
            await go.wait()

    tasks = {key: asyncio.create_task(hold(key)) for key in ranks}
    await asyncio.sleep(0)
    tasks["e"].cancel()
    await asyncio.sleep(0)
    ranks["a"] = ranks["c"] = (4, 0)  # a rank may change while others hold the slot
    go.set()
    await asyncio.wait(tasks.values())
    assert order == ["a", "b", "d", "c"]
    async with slots.held("a"):
        pass


async def test_one_that_is_cancelled_as_it_is_granted_hands_the_slot_on() -> None:
    slots = RankedSlots(1, lambda key: (0, 0))
    first = slots.held("a")
    await first.__aenter__()
    second = asyncio.create_task(slots.held("b").__aenter__())
    third = asyncio.create_task(slots.held("c").__aenter__())
    await asyncio.sleep(0)
    await first.__aexit__(None, None, None)
    second.cancel()
    await asyncio.wait_for(third, 5)
    assert second.cancelled()
