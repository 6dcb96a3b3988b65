"""Early bells at an engine: it wakes for them, sleeps again, and does not let itself be woken in vain for long."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator

import pytest

from foxtrot_supervisor.engine.delivery import early_bells as module
from foxtrot_supervisor.engine.delivery.bell_habit import EXPECT_S_MAX, EXPECT_S_MIN, MUTED_S_MAX, VAIN_MAX
from foxtrot_supervisor.engine.delivery.early_bells import EarlyBells, passed_descriptor
from foxtrot_workers.feed.early_bell import EarlyBell

LIMIT_S = 5.0


class World:
    """Bells in a poller, and exchanges that make them ring."""

    def __init__(self) -> None:
        self.bells = EarlyBells()
        self.poller = select.epoll()
        self.bells.join(self.poller)
        self.exchanges: dict[str, socket.socket] = {}
        self._things: list[socket.socket | EarlyBell] = []

    def worker(self, name: str) -> None:
        exchange, ours = socket.socketpair()
        bell = EarlyBell()
        bell.watch(ours.fileno())
        self.exchanges[name] = exchange
        self._things += [exchange, ours, bell]
        self.bells.put(name, os.dup(bell.fileno()))
        self.poller.poll(0)

    def found(self) -> list[tuple[int, int]]:
        return self.poller.poll(0.05)

    def ring(self, name: str, came: bool) -> bool:
        """Let the exchange send something; whether the engine woke."""
        self.exchanges[name].send(b"x")
        found = self.poller.poll(0)
        if not found:
            return False
        assert self.bells.is_all(found)
        assert EXPECT_S_MIN <= self.bells.rung(found) <= EXPECT_S_MAX
        self.bells.followed(came)
        return True

    def close(self) -> None:
        self.bells.leave()
        self.bells.close()
        self.poller.close()
        for thing in self._things:
            thing.close()


@pytest.fixture
def world() -> Iterator[World]:
    before = os.listdir("/proc/self/fd")
    world = World()
    yield world
    world.close()
    assert len(os.listdir("/proc/self/fd")) == len(before), "no descriptor is left"


def test_a_bell_rings_each_time_and_is_counted(world: World) -> None:
    for name in ("a", "b"):
        world.worker(name)
    for number in range(10):
        assert world.ring("ab"[number % 2], number < 7)
    assert (world.bells.rung_total, world.bells.vain_total) == (10, 3)
    assert not world.bells.is_all([(0, select.EPOLLIN)])


def test_after_a_pause_a_batch_is_expected_for_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.worker("a")
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    got = []
    for pause_s in (50.0, 0.0001, 0.002, 0.004):
        now += pause_s
        got.append(world.bells.rung([]))
    assert got == pytest.approx([EXPECT_S_MAX, EXPECT_S_MIN, 0.0001, 0.0002])


def test_only_the_bell_that_rings_in_vain_is_muted_and_heard_again_later(world: World) -> None:
    world.worker("pings")
    world.worker("trades")
    heard = sum(world.ring("pings", came=False) for _ in range(3 * VAIN_MAX))
    assert heard == VAIN_MAX
    assert all(world.ring("trades", came=True) for _ in range(3 * VAIN_MAX))
    world.bells.look(time.monotonic())
    assert not world.ring("pings", came=True)
    world.bells.look(time.monotonic() + MUTED_S_MAX)
    world.poller.poll(0)
    assert world.ring("pings", came=True)


def test_a_muted_bell_stays_so_at_the_next_poller_and_may_be_dropped(world: World) -> None:
    world.worker("pings")
    while world.ring("pings", came=False):
        pass
    world.bells.join(world.poller)
    assert not world.ring("pings", came=False)
    world.bells.drop("pings")
    world.bells.drop("pings")
    world.bells.look(time.monotonic() + MUTED_S_MAX)
    assert len(world.bells) == 0


def test_the_bell_of_a_successor_takes_the_place_of_the_last(world: World) -> None:
    world.worker("a")
    first = world.exchanges["a"]
    world.worker("a")
    assert world.ring("a", came=True)
    first.send(b"x")
    assert world.found() == [], "it is watched no more, though its worker still has it"
    assert world.bells.owners() == ["a"]


def test_a_dropped_bell_wakes_nobody_although_its_worker_still_has_it(world: World) -> None:
    world.worker("a")
    world.bells.drop("a")
    world.exchanges["a"].send(b"x")
    assert world.found() == []


@pytest.mark.parametrize("path", ["/dev/null", "/proc/self/status"])
def test_what_cannot_be_waited_on_is_kept_silently_and_closed(world: World, path: str) -> None:
    world.bells.put("odd", os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    world.worker("a")
    assert world.ring("a", came=True)


def test_beyond_the_bound_bells_are_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BELLS_MAX", 2)
    for name in "abc":
        world.worker(name)
    assert world.bells.owners() == ["a", "b"]


def test_a_poller_that_is_closed_disturbs_nothing(world: World) -> None:
    world.worker("a")
    world.poller.close()
    world.bells.drop("a")
    world.poller = select.epoll()
    world.bells.join(world.poller)


def test_a_message_without_a_descriptor_passes_none() -> None:
    assert passed_descriptor([]) is None
    assert passed_descriptor([(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, b"x" * 12)]) is None
    assert passed_descriptor([(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"\x07\0\0\0")]) == 7
