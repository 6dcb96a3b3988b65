"""Pulls shards from the work queue and finds a node for each: this one or another."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import nats.errors

from foxtrot_protocol.child import ChildLog
from foxtrot_supervisor.cluster import names
from foxtrot_supervisor.cluster.failures import avoided
from foxtrot_supervisor.cluster.lease import Delivery, Leases, judge, patience_s, request_s
from foxtrot_supervisor.cluster.membership import Membership
from foxtrot_supervisor.cluster.model import Desired, Holder, NodeRequest, decode, encode
from foxtrot_supervisor.cluster.pace import Admission
from foxtrot_supervisor.cluster.placement import accepts, closeness, twin_of
from foxtrot_supervisor.cluster.shards import HeldShards, Identity
from foxtrot_supervisor.cluster.shares import Limit, limit_of
from foxtrot_supervisor.cluster.store import NATS_ERRORS, Store
from foxtrot_supervisor.system.ending import end_tasks

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["Deliveries"]

BATCH: Final = 4
"""Shards that one request asks for: few, so that nodes that start together share them."""

REFUSED_S: Final = 1.0
"""Delay until a shard that no node has room for is delivered again."""

FAILED_S: Final = 5.0
"""The same for one that has failed on nodes which would have room."""

CLAIM_S: Final = 0.25
"""Longest wait for the answer of a holder, or of a node that is offered a shard."""

OFFERS_MAX: Final = 5
"""Nodes that are offered a shard before one must take it beyond its share."""

EXPIRED: Final = "408"
"""Status with which the server ends a request."""

_NEXT = f"$JS.API.CONSUMER.MSG.NEXT.{names.SHARDS}.{names.CONSUMER}"


class Deliveries:
    """One request for shards at a time; deliveries are decided about side by side.

    Args:
        client: the connection.
        store: buckets.
        leases: the shards of this node.
        shards: takes them.
        membership: the other nodes.
        me: this node.
        draining: whether this node takes no shards.
        log: gets what could not be decided.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        leases: Leases,
        shards: HeldShards,
        membership: Membership,
        me: Identity,
        draining: Callable[[], bool],
        log: ChildLog,
    ) -> None:
        self._client = client
        self._store = store
        self._leases = leases
        self._shards = shards
        self._membership = membership
        self._me = me
        self._draining = draining
        self._log = log
        self._connected_at = time.monotonic()
        self._asked_for = 0
        self._asked_until = 0.0
        self._inbox = client.new_inbox()
        self._admission = Admission()
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = False

    async def start(self) -> None:
        """Begin to answer other nodes, and to receive deliveries."""
        await self._client.subscribe(self._inbox, cb=self._on_delivery)
        await self._client.subscribe(names.node_subject(self._me.node, "claim"), cb=self._on_claim)
        await self._client.subscribe(names.node_subject(self._me.node, "offer"), cb=self._on_offer)
        await self._client.subscribe(names.node_subject(self._me.node, "fenced"), cb=self._on_fenced)

    async def close(self) -> None:
        """Decide about nothing any more."""
        self.closed = True
        await end_tasks(*self._tasks)

    def reconnected(self) -> None:
        """The server knows nothing of an earlier request; other nodes may be on their way back."""
        self._connected_at = time.monotonic()
        self._asked_for = 0

    async def pull(self) -> None:
        """Ask for as many shards as this node has room for, unless a request is open."""
        now = time.monotonic()
        if now >= self._asked_until:
            self._asked_for = 0
        room = (self._membership.refresh().capacity) - len(self._leases.shards) - len(self._tasks)
        if self._asked_for or self._draining() or self.closed or room <= 0:
            return
        self._asked_for = min(room, BATCH)
        open_s = request_s(self._leases.ack_wait_s)
        self._asked_until = now + open_s * 1.2
        request = {"batch": self._asked_for, "expires": int(open_s * 1e9)}
        await self._client.publish(_NEXT, json.dumps(request).encode(), reply=self._inbox)

    # ---- deliveries

    async def _on_delivery(self, message: Any) -> None:
        if message.headers and "Status" in message.headers:
            self._asked_for = 0
            if message.headers["Status"] == EXPIRED:
                await self.pull()  # not with the next turn: a shard would wait for it
            return
        self._asked_for = max(0, self._asked_for - 1)
        if self.closed:
            return
        try:
            content = json.loads(message.data)
            token = int(content["base"]) + message.metadata.num_delivered
            delivery = Delivery(shard=str(content["shard"]), token=token, ack=message.reply)
        except (ValueError, KeyError, TypeError, nats.errors.Error) as error:
            self._log.error("delivery_unreadable", subject=message.subject, reason=str(error))
            return
        task = asyncio.create_task(self._decide(delivery), name=f"delivery-{delivery.shard}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _decide(self, delivery: Delivery) -> None:
        try:
            desired = await self._store.desired(delivery.shard)
            if desired is None:
                await self._shards.finish(delivery.ack)
                return
            holder, revision = await self._store.holder(delivery.shard)
            held = delivery.shard in self._leases.shards
            verdict = judge(delivery, holder, self._me.node, self._me.instance, held=held)
            if verdict == "keep":
                await self._shards.keep(delivery)
                return
            if verdict == "ask" and holder is not None and await self._is_alive(delivery, holder.node):
                return
            if verdict != "outdated":
                await self._place(delivery, desired, holder, revision)
        except NATS_ERRORS as error:
            self._log.warning("delivery_undecided", shard=delivery.shard, reason=f"{type(error).__name__}: {error}")
        except ValueError as error:
            self._log.error("entry_unreadable", shard=delivery.shard, reason=str(error))

    async def _is_alive(self, delivery: Delivery, node: str) -> bool:
        """Whether the holder goes on with the shard, under the token of this delivery."""
        request = encode(NodeRequest(shard=delivery.shard, token=delivery.token, ack=delivery.ack))
        deadline = time.monotonic() + patience_s(self._leases.ack_wait_s, time.monotonic() - self._connected_at)
        while True:
            answer = await self._ask(node, "claim", request)
            if answer is not None:
                return bool(answer.get("held"))
            if time.monotonic() >= deadline:
                return False
            await self._shards.progress(delivery.ack)
            await asyncio.sleep(min(CLAIM_S, max(0.0, deadline - time.monotonic())))

    async def _place(self, delivery: Delivery, desired: Desired, holder: Holder | None, revision: int) -> None:
        leaving = holder.node if holder is not None and holder.state == "leaving" else ""
        lacking = bool(leaving) and holder is not None and holder.lacking
        gentle = bool(leaving) and holder is not None and holder.gentle
        failing = avoided(holder.failed, desired.table, time.time()) if holder is not None else {}
        refused = {*failing, leaving} if leaving else set(failing)
        twin, _ = await self._store.holder(twin_of(delivery.shard))
        if twin is not None and twin.state == "gone":
            twin = None
        is_close = holder is not None and closeness(holder, twin) > 0
        board, me = self._membership.board, self._me.node
        for forced in (False, True):
            self._membership.refresh()
            limit = limit_of(lacking=lacking, forced=forced)
            offers = board.ranked(desired, me, twin=twin, limit=limit, gentle=gentle, but=refused, count=OFFERS_MAX)
            for name in offers:
                if name != me:
                    if await self._offer(delivery, name, forced=forced, lacking=lacking, gentle=gentle):
                        return
                elif self._accepts(desired, limit, gentle=gentle):
                    await self._shards.take(delivery, desired, holder, revision)  # else another was faster
                    return
            if leaving and (forced or not is_close) and await self._give_back(delivery, leaving):
                return
        # not for as long as the nodes that have failed wait: another one may join
        await self._shards.refuse(delivery.ack, FAILED_S if failing else REFUSED_S)

    async def _give_back(self, delivery: Delivery, node: str) -> bool:
        """Have the holder keep a shard that it wanted to hand over; it refuses while it is drained."""
        request = NodeRequest(shard=delivery.shard, token=delivery.token, ack=delivery.ack, forced=True)
        if node == self._me.node:
            return await self._claimed(request)
        answer = await self._ask(node, "claim", encode(request))
        return bool(answer and answer.get("held"))

    def _accepts(self, desired: Desired, limit: Limit, *, gentle: bool) -> bool:
        """Return whether this node takes a shard; `gentle`: one that comes only to even out the load."""
        this, shares = self._membership.refresh(), self._membership.board.shares
        if not accepts(this, desired, shares.bound(this.node, limit)):
            return False
        paced = gentle and limit != "room"
        return not paced or self._admission.admit(shares.bound(this.node, "share"), time.monotonic())

    async def _offer(self, delivery: Delivery, node: str, *, forced: bool, lacking: bool, gentle: bool) -> bool:
        request = encode(
            NodeRequest(
                shard=delivery.shard,
                token=delivery.token,
                ack=delivery.ack,
                forced=forced,
                lacking=lacking,
                gentle=gentle,
            )
        )
        answer = await self._ask(node, "offer", request)
        if answer is None:
            self._membership.away(node)
            await self._shards.progress(delivery.ack)
            return False
        return bool(answer.get("taken"))

    async def _ask(self, node: str, verb: str, request: bytes) -> dict[str, Any] | None:
        """Return the answer of a node, None if it does not answer."""
        try:
            reply = await self._client.request(names.node_subject(node, verb), request, timeout=CLAIM_S)
            answer: dict[str, Any] = json.loads(reply.data)
        except (*NATS_ERRORS, ValueError):
            return None
        return answer

    # ---- requests of other nodes

    async def _on_claim(self, message: Any) -> None:
        request = self._request(message)
        if request is None:
            return
        held = await self._claimed(request)
        await self._reply(message, {"held": held, "instance": self._me.instance})

    async def _claimed(self, request: NodeRequest) -> bool:
        delivery = Delivery(shard=request.shard, token=request.token, ack=request.ack)
        held = self._leases.claim(delivery, back=request.forced and not self._draining())
        if held:
            self._begin(self._shards.take_back(request.shard), f"back-{request.shard}")
            self._begin(self._shards.write(request.shard), f"write-{request.shard}")
        return held

    async def _on_offer(self, message: Any) -> None:
        request = self._request(message)
        if request is not None:
            self._begin(self._answer_offer(message, request), f"offer-{request.shard}")

    async def _answer_offer(self, message: Any, request: NodeRequest) -> None:
        taken = False
        try:
            desired = await self._store.desired(request.shard)
            holder, revision = await self._store.holder(request.shard)
            known = holder is not None and holder.token >= request.token
            limit = limit_of(lacking=request.lacking, forced=request.forced)
            usable = desired is not None and not known and not self._draining()
            if desired is not None and holder is not None:
                usable = usable and self._me.node not in avoided(holder.failed, desired.table, time.time())
            if desired is not None and usable and self._accepts(desired, limit, gentle=request.gentle):
                delivery = Delivery(shard=request.shard, token=request.token, ack=request.ack)
                taken = not self.closed and await self._shards.take(delivery, desired, holder, revision)
        except (*NATS_ERRORS, ValueError) as error:
            self._log.warning("offer_undecided", shard=request.shard, reason=f"{type(error).__name__}: {error}")
        await self._reply(message, {"taken": taken})

    async def _on_fenced(self, message: Any) -> None:
        request = self._request(message)
        if request is not None and request.shard in self._leases.shards:
            self._begin(self._shards.audit(request.shard), f"audit-{request.shard}")

    def _begin(self, work: Any, name: str) -> None:
        async def run() -> None:
            try:
                await work
            except (*NATS_ERRORS, ValueError) as error:
                self._log.warning("request_undecided", request=name, reason=f"{type(error).__name__}: {error}")

        task = asyncio.create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _request(self, message: Any) -> NodeRequest | None:
        try:
            return decode(message.data, NodeRequest)
        except ValueError as error:
            self._log.error("request_unreadable", subject=message.subject, reason=str(error))
            return None

    async def _reply(self, message: Any, answer: dict[str, Any]) -> None:
        if message.reply:
            await self._client.publish(message.reply, json.dumps(answer).encode())
