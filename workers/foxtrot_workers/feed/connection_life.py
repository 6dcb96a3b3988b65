"""A connection's life, decided: subscribing, pacing, acknowledgement, silence, staleness, age.

Pure: told the time (monotonic seconds), asked for the next deadline, answers with effects that the shell
performs. It never reconnects: a connection's life is one incarnation of a worker, so what ends the
connection ends the process, with a cause, and the supervisor's restart policy decides what follows.
Nor does it end for its age, or because its end is announced: it says that it wants to be replaced (`Rotate`) and
streams on until it is stopped, or the exchange closes it.

Topic states: asked → acknowledged → flowing → stale (no data for longer than its limit) → flowing …; silent:
acknowledged, and no first event within its limit; invalid: refused by the exchange, or its book is broken until the
next snapshot. An acknowledgement is not data, and a connection that carries only pongs can be dead for data, hence
three separate facts: the last frame of any kind, the last data of each topic, the state of each topic.

One topic does not decide for all: what is stale, silent or refused for a while is subscribed again with backoff on the
running connection. The connection is replaced when most of it is silent and the venue has data (`silence`).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from foxtrot_protocol.commands import TopicStatus
from foxtrot_protocol.events import FeedState
from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Limits, Topic
from foxtrot_workers.adapter.notices import (
    Acknowledged,
    BookLost,
    CloseAnnounced,
    Notice,
    Pong,
    Refused,
    RestRequest,
    Resubscribe,
    SendText,
    SnapshotRejected,
)
from foxtrot_workers.feed.refusals import REFUSED_ALL_S, halves, retry_after_refusal_s
from foxtrot_workers.feed.silence import Activity, StallProbe, ask_again_s, most_is_silent, topic_limit_s

__all__ = [
    "OUTBOX_COUNT",
    "RESUBSCRIBES_MAX",
    "ROTATE_AGAIN_S",
    "ROTATE_EARLIER_SHARE",
    "ROTATE_SHARE",
    "Answer",
    "Feed",
    "FeedEffect",
    "Leave",
    "Look",
    "Online",
    "Rotate",
    "Send",
    "TopicChanged",
]

OUTBOX_COUNT = 10_000
"""Texts waiting for their turn under the exchange's pace; more means that we are out of control."""

REQUESTS_MAX = 100
"""Subscribe and unsubscribe requests of operators that wait for the exchange's answer."""

RESUBSCRIBES_MAX = 3
"""Attempts to mend one topic by subscribing again at once; those after them wait, with backoff."""

PAUSE_S = 5.0
"""Looks further apart than this mean that this process did not run: nobody's silence is held against it."""

ROTATE_SHARE = 23 / 24
"""Of the age at which the exchange closes a connection: then it wants to be replaced."""

ROTATE_EARLIER_SHARE = 0.1
"""By up to this share of its age a connection is replaced earlier, by chance: not all that began together at once."""

ROTATE_AGAIN_S = 5.0
"""How often it says again that it wants to be replaced: words can get lost."""

SUBJECTS_MAX = 100
"""Topics among which the one to look at by REST is chosen."""

LOOK_S = 0.25
"""How often states are derived from what has arrived; the hot path only stamps times."""


class Send(Struct, frozen=True):
    """Send this text now."""

    text: str


class Leave(Struct, frozen=True):
    """End this connection and the worker with it."""

    code: ChildExit
    cause: str


class Rotate(Struct, frozen=True):
    """Ask to be replaced; the connection goes on."""

    reason: str


class Online(Struct, frozen=True):
    """Ready: data flows or every subscription is acknowledged."""


class TopicChanged(Struct, frozen=True):
    """Publish this topic's new state."""

    topic: Topic
    state: FeedState
    age_s: float
    reason: str = ""


class Look(Struct, frozen=True):
    """Fetch this by REST and report the answer to `Feed.looked`."""

    request: RestRequest


class Answer(Struct, frozen=True):
    """Answer an operator's request; `error` is "" on success."""

    request_id: int
    error: str


FeedEffect: TypeAlias = Send | Leave | Rotate | Online | TopicChanged | Look | Answer


class _TopicRecord:
    __slots__ = (
        "acknowledged",
        "again_at",
        "asked_at",
        "changed_at",
        "data_at",
        "final",
        "flowing_at",
        "heard_at",
        "heard_ns",
        "longest_rest_s",
        "looks",
        "reason",
        "refusals",
        "repeats",
        "seen_ns",
        "state",
        "steady_since",
        "topic",
    )

    def __init__(self, topic: Topic, now: float) -> None:
        self.topic = topic
        self.state: FeedState = "asked"
        self.changed_at = now
        self.reason = ""
        self.asked_at = now
        self.acknowledged = False
        self.data_at: float | None = None
        """When data was last found to have come."""
        self.flowing_at: float | None = None
        """The same, moved by the time in which nothing could come."""
        self.steady_since: float | None = None
        """Since when it flows without a break."""
        self.heard_at: float | None = None
        """When updates last came that wait for a snapshot."""
        self.heard_ns = 0
        self.longest_rest_s = 0.0
        self.looks = 0
        """That found new data."""
        self.seen_ns = 0
        self.repeats = 0
        """Subscriptions since it last flowed steadily."""
        self.refusals = 0
        """In a row."""
        self.again_at: float | None = None
        """When it is subscribed again."""
        self.final = False
        """Refused for good."""


class _Pending:
    __slots__ = ("deadline", "errors", "request_id", "wires")

    def __init__(self, request_id: int, wires: set[str], deadline: float) -> None:
        self.request_id = request_id
        self.wires = wires
        self.deadline = deadline
        self.errors: list[str] = []


class Feed:
    """Decides for one connection of `adapter`; `topics` are subscribed once it is open."""

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
        """`rotate_share`: of its planned age; `chance`: from 0 to 1, spreads the ages of many connections."""
        self._adapter = adapter
        self._limits: Limits = adapter.limits
        self._initial = list(topics)
        self._records: dict[str, _TopicRecord] = {}
        self._outbox: deque[str] = deque()
        self._next_send_at = 0.0
        self._stale_after_s = stale_after_s
        """As configured; None: the exchange's own limits hold."""
        self._connection_limit_s = stale_after_s if stale_after_s is not None else adapter.limits.stale_connection_s
        self._probe = StallProbe(self._connection_limit_s)
        self._opened_at = 0.0
        self._twin_fresh_at: float | None = None
        self._life_s = _planned_age_s(rotate_after_s, adapter.limits.lifetime_s, rotate_share, chance)
        self._rotate_at: float | None = None
        """When it says next that it wants to be replaced."""
        self.rotate_reason = ""
        """Why it wants that; "" until then."""
        self._last_frame_at = 0.0
        self._pinged_at: float | None = None
        self._next_look_at = 0.0
        self._online = False
        self._left = False
        self._pending: dict[int, _Pending] = {}

    # ---- inputs

    def opened(self, now: float) -> list[FeedEffect]:
        """The connection is open: subscribe."""
        self._last_frame_at = self._opened_at = now
        self._next_look_at = now + LOOK_S
        if self._life_s is not None:
            self._rotate_at = now + self._life_s
        self._queue(self._adapter.opening())
        effects = self._ask(self._initial, now)
        effects.extend(self._send_due(now))
        return effects

    def noticed(self, notices: Iterable[Notice], now: float) -> list[FeedEffect]:
        """What the adapter said beside events (REST requests are the shell's, not ours)."""
        effects: list[FeedEffect] = []
        for notice in notices:
            if isinstance(notice, Acknowledged):
                self._acknowledged(notice, now, effects)
            elif isinstance(notice, Refused):
                self._refused(notice, now, effects)
            elif isinstance(notice, SendText):
                self._outbox.appendleft(notice.text)  # answers to pings go before our own requests
            elif isinstance(notice, Pong):
                self._pinged_at = None
            elif isinstance(notice, SnapshotRejected):
                self._snapshot_rejected(notice, now, effects)
            elif isinstance(notice, BookLost):
                self._book_lost(notice, now, effects)
            elif isinstance(notice, Resubscribe):
                self._resubscribe(notice.wire, notice.reason, now, effects)
            elif isinstance(notice, CloseAnnounced):
                self._want_rotation(notice.reason, now, effects)
        effects.extend(self._send_due(now))
        return effects

    def tick(self, now: float, last_frame_at: float, *, held: bool = False) -> list[FeedEffect]:
        """Time has passed.

        Args:
            now: monotonic seconds.
            last_frame_at: when the last frame of any kind had arrived.
            held: we do not read: no silence since the last look means anything.
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
        self._judge_connection(now, effects)
        effects.extend(self._send_due(now))
        return effects

    def looked(self, status: int, body: bytes, now: float) -> None:
        """The answer to a `Look`; status 0: there was none."""
        record = self._records.get(self._probe.subject)
        token = None
        if record is not None and status == 200:
            with contextlib.suppress(msgspec.MsgspecError, RecursionError, ValueError, LookupError):
                token = self._adapter.liveness_token(record.topic, body)
        self._probe.answered(token, now)

    def twin_is_fresh(self, now: float) -> None:
        """The other side of this connection, with the same topics, has received data just now."""
        self._twin_fresh_at = now

    def add(self, request_id: int, symbols: Sequence[str], channels: Sequence[str], now: float) -> list[FeedEffect]:
        """An operator's SUBSCRIBE: more symbols on the running connection."""
        records = self._records
        # what was refused for good is tried again when somebody asks for it
        topics = [t for t in self._adapter.topics(channels, symbols) if t.wire not in records or records[t.wire].final]
        if len(self._records) + len(topics) > self._limits.topics_max:
            return [Answer(request_id, f"the exchange allows {self._limits.topics_max} topics a connection")]
        if not self._admit(request_id, {t.wire for t in topics}, now):
            return [Answer(request_id, f"more than {REQUESTS_MAX} requests are waiting")]
        effects = self._ask(topics, now)
        self._settle(effects)
        effects.extend(self._send_due(now))
        return effects

    def remove(self, request_id: int, symbols: Sequence[str], channels: Sequence[str], now: float) -> list[FeedEffect]:
        """An operator's UNSUBSCRIBE."""
        topics = [t for t in self._adapter.topics(channels, symbols) if t.wire in self._records]
        if not self._admit(request_id, {t.wire for t in topics}, now):
            return [Answer(request_id, f"more than {REQUESTS_MAX} requests are waiting")]
        if topics:
            self._queue(self._adapter.unsubscribe(topics))
        effects: list[FeedEffect] = []
        self._settle(effects)
        effects.extend(self._send_due(now))
        return effects

    def resync(self, symbols: Sequence[str], channels: Sequence[str], now: float) -> list[FeedEffect]:
        """Show the books of these symbols whole once more; those that do not flow are being taken up anyway."""
        topics = [t for t in self._adapter.topics(channels, symbols) if self._flows(t.wire)]
        again = self._adapter.resync(topics)
        if again:
            self._queue(self._adapter.unsubscribe(again))
            self._queue(self._adapter.subscribe(again))
        for topic in again:
            record = self._records[topic.wire]
            record.asked_at = now
            record.acknowledged = False
        return self._send_due(now)

    def _flows(self, wire: str) -> bool:
        record = self._records.get(wire)
        return record is not None and record.state == "flowing"

    # ---- outputs

    def next_deadline(self) -> float:
        """When `tick` must be called at the latest."""
        deadline = self._next_look_at
        if self._outbox:
            deadline = min(deadline, self._next_send_at)
        return deadline

    def topics(self, now: float, wall_ns: int) -> list[TopicStatus]:
        """Every topic with its state and the age of its last data, for the heartbeat."""
        return [
            TopicStatus(
                topic=wire,
                state=record.state,
                age_s=self._age_s(record, now, wall_ns),
                since_s=max(0.0, now - record.changed_at),
                limit_s=self._limit_s(record),
                reason=record.reason,
                final=record.final,
            )
            for wire, record in self._records.items()
        ]

    def data_age_s(self, now: float, wall_ns: int) -> float | None:
        """Age of the latest data of any topic; None before the first."""
        ages = (self._age_s(record, now, wall_ns) for record in self._records.values())
        return min((age_s for age_s in ages if age_s is not None), default=None)

    def _age_s(self, record: _TopicRecord, now: float, wall_ns: int) -> float | None:
        """Exact by the wall clock, which may jump: so no further from what was looked at than a look may be."""
        seen_ns = self._adapter.last_data_ns.get(record.topic.wire)
        if seen_ns is None or record.data_at is None:
            return None
        looked_s = now - record.data_at
        return max(0.0, looked_s - LOOK_S, min((wall_ns - seen_ns) / 1e9, looked_s + LOOK_S))

    # ---- subscriptions

    def _ask(self, topics: Sequence[Topic], now: float) -> list[FeedEffect]:
        effects: list[FeedEffect] = []
        for topic in topics:
            self._records[topic.wire] = _TopicRecord(topic, now)
            effects.append(TopicChanged(topic, "asked", 0.0))
        if topics:
            self._queue(self._adapter.subscribe(topics))
        return effects

    def _queue(self, texts: Iterable[str]) -> None:
        for text in texts:
            if len(self._outbox) >= OUTBOX_COUNT:
                raise OverflowError(f"more than {OUTBOX_COUNT} texts wait to be sent")
            self._outbox.append(text)

    def _send_due(self, now: float) -> list[FeedEffect]:
        effects: list[FeedEffect] = []
        while self._outbox and now >= self._next_send_at:
            effects.append(Send(self._outbox.popleft()))
            self._next_send_at = now + self._limits.send_interval_s
            if self._outbox and self._limits.send_interval_s > 0:
                break
        return effects

    def _acknowledged(self, notice: Acknowledged, now: float, effects: list[FeedEffect]) -> None:
        for wire in notice.wires:
            if not notice.subscribed:
                self._records.pop(wire, None)
                self._adapter.last_data_ns.pop(wire, None)
                self._adapter.held_ns.pop(wire, None)
            else:
                record = self._records.get(wire)
                if record is not None:
                    record.acknowledged = True
                    if record.state == "asked" or (record.state == "invalid" and record.refusals and not record.final):
                        record.refusals = 0
                        record.again_at = None
                        self._change(record, "acknowledged", now, effects)
            self._answered(wire, "")
        self._settle(effects)
        self._judge_online(now, effects)

    def _refused(self, notice: Refused, now: float, effects: list[FeedEffect]) -> None:
        wires = notice.wires or tuple(w for w, r in self._records.items() if r.state == "asked")
        records = [self._records[wire] for wire in wires if wire in self._records]
        if not notice.wires and notice.retry == "never":
            # whose refusal it is nobody knows: all of them are tried again, and those that are good are acknowledged
            notice = msgspec.structs.replace(notice, retry="later")
        if notice.retry == "never" and len(records) > 1 and not notice.exact:
            for half in halves(records):  # one of them is refused, and nobody says which
                self._queue(self._adapter.subscribe([record.topic for record in half]))
                for record in half:
                    record.asked_at = now
            return
        for record in records:
            self._refuse(record, notice, now, effects)
        for wire in wires:
            self._answered(wire, notice.reason)
        self._settle(effects)
        if self._records and all(r.final for r in self._records.values()):
            self._leave(ChildExit.REFUSED, f"every subscription was refused: {notice.reason}", effects)
        self._judge_online(now, effects)

    def _refuse(self, record: _TopicRecord, notice: Refused, now: float, effects: list[FeedEffect]) -> None:
        record.acknowledged = False
        record.refusals += 1
        delay_s = retry_after_refusal_s(notice.retry, record.refusals)
        record.final = delay_s is None
        record.again_at = None if delay_s is None else now + delay_s
        reason = notice.reason if delay_s is None else f"{notice.reason}; subscribed again in {delay_s:g} s"
        if record.state == "invalid":
            record.reason = reason
        else:
            self._change(record, "invalid", now, effects, reason)

    def _book_lost(self, notice: BookLost, now: float, effects: list[FeedEffect]) -> None:
        record = self._records.get(notice.wire)
        if record is not None:
            record.seen_ns = self._adapter.last_data_ns.get(notice.wire, 0)
            self._change(record, "invalid", now, effects, notice.reason)
            record.flowing_at = None

    def _snapshot_rejected(self, notice: SnapshotRejected, now: float, effects: list[FeedEffect]) -> None:
        """A book without a usable snapshot is invalid until one comes; one that flows has lost nothing."""
        record = self._records.get(notice.wire)
        if record is not None and record.state != "flowing":
            self._change(record, "invalid", now, effects, notice.reason)

    def _resubscribe(self, wire: str, reason: str, now: float, effects: list[FeedEffect]) -> None:
        """The adapter needs a new subscription to mend this topic; from the third in a row on it waits its turn."""
        record = self._records.get(wire)
        if record is None:
            return
        if record.repeats >= RESUBSCRIBES_MAX:
            reason = f"{reason}; {record.repeats} resubscriptions did not help"
            broken = [
                r for r in self._records.values() if r is record or (r.again_at and r.repeats >= RESUBSCRIBES_MAX)
            ]
            if len(broken) * 2 > len(self._records):
                self._leave(ChildExit.STALE, f"{wire}: {reason}", effects)
                return
            record.again_at = now + self._wait_s(record)
            self._change(record, "invalid", now, effects, reason)
        else:
            self._subscribe_again([record], now)

    def _subscribe_again(self, records: Sequence[_TopicRecord], now: float) -> None:
        topics = [record.topic for record in records if not record.refusals]
        if topics:
            self._queue(self._adapter.unsubscribe(topics))
        self._queue(self._adapter.subscribe([record.topic for record in records]))
        for record in records:
            record.repeats += 1
            record.asked_at = now
            record.acknowledged = False
            record.again_at = None

    # ---- requests of operators

    def _admit(self, request_id: int, wires: set[str], now: float) -> bool:
        if len(self._pending) >= REQUESTS_MAX:
            return False
        self._pending[request_id] = _Pending(request_id, wires, now + self._limits.acknowledge_s)
        return True

    def _answered(self, wire: str, error: str) -> None:
        for pending in self._pending.values():
            if wire in pending.wires:
                pending.wires.discard(wire)
                if error:
                    pending.errors.append(f"{wire}: {error}")

    def _settle(self, effects: list[FeedEffect]) -> None:
        for pending in [p for p in self._pending.values() if not p.wires]:
            del self._pending[pending.request_id]
            effects.append(Answer(pending.request_id, "; ".join(pending.errors)))

    # ---- judging

    def _look(self, now: float, effects: list[FeedEffect]) -> None:
        for wire, record in self._records.items():
            heard_ns = self._adapter.held_ns.get(wire, 0)
            if heard_ns != record.heard_ns:
                record.heard_ns, record.heard_at = heard_ns, now
            seen_ns = self._adapter.last_data_ns.get(wire, 0)
            if seen_ns != record.seen_ns:  # smaller, if the wall clock was set back
                record.seen_ns = seen_ns
                self._has_data(record, now, effects)
            elif record.state == "flowing":
                self._judge_stale(record, now, effects)
            elif record.state == "acknowledged":
                self._judge_silent(record, now, effects)
            elif record.state == "asked" and not record.acknowledged:
                self._judge_unanswered(record, now, effects)
        due = [r for r in self._records.values() if r.again_at is not None and now >= r.again_at]
        if due:
            self._subscribe_again(due, now)
            for record in due:
                if record.state in ("stale", "silent") or (record.state == "invalid" and not record.refusals):
                    record.again_at = now + self._wait_s(record)
        for pending in self._pending.values():
            if now >= pending.deadline and pending.wires:
                pending.errors.append(f"no answer from the exchange for {', '.join(sorted(pending.wires))}")
                pending.wires.clear()
        self._settle(effects)
        self._judge_online(now, effects)
        self._judge_data(now, effects)

    def _has_data(self, record: _TopicRecord, now: float, effects: list[FeedEffect]) -> None:
        if record.state == "flowing" and record.flowing_at is not None:
            record.longest_rest_s = max(record.longest_rest_s, now - record.flowing_at)
        else:
            record.steady_since = now
        record.data_at = record.flowing_at = now
        record.looks += 1
        if record.state != "flowing":
            record.again_at = None
            record.refusals = 0
            record.final = False
            self._change(record, "flowing", now, effects)
            self._answered(record.topic.wire, "")
        steady_s = now - (record.steady_since if record.steady_since is not None else now)
        if record.repeats and steady_s >= self._wait_after(record):
            record.repeats = 0  # what came is not only the snapshot that each subscription brings

    def _limit_s(self, record: _TopicRecord) -> float | None:
        """Seconds without data after which this topic is stale; None: it may rest."""
        if self._stale_after_s is not None:
            return self._stale_after_s
        return topic_limit_s(self._channel_limit_s(record), record.longest_rest_s, record.looks)

    def _channel_limit_s(self, record: _TopicRecord) -> float | None:
        """The limit of the topic's channel, whatever is known of the topic; None: it may rest."""
        if self._stale_after_s is not None:
            return self._stale_after_s
        return self._limits.stale_channel_s.get(record.topic.channel, self._limits.stale_topic_s)

    def _wait_s(self, record: _TopicRecord) -> float:
        """Until a silent topic is subscribed again."""
        limit_s = self._limit_s(record)
        return ask_again_s(self._connection_limit_s if limit_s is None else limit_s, max(0, record.repeats - 1))

    def _judge_stale(self, record: _TopicRecord, now: float, effects: list[FeedEffect]) -> None:
        limit_s = self._limit_s(record)
        if limit_s is None or record.flowing_at is None or now - record.flowing_at < limit_s:
            return
        self._change(record, "stale", now, effects, f"no data for {now - record.flowing_at:.1f} s")
        record.again_at = now if record.repeats == 0 else now + self._wait_s(record)

    def _judge_silent(self, record: _TopicRecord, now: float, effects: list[FeedEffect]) -> None:
        limit_s = self._limits.first_event_s
        channel_s = self._channel_limit_s(record)
        if channel_s is not None:
            limit_s = max(min(limit_s, channel_s), self._limits.acknowledge_s)
        waited_s = now - record.changed_at
        if waited_s < limit_s:
            return
        reason = f"acknowledged {waited_s:.0f} s ago, and no event since"
        if record.heard_at is not None and record.heard_at >= record.changed_at:
            self._change(record, "silent", now, effects, f"{reason}: updates come, and no snapshot for them")
        else:
            self._change(record, "silent", now, effects, reason)
            record.again_at = now

    def _judge_unanswered(self, record: _TopicRecord, now: float, effects: list[FeedEffect]) -> None:
        waited = now - record.asked_at
        # the exchange cannot answer what still waits for its turn under the pace
        if waited < self._limits.acknowledge_s or self._outbox or record.again_at is not None:
            return
        unanswered = [r for r in self._records.values() if r.state == "asked" and not r.acknowledged]
        if record.repeats and len(unanswered) * 2 > len(self._records):
            self._leave(ChildExit.CONNECTION_LOST, f"{record.topic.wire}: subscription not acknowledged", effects)
            return
        self._queue(self._adapter.subscribe([record.topic]))
        record.repeats += 1
        record.asked_at = now + (self._wait_s(record) if record.repeats > 1 else 0.0)

    # ---- is the stream dead, or the market quiet?

    def _excuse(self, pause_s: float) -> None:
        """Nothing could come for so many seconds."""
        for record in self._records.values():
            if record.flowing_at is not None:
                record.flowing_at += pause_s
            if record.heard_at is not None:
                record.heard_at += pause_s
            if record.state == "acknowledged":
                record.changed_at += pause_s
        self._opened_at += pause_s
        self._probe.clear()

    def _judge_data(self, now: float, effects: list[FeedEffect]) -> None:
        """Suspect the connection, collect evidence, leave when it is dead for data."""
        records = [record for record in self._records.values() if not record.final]
        if not records:
            return
        latest = self._latest(records)
        whole = now - latest >= self._connection_limit_s / 2.0
        silent = [r for r in records if r.state == "stale" and r.repeats and now - r.asked_at >= self._wait_after(r)]
        known = [Activity(silent=r in silent, looks=r.looks) for r in records if r.looks]
        most = most_is_silent(known)
        if not whole and not most:
            self._probe.clear()
            return
        suspects = records if whole else silent
        silent_s = now - self._latest(suspects)
        what = "no data of any topic" if whole else f"no data of {len(silent)} of {len(known)} topics"
        if most and self._stale_after_s is not None:
            names = ", ".join(record.topic.wire for record in silent[:3])
            self._leave(ChildExit.STALE, f"{what} for {silent_s:.1f} s, also after subscribing again: {names}", effects)
            return
        self._collect_evidence(suspects, now, effects)
        resting = all(self._channel_limit_s(record) is None for record in suspects)
        why = self._probe.verdict(now, silent_s, resting=resting)
        if not why and whole and silent_s >= self._connection_limit_s and self._twin_flows(now):
            why = "its twin has data"
        if why:
            self._leave(ChildExit.STALE, f"{what} for {silent_s:.1f} s, {why}", effects)

    def _latest(self, records: Sequence[_TopicRecord]) -> float:
        """When the venue last sent data of any of these, also such as waits for a snapshot; else the opening."""
        times = (moment for r in records for moment in (r.flowing_at, r.heard_at) if moment is not None)
        return max(times, default=self._opened_at)

    def _twin_flows(self, now: float) -> bool:
        return self._twin_fresh_at is not None and now - self._twin_fresh_at <= self._connection_limit_s / 2.0

    def _wait_after(self, record: _TopicRecord) -> float:
        """Seconds that a subscription has to bring data before it was in vain."""
        return self._limit_s(record) or self._connection_limit_s

    def _collect_evidence(self, suspects: Sequence[_TopicRecord], now: float, effects: list[FeedEffect]) -> None:
        requests = {r.topic.wire: self._adapter.liveness_request(r.topic) for r in suspects[:SUBJECTS_MAX]}
        able = [r for r in suspects if requests.get(r.topic.wire) is not None]
        busiest = max(able or suspects, key=lambda record: record.looks)
        self._probe.suspect(now, busiest.topic.wire)
        if self._probe.wants_look(now):
            record = self._records.get(self._probe.subject)
            request = self._adapter.liveness_request(record.topic) if record is not None else None
            if request is None:
                self._probe.answered(None, now)
            else:
                effects.append(Look(request))

    def _judge_connection(self, now: float, effects: list[FeedEffect]) -> None:
        silent_s = now - self._last_frame_at
        if silent_s >= self._limits.silence_s:
            self._leave(ChildExit.STALE, f"no frame for {silent_s:.1f} s", effects)
        elif self._limits.ping_text is not None and self._pinged_at is None and silent_s >= self._limits.ping_idle_s:
            self._pinged_at = now
            self._outbox.appendleft(self._limits.ping_text)
        if self._rotate_at is not None and now >= self._rotate_at:
            self._want_rotation(self.rotate_reason or "the connection has reached its planned age", now, effects)

    def _want_rotation(self, reason: str, now: float, effects: list[FeedEffect]) -> None:
        self.rotate_reason = reason
        self._rotate_at = now + ROTATE_AGAIN_S
        effects.append(Rotate(reason))

    def _judge_online(self, now: float, effects: list[FeedEffect]) -> None:
        if self._online or not self._records:
            return
        records = self._records.values()
        flowing = any(record.state == "flowing" for record in records)
        settled = all(record.acknowledged or record.state == "invalid" for record in records)
        # an acknowledged topic counts, also while its book waits for a usable snapshot
        served = any(record.acknowledged or record.state != "invalid" for record in records)
        if flowing or (settled and served):
            self._online = True
            effects.append(Online())
        elif settled and not served and now - self._opened_at >= REFUSED_ALL_S:
            self._leave(ChildExit.REFUSED, f"every subscription was refused: {next(iter(records)).reason}", effects)

    def _change(
        self, record: _TopicRecord, state: FeedState, now: float, effects: list[FeedEffect], reason: str = ""
    ) -> None:
        since = record.flowing_at if record.flowing_at is not None else record.asked_at
        record.state = state
        record.changed_at = now
        record.reason = reason
        effects.append(TopicChanged(record.topic, state, max(0.0, now - since), reason))

    def _leave(self, code: ChildExit, cause: str, effects: list[FeedEffect]) -> None:
        if not self._left:
            self._left = True
            effects.append(Leave(code, cause))


def _planned_age_s(wanted_s: float | None, limit_s: float | None, share: float, chance: float) -> float | None:
    """At which age a connection wants to be replaced; None: never."""
    if wanted_s is None and limit_s is None:
        return None
    age_s = wanted_s if wanted_s is not None else (limit_s or 0.0) * ROTATE_SHARE
    return age_s * share * (1.0 - ROTATE_EARLIER_SHARE * chance)
