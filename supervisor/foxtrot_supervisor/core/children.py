"""The table of supervised children, with everything that the policies look up kept at hand.

A message concerns one child; nothing that is done for it may cost all of them. So the table counts and indexes what
the policies ask about. A child that changes notes it with `Child.touch`; `settle` then brings counts, indices and the
child's deadline up to date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

from foxtrot_supervisor.core.child import ENDED_FOR_GOOD, Child, Shared
from foxtrot_supervisor.core.deadlines import Deadlines
from foxtrot_supervisor.core.lifecycle import State
from foxtrot_supervisor.core.records import ChildPlan, ChildRecord

__all__ = ["RETIRED_MAX", "Children", "Phase", "Standing", "standing_of"]

RETIRED_MAX: Final = 10_000
"""Names that are no longer configured and whose last incarnation is remembered; ten times what one file may hold."""

Phase: TypeAlias = Literal["starting", "running", "degraded", "stopping", "stopped"]
"""State of the whole. "running": every essential child serves. "degraded": one of them does no longer. "stopped": also
before the start."""


class Standing(NamedTuple):
    """What the table counts of one child."""

    lives: bool
    """A process of it may exist."""
    blocks: int | None
    """Its tier, while children of higher tiers have to wait for it."""
    awaits_start: bool
    outdated: bool
    changes_sides: bool
    """A spare, or a child that wants to be rotated."""
    gone: bool
    """Retired, and without a process."""
    foundation: bool
    """Essential, and others depend on it: its failure at the start is the failure of the start."""
    starting: bool
    """Essential, and has not served yet."""
    down: bool
    """Essential, and does not serve."""
    booting: bool
    """Its process has been started, and has not been heard."""


def standing_of(child: Child) -> Standing:
    """Return what counts of `child` in its present state."""
    record = child.record
    stays_down = child.retiring or record.stopped_by_operator
    state, essential = record.state, record.plan.essential and not stays_down
    serves, ended = state is State.RUNNING, state in ENDED_FOR_GOOD
    stands = essential and child.predecessor is None
    return Standing(
        lives=record.may_live,
        blocks=None if stays_down or serves or ended or record.plan.kind == "service" else record.plan.tier,
        awaits_start=child.awaits_start,
        outdated=child.outdated,
        changes_sides=not child.retiring and (child.predecessor is not None or record.rotation == "wanted"),
        gone=child.retiring and not record.may_live,
        foundation=essential and child.others_depend_on_it,
        starting=stands and not child.served_once and not ended,
        down=stands and not serves,
        booting=state is State.STARTING,
    )


class Children:
    """All children by name. Times are seconds on the monotonic clock."""

    def __init__(self, shared: Shared, incarnations_before: int) -> None:
        """No child is given an incarnation as low as `incarnations_before`."""
        self._shared = shared
        self._children: dict[str, Child] = {}
        self._records: dict[str, ChildRecord] = {}
        self.records: Mapping[str, ChildRecord] = MappingProxyType(self._records)
        """All records by name; read only."""
        self._retired: dict[str, int] = {}
        self._retired_before = incarnations_before
        self._added = 0
        self.unknown_messages_total = 0
        """Messages in the name of a child that does not exist; ignored."""
        self._standings: dict[Child, Standing] = {}
        self._deadlines = Deadlines()
        self._lives = self._starting = self._down = 0
        self.booting = 0
        """Processes that have been started and have not been heard."""
        self._blocking: Counter[int] = Counter()
        self.awaiting: dict[Child, None] = {}
        """Children whose first process has not been started yet, in the order in which they were added."""
        self.outdated: dict[Child, None] = {}
        """Children whose process runs with a configuration that is no longer in force."""
        self.changing_sides: dict[Child, None] = {}
        """Spares, and children that want to be rotated."""
        self._gone: dict[Child, None] = {}
        self.foundations: dict[Child, None] = {}
        """Essential children that others depend on."""

    # ---- the table

    def __iter__(self) -> Iterator[Child]:
        return iter(list(self._children.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._children

    def __getitem__(self, name: str) -> Child:
        return self._children[name]

    def get(self, name: str | None) -> Child | None:
        """Return the child of that name, None if there is none."""
        return self._children.get(name) if name is not None else None

    def add(self, plan: ChildPlan) -> Child:
        """Add a child; its incarnations continue those that its name had before."""
        self._added += 1
        born_after = self._retired.pop(plan.name, self._retired_before)
        child = Child(plan, self._shared, number=self._added, born_after=born_after)
        self._children[plan.name] = child
        self._records[plan.name] = child.record
        return child

    def living(self, name: str, incarnation: int) -> Child | None:
        """Return the child that this incarnation belongs to; None, and counted, if it is dead or never existed."""
        child = self._children.get(name)
        if child is None:
            self.unknown_messages_total += 1
            return None
        if child.record.incarnation != incarnation or not child.record.may_live:
            child.record.late_messages_total += 1
            return None
        return child

    def twin_of(self, child: Child) -> Child | None:
        """Return the other side of a connection with two sides; None if there is none, or it is to stay stopped."""
        twin = self.get(child.record.plan.twin)
        return None if twin is None or twin.retiring or twin.record.stopped_by_operator else twin

    def last_incarnation(self, name: str) -> int:
        """Return the last incarnation of a child, forgotten ones included; 0 if none is known."""
        child = self._children.get(name)
        return child.record.incarnation if child is not None else self._retired.get(name, 0)

    def forget_the_gone(self) -> None:
        """Remove retired children that have ended, but for their last incarnation."""
        for child in list(self._gone):
            name = child.name
            del self._children[name]
            del self._records[name]
            self._uncount(child)
            self._deadlines.set(name, float("inf"))
            self._retired[name] = child.record.incarnation
            if len(self._retired) > RETIRED_MAX:
                oldest = self._retired.pop(next(iter(self._retired)))
                self._retired_before = max(self._retired_before, oldest)

    # ---- deadlines

    def next_deadline(self) -> float:
        """Return the earliest deadline of any child; infinity if there is none."""
        return self._deadlines.next()

    def schedule(self, child: Child, now: float) -> None:
        """Take over the deadline of a child that has changed in nothing else."""
        self._deadlines.set(child.name, child.deadline(now))

    def due(self, now: float) -> list[Child]:
        """Return the children whose deadline has come, in the order in which they were added.

        Each has no deadline until `settle` or `schedule` gives it the next one.
        """
        names = self._deadlines.due(now)
        children = [self._children[name] for name in names]
        for child in children:
            child.touch()
        return in_order(children)

    # ---- counts and indices

    @property
    def any_lives(self) -> bool:
        """Whether a process of any child may exist."""
        return self._lives > 0

    @property
    def lowest_blocking_tier(self) -> int | None:
        """The lowest tier that higher ones have to wait for; None if nothing waits."""
        return min(self._blocking, default=None)

    @property
    def phase(self) -> Literal["starting", "running", "degraded"]:
        """How the whole is, once it was started and while it is not being stopped."""
        if self.awaiting or self._starting:
            return "starting"
        return "degraded" if self._down else "running"

    def settle(self, now: float) -> list[Child]:
        """Bring counts, indices and deadlines up to date, tell the final stop who has ended; return who has changed."""
        changed = self._shared.changed
        if not changed:
            return []
        self._shared.changed = {}
        settled = [child for child in changed if self._children.get(child.name) is child]
        for child in settled:
            self._count(child)
            self._deadlines.set(child.name, child.deadline(now))
            if self._shared.shutdown is not None and child.has_ended:
                self._shared.shutdown.ended(child.name)
        return settled

    def _count(self, child: Child) -> None:
        before, after = self._standings.get(child), standing_of(child)
        if after == before:
            return
        if before is not None:
            self._tally(before, -1)
        self._tally(after, 1)
        self._standings[child] = after
        _file(self.awaiting, child, after.awaits_start)
        _file(self.outdated, child, after.outdated)
        _file(self.changing_sides, child, after.changes_sides)
        _file(self._gone, child, after.gone)
        _file(self.foundations, child, after.foundation)

    def _uncount(self, child: Child) -> None:
        self._tally(self._standings.pop(child), -1)
        for index in (self.awaiting, self.outdated, self.changing_sides, self._gone, self.foundations):
            index.pop(child, None)

    def _tally(self, standing: Standing, sign: int) -> None:
        self._lives += sign * standing.lives
        self._starting += sign * standing.starting
        self._down += sign * standing.down
        self.booting += sign * standing.booting
        if standing.blocks is not None:
            self._blocking[standing.blocks] += sign
            if not self._blocking[standing.blocks]:
                del self._blocking[standing.blocks]


def in_order(children: Iterable[Child]) -> list[Child]:
    """Return `children` in the order in which they were added."""
    return sorted(children, key=lambda child: child.number)


def _file(index: dict[Child, None], child: Child, belongs: bool) -> None:
    if belongs:
        index[child] = None
    else:
        index.pop(child, None)
