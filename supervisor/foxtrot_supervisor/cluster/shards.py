"""The shards of one node as JetStream sees them: taking, renewing, handing over and losing them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from foxtrot_protocol.child import ChildLog
from foxtrot_supervisor.cluster import names
from foxtrot_supervisor.cluster.connection import ANSWER_S
from foxtrot_supervisor.cluster.failures import given_up, noted
from foxtrot_supervisor.cluster.lease import Delivery, HeldShard, Leases, next_part
from foxtrot_supervisor.cluster.model import Desired, Holder, NodeRequest, Previous, encode
from foxtrot_supervisor.cluster.store import NATS_ERRORS, Store

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["HeldShards", "Identity"]

RENEWED_AT_A_TIME: Final = 64
"""Renewals that wait for an answer."""

_LIVING = ("STARTING", "CONNECTING", "RUNNING", "STOPPING", "LOST")

_PROGRESS, _AGAIN, _DONE = b"+WPI", b"-NAK", b"+ACK"


class Identity:
    """This node, in this run."""

    def __init__(self, node: str, instance: str, host: str, addresses: Sequence[str]) -> None:
        self.node = node
        self.instance = instance
        self.host = host
        self.addresses = list(addresses)


class HeldShards:
    """Every change of a shard's entry goes through here.

    Args:
        client: the connection.
        store: buckets.
        leases: the shards of this node.
        me: this node.
        changed: is called when the shards, or what is known of one, have changed.
        log: gets what is taken, handed over and lost.
    """

    def __init__(
        self, client: Client, store: Store, leases: Leases, me: Identity, changed: Callable[[], None], log: ChildLog
    ) -> None:
        self._client = client
        self._store = store
        self._leases = leases
        self._me = me
        self._changed = changed
        self._log = log
        self._renewing = asyncio.Semaphore(RENEWED_AT_A_TIME)

    async def take(self, delivery: Delivery, desired: Desired, holder: Holder | None, revision: int) -> bool:
        """Become the holder under the token of `delivery`; return whether no other was faster."""
        previous = None
        if holder is not None and holder.state == "leaving":
            previous = Previous(holder.node, holder.epoch, holder.part)
        entry = Holder(
            token=delivery.token,
            epoch=delivery.token,
            node=self._me.node,
            instance=self._me.instance,
            host=self._me.host,
            addresses=self._me.addresses,
            connection=desired.connection,
            side=desired.side,
            part=next_part(desired.side, holder),
            state="starting",
            ack=delivery.ack,
            previous=previous,
            failed={} if holder is None else holder.failed,
        )
        sent_at = time.monotonic()
        written = await self._store.put_holder(delivery.shard, entry, revision)
        if written is None:
            return False
        self._leases.contact(sent_at)
        self._leases.shards[delivery.shard] = HeldShard(
            desired=desired,
            token=delivery.token,
            epoch=delivery.token,
            part=entry.part,
            ack=delivery.ack,
            revision=written,
            entry=entry,
            renewed_at=sent_at,
        )
        self._log.info(
            "shard_taken", shard=delivery.shard, token=delivery.token, holder=None if holder is None else holder.node
        )
        if holder is not None and holder.state != "leaving" and holder.node != self._me.node:
            await self.notify(holder.node, delivery.shard, delivery.token)
        self._changed()
        return True

    def adopt(self, held: HeldShard) -> None:
        """Go on with a shard that this run has held before its agent was replaced."""
        self._leases.shards[held.desired.shard] = held
        self._changed()

    async def keep(self, delivery: Delivery) -> bool:
        """Go on as the holder under a higher token; return whether this node holds the shard."""
        if not self._leases.claim(delivery):
            return False
        await self.write(delivery.shard)
        return True

    async def take_back(self, shard: str) -> None:
        """Write that a shard that was to be handed over stays."""
        held = self._leases.shards.get(shard)
        if held is not None and held.entry.state == "leaving":
            await self.write(shard, state="serving", lacking=False, gentle=False)

    async def write(self, shard: str, **changes: Any) -> bool:
        """Write the entry of a held shard, if it differs; return False if the shard has been lost."""
        held = self._leases.shards.get(shard)
        if held is None:
            return False
        entry = structs.replace(held.entry, token=held.token, ack=held.ack, **changes)
        if entry == held.entry:
            return True
        sent_at = time.monotonic()
        written = await self._store.put_holder(shard, entry, held.revision)
        if written is None:
            return await self.audit(shard)
        held.entry, held.revision = entry, written
        self._leases.contact(sent_at)
        return True

    async def audit(self, shard: str) -> bool:
        """Compare with the bucket; return whether this node still has the shard."""
        held = self._leases.shards.get(shard)
        if held is None:
            return False
        sent_at = time.monotonic()
        desired = await self._store.desired(shard)
        holder, revision = await self._store.holder(shard)
        self._leases.contact(sent_at)
        if self._leases.shards.get(shard) is not held:
            return False
        if desired is None:
            await self._acknowledge(held.ack, _DONE)
            await self._store.put_holder(shard, structs.replace(held.entry, state="gone", workers={}), held.revision)
            self.drop(shard, "it is no longer configured")
            return False
        if self._leases.is_lost(shard, holder, self._me.instance):
            assert holder is not None
            self.drop(shard, f"{holder.node} holds it under token {holder.token}")
            return False
        if holder is not None and holder.instance == self._me.instance:
            held.revision, held.entry = revision, holder
        if desired.table != held.desired.table:
            self._changed()
        held.desired = desired
        return True

    async def leave(self, shard: str, *, lacking: bool, gentle: bool) -> None:
        """Begin to hand a shard over: it serves until its successor does; `lacking`, `gentle`: see `Holder`."""
        held = self._leases.shards.get(shard)
        if held is None or held.leaving_since is not None:
            return
        if await self.write(shard, state="leaving", lacking=lacking, gentle=gentle):
            held.leaving_since = time.monotonic()
            self._log.info("shard_leaves", shard=shard, token=held.token)
            await self._acknowledge(held.ack, _AGAIN)
            self._changed()

    async def give_up(self, shard: str, reason: str) -> None:
        """Give a shard back whose worker has failed for good: other nodes may try."""
        held = self._leases.shards.get(shard)
        if held is None:
            return
        failed = noted(held.entry.failed, self._me.node, reason, held.desired.table, time.time())
        if await self.write(shard, state="gone", workers={}, failed=failed):
            self._log.error("shard_given_up", shard=shard, token=held.token, reason=reason)
            self.drop(shard, reason)
            if held.leaving_since is None:
                await self._acknowledge(held.ack, _AGAIN)

    async def release_all(self) -> None:
        """Give all shards back at once, since this node ends."""

        async def release(held: HeldShard) -> None:
            await self.write(held.desired.shard, state="gone", workers={})
            if held.leaving_since is None:
                await self._acknowledge(held.ack, _AGAIN)

        await asyncio.gather(*(release(held) for held in list(self._leases.shards.values())), return_exceptions=True)
        self._leases.shards.clear()
        self._changed()

    def drop(self, shard: str, reason: str) -> None:
        """Stop a shard."""
        if self._leases.shards.pop(shard, None) is not None:
            self._log.info("shard_lost", shard=shard, reason=reason)
            self._changed()

    async def renew(self) -> None:
        """Renew what is due; an answer of the server counts as contact."""
        await asyncio.gather(*(self._renew(held.ack) for held in self._leases.due(time.monotonic())))

    async def _renew(self, ack: str) -> None:
        async with self._renewing:
            sent_at = time.monotonic()
            try:
                await self._client.request(ack, _PROGRESS, timeout=min(ANSWER_S, self._leases.ack_wait_s))
            except NATS_ERRORS:
                return
            self._leases.contact(sent_at)

    async def notify(self, node: str, shard: str, token: int) -> None:
        """Tell a node that a shard has a higher token, or that its successor serves."""
        request = NodeRequest(shard=shard, token=token)
        await self._client.publish(names.node_subject(node, "fenced"), encode(request))

    async def progress(self, ack: str) -> None:
        """Keep a delivery that is being decided about."""
        await self._acknowledge(ack, _PROGRESS)

    async def refuse(self, ack: str, delay_s: float) -> None:
        """Have the shard delivered again after a while: no node has room."""
        await self._acknowledge(ack, _AGAIN + b' {"delay": %d}' % int(delay_s * 1e9))

    async def finish(self, ack: str) -> None:
        """Remove the message of a shard that is no longer configured."""
        await self._acknowledge(ack, _DONE)

    async def _acknowledge(self, ack: str, word: bytes) -> None:
        await self._client.publish(ack, word)

    async def show_workers(self, workers: Mapping[str, Mapping[str, Any]]) -> None:
        """Write which workers live, and that a shard serves; `workers`: incarnation and state by name."""
        for shard, held in list(self._leases.shards.items()):
            prefix = f"{held.local_name}."
            living = {
                name: int(worker["incarnation"])
                for name, worker in workers.items()
                if name.startswith(prefix) and worker["state"] in _LIVING
            }
            if reason := given_up({name: worker for name, worker in workers.items() if name.startswith(prefix)}):
                await self.give_up(shard, reason)
                continue
            serves = any(workers[name]["state"] == "RUNNING" for name in living)
            changes: dict[str, Any] = {"workers": living}
            before = held.entry.previous
            if serves and held.leaving_since is None:
                changes.update(state="serving", previous=None)
            if await self.write(shard, **changes) and "previous" in changes and before is not None:
                await self.notify(before.node, shard, held.token)
