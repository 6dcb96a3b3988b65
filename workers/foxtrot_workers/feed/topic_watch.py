"""Decides whether silent topics of a living connection are worth a new connection. Pure; times are monotonic seconds.

A topic is suspected if it has flowed, is stale, and a new subscription did not help, while the connection as a whole is
not suspected (`stall_watch`). A new connection is asked for only if REST shows data that the stream did not deliver;
where REST cannot be asked, only a configured limit (`stale_after_s`) is enough. So a halted symbol costs nothing, and
the successor of a connection, on which the topic has never flowed, is not replaced for it again.

One topic is examined at a time, the busiest first.
"""

from __future__ import annotations

from typing import Final

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.effects import FeedEffect, Look
from foxtrot_workers.feed.liveness import read_token
from foxtrot_workers.feed.silence import BLIND_FACTOR, StallProbe
from foxtrot_workers.feed.topics import TopicRecord, TopicTable

__all__ = ["LOOKS_MAX", "QUIET_S", "TopicWatch"]

LOOKS_MAX: Final = 3
"""Answers that show nothing new after which a topic counts as quiet."""

QUIET_S: Final = 900.0
"""Seconds after which a quiet topic that is still silent is examined again."""


class TopicWatch:
    """Judges the topics of one connection, one after the other."""

    def __init__(self, adapter: Adapter, topics: TopicTable) -> None:
        self._adapter = adapter
        self._topics = topics
        self._probe: StallProbe | None = None
        self._quiet_until: dict[str, float] = {}
        """By wire name, for topics that are still silent."""

    def clear(self) -> None:
        """Discard the evidence: the connection as a whole is suspected, or nothing could be received."""
        self._probe = None

    def judge(self, now: float, effects: list[FeedEffect]) -> str:
        """Return why the connection should be replaced, "" if it should not; looks are appended to `effects`."""
        stale = {record.topic.wire: record for record in self._topics.records if record.state == "stale"}
        self._quiet_until = {wire: until for wire, until in self._quiet_until.items() if wire in stale and now < until}
        if self._probe is not None and self._probe.subject not in stale:
            self._probe = None
        if self._probe is None:
            waiting = [
                record
                for wire, record in stale.items()
                if wire not in self._quiet_until and self._tried_in_vain(record, now)
            ]
            if not waiting:
                return ""
            chosen = max(waiting, key=lambda record: record.looks)
            self._probe = StallProbe(self._topics.trial_s(chosen))
            self._probe.suspect(now, chosen.topic.wire)
        return self._examine(stale[self._probe.subject], self._probe, now, effects)

    def looked(self, status: int, body: bytes, now: float) -> None:
        """The answer to a `Look`; `status` 0: none was received."""
        if self._probe is not None:
            record = self._topics.get(self._probe.subject)
            self._probe.answered(read_token(self._adapter, record, status, body), now)

    def _tried_in_vain(self, record: TopicRecord, now: float) -> bool:
        """Whether a stale topic had the time to deliver data after a new subscription."""
        return record.repeats > 0 and now - record.changed_at >= self._topics.trial_s(record)

    def _examine(self, record: TopicRecord, probe: StallProbe, now: float, effects: list[FeedEffect]) -> str:
        wire, silent_s = record.topic.wire, now - (record.flowing_at or record.asked_at)
        silence = f"{wire}: no data for {silent_s:.1f} s, also after subscribing again"
        if probe.has_moved(now):
            return f"{silence}, and REST shows that it has moved meanwhile"
        request = self._adapter.liveness_request(record.topic)
        blind = request is None or (probe.is_blind and probe.looks > 0)
        if blind and self._topics.stale_after_s is not None and silent_s >= BLIND_FACTOR * self._topics.trial_s(record):
            return f"{silence}, and nothing shows whether its market is quiet"
        if (request is None and self._topics.stale_after_s is None) or probe.looks >= LOOKS_MAX:
            self._quiet_until[wire] = now + QUIET_S
            self._probe = None
        elif request is not None and probe.wants_look(now):
            effects.append(Look(request))
        return ""
