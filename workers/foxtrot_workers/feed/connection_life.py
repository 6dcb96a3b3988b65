"""The life of one connection, from open to end: what to send, what a topic's state is, when to leave.

Pure: inputs carry the time (monotonic seconds), `next_deadline` says when to call `tick`, and effects (`effects`) say
what to do. It never reconnects: one connection is one incarnation of a worker. What ends the connection ends the
process, with a cause, and the supervisor's restart policy decides what follows. Neither its planned age nor an
announced close ends it: it asks for rotation (`Rotate`) and streams on until it is stopped or the exchange closes it.

Three facts are kept apart, since a connection that carries only pongs may deliver no data, and an acknowledged topic
neither: the last frame of any kind, the last data of each topic, the state of each topic (`topics`). A silent topic is
subscribed again on the running connection (`subscriptions`). If that does not help, and the venue has data, rotation is
requested (`topic_watch`); a connection that is silent as a whole is left (`stall_watch`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from foxtrot_protocol.commands import TopicStatus
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    BookLost,
    CloseAnnounced,
    Greeted,
    Notice,
    Pong,
    Refused,
    Resubscribe,
    SendText,
    SnapshotRejected,
    SubscriptionsListed,
)
from foxtrot_workers.feed.effects import FeedEffect, Leave, Online, Ping, Rotate
from foxtrot_workers.feed.maintenance_watch import MaintenanceWatch
from foxtrot_workers.feed.outbox import Outbox
from foxtrot_workers.feed.reconciliation import Reconciliation
from foxtrot_workers.feed.refusals import REFUSED_ALL_S
from foxtrot_workers.feed.stall_watch import StallWatch
from foxtrot_workers.feed.subscriptions import Subscriptions
from foxtrot_workers.feed.topic_watch import TopicWatch
from foxtrot_workers.feed.topics import LOOK_S, TopicRecord, TopicTable

__all__ = ["PAUSE_S", "ROTATE_AGAIN_S", "ROTATE_EARLIER_SHARE", "ROTATE_SHARE", "ConnectionLife"]

PAUSE_S = 5.0
"""Looks further apart than this prove that the process did not run meanwhile: that time is not counted as silence."""

ROTATE_SHARE = 23 / 24
"""Rotation is requested at this share of the age at which the exchange closes a connection."""

ROTATE_EARLIER_SHARE = 0.1
"""At random up to this share earlier, so that connections opened together are not all replaced together."""

ROTATE_AGAIN_S = 5.0
"""Interval at which a request for rotation is repeated: a control message may be lost."""


class ConnectionLife:
    """Decides for one connection.

    Args:
        adapter: of the exchange.
        topics: subscribed once the connection is open.
        stale_after_s: limit in seconds for the silence of every topic; None: the exchange's own limits.
        rotate_after_s: planned age in seconds; None: by the exchange's limit.
        rotate_share: share of the planned age that this incarnation reaches; twins must not age together.
        chance: random number from 0 to 1 that spreads the ages of connections.
    """

    def __init__(
        self,
        adapter: Adapter,
        topics: Sequence[Topic],
        *,
        stale_after_s: float | None = None,
        rotate_after_s: float | None = None,
        rotate_share: float = 1.0,
        chance: float = 0.0,
    ) -> None:
        self._adapter = adapter
        self._limits = adapter.limits
        self._initial = list(topics)
        self._topics = TopicTable(adapter, stale_after_s)
        self._outbox = Outbox(adapter.limits.send_interval_s, held=adapter.limits.greets_first)
        self._subscriptions = Subscriptions(adapter, self._topics, self._outbox, self._leave)
        self._reconciliation = Reconciliation(adapter, self._topics, self._outbox, self._subscriptions)
        self._stall_watch = StallWatch(adapter, self._topics)
        self._maintenance = MaintenanceWatch(adapter, self._topics)
        self._topic_watch = TopicWatch(adapter, self._topics)
        self._opened_at = 0.0
        self._age_max_s = _planned_age_s(rotate_after_s, adapter.limits.lifetime_s, rotate_share, chance)
        self._rotate_at: float | None = None
        """Time of the next request for rotation."""
        self.rotate_reason = ""
        """Why rotation was requested; "" until then."""
        self._last_frame_at = 0.0
        self._pinged_at: float | None = None
        """When the unanswered ping was sent."""
        self._pinged_last_at = 0.0
        self._frame_sent_at = 0.0
        """When the latest ping frame was sent."""
        self._next_look_at = 0.0
        self._online = False
        self._left = False

    # ---- inputs

    def opened(self, now: float) -> list[FeedEffect]:
        """The connection is open: subscribe."""
        effects: list[FeedEffect] = []
        self._limits = self._adapter.connection_limits()
        self._pinged_last_at = self._frame_sent_at = now
        self._last_frame_at = self._opened_at = now
        self._stall_watch.opened(now)
        self._reconciliation.opened(now)
        self._next_look_at = now + LOOK_S
        if self._age_max_s is not None:
            self._rotate_at = now + self._age_max_s
        self._outbox.next_send_at = now + self._limits.opening_delay_s
        self._outbox.put(self._adapter.opening())
        self._subscriptions.subscribe(self._initial, now, effects)
        return self._with_due(effects, now)

    def noticed(self, notices: Iterable[Notice], now: float) -> list[FeedEffect]:
        """Process the adapter's notices; REST requests among them are the caller's."""
        effects: list[FeedEffect] = []
        for notice in notices:
            if isinstance(notice, Acknowledged):
                self._subscriptions.acknowledged(notice, now, effects)
                self._check_online(now, effects)
            elif isinstance(notice, Refused):
                self._subscriptions.refused(notice, now, effects)
                self._check_online(now, effects)
            elif isinstance(notice, SubscriptionsListed):
                self._reconciliation.listed(notice.wires, now, effects)
            elif isinstance(notice, SendText):
                self._outbox.put_first(notice.text)
            elif isinstance(notice, Greeted):
                self._outbox.release()
            elif isinstance(notice, Pong):
                self._pinged_at = None
            elif isinstance(notice, SnapshotRejected):
                self._reject_snapshot(notice, now, effects)
            elif isinstance(notice, BookLost):
                if (record := self._topics.get(notice.wire)) is not None:
                    effects.append(self._topics.mark_lost(record, now, notice.reason))
            elif isinstance(notice, Resubscribe):
                self._subscriptions.restore(notice.wire, notice.reason, now, effects)
            elif isinstance(notice, CloseAnnounced):
                self._request_rotation(notice.reason, now, effects)
        return self._with_due(effects, now)

    def tick(self, now: float, last_frame_at: float, *, held: bool = False) -> list[FeedEffect]:
        """Time has passed.

        Args:
            now: monotonic seconds.
            last_frame_at: when the last frame of any kind was received.
            held: the socket is not read under backpressure, so that silence means nothing.
        """
        effects: list[FeedEffect] = []
        late_s = now - self._next_look_at
        if late_s >= 0.0 and (held or late_s >= PAUSE_S):
            self._excuse(late_s + LOOK_S)
        if last_frame_at > self._last_frame_at:
            self._last_frame_at = last_frame_at
            self._pinged_at = None
        if now >= self._next_look_at:
            self._next_look_at = now + LOOK_S
            self._look(now, effects)
        self._check_frames(now, effects)
        if self._rotate_at is not None and now >= self._rotate_at:
            reason = self.rotate_reason or "the connection has reached its planned age"
            self._request_rotation(reason, now, effects)
        return self._with_due(effects, now)

    def looked(self, status: int, body: bytes, now: float) -> None:
        """The answer to the latest `Look`; `status` 0: none was received."""
        watch = self._stall_watch if self._stall_watch.suspected else self._topic_watch
        watch.looked(status, body, now)

    def maintenance_answered(self, reason: str, now: float) -> list[FeedEffect]:
        """The answer to `AskMaintenance`: what is maintained; "": the exchange works, or does not say."""
        effects: list[FeedEffect] = []
        self._maintenance.answered(reason, now, effects)
        return self._with_due(effects, now)

    def twin_is_fresh(self, now: float) -> None:
        """The twin, which has the same topics, has just received data."""
        self._stall_watch.twin_is_fresh(now)

    def add(self, request_id: int, symbols: Sequence[str], channels: Sequence[str], now: float) -> list[FeedEffect]:
        """An operator's SUBSCRIBE: more symbols on the running connection."""
        effects: list[FeedEffect] = []
        self._subscriptions.add(request_id, symbols, channels, now, effects)
        return self._with_due(effects, now)

    def remove(self, request_id: int, symbols: Sequence[str], channels: Sequence[str], now: float) -> list[FeedEffect]:
        """An operator's UNSUBSCRIBE."""
        effects: list[FeedEffect] = []
        self._subscriptions.remove(request_id, symbols, channels, now, effects)
        return self._with_due(effects, now)

    def delist(self, request_id: int, symbols: Sequence[str], channels: Sequence[str], now: float) -> list[FeedEffect]:
        """The exchange has ended these symbols."""
        effects: list[FeedEffect] = []
        self._subscriptions.delist(request_id, symbols, channels, now, effects)
        return self._with_due(effects, now)

    def resync(self, symbols: Sequence[str], channels: Sequence[str], now: float) -> list[FeedEffect]:
        """Request fresh snapshots of the books of these symbols; books that do not flow are resynchronizing already."""
        self._subscriptions.resync(symbols, channels, now)
        return self._with_due([], now)

    # ---- outputs

    def next_deadline(self) -> float:
        """Return when `tick` must be called at the latest (monotonic seconds)."""
        return min(self._next_look_at, self._outbox.next_send_at) if self._outbox else self._next_look_at

    def topics(self, now: float, wall_ns: int) -> list[TopicStatus]:
        """Return state and age of every topic; `wall_ns`: the wall clock in nanoseconds."""
        return self._topics.statuses(now, wall_ns)

    def flows(self, wire: str) -> bool:
        """Whether this topic is flowing (wire name)."""
        return self._topics.flows(wire)

    def data_age_s(self, now: float, wall_ns: int) -> float | None:
        """Return the age in seconds of the latest data of any topic; None before the first."""
        return self._topics.data_age_s(now, wall_ns)

    # ---- states of topics

    def _look(self, now: float, effects: list[FeedEffect]) -> None:
        """Derive the states of all topics from what has arrived since the last look."""
        for record in self._topics.records:
            if self._topics.find_data(record, now):
                self._receive(record, now, effects)
            elif record.state == "flowing":
                self._check_stale(record, now, effects)
            elif record.state == "acknowledged":
                self._check_silent(record, now, effects)
            elif record.state == "asked" and not record.acknowledged:
                self._subscriptions.check_unanswered(record, now, effects)
        self._subscriptions.repeat_due(now, effects)
        self._subscriptions.expire_requests(now, effects)
        self._reconciliation.ask_due(now)
        self._check_online(now, effects)
        self._maintenance.judge(now, effects, suspected=self._stall_watch.suspected)
        dead = self._stall_watch.judge(now, effects)
        if self._maintenance.lasts(now):
            return
        if dead:
            self._leave(ChildExit.STALE, dead, effects)
        elif self._stall_watch.suspected:
            self._topic_watch.clear()
        elif not self.rotate_reason:
            wanted = self._topic_watch.judge(now, effects)
            if wanted:
                self._request_rotation(wanted, now, effects)

    def _receive(self, record: TopicRecord, now: float, effects: list[FeedEffect]) -> None:
        changed = record.receive(now)
        if changed is not None:
            effects.append(changed)
            self._subscriptions.delivered(record.topic.wire)
        steady_s = now - (record.steady_since if record.steady_since is not None else now)
        if record.repeats and steady_s >= self._topics.trial_s(record):
            record.repeats = 0  # it has delivered more than the snapshot that follows each subscription

    def _check_stale(self, record: TopicRecord, now: float, effects: list[FeedEffect]) -> None:
        limit_s = self._topics.limit_s(record)
        if limit_s is None or record.flowing_at is None or now - record.flowing_at < limit_s:
            return
        effects.append(record.change("stale", now, f"no data for {now - record.flowing_at:.1f} s"))
        record.again_at = now if record.repeats == 0 else now + self._topics.retry_s(record)

    def _check_silent(self, record: TopicRecord, now: float, effects: list[FeedEffect]) -> None:
        limit_s = self._limits.first_event_s
        channel_s = self._topics.channel_limit_s(record)
        if channel_s is not None:
            limit_s = max(min(limit_s, channel_s), self._limits.acknowledge_s)
        waited_s = now - record.changed_at
        if waited_s < limit_s:
            return
        reason = f"acknowledged {waited_s:.0f} s ago, and no event since"
        if record.heard_at is not None and record.heard_at >= record.changed_at:
            effects.append(record.change("silent", now, f"{reason}: updates come, and no snapshot for them"))
        else:
            effects.append(record.change("silent", now, reason))
            record.again_at = now

    def _reject_snapshot(self, notice: SnapshotRejected, now: float, effects: list[FeedEffect]) -> None:
        """A book without a usable snapshot is invalid; a flowing one has lost nothing."""
        record = self._topics.get(notice.wire)
        if record is not None and record.state != "flowing":
            effects.append(record.change("invalid", now, notice.reason))

    def _excuse(self, pause_s: float) -> None:
        """Nothing could be received for so many seconds."""
        for record in self._topics.records:
            record.excuse(pause_s)
        self._opened_at += pause_s
        self._stall_watch.excuse(pause_s)
        self._topic_watch.clear()

    # ---- the connection

    def _check_frames(self, now: float, effects: list[FeedEffect]) -> None:
        """Leave a connection without frames of any kind; ping an idle one where the exchange requires it."""
        silent_s = now - self._last_frame_at
        if silent_s >= self._limits.silence_s:
            self._leave(ChildExit.STALE, f"no frame for {silent_s:.1f} s", effects)
            return
        interval_s = self._limits.ping_interval_s
        idle = self._pinged_at is None and silent_s >= self._limits.ping_idle_s
        if self._limits.ping_text is not None and (
            idle or (interval_s is not None and now - self._pinged_last_at >= interval_s)
        ):
            self._pinged_at = self._pinged_last_at = now
            self._outbox.put_first(self._limits.ping_text)
        frame_s = self._limits.ping_frame_s
        if frame_s is not None and now - self._frame_sent_at >= frame_s:
            self._frame_sent_at = now
            effects.append(Ping())

    def _check_online(self, now: float, effects: list[FeedEffect]) -> None:
        records = self._topics.records
        if self._online or not records:
            return
        flowing = any(record.state == "flowing" for record in records)
        settled = all(record.acknowledged or record.state == "invalid" for record in records)
        # an acknowledged topic counts even while its book waits for a usable snapshot
        served = any(record.acknowledged or record.state != "invalid" for record in records)
        if flowing or (settled and served):
            self._online = True
            effects.append(Online())
        elif settled and not served and now - self._opened_at >= REFUSED_ALL_S:
            self._leave(ChildExit.REFUSED, f"every subscription was refused: {records[0].reason}", effects)

    def _request_rotation(self, reason: str, now: float, effects: list[FeedEffect]) -> None:
        self.rotate_reason = reason
        self._rotate_at = now + ROTATE_AGAIN_S
        effects.append(Rotate(reason))

    def _leave(self, code: ChildExit, cause: str, effects: list[FeedEffect]) -> None:
        if not self._left:
            self._left = True
            effects.append(Leave(code, cause))

    def _with_due(self, effects: list[FeedEffect], now: float) -> list[FeedEffect]:
        """Return `effects` followed by the texts that may be sent now."""
        effects.extend(self._outbox.take_due(now))
        return effects


def _planned_age_s(wanted_s: float | None, limit_s: float | None, share: float, chance: float) -> float | None:
    """Return the age in seconds at which rotation is requested; None: never."""
    if wanted_s is None and limit_s is None:
        return None
    age_s = wanted_s if wanted_s is not None else (limit_s or 0.0) * ROTATE_SHARE
    return age_s * share * (1.0 - ROTATE_EARLIER_SHARE * chance)
