"""The cluster's buckets and its work queue in JetStream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import nats.errors
from nats.js import api
from nats.js.errors import APIError, BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError

from foxtrot_supervisor.cluster import names
from foxtrot_supervisor.cluster.connection import ANSWER_S
from foxtrot_supervisor.cluster.model import ClusterSettings, Desired, Holder, NodeInfo, decode, encode
from foxtrot_supervisor.cluster.overview import Overview, overview_of
from foxtrot_supervisor.config.cluster import ClusterConfig

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js.kv import KeyValue

__all__ = ["NATS_ERRORS", "NotPrepared", "Store"]

NATS_ERRORS: Final = (nats.errors.Error, TimeoutError, OSError)
"""What a request raises while the servers do not answer, or refuse."""

NODES_TTL_S: Final = 3600
"""How long a node that is away is shown."""

READER_S: Final = 10.0
"""How long the server keeps the consumer of a reader that has gone."""

REQUESTS_MAX: Final = 8192
"""Nodes that may wait for shards at once: each has one open request. The server's default is 512."""

PENDING_MAX: Final = 1_000_000
"""Shards that nodes may hold together."""


class NotPrepared(Exception):
    """The streams and buckets do not exist: nothing has been applied yet."""


class Store:
    """Reads and writes what nodes and operators share."""

    def __init__(self, client: Client) -> None:
        self._js = client.jetstream(timeout=ANSWER_S)
        self._buckets: dict[str, KeyValue] = {}

    async def open(self) -> ClusterSettings:
        """Look for all buckets; return what holds for all nodes. Raises `NotPrepared`."""
        try:
            for bucket in (names.DESIRED, names.HOLDERS, names.NODES, names.CLUSTER):
                self._buckets[bucket] = await self._js.key_value(bucket)
            return await self.settings()
        except (BucketNotFoundError, KeyNotFoundError, NotFoundError):
            raise NotPrepared from None

    async def settings(self) -> ClusterSettings:
        """Return what holds for all nodes."""
        entry = await self._buckets[names.CLUSTER].get(names.SETTINGS)
        return decode(entry.value or b"", ClusterSettings)

    async def prepare(self, cluster: ClusterConfig, shards: int) -> None:
        """Create what is missing, and set what holds for all nodes; `shards`: their number."""
        for bucket in (names.DESIRED, names.HOLDERS, names.NODES, names.CLUSTER):
            try:
                self._buckets[bucket] = await self._js.key_value(bucket)
            except (BucketNotFoundError, NotFoundError):
                ttl = NODES_TTL_S if bucket == names.NODES else None
                self._buckets[bucket] = await self._js.create_key_value(
                    bucket=bucket, history=1, ttl=ttl, replicas=cluster.replicas, direct=True
                )
        stream = api.StreamConfig(
            name=names.SHARDS,
            subjects=[names.shard_subject(">")],
            retention=api.RetentionPolicy.WORK_QUEUE,
            storage=api.StorageType.FILE,
            num_replicas=cluster.replicas,
            max_msgs_per_subject=1,
            discard=api.DiscardPolicy.OLD,
        )
        try:
            await self._js.stream_info(names.SHARDS)
        except NotFoundError:
            await self._js.add_stream(stream)
        await self._js.add_consumer(  # also changes one that is there
            names.SHARDS,
            api.ConsumerConfig(
                durable_name=names.CONSUMER,
                ack_policy=api.AckPolicy.EXPLICIT,
                ack_wait=cluster.ack_wait_s,
                max_ack_pending=PENDING_MAX,
                max_waiting=REQUESTS_MAX,
            ),
        )
        settings = ClusterSettings(ack_wait_s=cluster.ack_wait_s, lease_s=cluster.lease_s, shards=shards)
        await self._buckets[names.CLUSTER].put(names.SETTINGS, encode(settings))

    # ---- desired shards

    async def desired(self, shard: str) -> Desired | None:
        """Return a shard as it is configured, None if it is not."""
        value = await self._value(names.DESIRED, shard)
        return None if value is None else decode(value[0], Desired)

    async def all_desired(self) -> dict[str, Desired]:
        """Return all shards as configured."""
        return {shard: decode(value, Desired) for shard, value in (await self._all(names.DESIRED)).items()}

    async def put_desired(self, desired: Desired) -> None:
        """Write a shard."""
        await self._buckets[names.DESIRED].put(desired.shard, encode(desired))

    async def enqueue(self, shard: str, base: int) -> None:
        """Queue a shard's message unless it is there; `base`: token of its last holder, 0 for none."""
        try:
            await self._js.publish(
                names.shard_subject(shard),
                json.dumps({"shard": shard, "base": base}).encode(),
                headers={api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: "0"},
            )
        except APIError as error:
            if error.err_code != 10071:  # wrong last sequence: the message is there
                raise

    async def remove(self, shard: str) -> None:
        """Remove a shard: its holder stops it."""
        await self._buckets[names.DESIRED].delete(shard)
        await self._js.purge_stream(names.SHARDS, subject=names.shard_subject(shard))

    # ---- holders

    async def holder(self, shard: str) -> tuple[Holder | None, int]:
        """Return the entry of a shard and its revision; None and 0 if it has none."""
        value = await self._value(names.HOLDERS, shard)
        return (None, 0) if value is None else (decode(value[0], Holder), value[1])

    async def all_holders(self) -> dict[str, Holder]:
        """Return all entries."""
        return {shard: decode(value, Holder) for shard, value in (await self._all(names.HOLDERS)).items()}

    async def put_holder(self, shard: str, holder: Holder, revision: int) -> int | None:
        """Write an entry if its revision is still `revision`; return the new one, None if another was faster."""
        try:
            return await self._buckets[names.HOLDERS].update(shard, encode(holder), last=revision)
        except KeyWrongLastSequenceError:
            return None

    # ---- nodes

    async def announce(self, node: NodeInfo) -> None:
        """Write what a node says of itself."""
        await self._buckets[names.NODES].put(node.node, encode(node))

    async def withdraw(self, name: str) -> None:
        """Remove a node that has ended."""
        await self._buckets[names.NODES].delete(name)

    async def all_nodes(self) -> dict[str, tuple[NodeInfo, float]]:
        """Return all nodes, with the Unix time of their last word."""
        return {name: (decode(value, NodeInfo), at) for name, (value, at) in (await self._all_at(names.NODES)).items()}

    async def queue_info(self) -> Mapping[str, int]:
        """Return how many shards there are, are held, and wait for a node with room."""
        info = await self._js.consumer_info(names.SHARDS, names.CONSUMER)
        return {"held": info.num_ack_pending or 0, "waiting": info.num_pending or 0}

    async def consumers_of_events(self) -> dict[str, int]:
        """Return by name of each engine how many batches it has not taken yet; empty without a stream of events."""
        try:
            consumers = await self._js.consumers_info(names.EVENTS)
        except NotFoundError:
            return {}
        return {info.name: (info.num_pending or 0) + (info.num_ack_pending or 0) for info in consumers}

    async def overview(self, now: float) -> Overview:
        """Return the state of the whole cluster; `now`: Unix time in seconds. Raises `NotPrepared`."""
        await self.open()
        nodes, desired, holders = await self.all_nodes(), await self.all_desired(), await self.all_holders()
        waiting = (await self.queue_info())["waiting"]
        return overview_of(nodes, desired, holders, now, waiting, await self.consumers_of_events())

    async def _value(self, bucket: str, key: str) -> tuple[bytes, int] | None:
        try:
            entry = await self._buckets[bucket].get(key)
        except KeyNotFoundError:
            return None
        return entry.value or b"", entry.revision or 0

    async def _all(self, bucket: str) -> dict[str, bytes]:
        return {key: value for key, (value, _) in (await self._all_at(bucket)).items()}

    async def _all_at(self, bucket: str) -> dict[str, tuple[bytes, float]]:
        found: dict[str, tuple[bytes, float]] = {}
        subject, stream = f"$KV.{bucket}.", f"KV_{bucket}"
        reader = await self._js.subscribe(
            f"{subject}>",
            stream=stream,
            ordered_consumer=True,
            deliver_policy=api.DeliverPolicy.LAST_PER_SUBJECT,
            inactive_threshold=READER_S,
        )
        try:
            consumer = await reader.consumer_info()
            left = (consumer.num_pending or 0) + consumer.delivered.consumer_seq if consumer.delivered else 0
            while left > 0:
                message = await reader.next_msg(timeout=ANSWER_S)
                left = message.metadata.num_pending
                if not (message.headers and "KV-Operation" in message.headers):  # else it was deleted
                    at = message.metadata.timestamp.timestamp()
                    found[message.subject.removeprefix(subject)] = (message.data, at)
        finally:
            await reader.unsubscribe()
        await self._js.delete_consumer(stream, consumer.name)
        return found
