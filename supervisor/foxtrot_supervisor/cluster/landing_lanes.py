"""The lanes of a landing: which incarnations of remote workers there are, their order, what a state says of them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from foxtrot_supervisor.cluster.engine_state import EngineState, Known, LaneState
from foxtrot_supervisor.cluster.fences import Fences, epoch_of
from foxtrot_supervisor.cluster.handover import Handover
from foxtrot_supervisor.cluster.landing_lane import LandingLane
from foxtrot_supervisor.cluster.wire import Parcel

__all__ = ["SUCCESSOR_WAIT_S", "LandingLanes", "Plan"]

SUCCESSOR_WAIT_S = 5.0
"""How long an incarnation waits for the end of the one before it."""

Key = tuple[str, int]


class Plan(Struct, frozen=True):
    """What the next state says of the lanes."""

    lanes: list[LaneState]
    """Those that differ from the base, or all, if `ended` is there."""
    begun: list[LaneState]
    """Those that have begun since the base, as they began."""
    ended: dict[str, int] | None
    """Latest incarnation of each worker that has ended, where the state has a new base."""
    planned: dict[Key, LaneState]
    """Of `lanes`, those that are open."""
    closed: list[Key]
    """Open lanes that the state says have ended."""
    silent: dict[str, int]
    """As `LandingLanes.silent`."""


class LandingLanes:
    """Lanes by worker and incarnation, on the event loop. Times are monotonic seconds.

    Args:
        run_dir: where their rings are.
    """

    def __init__(self, run_dir: str) -> None:
        self._run_dir = run_dir
        self.open: dict[Key, LandingLane] = {}
        """Those of which something has come, until a state says that they have ended."""
        self.active: dict[Key, LandingLane] = {}
        """Open ones in which something is to be done."""
        self.known: dict[Key, Known] = {}
        """Those that the state names, and of which nothing has come yet."""
        self.ended: dict[str, int] = {}
        """Latest incarnation of each worker that has ended, as the base says."""
        self.silent: dict[str, int] = {}
        """Predecessors that were superseded and of which nothing came: the next base says that they have ended."""
        self.base_wanted = False
        """The next state needs a new base."""
        self.is_repeating = False
        """Whether the engine has to repeat decisions before anything is handed over."""
        self._repeating: set[Key] = set()
        """Lanes of which it has to."""
        self._repeat_read = 0
        """Stream sequence by which everything that is repeated has come."""
        self._incarnations: dict[str, list[int]] = {}
        """Of open lanes, by worker."""
        self._blocked: dict[Key, float] = {}
        self._touched: set[Key] = set()
        """Lanes that differ from the base."""
        self._begun: dict[Key, LaneState] = {}

    def adopt(self, state: EngineState, known: Mapping[Key, Known], ended: Mapping[str, int]) -> None:
        """Begin where `state` says, whose lanes are `known`."""
        self.known = dict(known)
        self.ended = dict(ended)
        self._touched = {each.key for each in (*state.lanes, *state.begun)}
        self._begun = {each.key: each for each in state.begun}
        self.is_repeating = state.repeating
        self._repeat_read = state.read
        if self.is_repeating:
            self._repeating = {key for key, each in known.items() if each.reached.sequence > each.start.sequence}

    # ---- what there is

    @property
    def waiting_bytes(self) -> int:
        """Bytes of batches that wait to be landed."""
        return sum(lane.lane.waiting_bytes for lane in self.open.values())

    @property
    def are_landed_handled(self) -> bool:
        """Whether the engine has handled everything in the rings."""
        return all(lane.is_landed_handled for lane in self.open.values())

    @property
    def are_in_flight(self) -> bool:
        """Whether handlers have a batch now."""
        return any(lane.ring is not None and lane.ring.in_flight for lane in self.active.values())

    @property
    def differ(self) -> bool:
        """Whether a lane differs from the base."""
        return bool(self._touched)

    @property
    def repeat_read(self) -> int:
        """Stream sequence by which everything that is to be repeated has come; 0 if nothing is."""
        return self._repeat_read if self.is_repeating else 0

    def started(self) -> dict[str, int]:
        """Return the latest incarnation of each worker that the state names."""
        started = dict(self.ended)
        for worker, incarnation in self.known:
            started[worker] = max(incarnation, started.get(worker, 0))
        return started

    def has_ended(self, key: Key) -> bool:
        """Whether a base says that this incarnation has ended."""
        return key[1] <= self.ended.get(key[0], 0)

    # ---- begin and end of incarnations

    def meet(self, parcel: Parcel, marks_to: int) -> LandingLane:
        """Open the lane of an incarnation; one of a later epoch supersedes all before it.

        `marks_to`: as of `LandingLane`. Raises `RingUnusable`.
        """
        key = parcel.worker, parcel.incarnation
        known = self.known.pop(key, None)
        lane = self.open[key] = LandingLane(self._run_dir, parcel, known, marks_to)
        self._incarnations.setdefault(parcel.worker, []).append(parcel.incarnation)
        for other_key, other in self.open.items():
            if other.lane.worker == parcel.worker and epoch_of(other.lane.incarnation) < epoch_of(parcel.incarnation):
                self.close_down(other_key)
        for worker, incarnation in list(self.known):
            # a predecessor of which nothing comes any more: everything of it stands before this parcel
            if worker == parcel.worker and epoch_of(incarnation) < epoch_of(parcel.incarnation):
                del self.known[worker, incarnation]
                self.silent[worker] = max(incarnation, self.silent.get(worker, 0))
                self.base_wanted = True
        return lane

    def close_down(self, key: Key) -> None:
        """Nothing more comes of this lane."""
        lane = self.active[key] = self.open[key]
        lane.close_down()

    def close_fenced(self, fences: Fences, read: int, now: float) -> None:
        """Close lanes down of which nothing can come any more; `read`: stream sequence that was read."""
        for key, lane in self.open.items():
            parcel = lane.lane.parcel
            if not lane.closing and fences.covers(parcel.connection, parcel.side, parcel.incarnation, read, now):
                self.close_down(key)

    def in_turn(self, now: float) -> list[Key]:
        """Return the lanes in which batches wait and no earlier incarnation has to end first."""
        waiting = [key for key, lane in self.active.items() if lane.lane.ready]
        return [key for key in waiting if not self._is_blocked(key, now)]

    def _is_blocked(self, key: Key, now: float) -> bool:
        """Whether an earlier incarnation of the worker has to end first: the engine must not end it itself."""
        worker, incarnation = key
        earlier = [other for other in self._incarnations.get(worker, ()) if other < incarnation]
        if not earlier:
            self._blocked.pop(key, None)
            return False
        if now - self._blocked.setdefault(key, now) >= SUCCESSOR_WAIT_S:
            for other in earlier:
                self.close_down((worker, other))
        return True

    def settle(self, now: float, handover: Handover, read: int) -> list[list[int]]:
        """Take note of what the engine has handled, and of lanes that have ended; returns the sources of what is done.

        `read`: stream sequence that was read.
        """
        done = []
        for key, lane in list(self.active.items()):
            finished = lane.settle(now, handover)
            done += finished
            if finished:
                self._touched.add(key)
            if lane.closing and not lane.closed and lane.is_handled:
                lane.closed = True
                self.base_wanted = True
                done.append([lane.lane.end_source])
            if lane.is_idle or lane.closed:
                del self.active[key]
        if self.is_repeating:
            self._look_at_repeating(everything_came=read >= self._repeat_read)
        return done

    def landed(self, key: Key) -> None:
        """A batch of this lane is in its ring."""
        self._touched.add(key)

    def close(self) -> None:
        """Close everything; rings stay for the engine."""
        for lane in self.open.values():
            lane.close()

    # ---- the state

    def plan(self, events: int, *, whole: bool, final: bool) -> Plan:
        """Return what the next state says of the lanes.

        Args:
            events: how many may be handed over, which active lanes share.
            whole: the state has a new base.
            final: nothing more will be landed here.
        """
        closed: list[Key] = []
        ended = None
        if whole:
            self.base_wanted = False
            closed = [key for key, lane in self.open.items() if lane.closed]
            ended = dict(self.ended)
            for worker, incarnation in (*closed, *self.silent.items()):
                ended[worker] = max(incarnation, ended.get(worker, 0))
        share = max(1, events // max(1, len(self.active)))
        exact = final and self.are_landed_handled
        for key, lane in self.active.items():
            if lane.lane.begun and (key in self._touched or lane.lane.ready):
                self._touched.add(key)
                if not lane.known:
                    self._begun[key] = lane.begin
        planned = {
            key: lane.last_state if exact else lane.plan(share)
            for key, lane in self.open.items()
            if (whole or key in self._touched) and lane.lane.begun and key not in closed
        }
        listed = dict(planned)
        for key, known in self.known.items():
            if whole or key in self._touched:
                listed[key] = known.reached
        if ended is not None:
            listed = {key: each for key, each in listed.items() if key[1] > ended.get(key[0], 0)}
        begun = list(self._begun.values())
        if whole:
            self._touched.clear()
            self._begun = {}
        return Plan(list(listed.values()), begun, ended, planned, closed, dict(self.silent))

    def written(self, plan: Plan) -> dict[str, int]:
        """The state with `plan` is durable: forget what has ended; returns the incarnations that are to be fenced."""
        for key, state in plan.planned.items():
            self.open[key].named(state)
        if plan.ended is None:
            return {}
        self.ended = dict(plan.ended)
        for key in plan.closed:
            self._forget(key)
        for worker, incarnation in plan.silent.items():
            if self.silent.get(worker) == incarnation:
                del self.silent[worker]
        return {worker: plan.ended[worker] for worker in {worker for worker, _ in plan.closed} | plan.silent.keys()}

    def _look_at_repeating(self, *, everything_came: bool) -> None:
        """Hand over new events once the engine has repeated all decisions that handlers have seen."""
        for key in list(self._repeating):
            lane = self.open.get(key)
            pending = key in self.known if lane is None else lane.is_repeating
            if pending and everything_came:  # the stream has discarded what is missing
                pending = lane is not None and lane.repeat_pending
            if not pending:
                self._repeating.discard(key)
        if not self._repeating:
            self.is_repeating = False
            self.base_wanted = True

    def _forget(self, key: Key) -> None:
        self.open.pop(key).close()
        self.active.pop(key, None)
        self._touched.discard(key)
        self._incarnations[key[0]].remove(key[1])
