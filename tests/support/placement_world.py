"""A simulated cluster: thousands of shards on nodes that fail, join and are drained, placed by the code of real nodes.

What is simulated: announcements that lag by their real interval, deliveries to a random node that pulls, questions to a
dead holder and offers to dead nodes with the time that each costs, make before break. The rules (`placement`) and the
times (`lease`, `membership`, `deliveries`) are those of the product.

What is simpler than in reality: all nodes see the same announcements (each finds out for itself which node does not
answer), a message of the work queue is delivered the moment it may be, and a
decision, once the answers have come, takes no time.

Everything happens in order of time, and of the same time in order of planning; nothing depends on the order of a set.
"""

from __future__ import annotations

import copy
import heapq
import math
import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from foxtrot_supervisor.cluster.board import Board
from foxtrot_supervisor.cluster.deliveries import CLAIM_S, OFFERS_MAX, REFUSED_S
from foxtrot_supervisor.cluster.lease import RENEWALS, patience_s
from foxtrot_supervisor.cluster.membership import announce_s
from foxtrot_supervisor.cluster.model import MISSED, Desired, NodeInfo
from foxtrot_supervisor.cluster.pace import Admission, Release
from foxtrot_supervisor.cluster.placement import accepts, has_room, twin_of
from foxtrot_supervisor.cluster.shares import limit_of

__all__ = ["SimNode", "World", "even_shares"]

START_S = 1.0
"""From taking a shard until it serves."""
BALANCE_S = 2.0
HANDOVERS_MAX = 20
EVENING = ("even", "lacking")
"""Why a shard is handed over only to even out the load."""
PACE_S = 10.0
"""In this time a node may take a quarter of its share and two shards, in a minute therefore about its share."""


@dataclass(frozen=True)
class Leaving:
    """How a shard is handed over."""

    why: str
    """"apart" from the twin, "drain", "even", or "lacking": only to a node that holds less than its share."""
    capacity: int
    """Of the cluster, as it was known."""


@dataclass(eq=False)
class SimNode:
    """One node. Keys of `held` and `silent` are ordered sets."""

    name: str
    host: str
    capacity: int
    held: dict[str, None] = field(default_factory=dict)
    leaving: dict[str, Leaving] = field(default_factory=dict)
    """Shards that are handed over."""
    silent: dict[str, None] = field(default_factory=dict)
    """Nodes that have not answered this one."""
    draining: bool = False
    seen: float = 0.0
    release: Release = field(default_factory=lambda: Release(0.0))
    admission: Admission = field(default_factory=Admission)
    evened: deque[float] = field(default_factory=deque)
    """When it has taken shards, in the last `PACE_S`, that came only to even out the load."""

    @property
    def addresses(self) -> list[str]:
        return [self.host]

    def copied(self) -> SimNode:
        own = {name: copy.copy(getattr(self, name)) for name in self.__dataclass_fields__}
        return SimNode(**own)

    def info(self, every_s: float = 1.0) -> NodeInfo:
        return NodeInfo(
            node=self.name,
            instance=self.name,
            host=self.host,
            addresses=self.addresses,
            capacity=self.capacity,
            held=[*self.held],
            exchanges=["sim"],
            by_exchange={"sim": len(self.held) + len(self.leaving)},
            draining=self.draining,
            every_s=every_s,
        )


class World:
    """`run` plays some time; the figures say what was promised and kept."""

    def __init__(self, nodes: int, shards: int, ack_wait_s: float = 2.0) -> None:
        self.ack_wait_s = ack_wait_s
        self.now = 0.0
        self.nodes: dict[str, SimNode] = {}
        self.board = Board()
        self.holder: dict[str, str] = {}
        """What stands in each shard's entry: a node, perhaps dead."""
        self.carriers: dict[str, list[str]] = {}
        """The living nodes that have a shard: its holder, and those that serve it until the holder does."""
        self.unheld: dict[str, float] = {}
        """Since when a shard has no living holder."""
        self.moving = 0
        """Shards that are to be delivered, decided about or started."""
        self.close: dict[str, None] = {}
        """Twins whose sides are on one host: side b."""
        self.longest_unheld_s = 0.0
        self.moves = 0
        """Shards moved to even out the load."""
        self.wasted = 0
        """Of these, those that made the load no more even."""
        self.hasty = 0
        """Of these, those that a node took faster than its share in a minute."""
        self.returned = 0
        """Shards that were to be handed over, and for which nobody had a place at that time."""
        self.avoidable = 0
        """Twins placed on one host although another had room."""
        self.random = random.Random(0)
        self._names = 0
        self._pullers: list[SimNode] = []
        """The living nodes, in the order in which they joined."""
        self._capacity = 0
        """Of the nodes as they have announced themselves."""
        self._planned = 0
        self._events: list[tuple[float, int, str, tuple[Any, ...]]] = []
        for _ in range(nodes):
            self.join()
        self.desired: dict[str, Desired] = {}
        number = 0
        while len(self.desired) < shards:
            number += 1
            for side in "ab" if number % 4 == 0 else "a":
                shard = f"c{number}.{side}"
                self.desired[shard] = Desired(shard=shard, connection=f"c{number}", side=side, exchange="sim", table={})
        self.board.shares.shards = len(self.desired)
        for shard in self.desired:
            self.unheld[shard] = 0.0
            self._deliver_in(0.0, shard)

    def copied(self, seed: int) -> World:
        """The same cluster with another future, and figures that begin with it."""
        world = World(0, 0, self.ack_wait_s)
        world.__dict__.update(self.__dict__)
        world.nodes = {name: node.copied() for name, node in self.nodes.items()}
        world._pullers = [*world.nodes.values()]
        world.board = Board()
        world.board.shares.shards = self.board.shares.shards
        for info in self.board.nodes.values():
            world.board.update(info)
        world.holder, world.unheld, world.close = dict(self.holder), dict(self.unheld), dict(self.close)
        world.carriers = {shard: [*names] for shard, names in self.carriers.items()}
        world._events = [*self._events]
        world.random = random.Random(seed)
        world.moves = world.wasted = world.hasty = world.returned = world.avoidable = 0
        world.longest_unheld_s = 0.0
        return world

    # ---- what happens to nodes

    def join(self, host: str = "", capacity: int = 0) -> None:
        """Let a node join: by default every two have a host in common."""
        self._names += 1
        node = SimNode(
            f"n{self._names}", host or f"h{self._names // 2}", capacity or 30 + 10 * (self._names % 3), seen=self.now
        )
        node.release = Release(self.random.random())
        self.nodes[node.name] = node
        self._pullers.append(node)
        self._announced(node)
        self._plan(self.random.uniform(0.0, self._every_s), "_announce", node.name)
        self._plan(self.random.uniform(0.0, BALANCE_S), "_balance", node.name)

    def kill(self, name: str) -> None:
        """Let a node die without a word, with its host's answer to those who ask."""
        node = self.nodes.pop(name)
        self._pullers.remove(node)
        self._plan(max(0.0, node.seen + MISSED * self._every_s - self.now), "_forget", name)
        for shard in [*node.held, *node.leaving]:
            self.carriers[shard].remove(name)
            if not self.carriers[shard]:
                self.unheld.setdefault(shard, self.now)
        for shard in node.held:
            # the last renewal was at most a quarter of the time ago
            self._deliver_in(self.ack_wait_s * self.random.uniform(1 - 1 / RENEWALS, 1.0), shard)

    def drain(self, name: str, *, on: bool = True) -> None:
        node = self.nodes[name]
        node.draining = on
        self._announced(node)
        if on:
            self._leave(node, dict.fromkeys(node.held, "drain"))

    # ---- time

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, action, arguments = heapq.heappop(self._events)
            getattr(self, action)(*arguments)
        self.now = end

    @property
    def is_settled(self) -> bool:
        """Whether every shard serves at its holder and none is on its way."""
        return not self.moving and not self.unheld

    def excess(self) -> int:
        """How many shards nodes hold beyond their even share."""
        present = [node for node in self.nodes.values() if not node.draining]
        shares = even_shares([(node.name, node.capacity, len(node.held)) for node in present], len(self.desired))
        return sum(max(0, len(node.held) - shares[node.name]) for node in present)

    def _plan(self, seconds: float, action: str, *arguments: Any) -> None:
        self._planned += 1
        heapq.heappush(self._events, (self.now + seconds, self._planned, action, arguments))

    @property
    def _every_s(self) -> float:
        return announce_s(len(self.nodes))

    # ---- announcements

    def _announce(self, name: str) -> None:
        node = self.nodes.get(name)
        if node is not None:
            self._announced(node)
            self._plan(self._every_s, "_announce", name)

    def _announced(self, node: SimNode) -> None:
        before = self.board.nodes.get(node.name)
        node.seen = self.now
        self.board.update(node.info(self._every_s))
        self._capacity += node.capacity * (not node.draining) - _offered(before)

    def _forget(self, name: str) -> None:
        self._capacity -= _offered(self.board.nodes.get(name))
        self.board.remove(name)
        for node in self.nodes.values():
            node.silent.pop(name, None)

    @contextmanager
    def _seen_by(self, node: SimNode) -> Iterator[Board]:
        """Show the board as a node sees it: what others have announced, and itself as it is."""
        announced, present = self.board.nodes[node.name], node.info(self.board.nodes[node.name].every_s)
        if announced == present:
            yield self.board
        else:
            self.board.update(present)
            yield self.board
            self.board.update(announced)

    # ---- moves

    def _balance(self, name: str) -> None:
        node = self.nodes.get(name)
        if node is None:
            return
        self._plan(BALANCE_S, "_balance", name)
        if node.draining or node.leaving:
            return
        close = not node.held.keys().isdisjoint(self.close)
        if not close and len(node.held) <= self.board.shares.bound(name, "floor"):
            return
        with self._seen_by(node) as board:
            leaving = dict.fromkeys(board.misplaced(name, self.desired) if close else (), "apart")
            if not leaving:
                surplus = len(node.held) - board.shares.bound(name, "share")
                count = node.release.count(surplus, board.shares.demand, self.now)
                released = board.to_release(name, self.desired, count)
                leaving = {shard: "lacking" if lacking else "even" for shard, lacking in released.items()}
        self._leave(node, leaving)

    def _leave(self, node: SimNode, shards: Mapping[str, str]) -> None:
        for shard, why in shards.items():
            if len(node.leaving) < HANDOVERS_MAX:
                del node.held[shard]
                node.leaving[shard] = Leaving(why, self._capacity)
                self._deliver_in(0.0, shard)

    def _deliver_in(self, seconds: float, shard: str) -> None:
        self.moving += 1
        self._plan(seconds, "_deliver", shard)

    # ---- deliveries

    def _deliver(self, shard: str) -> None:
        self.moving -= 1
        puller = self._pulling()
        if puller is None:
            self._deliver_in(REFUSED_S, shard)
            return
        dead = self.holder.get(shard, "")
        patience = patience_s(self.ack_wait_s, self.ack_wait_s) if dead and dead not in self.nodes else 0.0
        self.moving += 1
        self._plan(patience, "_place", shard, puller.name)

    def _place(self, shard: str, puller_name: str) -> None:
        self.moving -= 1
        puller = self.nodes.get(puller_name)
        if puller is None:
            # the delivery was a lease of its own, which this node's death ends
            if shard in self.unheld:
                self.unheld[shard] = self.now
            self._deliver_in(self.ack_wait_s, shard)
            return
        self._decide(shard, puller)

    def _decide(self, shard: str, puller: SimNode) -> None:
        desired, before = self.desired[shard], self.nodes.get(self.holder.get(shard, ""))
        if before is not None and shard not in before.leaving:
            before = None
        twin = self.nodes.get(self.holder.get(twin_of(shard), ""))
        lacking = before is not None and before.leaving[shard].why == "lacking"
        gentle = before is not None and before.leaving[shard].why in EVENING
        but = {*puller.silent, before.name} if before is not None else {*puller.silent}
        for forced in (False, True):
            limit = limit_of(lacking=lacking, forced=forced)
            with self._seen_by(puller) as board:
                offers = board.ranked(
                    desired, puller.name, twin=twin, limit=limit, gentle=gentle, but=but, count=OFFERS_MAX
                )
            for name in offers:
                node = self.nodes.get(name)
                if node is None:
                    puller.silent[name] = None
                    self.moving += 1
                    self._plan(CLAIM_S, "_place", shard, puller.name)
                    return
                with self._seen_by(node) as board:
                    accepted = accepts(board.nodes[name], desired, board.shares.bound(name, limit))
                    if accepted and gentle and limit != "room":
                        accepted = node.admission.admit(board.shares.bound(name, "share"), self.now)
                if accepted:
                    self._take(shard, node, twin, before)
                    return
            is_close = shard in self.close or twin_of(shard) in self.close
            if before is not None and not before.draining and (forced or not is_close):
                del before.leaving[shard]
                before.held[shard] = None
                self.returned += 1
                return
        self._deliver_in(REFUSED_S, shard)

    def _take(self, shard: str, node: SimNode, twin: SimNode | None, before: SimNode | None) -> None:
        side_b = shard if shard.endswith(".b") else twin_of(shard)
        near = twin is not None and twin.host == node.host
        if near and self._has_other_host(shard, node.host, before):
            self.avoidable += 1
        if before is not None and before.leaving[shard].why in EVENING:
            self.moves += 1
            self.hasty += not self._is_gentle(node)
            self.wasted += not self._evens_out(shard, before, node)
        if near:
            self.close[side_b] = None
        else:
            self.close.pop(side_b, None)
        node.held[shard] = None
        self.holder[shard] = node.name
        self.carriers.setdefault(shard, []).append(node.name)
        if shard in self.unheld:
            # the lease ends with the taking: what starts is the holder
            self.longest_unheld_s = max(self.longest_unheld_s, self.now - self.unheld.pop(shard))
        self.moving += 1
        self._plan(START_S, "_serves", shard, node.name)

    def _serves(self, shard: str, name: str) -> None:
        self.moving -= 1
        if self.holder[shard] == name and name in self.carriers[shard]:
            for other in self.carriers[shard]:
                if other != name:  # more than one where the successor was drained before it served
                    node = self.nodes[other]
                    node.leaving.pop(shard, None)
                    if node.draining:
                        self._leave(node, dict.fromkeys(node.held, "drain"))
            self.carriers[shard] = [name]

    # ---- the judge: knows everything at once

    def _evens_out(self, shard: str, before: SimNode, node: SimNode) -> bool:
        """Whether one shard less here and one more there brings the load closer to exact shares.

        Between two nodes that stand on either side of their exact shares by less than one, a move only exchanges them.
        Each node's share is that of the moment at which it decided, by the nodes known then: one that died counts until
        it has been silent for three announcements, since nobody can know better.
        """
        waiting = sum(self.holder[shard] == before.name for shard in before.leaving)
        over = len(before.held) + waiting - before.capacity * len(self.desired) / before.leaving[shard].capacity
        under = node.capacity * len(self.desired) / self._capacity - len(node.held)
        return over > 0 and under > 0 and max(over, under) >= 1 - 1e-9

    def _is_gentle(self, node: SimNode) -> bool:
        """Count a shard that a node takes to even out the load, and return whether that was not too fast."""
        node.evened.append(self.now)
        while node.evened[0] <= self.now - PACE_S:
            node.evened.popleft()
        share = node.capacity * min(1.0, len(self.desired) / self._capacity)
        return len(node.evened) <= 2 + math.ceil(share) / 4

    def _has_other_host(self, shard: str, host: str, before: SimNode | None) -> bool:
        desired = self.desired[shard]
        return any(
            node.host != host and node is not before and has_room(node.info(), desired) for node in self.nodes.values()
        )

    def _pulling(self) -> SimNode | None:
        """Return the node whose request for shards is next."""
        start = self.random.randrange(len(self._pullers)) if self._pullers else 0
        for node in chain(islice(self._pullers, start, None), islice(self._pullers, start)):
            if not node.draining and len(node.held) + len(node.leaving) < node.capacity:
                return node
        return None


def _offered(node: NodeInfo | None) -> int:
    return 0 if node is None or node.draining else node.capacity


def even_shares(nodes: Sequence[tuple[str, int, int]], shards: int) -> dict[str, int]:
    """Return how many of `shards` each node should hold, computed as a whole; `nodes`: name, capacity, shards held.

    Of the nodes whose share is no whole number, those that hold more keep one more.
    """
    capacity = sum(each for _, each, _ in nodes)
    shards = min(shards, capacity)
    result = {name: shards * each // capacity for name, each, _ in nodes if each}
    rests = [(held <= result[name], -(shards * each % capacity), name) for name, each, held in nodes if each]
    for _, _, name in sorted(rest for rest in rests if rest[1])[: shards - sum(result.values())]:
        result[name] += 1
    return result
