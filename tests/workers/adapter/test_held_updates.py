"""Held updates stay within their limits, and the latest ones are kept."""

from __future__ import annotations

import sys
import tracemalloc

import msgspec
import pytest

from foxtrot_protocol.events import BookDelta
from foxtrot_workers.adapter import held_updates
from foxtrot_workers.adapter.held_updates import HeldBytes, HeldUpdate, HeldUpdates


def update(number: int, levels: int = 1, text: str = "1.25") -> HeldUpdate:
    sides = [(text, "2.5")] * levels
    return HeldUpdate(BookDelta("SIM", "A", 1, 2, sides, [], str(number), str(number), None), number, number, None)


def numbers(held: HeldUpdates) -> list[int]:
    return [each.first for each in held]


def test_the_oldest_updates_are_evicted_at_the_maximum_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_updates, "HELD_COUNT_MAX", 3)
    shared = HeldBytes()
    held = HeldUpdates(shared)
    for number in range(10):
        held.append(update(number))
    assert numbers(held) == [7, 8, 9]
    assert shared.used == sum(each.size for each in held)


def test_books_share_one_byte_limit() -> None:
    shared = HeldBytes(50_000)
    books = [HeldUpdates(shared) for _ in range(5)]
    for number in range(500):
        for book in books:
            book.append(update(number))
            assert shared.used <= 50_000
    for book in books:
        kept = numbers(book)
        assert kept == list(range(kept[0], 500)) if kept else True, "no hole among those that are held"


def test_an_update_that_is_too_large_evicts_everything() -> None:
    shared = HeldBytes(50_000)
    held = HeldUpdates(shared)
    held.append(update(1))
    held.append(update(2, text="9" * 60_000))
    assert numbers(held) == []
    assert shared.used == 0
    held.append(update(3))
    assert numbers(held) == [3]


def test_taken_and_cleared_updates_release_their_bytes() -> None:
    shared = HeldBytes()
    one, other = HeldUpdates(shared), HeldUpdates(shared)
    one.append(update(1))
    other.append(update(2))
    assert [each.first for each in one.take()] == [1]
    other.clear()
    assert (len(one), len(other), shared.used) == (0, 0, 0)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="sizes of CPython's objects")
@pytest.mark.parametrize("levels", [1, 20, 500])
def test_the_estimated_bytes_are_near_the_used_ones(levels: int) -> None:
    decode = msgspec.json.Decoder(list[tuple[str, str]]).decode
    body = msgspec.json.encode([(f"{60000 + n}.25", f"0.{n:06d}") for n in range(levels)])
    held = HeldUpdates(HeldBytes())
    tracemalloc.start()
    for number in range(50):
        event = BookDelta("SIM", "A", 10**18, 10**18, decode(body), [], str(10**9 + number), str(10**9 + number), None)
        held.append(HeldUpdate(event, 10**9 + number, 10**9 + number, None))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    estimated = sum(each.size for each in held)
    assert 0.6 < estimated / used < 1.6
