from __future__ import annotations

import asyncio
from typing import Any, cast

from foxtrot_workers.simulator.server.outlet import Outlet


class Transport:
    """Takes all that is written, or keeps `unsent` bytes waiting."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.unsent = 0

    def set_write_buffer_limits(self, high: int) -> None: ...

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent


def _outlet(bytes_max: int = 100) -> tuple[Outlet, Transport, list[str]]:
    overflows: list[str] = []
    outlet = Outlet(bytes_max, lambda: overflows.append("overflow"))
    transport = Transport()
    outlet.open(cast(Any, transport))
    return outlet, transport, overflows


def test_bytes_leave_at_once_and_none_without_a_connection() -> None:
    outlet, transport, overflows = _outlet()
    outlet.write(b"a")
    outlet.close()
    outlet.write(b"b")
    assert transport.written == [b"a"]
    assert overflows == []


async def test_bytes_written_while_it_is_held_follow_those_of_the_holder() -> None:
    outlet, transport, _ = _outlet()
    outlet.write(b"before")

    async def work() -> None:
        await outlet.write_held(b"holder")

    held = outlet.hold_during(work)
    outlet.write(b"after")
    assert outlet.is_blocked
    await held
    assert transport.written == [b"before", b"holder", b"after"]
    assert not outlet.is_blocked


async def test_two_holders_hold_it_one_after_the_other() -> None:
    outlet, transport, _ = _outlet()

    async def write(text: bytes) -> None:
        await outlet.write_held(text)
        await asyncio.sleep(0)
        await outlet.write_held(text)

    works = [outlet.hold_during(lambda text=text: write(text)) for text in (b"1", b"2")]  # type: ignore[misc]
    outlet.write(b"after")
    await asyncio.gather(*works)
    assert transport.written == [b"1", b"1", b"2", b"2", b"after"]


async def test_a_holder_may_take_what_is_held() -> None:
    outlet, transport, _ = _outlet()
    taken: list[bytes | None] = []

    async def work() -> None:
        taken.extend([outlet.take_held(), outlet.take_held()])

    held = outlet.hold_during(work)
    outlet.write(b"x")
    await held
    assert taken == [b"x", None]
    assert transport.written == []


def test_too_many_bytes_waiting_overflow_held_and_unsent_ones_together() -> None:
    outlet, transport, overflows = _outlet(bytes_max=10)
    transport.unsent = 10
    outlet.write(b"")
    assert overflows == []
    transport.unsent = 11
    outlet.write(b"")
    assert overflows == ["overflow"]


async def test_waiting_ends_when_the_client_catches_up_or_is_gone() -> None:
    outlet, _, _ = _outlet()
    outlet.pause()
    assert outlet.is_blocked
    assert not await outlet.wait_until_free(0.01)
    outlet.resume()
    assert await outlet.wait_until_free(0.01)
    outlet.pause()
    outlet.close()
    assert await outlet.wait_until_free(0.01)
