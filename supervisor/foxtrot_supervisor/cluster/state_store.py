"""Where the states of engines are kept in NATS: a bucket of keys, written with compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.cluster.engine_state import (
    Base,
    BaseRef,
    EngineState,
    decode_state,
    encode_state,
    unpacked_base,
)
from foxtrot_supervisor.cluster.nats_client import Client, api, errors
from foxtrot_supervisor.config.cluster import ClusterConfig

__all__ = ["ENGINES", "StateStore", "Superseded"]

ENGINES = "foxtrot_engines"
"""Bucket: the state of each engine by its name."""


class Superseded(Exception):
    """Another run has taken this engine over."""


class StateStore:
    """The key of one engine; make it with `open`."""

    def __init__(self, bucket: Any, name: str) -> None:
        self._bucket = bucket
        self._name = name
        self._revision = 0

    @classmethod
    async def open(cls, client: Client, settings: ClusterConfig, name: str) -> StateStore:
        """Find or create the bucket; raises `nats.errors.Error`, TimeoutError."""
        js: Any = client.jetstream()
        try:
            bucket = await js.key_value(ENGINES)
        except errors.BucketNotFoundError:
            bucket = await js.create_key_value(
                api.KeyValueConfig(bucket=ENGINES, history=1, storage=api.StorageType.FILE, replicas=settings.replicas)
            )
        return cls(bucket, name)

    async def read(self) -> tuple[EngineState | None, int]:
        """Return the state and its revision; None and 0 if there is none. Raises `MalformedMessage`."""
        try:
            entry = await self._bucket.get(self._name)
        except errors.KeyNotFoundError:
            return None, 0
        return decode_state(entry.value), entry.revision

    async def base_of(self, ref: BaseRef) -> Base:
        """Return the base that `ref` names; raises `MalformedMessage`."""
        parts = []
        for index in range(ref.count):
            try:
                parts.append((await self._bucket.get(self._part(ref, index))).value)
            except errors.KeyNotFoundError:
                raise MalformedMessage("state of an engine: a part of its positions is missing") from None
        return unpacked_base(ref, parts)

    def take(self, revision: int) -> None:
        """Write over this revision next."""
        self._revision = revision

    async def write_base(self, parts: Sequence[bytes], ref: BaseRef) -> None:
        """Write the parts of a base, which the next state names; raises `nats.errors.Error`."""
        for index, part in enumerate(parts):
            await self._bucket.put(self._part(ref, index), part)

    async def remove_base(self, ref: BaseRef) -> None:
        """Remove the parts of a base that no state names; raises `nats.errors.Error`."""
        for index in range(ref.count):
            await self._bucket.purge(self._part(ref, index))

    async def write(self, state: EngineState) -> None:
        """Write `state`. Raises `Superseded`, `nats.errors.Error`."""
        value = encode_state(state)
        try:
            self._revision = await self._bucket.update(self._name, value, last=self._revision)
        except errors.KeyWrongLastSequenceError:
            # a write of ours whose acknowledgement was lost is no other run's
            found, revision = await self.read()
            if found is None or found.holder != state.holder:
                raise Superseded from None
            self._revision = await self._bucket.update(self._name, value, last=revision)

    def _part(self, ref: BaseRef, index: int) -> str:
        return f"{self._name}.{ref.run}.{ref.bank}.{index}"
