"""Decides whether a connection without data is dead, or its market quiet. Pure; times are monotonic seconds.

The connection is suspected when nothing of any topic has arrived for half its limit, or most of it is silent. Evidence
that it is dead: data of its twin, a change that REST shows and the stream did not deliver, or time (`silence`).
"""

from __future__ import annotations

from collections.abc import Sequence

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.effects import FeedEffect, Look
from foxtrot_workers.feed.liveness import read_token
from foxtrot_workers.feed.silence import Activity, StallProbe, most_is_silent
from foxtrot_workers.feed.topics import TopicRecord, TopicTable

__all__ = ["SUBJECTS_MAX", "StallWatch"]

SUBJECTS_MAX = 100
"""Topics among which the one to look at by REST is chosen."""


class StallWatch:
    """Judges one connection; `topics` are its topics."""

    def __init__(self, adapter: Adapter, topics: TopicTable) -> None:
        self._adapter = adapter
        self._topics = topics
        self._limit_s = topics.connection_limit_s
        self._probe = StallProbe(self._limit_s)
        self._opened_at = 0.0
        self._twin_fresh_at: float | None = None

    def opened(self, now: float) -> None:
        """The connection is open."""
        self._opened_at = now

    def excuse(self, pause_s: float) -> None:
        """Nothing could be received for so many seconds: evidence collected before says nothing."""
        self._opened_at += pause_s
        self._probe.clear()

    @property
    def suspected(self) -> bool:
        """Whether the connection as a whole is suspected."""
        return self._probe.suspected

    def twin_is_fresh(self, now: float) -> None:
        """The twin, which has the same topics, has just received data."""
        self._twin_fresh_at = now

    def looked(self, status: int, body: bytes, now: float) -> None:
        """The answer to a `Look`; `status` 0: none was received."""
        record = self._topics.get(self._probe.subject)
        self._probe.answered(read_token(self._adapter, record, status, body), now)

    def judge(self, now: float, effects: list[FeedEffect]) -> str:
        """Return why the connection is dead, "" if it is not or not known to be; looks are appended to `effects`."""
        records = [record for record in self._topics.records if not record.final]
        if not records:
            return ""
        whole = now - self._latest(records) >= self._limit_s / 2.0
        silent = [record for record in records if self._topics.is_silent(record, now)]
        active = [Activity(silent=record in silent, looks=record.looks) for record in records if record.looks]
        most = most_is_silent(active)
        if not whole and not most:
            self._probe.clear()
            return ""
        suspects = records if whole else silent
        silent_s = now - self._latest(suspects)
        what = "no data of any topic" if whole else f"no data of {len(silent)} of {len(active)} topics"
        if most and self._topics.stale_after_s is not None:
            names = ", ".join(record.topic.wire for record in silent[:3])
            return f"{what} for {silent_s:.1f} s, also after subscribing again: {names}"
        self._collect_evidence(suspects, now, effects)
        resting = all(self._topics.channel_limit_s(record) is None for record in suspects)
        why = self._probe.verdict(now, silent_s, resting=resting)
        if not why and whole and silent_s >= self._limit_s and self._twin_flows(now):
            why = "its twin has data"
        return f"{what} for {silent_s:.1f} s, {why}" if why else ""

    def _latest(self, records: Sequence[TopicRecord]) -> float:
        latest = self._topics.latest(records)
        return self._opened_at if latest is None else latest

    def _twin_flows(self, now: float) -> bool:
        return self._twin_fresh_at is not None and now - self._twin_fresh_at <= self._limit_s / 2.0

    def _collect_evidence(self, suspects: Sequence[TopicRecord], now: float, effects: list[FeedEffect]) -> None:
        requests = {each.topic.wire: self._adapter.liveness_request(each.topic) for each in suspects[:SUBJECTS_MAX]}
        able = [record for record in suspects if requests.get(record.topic.wire) is not None]
        busiest = max(able or suspects, key=lambda record: record.looks)
        self._probe.suspect(now, busiest.topic.wire)
        if self._probe.wants_look(now):
            record = self._topics.get(self._probe.subject)
            request = self._adapter.liveness_request(record.topic) if record is not None else None
            if request is None:
                self._probe.answered(None, now)
            else:
                effects.append(Look(request))
