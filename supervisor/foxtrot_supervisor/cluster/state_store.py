"""Where the states of engines are kept in NATS: a bucket of keys, written with compare-and-set."""

from __future__ import annotations

from typing import Any

import msgspec

from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.cluster.engine_state import (
    INLINE_BYTES_MAX,
    PART_BYTES,
    EngineState,
    PositionParts,
    decode_state,
    encode_state,
    joined_positions,
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

    async def positions_of(self, state: EngineState) -> bytes:
        """Return the content of the file of positions that `state` holds; raises `MalformedMessage`."""
        parts = []
        if state.parts is not None:
            for index in range(state.parts.count):
                try:
                    parts.append((await self._bucket.get(self._part(state.parts.bank, index))).value)
                except errors.KeyNotFoundError:
                    raise MalformedMessage("state of an engine: a part of its positions is missing") from None
        return joined_positions(state, parts)

    def take(self, revision: int) -> None:
        """Write over this revision next."""
        self._revision = revision

    async def write(self, state: EngineState, packed: bytes, checksum: int) -> EngineState:
        """Write `state` with packed positions; returns what was written. Raises `Superseded`, `nats.errors.Error`."""
        if len(packed) <= INLINE_BYTES_MAX:
            state = msgspec.structs.replace(state, positions=packed, parts=None, checksum=checksum)
        else:
            bank = 1 - state.parts.bank if state.parts is not None else 0
            chunks = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
            for index, chunk in enumerate(chunks):
                await self._bucket.put(self._part(bank, index), chunk)
            state = msgspec.structs.replace(
                state, positions=b"", parts=PositionParts(bank, len(chunks)), checksum=checksum
            )
        value = encode_state(state)
        try:
            self._revision = await self._bucket.update(self._name, value, last=self._revision)
        except errors.KeyWrongLastSequenceError:
            # a write of ours whose acknowledgement was lost is no other run's
            found, revision = await self.read()
            if found is None or found.holder != state.holder:
                raise Superseded from None
            self._revision = await self._bucket.update(self._name, value, last=revision)
        return state

    def _part(self, bank: int, index: int) -> str:
        return f"{self._name}.{bank}.{index}"
