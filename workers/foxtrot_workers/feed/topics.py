"""The topics of one connection: state, times and limits of each. Pure; times are monotonic seconds.

States: asked → acknowledged → flowing → stale (no data for longer than its limit) → flowing …; silent: acknowledged,
and no first event within its limit; invalid: refused by the exchange, or its book is broken until the next snapshot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

from foxtrot_protocol.commands import TopicStatus
from foxtrot_protocol.events import FeedState
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.feed.effects import TopicChanged
from foxtrot_workers.feed.silence import ask_again_s, topic_limit_s

__all__ = ["LOOK_S", "TopicRecord", "TopicTable"]

LOOK_S = 0.25
"""Interval at which states are derived from what has arrived; the hot path only stores receive times."""


class TopicRecord:
    """One topic."""

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
        """Time of the last subscription request."""
        self.acknowledged = False
        """Whether that request is acknowledged."""
        self.data_at: float | None = None
        """Time at which new data were last found."""
        self.flowing_at: float | None = None
        """`data_at`, moved by the time in which nothing could be received; None while a book is lost."""
        self.steady_since: float | None = None
        """Start of the present uninterrupted flow."""
        self.heard_at: float | None = None
        """Time at which updates that wait for a snapshot were last found."""
        self.heard_ns = 0
        """Receive time of these (wall clock)."""
        self.longest_rest_s = 0.0
        """Longest pause between data while it was flowing."""
        self.looks = 0
        """Looks that found new data."""
        self.seen_ns = 0
        """Receive time of the last data (wall clock)."""
        self.repeats = 0
        """Repeated subscriptions since it last flowed steadily."""
        self.refusals = 0
        """Consecutive refusals."""
        self.again_at: float | None = None
        """Time of the next repeated subscription; None: none is planned."""
        self.final = False
        """Refused for good."""

    def change(self, state: FeedState, now: float, reason: str = "") -> TopicChanged:
        """Enter `state` and return the effect that publishes it."""
        self.state = state
        self.changed_at = now
        self.reason = reason
        return TopicChanged(self.topic, state, self._age_s(now), reason)

    def resubscribed(self, now: float, reason: str = "") -> TopicChanged:
        """Return the effect that publishes another subscription; the state stays what it is."""
        return TopicChanged(self.topic, "resubscribed", self._age_s(now), reason)

    def _age_s(self, now: float) -> float:
        """Seconds since its last data, or since it was requested."""
        return max(0.0, now - (self.flowing_at if self.flowing_at is not None else self.asked_at))

    def request(self, at: float) -> None:
        """Note a subscription request at this time."""
        self.asked_at = at
        self.acknowledged = False

    def repeat(self, now: float) -> None:
        """Note a repeated subscription."""
        self.request(now)
        self.repeats += 1
        self.again_at = None

    def receive(self, now: float) -> TopicChanged | None:
        """Note new data; the effect if the topic was not flowing."""
        if self.state == "flowing" and self.flowing_at is not None:
            self.longest_rest_s = max(self.longest_rest_s, now - self.flowing_at)
        else:
            self.steady_since = now
        self.data_at = self.flowing_at = now
        self.looks += 1
        if self.state == "flowing":
            return None
        self.again_at = None
        self.refusals = 0
        self.final = False
        return self.change("flowing", now)

    def excuse(self, pause_s: float) -> None:
        """Do not count `pause_s` seconds, in which nothing could be received, as silence."""
        if self.flowing_at is not None:
            self.flowing_at += pause_s
        if self.heard_at is not None:
            self.heard_at += pause_s
        if self.state == "acknowledged":
            self.changed_at += pause_s


class TopicTable:
    """The topics of one connection by wire name, and the limits of their silence.

    Args:
        adapter: its limits, and the receive times that its hot path stores.
        stale_after_s: configured limit, which replaces all limits of the exchange; None: those hold.
    """

    def __init__(self, adapter: Adapter, stale_after_s: float | None) -> None:
        self._adapter = adapter
        self._limits = adapter.limits
        self._records: dict[str, TopicRecord] = {}
        self._symbols: Counter[str] = Counter()
        """Topics by symbol."""
        self.stale_after_s = stale_after_s
        self.connection_limit_s = stale_after_s if stale_after_s is not None else adapter.limits.stale_connection_s
        """Seconds without data of any topic after which the connection is suspected."""

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, wire: str) -> bool:
        return wire in self._records

    @property
    def records(self) -> Sequence[TopicRecord]:
        """All records."""
        return list(self._records.values())

    def get(self, wire: str) -> TopicRecord | None:
        """Return the record of this wire name; None: unknown."""
        return self._records.get(wire)

    def add(self, topic: Topic, now: float) -> TopicRecord:
        """Add `topic`, or begin again with a topic that is known."""
        if topic.wire not in self._records:
            self._symbols[topic.symbol] += 1
        record = self._records[topic.wire] = TopicRecord(topic, now)
        return record

    def has_symbol(self, symbol: str) -> bool:
        """Whether there is a topic of this symbol."""
        return self._symbols[symbol] > 0

    def remove(self, wire: str) -> None:
        """Forget a topic, known or not."""
        record = self._records.pop(wire, None)
        if record is not None:
            symbol = record.topic.symbol
            self._symbols[symbol] -= 1
            if not self._symbols[symbol]:
                del self._symbols[symbol]
        self._adapter.last_data_ns.pop(wire, None)
        self._adapter.held_ns.pop(wire, None)

    def flows(self, wire: str) -> bool:
        """Whether this topic is known and flowing."""
        record = self._records.get(wire)
        return record is not None and record.state == "flowing"

    def find_data(self, record: TopicRecord, now: float) -> bool:
        """Compare the receive times of a topic with the last look; whether there are new data."""
        wire = record.topic.wire
        heard_ns = self._adapter.held_ns.get(wire, 0)
        if heard_ns != record.heard_ns:
            record.heard_ns, record.heard_at = heard_ns, now
        seen_ns = self._adapter.last_data_ns.get(wire, 0)
        if seen_ns == record.seen_ns:  # compared for equality: the wall clock may be set back
            return False
        record.seen_ns = seen_ns
        return True

    def mark_lost(self, record: TopicRecord, now: float, reason: str) -> TopicChanged:
        """A book is invalid: what has arrived so far is no data, nor does its age count."""
        record.seen_ns = self._adapter.last_data_ns.get(record.topic.wire, 0)
        effect = record.change("invalid", now, reason)
        record.flowing_at = None
        return effect

    def latest(self, records: Iterable[TopicRecord]) -> float | None:
        """Time at which the exchange last sent anything of these topics, held updates included; None: never."""
        times = chain.from_iterable((record.flowing_at, record.heard_at) for record in records)
        return max((moment for moment in times if moment is not None), default=None)

    # ---- limits

    def limit_s(self, record: TopicRecord) -> float | None:
        """Seconds without data after which this topic is stale; None: it may pause for any time."""
        if self.stale_after_s is not None:
            return self.stale_after_s
        return topic_limit_s(self.channel_limit_s(record), record.longest_rest_s, record.looks)

    def channel_limit_s(self, record: TopicRecord) -> float | None:
        """The limit of the topic's channel, without what is known of the topic; None: it may pause for any time."""
        if self.stale_after_s is not None:
            return self.stale_after_s
        return self._limits.stale_channel_s.get(record.topic.channel, self._limits.stale_topic_s)

    def retry_s(self, record: TopicRecord) -> float:
        """Seconds until a silent topic is subscribed again: its limit, then doubled by each repetition."""
        limit_s = self.limit_s(record)
        return ask_again_s(self.connection_limit_s if limit_s is None else limit_s, max(0, record.repeats - 1))

    def trial_s(self, record: TopicRecord) -> float:
        """Seconds in which a subscription must deliver data, or it was in vain."""
        return self.limit_s(record) or self.connection_limit_s

    def is_silent(self, record: TopicRecord, now: float) -> bool:
        """Whether a topic is stale although it was subscribed again."""
        return record.state == "stale" and record.repeats > 0 and now - record.asked_at >= self.trial_s(record)

    # ---- figures for the heartbeat

    def statuses(self, now: float, wall_ns: int) -> list[TopicStatus]:
        """Return state and age of every topic; `wall_ns`: the wall clock in nanoseconds."""
        return [
            TopicStatus(
                topic=wire,
                state=record.state,
                age_s=self._age_s(record, now, wall_ns),
                since_s=max(0.0, now - record.changed_at),
                limit_s=self.limit_s(record),
                reason=record.reason,
                final=record.final,
                channel=record.topic.channel,
            )
            for wire, record in self._records.items()
        ]

    def data_age_s(self, now: float, wall_ns: int) -> float | None:
        """Return the age in seconds of the latest data of any topic; None before the first."""
        ages = (self._age_s(record, now, wall_ns) for record in self._records.values())
        return min((age_s for age_s in ages if age_s is not None), default=None)

    def _age_s(self, record: TopicRecord, now: float, wall_ns: int) -> float | None:
        """Exact by the wall clock, which may jump: hence within one look of the monotonic clock."""
        seen_ns = self._adapter.last_data_ns.get(record.topic.wire)
        if seen_ns is None or record.data_at is None:
            return None
        looked_s = now - record.data_at
        return max(0.0, looked_s - LOOK_S, min((wall_ns - seen_ns) / 1e9, looked_s + LOOK_S))
