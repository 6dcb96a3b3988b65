"""Start target of the agent of a node: holds shards for its supervisor (`foxtrot-supervisor node`).

The agent decides nothing about processes. It tells its supervisor which connections to run, and for how long that
holds; the supervisor stops them when it hears nothing more, whatever has happened to the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.commands import Heartbeat, Stop, ToChild
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_protocol.spec import decode_settings
from foxtrot_supervisor.cluster import names
from foxtrot_supervisor.cluster.connection import CannotConnect, connect
from foxtrot_supervisor.cluster.deliveries import Deliveries
from foxtrot_supervisor.cluster.failures import avoided
from foxtrot_supervisor.cluster.lease import HeldShard, Leases
from foxtrot_supervisor.cluster.membership import Membership
from foxtrot_supervisor.cluster.model import ClusterSettings, NodeRequest, decode, encode
from foxtrot_supervisor.cluster.own_supervisor import OwnSupervisor
from foxtrot_supervisor.cluster.pace import Release
from foxtrot_supervisor.cluster.shards import HeldShards, Identity
from foxtrot_supervisor.cluster.store import NATS_ERRORS, NotPrepared, Store
from foxtrot_supervisor.config.cluster import NodeCluster
from foxtrot_supervisor.system.ending import end_tasks, insistent_timeout, run_together

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["HANDOVERS_MAX", "run"]

TURN_S: Final = 0.25
"""Interval of the agent's turns: renewals, the supervisor's workers, requests for shards."""

AUDIT_S: Final = 5.0
"""Interval at which all held shards are compared with the buckets."""

BALANCE_S: Final = 2.0
"""Interval at which a node looks whether it has more than its share."""

PREPARED_S: Final = 1.0
"""Seconds between two checks whether a configuration has been applied to the cluster."""

RELEASE_S: Final = 2.0
"""Longest time, at the end, in which shards are given back."""

HANDOVERS_MAX: Final = 20
"""Shards that a node hands over at a time."""


async def run(context: ChildContext) -> int:
    """Hold shards until stopped."""
    cluster = decode_settings(context.spec.settings, NodeCluster)
    stopped = asyncio.Event()

    def on_command(command: ToChild) -> None:
        if isinstance(command, Stop):
            stopped.set()

    context.on_command(on_command)
    agent = _Agent(context, cluster)
    context.heartbeat_from(agent.fill)
    context.ready()
    working = asyncio.create_task(agent.run(), name="agent")
    waiting = asyncio.create_task(stopped.wait(), name="stop")
    await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if working.done():
            working.result()
        else:
            await end_tasks(working)
    except CannotConnect as refusal:
        context.log.error("cluster_unusable", reason=str(refusal))
        context.failed(str(refusal))
        return ChildExit.CONFIGURATION
    finally:
        await agent.close()
    return ChildExit.CLEAN


class _Agent:
    """Puts the parts together, and takes turns."""

    def __init__(self, context: ChildContext, cluster: NodeCluster) -> None:
        self._context = context
        self._cluster = cluster
        assert cluster.node is not None
        assert cluster.host is not None
        self._me = Identity(cluster.node, context.spec.run_id, cluster.host, cluster.addresses)
        self._own = OwnSupervisor(context.spec.run_dir)
        self._changed = asyncio.Event()
        self._assigned = asyncio.Event()
        self._workers: dict[str, Any] = {}
        """Workers of the supervisor, as it last answered."""
        self._client: Client | None = None
        self._leases: Leases | None = None
        self._shards: HeldShards | None = None
        self._deliveries: Deliveries | None = None
        self._draining = False
        self._problem = "not connected"
        self._due: dict[str, float] = {}
        self._released = 0
        self._release = Release(random.random())

    # ---- begin and end

    async def run(self) -> None:
        """Connect, wait until something is applied, then take turns. Raises `CannotConnect`."""
        client = await self._connected()
        self._store = store = Store(client)
        settings, asked_at = await self._prepared(store)
        await self._claim_name(client)
        self._leases = leases = Leases(settings.lease_s, settings.ack_wait_s, asked_at)
        self._shards = shards = HeldShards(client, store, leases, self._me, self._changed.set, self._context.log)
        membership = Membership(client, store, leases, self._me, self._cluster, lambda: self._draining)
        self._deliveries = deliveries = Deliveries(
            client, store, leases, shards, membership, self._me, lambda: self._draining, self._context.log
        )
        await self._adopt(store, leases, shards)
        await deliveries.start()
        membership.board.shares.shards = settings.shards
        await membership.start()
        await client.subscribe(names.node_subject(self._me.node, "drain"), cb=self._on_drain)
        await client.subscribe(names.CHANGED, cb=self._on_changed)
        self._problem = ""
        self._context.log.info("node_joined", node=self._me.node, capacity=self._cluster.capacity)
        work = self._work(leases, shards, membership, deliveries)
        await run_together(self._assign(leases), self._show(shards), work)

    async def close(self) -> None:
        """Give the shards back and end."""
        if self._client is not None and self._shards is not None and self._deliveries is not None:
            with contextlib.suppress(*NATS_ERRORS):
                async with insistent_timeout(RELEASE_S):
                    await self._deliveries.close()
                    await self._shards.release_all()
                    await self._store.withdraw(self._me.node)
                    await self._client.flush()
        if self._client is not None:
            with contextlib.suppress(*NATS_ERRORS):
                async with insistent_timeout(RELEASE_S):
                    await self._client.close()
        self._own.close()

    def fill(self, heartbeat: Heartbeat) -> Heartbeat:
        """Return `heartbeat` with counts and the problem of the node."""
        held = 0 if self._leases is None else len(self._leases.shards)
        counts = {"shards": held, "released_total": self._released}
        return msgspec.structs.replace(heartbeat, counts=counts, problem=self._problem)

    async def _connected(self) -> Client:
        while True:
            try:
                self._client = await connect(
                    self._cluster,
                    f"node_{self._me.node}",
                    reconnected=self._on_reconnected,
                    disconnected=self._on_disconnected,
                    problem=self._on_problem,
                    forever=True,
                )
            except NATS_ERRORS as error:
                self._on_problem(f"{type(error).__name__}: {error}")
                await asyncio.sleep(PREPARED_S)
            else:
                return self._client

    async def _prepared(self, store: Store) -> tuple[ClusterSettings, float]:
        """Return what holds for all nodes, and when that was asked."""
        while True:
            asked_at = time.monotonic()
            try:
                return await store.open(), asked_at
            except NotPrepared:
                self._problem = "nothing has been applied to the cluster: foxtrot-supervisor cluster apply"
            except (*NATS_ERRORS, ValueError) as error:
                self._on_problem(f"{type(error).__name__}: {error}")
            await asyncio.sleep(PREPARED_S)

    async def _claim_name(self, client: Client) -> None:
        subject = names.node_subject(self._me.node, "claim")
        with contextlib.suppress(*NATS_ERRORS, ValueError):
            reply = await client.request(subject, encode(NodeRequest()), timeout=1.0)
            if msgspec.json.decode(reply.data)["instance"] != self._me.instance:
                raise CannotConnect(f'another node of the cluster is called "{self._me.node}": set [cluster] node')

    async def _adopt(self, store: Store, leases: Leases, shards: HeldShards) -> None:
        """Go on with what a former agent of this run has assigned, and what still is this run's."""
        for name in await self._own.assigned(leases.ends_at, leases.stop_s):
            with contextlib.suppress(ValueError):
                local = names.parse_local(name)
                desired = await store.desired(local.shard)
                holder, revision = await store.holder(local.shard)
                mine = holder is not None and (holder.instance, holder.epoch) == (self._me.instance, local.epoch)
                if desired is not None and holder is not None and mine:
                    held = HeldShard(
                        desired=desired,
                        token=holder.token,
                        epoch=holder.epoch,
                        part=holder.part,
                        ack=holder.ack,
                        revision=revision,
                        entry=holder,
                        leaving_since=time.monotonic() if holder.state == "leaving" else None,
                    )
                    shards.adopt(held)

    # ---- turns

    async def _assign(self, leases: Leases) -> None:
        """Keep the supervisor's connections as the leases are; NATS is not asked here, so that it delays no renewal."""
        while True:
            self._changed.clear()
            now = time.monotonic()
            for shard in leases.expire(now):
                self._context.log.error("lease_expired", shard=shard, silent_s=leases.lease_s)
            self._workers = await self._own.assign(leases.running(now), leases.ends_at, leases.stop_s)
            if self._own.refusal:
                self._context.log.warning("assignment_refused", reason=self._own.refusal)
            else:
                self._assigned.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    await self._changed.wait()

    async def _show(self, shards: HeldShards) -> None:
        """Keep the entries as the supervisor's workers are."""
        while True:
            await self._assigned.wait()
            self._assigned.clear()
            try:
                if self._client is not None and self._client.is_connected:
                    await shards.show_workers(self._workers)
            except (*NATS_ERRORS, ValueError) as error:
                self._on_problem(f"{type(error).__name__}: {error}")

    async def _work(self, leases: Leases, shards: HeldShards, membership: Membership, deliveries: Deliveries) -> None:
        while True:
            started = time.monotonic()
            try:
                if self._client is not None and self._client.is_connected:
                    await self._turn(leases, shards, membership, deliveries, started)
            except (*NATS_ERRORS, ValueError) as error:
                self._on_problem(f"{type(error).__name__}: {error}")
            await asyncio.sleep(max(0.01, started + min(TURN_S, leases.renew_s / 2) - time.monotonic()))

    async def _turn(
        self, leases: Leases, shards: HeldShards, membership: Membership, deliveries: Deliveries, now: float
    ) -> None:
        await shards.renew()
        await deliveries.pull()
        node = membership.refresh()
        if self._is_due("announce", node.every_s, now):
            membership.forget_silent()
            await membership.announce()
        if self._is_due("audit", AUDIT_S, now):
            membership.board.shares.shards = (await self._store.settings()).shards
            for shard in list(leases.shards):
                await shards.audit(shard)
        leaving = [shard for shard, held in leases.shards.items() if held.leaving_since is not None]
        if leaving and self._is_due("leaving", 1.0, now):
            for shard in leaving:
                await shards.audit(shard)
        if self._draining:
            await self._leave(shards, dict.fromkeys(node.held[: HANDOVERS_MAX - len(leaving)], False))
        elif self._is_due("balance", BALANCE_S, now) and not leaving:
            await self._balance(leases, shards, membership)
        if not leases.is_silent(time.monotonic()):
            self._problem = ""

    async def _balance(self, leases: Leases, shards: HeldShards, membership: Membership) -> None:
        board, me = membership.board, self._me.node
        desired = {
            shard: held.desired
            for shard, held in leases.shards.items()
            if not avoided(held.entry.failed, held.desired.table, time.time())  # it would come back
        }
        misplaced = dict.fromkeys(board.misplaced(me, desired)[:HANDOVERS_MAX], False)
        surplus = len(leases.shards) - board.shares.bound(me, "share")
        count = min(self._release.count(surplus, board.shares.demand, time.monotonic()), HANDOVERS_MAX)
        released = {} if misplaced else board.to_release(me, desired, count)
        await self._leave(shards, misplaced or released, gentle=not misplaced)

    async def _leave(self, shards: HeldShards, leaving: Mapping[str, bool], *, gentle: bool = False) -> None:
        """Begin to hand shards over; with each, whether only a node that lacks shards may take it."""
        for shard, lacking in leaving.items():
            self._released += 1
            await shards.leave(shard, lacking=lacking, gentle=gentle)

    def _is_due(self, what: str, every_s: float, now: float) -> bool:
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    # ---- what comes in

    async def _on_drain(self, message: Any) -> None:
        with contextlib.suppress(ValueError):
            self._draining = decode(message.data, NodeRequest).on
            self._context.log.info("drain", state="begun" if self._draining else "ended")
            self._due.pop("announce", None)
            if message.reply and self._client is not None:
                await self._client.publish(message.reply, b"{}")

    async def _on_changed(self, message: Any) -> None:
        self._due.pop("audit", None)

    async def _on_reconnected(self) -> None:
        self._context.log.info("cluster_reconnected")
        if self._deliveries is not None:
            self._deliveries.reconnected()
        self._due.pop("audit", None)
        self._due.pop("announce", None)

    async def _on_disconnected(self) -> None:
        self._problem = "NATS does not answer"
        self._context.log.warning("cluster_disconnected")

    def _on_problem(self, reason: str) -> None:
        if reason != self._problem:
            self._context.log.warning("cluster_problem", reason=reason)
        self._problem = reason
