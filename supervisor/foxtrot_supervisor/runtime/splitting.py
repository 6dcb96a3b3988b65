"""Splits shards in two while they run: make before break.

The new shard is started with half of the symbols and both bring these, which the engine merges as it does with twins.
Once the new one brings each topic, the old one unsubscribes that half. If that never comes, the new one is stopped
again.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from foxtrot_protocol.commands import TopicStatus
from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.config.shards import Shard
from foxtrot_supervisor.config.splits import SplitPlan, completed, plan_split, withdrawn
from foxtrot_supervisor.core.coordination.takeover import Takeover, takeover
from foxtrot_supervisor.core.lifecycle import Desired, State
from foxtrot_supervisor.core.records import ChildRecord
from foxtrot_supervisor.runtime.active_config import ActiveConfig
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.runtime.reloading import Reloading
from foxtrot_supervisor.runtime.timers import Timers
from foxtrot_supervisor.telemetry.load import LoadWatch
from foxtrot_supervisor.telemetry.vitals import Vitals

__all__ = ["LET_GO_S", "LOOK_S", "RETRY_S", "SPLIT_S_MAX", "STALL_S", "WATCH_S", "Split", "Splitting"]

LOOK_S: Final = 0.25
"""Interval in seconds between checks of a split."""

STALL_S: Final = 60.0
"""A split fails if the new shard has brought no further topic for this many seconds."""

SPLIT_S_MAX: Final = 1800.0
"""Seconds after which a split fails whatever its progress: snapshots of many books take their time."""

LET_GO_S: Final = 60.0
"""Seconds in which the old shard is expected to let go of the symbols."""

WATCH_S: Final = 5.0
"""Interval in seconds between checks of the load of workers."""

RETRY_S: Final = 600.0
"""Seconds in which a shard is not split automatically after that has failed or was refused."""


_STOPPING: Final = "everything is being stopped"


class Split(Struct):
    """One split and how far it is."""

    plan: SplitPlan
    state: Literal["starting", "changing", "done", "failed"] = "starting"
    """``starting``: the new shard does not bring all topics yet. ``changing``: the old one lets go of them."""
    carried: int = 0
    """Topics that the new shard brings."""
    total: int = 0
    """Topics of the new shard, of all its workers."""
    reason: str = ""
    """Why it has failed, or what is still missing."""

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self.state in ("done", "failed")

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``status`` and as an answer."""
        return {
            "shard": self.plan.shard,
            "into": self.plan.into,
            "symbols": len(self.plan.symbols),
            "state": self.state,
            "topics": self.total,
            "topics_carried": self.carried,
            "reason": self.reason,
        }


class Splitting:
    """One split at a time, on request or for a worker near its processor limit.

    Args:
        active: the configuration in force.
        records: the core's records by name.
        vitals: the vital signs of children by name.
        reloading: puts configurations in force.
        ended: is called when a split has ended.
        timers: for the watch of loads.
        log: gets ``split``, ``split_done``, ``split_failed`` and ``split_refused``.
    """

    def __init__(
        self,
        active: ActiveConfig,
        records: Mapping[str, ChildRecord],
        vitals: Mapping[str, Vitals],
        reloading: Reloading,
        *,
        ended: Callable[[], None],
        timers: Timers,
        log: Log,
    ) -> None:
        self._active = active
        self._records = records
        self._vitals = vitals
        self._reloading = reloading
        self._ended = ended
        self._timers = timers
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._latest: dict[str, Split] = {}
        """By connection."""
        self._totals: defaultdict[str, int] = defaultdict(int)
        self._loads: defaultdict[str, LoadWatch] = defaultdict(LoadWatch)
        self._not_before: dict[str, float] = {}
        """By shard: when it may be split automatically again (monotonic seconds)."""

    def start(self) -> None:
        """Begin to watch the load of workers."""
        self._timers.call_later("split_watch", WATCH_S, self._watch)

    def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()

    async def settle(self) -> None:
        """Give up what is under way, and return when it has ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def request(self, name: str, cause: str = "requested by an operator") -> Split | str:
        """Begin to split the shard `name`; return it, or why it is refused: then nothing has changed."""
        if self._reloading.is_under_way:
            return self._reloading.refusal
        try:
            plan = plan_split(self._active.config, name, self._held(name))
        except ValueError as refusal:
            return str(refusal)
        records = self._records_of(plan.shard)
        if not any(record.state is State.RUNNING for record in records):
            return f"{plan.shard} does not run"
        rotated = [record.name for record in records if record.rotation in ("going", "coming")]
        if rotated:
            return f"{', '.join(rotated)}: being rotated; ask again in a moment"
        begun = self._reloading.put_in_force(plan.config)
        if isinstance(begun, str):
            return begun
        self._reloading.hold(f"{plan.shard} is being split")
        split = self._latest[plan.connection] = Split(plan)
        self._log.info("split", shard=plan.shard, into=plan.into, symbols=len(plan.symbols), cause=cause)
        self._task = asyncio.create_task(self._run(split), name=f"split of {plan.shard}")
        self._task.add_done_callback(lambda _: self._end(split))
        return split

    def split_with(self, workers: Collection[str]) -> str:
        """Return the shard whose split needs one of these workers; "" if none does."""
        places = self._active.specs.places
        shards = {places[worker].connection.name for worker in workers if worker in places}
        going = (split.plan for split in self._latest.values() if not split.ended)
        return next((plan.shard for plan in going if shards & {plan.shard, plan.into}), "")

    def figures(self, connection: str) -> dict[str, Any]:
        """Return what ``status`` shows of a sharded connection: its latest split, and how many there were."""
        split = self._latest.get(connection)
        return {"splits_total": self._totals[connection], "split": split.as_dict() if split is not None else None}

    # ---- one split

    async def _run(self, split: Split) -> None:
        plan = split.plan
        split.reason = await self._until_carried(split)
        if split.reason:
            await self._put(lambda config: withdrawn(config, plan))
            self._fail(split)
            return
        split.state = "changing"
        split.reason = await self._put(lambda config: completed(config, plan))
        if split.reason:
            self._fail(split)
            return
        split.reason = await self._until_let_go(plan)
        split.state = "done"
        self._totals[plan.connection] += 1
        self._log.info("split_done", shard=plan.shard, into=plan.into, symbols=len(plan.symbols))

    def _end(self, split: Split) -> None:
        """The task of a split has ended, perhaps before it began."""
        if not split.ended:
            split.state, split.reason = "failed", split.reason or _STOPPING
        self._task = None
        self._reloading.release()
        self._ended()

    def _fail(self, split: Split) -> None:
        split.state = "failed"
        self._not_before[split.plan.shard] = time.monotonic() + RETRY_S
        self._log.warning("split_failed", shard=split.plan.shard, into=split.plan.into, reason=split.reason)

    async def _until_carried(self, split: Split) -> str:
        """Wait until the new shard brings all topics; return why it does not."""
        began_at = progress_at = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            records = self._records_of(split.plan.into)
            if any(record.desired is Desired.STOPPED for record in records):
                return _STOPPING
            given_up = [record for record in records if record.state in (State.FATAL, State.EXITED, State.LOST)]
            if given_up or not records:
                return (
                    f"{given_up[0].name} is {given_up[0].state.value}: {given_up[0].cause}" if records else "it is gone"
                )
            waiting = [record for record in records if record.state is not State.RUNNING]
            found = [self._compare(record, split.plan) for record in records if record.state is State.RUNNING]
            lacking = [each.lacking for each in found if each.lacking]
            lacking += [f"{record.name} is {record.state.value}: {record.cause}" for record in waiting]
            now = time.monotonic()
            carried, split.total = sum(each.carried for each in found), sum(each.total for each in found)
            if carried > split.carried:
                progress_at = now
            split.carried, split.reason = carried, lacking[0] if lacking else ""
            if not lacking:
                return ""
            if now - progress_at >= STALL_S:
                return f"no progress for {STALL_S:g} s: {lacking[0]}"
            if now - began_at >= SPLIT_S_MAX:
                return f"not done within {SPLIT_S_MAX:g} s: {lacking[0]}"

    def _compare(self, record: ChildRecord, plan: SplitPlan) -> Takeover:
        topics = self._topics(record.name)
        if not topics:
            return Takeover(0, 0, f"{record.name} has not reported its topics yet")
        old: dict[str, TopicStatus] = {}
        for each in self._records_of(plan.shard):
            for topic in self._topics(each.name):
                known = old.get(topic.topic)
                if known is None or known.age_s is None or (topic.age_s is not None and topic.age_s < known.age_s):
                    old[topic.topic] = topic
        return takeover(topics, old)

    async def _until_let_go(self, plan: SplitPlan) -> str:
        """Wait until the old shard has none of the topics that the new one has; return what it still has."""
        deadline = time.monotonic() + LET_GO_S
        while True:
            await asyncio.sleep(LOOK_S)
            moved = {topic.topic for each in self._records_of(plan.into) for topic in self._topics(each.name)}
            kept = [
                topic.topic
                for each in self._records_of(plan.shard)
                for topic in self._topics(each.name)
                if topic.topic in moved and each.desired is Desired.RUNNING
            ]
            if not kept:
                return ""
            if time.monotonic() >= deadline:
                return f"{plan.shard} still has {len(kept)} topics of {plan.into}, {kept[0]} among them"

    async def _put(self, change: Callable[[FoxtrotConfig], FoxtrotConfig]) -> str:
        """Put the changed configuration in force as soon as the reload before has ended; return why it cannot be."""
        while self._reloading.replaces:  # noqa: ASYNC110 - ends with the deadline of the reload
            await asyncio.sleep(LOOK_S)
        begun = self._reloading.put_in_force(change(self._active.config), by_holder=True)
        return begun if isinstance(begun, str) else ""

    def _records_of(self, connection: str) -> list[ChildRecord]:
        workers = self._active.workers_of(connection)
        return [record for worker in workers if (record := self._records.get(worker)) is not None]

    def _topics(self, worker: str) -> list[TopicStatus]:
        vitals = self._vitals.get(worker)
        return vitals.latest.topics if vitals is not None and vitals.latest is not None else []

    def _held(self, name: str) -> set[str]:
        specs = self._active.specs
        return {symbol for worker in self._active.workers_of(name) for symbol in specs.symbols(worker)}

    # ---- automatic splits

    def _watch(self) -> None:
        limits = self._active.config.supervisor
        if limits.split_cpu > 0:
            for shard in self._active.config.connections:
                if isinstance(shard, Shard):
                    self._look_at(shard, limits.split_cpu, limits.split_after_s)
        self.start()

    def _look_at(self, shard: Shard, cpu_max: float, window_s: float) -> None:
        for record in self._records_of(shard.name):
            vitals = self._vitals.get(record.name)
            if vitals is None or vitals.latest is None or vitals.heard_at is None:
                continue
            beat = vitals.latest
            share = self._loads[record.name].note(beat.incarnation, beat.cpu_s, vitals.heard_at, window_s)
            if share is not None and share > cpu_max:
                self._split_busy(shard, f"{record.name} has needed {share:.0%} of a core for {window_s:g} s")

    def _split_busy(self, shard: Shard, cause: str) -> None:
        now = time.monotonic()
        if now < self._not_before.get(shard.name, 0.0) or self._reloading.is_under_way:
            return  # while the configuration is being changed, the next window decides
        peers = [each for each in self._active.config.connections if each.exchange == shard.exchange]
        count = sum(each.redundancy for each in peers)
        begun: Split | str
        if shard.connections_max and count + shard.redundancy > shard.connections_max:
            begun = f"{shard.exchange} allows {shard.connections_max} connections, {count} are configured"
        else:
            begun = self.request(shard.name, cause)
        if isinstance(begun, str):
            self._not_before[shard.name] = now + RETRY_S
            self._log.warning("split_refused", shard=shard.name, cause=cause, reason=begun)
