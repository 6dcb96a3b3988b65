"""Holds an engine for this run: takes it from another holder, and writes its state.

The holder may hand events over only while it writes states: a holder that was cut off or stopped for longer than
`LEASE_S` may have a successor, and shows that it has none before it goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.errors import MalformedMessage
from foxtrot_supervisor.cluster.engine_state import (
    Base,
    BaseRef,
    EngineState,
    Known,
    LaneState,
    known_lanes,
    packed_base,
)
from foxtrot_supervisor.cluster.landed_ring import discard_rings
from foxtrot_supervisor.cluster.names import EVENTS
from foxtrot_supervisor.cluster.nats_client import NATS_ERRORS, Client
from foxtrot_supervisor.cluster.state_store import StateStore, Superseded
from foxtrot_supervisor.core.cluster_settings import LandingSettings
from foxtrot_supervisor.engine.delivery.positions import FILE_NAME as POSITIONS_NAME
from foxtrot_supervisor.system.private_files import create_private, opened_directory

__all__ = ["LEASE_S", "RETRY_S", "TAKEOVER_S", "EngineHold", "Snapshot"]

TAKEOVER_S = 5.0
"""Silence of the host that has the engine after which another one takes it over."""

LEASE_S = 2.5
"""Nothing is handed over this long after the last state that was written was begun."""

RETRY_S = 0.5
"""Interval of attempts while NATS does not answer."""

Key = tuple[str, int]


class Snapshot(Struct, frozen=True):
    """What the next state says."""

    position: int
    read: int
    repeating: bool
    lanes: Sequence[LaneState]
    """Those that differ from the base, or all, if `ended` is there."""
    begun: Sequence[LaneState]
    ended: Mapping[str, int] | None
    """With it a new base is written."""


class EngineHold:
    """This run's part in one engine, on the event loop."""

    def __init__(self, client: Client, context: ChildContext, settings: LandingSettings) -> None:
        self._client = client
        self._context = context
        self._settings = settings
        self._store: StateStore | None = None
        self._written_at = float("-inf")
        """When the last state that is durable was begun."""
        self._unused: list[BaseRef] = []
        self.base_cost_s = 0.0
        """How long it took to read and pack the last base."""
        self.known: dict[Key, Known] = {}
        """Lanes of the state that was found."""
        self.ended: dict[str, int] = {}
        self.start = 0
        """Stream sequence up to which nothing has to be read again."""
        self.state: EngineState
        """The last one that was written."""

    @property
    def is_sure(self) -> bool:
        """Whether no other run can have taken the engine."""
        return _now() - self._written_at < LEASE_S

    async def take(self, created: str, last: int, problem: Callable[[str], None]) -> None:
        """Become the holder of the engine, once no other run has it.

        Args:
            created: when the stream of events was created.
            last: its last stream sequence.
            problem: told what it waits for.
        """
        name, run_id, log = self._settings.engine, self._context.spec.run_id, self._context.log
        seen, seen_at = -1, 0.0
        while True:
            try:
                if self._store is None:
                    self._store = await StateStore.open(self._client, self._settings.cluster, name)
                state, revision = await self._store.read()
                if revision != seen:
                    seen, seen_at = revision, time.monotonic()
                waited = time.monotonic() - seen_at
                if state is None or state.holder in ("", run_id) or waited >= TAKEOVER_S:
                    self._store.take(revision)
                    await self._begin(self._store, state, created, last)
                    return
                problem(f"standby: {state.host} has the engine {name}")
            except Superseded:
                continue  # another standby was faster
            except NATS_ERRORS as error:
                problem(f"state of the engine: {error or type(error).__name__}")
            except MalformedMessage as error:
                log.error("engine_state_unreadable", engine=name, reason=error.reason)
                problem(error.reason)
            await asyncio.sleep(RETRY_S)

    async def _begin(self, store: StateStore, state: EngineState | None, created: str, last: int) -> None:
        """Continue where the state says, or begin; raises `Superseded` if another run was faster."""
        name, run_id, run_dir = self._settings.engine, self._context.spec.run_id, self._context.spec.run_dir
        same_run = state is not None and state.holder == run_id
        found = Base(0, (), {}, b"") if state is None else await store.base_of(state.base)
        began_at = _now()
        host, consumer = socket.gethostname(), f"engine-{name}-{run_id}"
        if state is not None and state.stream_created == created:
            base, known = found, known_lanes(state, found)
            repeating = state.repeating or (
                not same_run and any(each.reached.sequence > each.start.sequence for each in known.values())
            )
            began = msgspec.structs.replace(
                state, holder=run_id, host=host, consumer=consumer, repeating=repeating, beat=state.beat + 1
            )
        else:
            position = 0 if self._settings.from_start or state is not None else last
            base, known = msgspec.structs.replace(found, position=position, lanes=()), {}
            ref = await self._write_base(store, base, None if state is None else state.base)
            began = EngineState(
                holder=run_id,
                host=host,
                consumer=consumer,
                stream_created=created,
                position=position,
                read=position,
                base=ref,
            )
        await store.write(began)
        if state is not None and not same_run:
            # what is stored from now on cannot have been given to handlers before: the lease of that holder has ended
            latest = await self._last_sequence(last)
            began = msgspec.structs.replace(began, marks_to=latest, read=min(began.read, latest), beat=began.beat + 1)
            await store.write(began)
        self._written_at = began_at
        if state is not None and state.consumer != began.consumer:
            with contextlib.suppress(*NATS_ERRORS):
                js: Any = self._client.jetstream()
                await js.delete_consumer(EVENTS, state.consumer)
        if not same_run:
            discard_rings(run_dir)
        if base.positions:
            _restore_positions(run_dir, base.positions)
        if state is not None and began.base != state.base:
            self._unused.append(state.base)
        self.state, self.known, self.ended = began, known, dict(base.ended)
        self.start = began.position if same_run else base.position
        self._context.log.info(
            "engine_taken",
            engine=name,
            position=began.position,
            redelivered_to=began.marks_to,
            host="" if state is None else state.host,
        )

    async def _last_sequence(self, known: int) -> int:
        js: Any = self._client.jetstream()
        return max(known, int((await js.stream_info(EVENTS)).state.last_seq))

    async def write(self, holder: str, snapshot: Snapshot) -> None:
        """Write a state, and before it a new base if the snapshot has all lanes; raises `Superseded`, NATS errors."""
        store, state = self._store, self.state
        assert store is not None
        began_at = _now()
        ref = state.base
        if snapshot.ended is not None:
            # read after what is handled was noted: it holds that, and maybe more
            positions = await asyncio.to_thread(_positions, self._context.spec.run_dir)
            base = Base(snapshot.position, snapshot.lanes, snapshot.ended, positions)
            ref = await self._write_base(store, base, ref)
        state = msgspec.structs.replace(
            state,
            holder=holder,
            position=snapshot.position,
            read=snapshot.read,
            repeating=snapshot.repeating,
            lanes=() if snapshot.ended is not None else snapshot.lanes,
            begun=() if snapshot.ended is not None else snapshot.begun,
            base=ref,
            beat=state.beat + 1,
        )
        await store.write(state)
        self._written_at = began_at
        if ref != self.state.base and ref.run != self.state.base.run:
            self._unused.append(self.state.base)
        self.state = state
        while self._unused and self._unused[-1] != state.base:
            await store.remove_base(self._unused.pop())

    async def _write_base(self, store: StateStore, base: Base, before: BaseRef | None) -> BaseRef:
        """Write a base beside the one before, which stays readable."""
        began = time.monotonic()
        parts, checksum = await asyncio.to_thread(packed_base, base)
        self.base_cost_s = time.monotonic() - began
        run_id = self._context.spec.run_id
        bank = 1 - before.bank if before is not None and before.run == run_id else 0
        ref = BaseRef(run_id, bank, len(parts), checksum)
        await store.write_base(parts, ref)
        return ref


def _now() -> float:
    """Return monotonic seconds, in which the sleep of a suspended machine counts."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _positions(run_dir: str) -> bytes:
    """Return the engine's merge positions; b"" while it has none."""
    try:
        with open(os.path.join(run_dir, POSITIONS_NAME), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _restore_positions(run_dir: str, data: bytes) -> None:
    """Write the engine's file of positions unless this run has one."""
    if os.path.lexists(os.path.join(run_dir, POSITIONS_NAME)):
        return
    with opened_directory(run_dir) as directory:
        fd = create_private(POSITIONS_NAME, os.O_RDWR, directory)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
