"""A simulated cluster: thousands of shards on nodes that fail, join and are drained, placed by the code of real nodes.

What is simulated: time in steps of half a second, announcements that lag by their real interval, deliveries that go
to a random node that pulls, offers, make before break. The rules (`placement`) and the times (`lease`, `membership`)
are those of the product. Holders are known exactly, as from the bucket.
"""

from __future__ import annotations

import copy
import heapq
import random
from dataclasses import dataclass, field

from foxtrot_supervisor.cluster.deliveries import OFFERS_MAX
from foxtrot_supervisor.cluster.membership import announce_s
from foxtrot_supervisor.cluster.model import Desired, NodeInfo
from foxtrot_supervisor.cluster.placement import Board, accepts, has_room, quotas, release_count, twin_of

__all__ = ["PULL_S", "World"]

STEP_S = 0.5
START_S = 1.0
"""From taking a shard until it serves."""
PULL_S = 1.0
"""One pull: until a message that may be delivered is decided about, with the offers to nodes that are dead."""
BALANCE_STEPS = 4
HANDOVERS_MAX = 20


@dataclass
class SimNode:
    """One node."""

    name: str
    host: str
    capacity: int
    held: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    alive: bool = True
    draining: bool = False

    def info(self, every_s: float) -> NodeInfo:
        return NodeInfo(
            node=self.name,
            instance=self.name,
            host=self.host,
            addresses=[self.host],
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
        self.step = 0
        self.nodes: dict[str, SimNode] = {}
        self.board = Board()
        self.holder: dict[str, str] = {}
        self.previous: dict[str, str] = {}
        """The node that serves a shard until its new holder does."""
        self.queue: list[tuple[float, str]] = []
        self.starting: list[tuple[float, str, str]] = []
        self.unheld: dict[str, float] = {}
        """Since when a shard has no living holder."""
        self.close: set[str] = set()
        """Twins whose sides are on one host: side b."""
        self.longest_unheld_s = 0.0
        self.moves = 0
        """Shards moved to even out the load."""
        self.wasted = 0
        """Of these, to nodes that had their share already."""
        self.avoidable = 0
        """Twins placed on one host although another had room."""
        self._names = 0
        self._seen: dict[str, float] = {}
        self.random = random.Random(0)
        for _ in range(nodes):
            self.join()
        self.desired: dict[str, Desired] = {}
        number = 0
        while len(self.desired) < shards:
            number += 1
            for side in "ab" if number % 4 == 0 else "a":
                shard = f"c{number}.{side}"
                self.desired[shard] = Desired(shard=shard, connection=f"c{number}", side=side, exchange="sim", table={})
        self.board.shards = len(self.desired)
        for shard in self.desired:
            self.unheld[shard] = 0.0
            heapq.heappush(self.queue, (0.0, shard))

    def copied(self, seed: int) -> World:
        """The same cluster with another future."""
        world = copy.deepcopy(self)
        world.random = random.Random(seed)
        world.moves = world.wasted = world.avoidable = 0
        world.longest_unheld_s = 0.0
        return world

    # ---- what happens to nodes

    def join(self) -> None:
        self._names += 1
        node = SimNode(f"n{self._names}", f"h{self._names // 2}", 30 + 10 * (self._names % 3))
        self.nodes[node.name] = node
        self._announce(node)

    def kill(self, name: str) -> None:
        node = self.nodes[name]
        node.alive = False
        for shard in [*node.held, *node.leaving]:
            if self.holder.get(shard) == name and self.previous.get(shard) is None:
                self.unheld.setdefault(shard, self.now)
        for shard in node.held:
            # the last renewal was at most a quarter of the time ago
            heapq.heappush(self.queue, (self.now + self.ack_wait_s * self.random.uniform(0.75, 1.0), shard))
        for shard in [shard for shard, before in self.previous.items() if before == name]:
            del self.previous[shard]
        node.held.clear()
        node.leaving.clear()
        del self.nodes[name]

    def drain(self, name: str, *, on: bool = True) -> None:
        self.nodes[name].draining = on
        self._announce(self.nodes[name])

    # ---- time

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += STEP_S
            self.step += 1
            self._turn()

    @property
    def is_settled(self) -> bool:
        """Whether every shard serves at its holder and none is to move."""
        return not (self.queue or self.starting or self.unheld or any(node.leaving for node in self.nodes.values()))

    def excess(self) -> int:
        """How many shards nodes hold beyond their even share."""
        infos = [node.info(1.0) for node in self.nodes.values()]
        shares = quotas(infos, len(self.desired))
        return sum(max(0, len(info.held) - shares.get(info.node, 0)) for info in infos if not info.draining)

    def _turn(self) -> None:
        every_s = announce_s(len(self.nodes))
        steps = max(1, int(every_s / STEP_S))
        for index, node in enumerate(list(self.nodes.values())):
            if index % steps == self.step % steps:
                self._announce(node)
        for name in [name for name, at in self._seen.items() if self.now - at > 3 * every_s]:
            self._away(name)
        self._shares = self.board.shares()
        while self.starting and self.starting[0][0] <= self.now:
            self._serves(*heapq.heappop(self.starting)[1:])
        while self.queue and self.queue[0][0] <= self.now:
            self._deliver(heapq.heappop(self.queue)[1])
        self._balance()

    def _balance(self) -> None:
        for index, node in enumerate(list(self.nodes.values())):
            if node.draining:
                self._leave(node, sorted(node.held)[: HANDOVERS_MAX - len(node.leaving)])
            elif index % BALANCE_STEPS == self.step % BALANCE_STEPS and not node.leaving:
                close = self.close & node.held
                surplus = len(node.held) - self._shares.get(node.name, 0)
                if not close and surplus <= 0:
                    continue
                self.board.update(node.info(1.0))
                desired = {shard: self.desired[shard] for shard in node.held}
                count = release_count(surplus, STEP_S * BALANCE_STEPS)
                leaving = self.board.misplaced(node.name, desired) if close else []
                self._leave(node, (leaving or self.board.to_release(node.name, desired, count))[:HANDOVERS_MAX])

    def _leave(self, node: SimNode, shards: list[str]) -> None:
        for shard in shards:
            node.held.discard(shard)
            node.leaving.add(shard)
            heapq.heappush(self.queue, (self.now, shard))

    def _deliver(self, shard: str) -> None:
        desired = self.desired[shard]
        leaving = self.holder.get(shard, "")
        before = self.nodes.get(leaving)
        if before is None or shard not in before.leaving:
            leaving = ""
        pulling = self._pulling()
        if pulling is None:
            heapq.heappush(self.queue, (self.now + 1.0, shard))
            return
        twin = self.nodes.get(self.holder.get(twin_of(shard), ""))
        place = twin.info(1.0) if twin is not None else None
        stale = self.board.nodes.get(pulling.name)
        self.board.update(pulling.info(1.0))
        try:
            for forced in (False, True):
                share = self._shares.get(pulling.name, 0)
                first = pulling.name if forced or len(pulling.held) < share else ""
                but = {leaving} if leaving else set()
                below = None if forced else self._shares
                for name in self.board.ranked(desired, first, twin=place, below=below, but=but, limit=OFFERS_MAX):
                    node = self.nodes.get(name)
                    if node is None:
                        self._away(name)
                        continue
                    if accepts(node.info(1.0), desired, self._shares.get(name, 0), forced=forced):
                        self._take(shard, node, twin, before if leaving else None)
                        return
                is_close = shard in self.close
                if leaving and before is not None and not before.draining and (forced or not is_close):
                    before.leaving.discard(shard)
                    before.held.add(shard)
                    return
        finally:
            if stale is not None and pulling.name in self.board.nodes:
                self.board.update(stale)
        heapq.heappush(self.queue, (self.now + 1.0, shard))

    def _take(self, shard: str, node: SimNode, twin: SimNode | None, before: SimNode | None) -> None:
        if twin is not None and twin.host == node.host and self._has_other_host(shard, twin.host, before):
            self.avoidable += 1
        if before is not None:
            self.previous[shard] = before.name
            if not before.draining and shard not in self.close:
                self.moves += 1
                self.wasted += len(node.held) >= self._shares.get(node.name, 0)
        node.held.add(shard)
        self.holder[shard] = node.name
        side_b = shard if shard.endswith(".b") else twin_of(shard)
        (self.close.add if twin is not None and twin.host == node.host else self.close.discard)(side_b)
        if shard in self.unheld:
            # the lease ends with the taking: what starts is the holder
            self.longest_unheld_s = max(self.longest_unheld_s, self.now - self.unheld.pop(shard))
        heapq.heappush(self.starting, (self.now + START_S, shard, node.name))

    def _serves(self, shard: str, name: str) -> None:
        if self.holder.get(shard) == name and name in self.nodes:
            self.previous.pop(shard, None)
            for node in self.nodes.values():  # more than one where the successor was drained before it served
                node.leaving.discard(shard)

    def _has_other_host(self, shard: str, host: str, before: SimNode | None) -> bool:
        desired = self.desired[shard]
        return any(
            node.host != host and node is not before and has_room(node.info(1.0), desired)
            for node in self.nodes.values()
        )

    def _pulling(self) -> SimNode | None:
        names = list(self.nodes)
        for _ in range(20):
            node = self.nodes[self.random.choice(names)]
            if not node.draining and len(node.held) + len(node.leaving) < node.capacity:
                return node
        return None

    def _announce(self, node: SimNode) -> None:
        self._seen[node.name] = self.now
        self.board.update(node.info(announce_s(len(self.nodes))))

    def _away(self, name: str) -> None:
        self._seen.pop(name, None)
        self.board.remove(name)
