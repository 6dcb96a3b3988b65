"""Subscription requests of one connection, the exchange's answers to them, and their repetition. Pure.

An acknowledgement is not data; whether data follow is judged by `connection_life`. One topic does not decide for all: a
topic that is refused, silent or stale is subscribed again with backoff on the running connection, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from foxtrot_protocol.exit_codes import ChildExit
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.adapter.notices import Acknowledged, Refused
from foxtrot_workers.feed.effects import Answer, FeedEffect
from foxtrot_workers.feed.operator_requests import REQUESTS_MAX, OperatorRequests
from foxtrot_workers.feed.outbox import Outbox
from foxtrot_workers.feed.refusals import halves, retry_after_refusal_s
from foxtrot_workers.feed.topics import TopicRecord, TopicTable

__all__ = ["RESUBSCRIBES_MAX", "Subscriptions"]

RESUBSCRIBES_MAX = 3
"""Immediate resubscriptions of one topic at the adapter's request; further ones follow with backoff."""

LeaveWith: TypeAlias = Callable[[ChildExit, str, list[FeedEffect]], None]
"""Append `Leave` with this exit code and cause to the effects."""


class Subscriptions:
    """Changes the states of `topics` by requests and answers.

    Args:
        adapter: writes the requests.
        topics: the topics of the connection.
        outbox: sends the requests.
        leave: ends the connection.
    """

    def __init__(self, adapter: Adapter, topics: TopicTable, outbox: Outbox, leave: LeaveWith) -> None:
        self._adapter = adapter
        self._limits = adapter.limits
        self._topics = topics
        self._outbox = outbox
        self._leave = leave
        self._leaving: set[str] = set()
        """Topics that an operator has unsubscribed and the exchange has not removed yet: nothing subscribes them again
        but an operator."""
        self._left: dict[str, list[TopicRecord]] = {}
        """Topics that the exchange has removed, of symbols that have others still."""
        self._requests = OperatorRequests(adapter.limits.acknowledge_s)

    # ---- requests

    def subscribe(self, topics: Sequence[Topic], now: float, effects: list[FeedEffect]) -> None:
        """Subscribe `topics`, which are new or were refused for good."""
        for topic in topics:
            self._left.pop(topic.symbol, None)
            self._leaving.discard(topic.wire)
            record = self._topics.add(topic, now)
            effects.append(record.change("asked", now))
        if topics:
            self._outbox.put(self._adapter.subscribe(topics))

    def add(
        self, request_id: int, symbols: Sequence[str], channels: Sequence[str], now: float, effects: list[FeedEffect]
    ) -> None:
        """An operator's SUBSCRIBE; topics that were refused for good are tried again."""
        topics = [topic for topic in self._adapter.topics(channels, symbols) if self._is_new(topic)]
        if len(self._topics) + len(topics) > self._limits.topics_max:
            effects.append(Answer(request_id, f"the exchange allows {self._limits.topics_max} topics a connection"))
        elif self._admit(request_id, topics, now, effects):
            self.subscribe(topics, now, effects)
            self.answer(effects)

    def remove(
        self, request_id: int, symbols: Sequence[str], channels: Sequence[str], now: float, effects: list[FeedEffect]
    ) -> None:
        """An operator's UNSUBSCRIBE."""
        topics = [topic for topic in self._adapter.topics(channels, symbols) if topic.wire in self._topics]
        if self._admit(request_id, topics, now, effects):
            if topics:
                self._leaving.update(topic.wire for topic in topics)
                self._outbox.put(self._adapter.unsubscribe(topics))
            self.answer(effects)

    def delist(
        self, request_id: int, symbols: Sequence[str], channels: Sequence[str], now: float, effects: list[FeedEffect]
    ) -> None:
        """End the topics of symbols that the exchange lists no longer: it may never answer about them."""
        topics = self._adapter.topics(channels, symbols)
        records = [record for topic in topics if (record := self._topics.get(topic.wire)) is not None]
        if records:
            self._outbox.put(self._adapter.unsubscribe([record.topic for record in records]))
        for record in records:
            effects.append(record.change("delisted", now, "the exchange lists it no longer"))
            self._topics.remove(record.topic.wire)
        effects.append(Answer(request_id, ""))

    def resync(self, symbols: Sequence[str], channels: Sequence[str], now: float) -> None:
        """Request fresh snapshots of the books of these symbols; books that do not flow are resynchronizing already."""
        topics = [
            topic
            for topic in self._adapter.topics(channels, symbols)
            if self._topics.flows(topic.wire) and topic.wire not in self._leaving
        ]
        again = self._adapter.resync(topics)
        if again:
            self._outbox.put(self._adapter.unsubscribe(again))
            self._outbox.put(self._adapter.subscribe(again))
        for topic in again:
            record = self._topics.get(topic.wire)
            if record is not None:
                record.request(now)

    def repeat(self, records: Sequence[TopicRecord], now: float) -> None:
        """Subscribe topics again; those that the exchange may still hold are unsubscribed first."""
        records = [record for record in records if record.topic.wire not in self._leaving]
        if not records:
            return
        held = [record.topic for record in records if not record.refusals]
        if held:
            self._outbox.put(self._adapter.unsubscribe(held))
        self._outbox.put(self._adapter.subscribe([record.topic for record in records]))
        for record in records:
            record.repeat(now)

    def repeat_due(self, now: float, effects: list[FeedEffect]) -> None:
        """Subscribe the topics again whose backoff has passed; each is announced."""
        due = [record for record in self._topics.records if record.again_at is not None and now >= record.again_at]
        if not due:
            return
        self.repeat(due, now)
        for record in due:
            effects.append(record.resubscribed(now))
            if record.state in ("stale", "silent") or (record.state == "invalid" and not record.refusals):
                record.again_at = now + self._topics.retry_s(record)

    def restore(self, wire: str, reason: str, now: float, effects: list[FeedEffect]) -> None:
        """Subscribe a topic again because its adapter needs a new snapshot; with backoff if that was in vain before.

        The connection is left if most of its topics cannot be restored in this way.
        """
        record = self._topics.get(wire)
        if record is None:
            return
        if record.repeats < RESUBSCRIBES_MAX:
            self.repeat([record], now)
            return
        reason = f"{reason}; {record.repeats} resubscriptions did not help"
        broken = [
            each
            for each in self._topics.records
            if each is record or (each.again_at and each.repeats >= RESUBSCRIBES_MAX)
        ]
        if len(broken) * 2 > len(self._topics):
            self._leave(ChildExit.STALE, f"{wire}: {reason}", effects)
            return
        record.again_at = now + self._topics.retry_s(record)
        effects.append(record.change("invalid", now, reason))

    @property
    def changing(self) -> bool:
        """Whether an operator's request waits for its answer."""
        return self._requests.waiting

    # ---- answers

    def acknowledged(self, notice: Acknowledged, now: float, effects: list[FeedEffect]) -> None:
        """The exchange has subscribed or removed topics."""
        for wire in notice.wires:
            if notice.subscribed:
                self._acknowledge(wire, now, effects)
            elif (record := self._topics.get(wire)) is not None:
                self._leaving.discard(wire)
                self._topics.remove(wire)
                self._left.setdefault(record.topic.symbol, []).append(record)
            self._requests.answered(wire)
        self._report_left(now, effects)
        self.answer(effects)

    def refused(self, notice: Refused, now: float, effects: list[FeedEffect]) -> None:
        """The exchange has refused topics, or a request as a whole."""
        wires = notice.wires or tuple(r.topic.wire for r in self._topics.records if r.state == "asked")
        records = [record for wire in wires if (record := self._topics.get(wire)) is not None]
        if not notice.wires and notice.retry == "never":
            # unknown which topic is meant: all are retried, and the valid ones are acknowledged then
            notice = msgspec.structs.replace(notice, retry="later")
        if notice.retry == "never" and len(records) > 1 and not notice.exact:
            for half in halves(records):  # one of them is refused, unknown which
                self._outbox.put(self._adapter.subscribe([record.topic for record in half]))
                for record in half:
                    record.asked_at = now
            return
        for record in records:
            self._refuse(record, notice, now, effects)
        for wire in wires:
            self._leaving.discard(wire)
            self._requests.answered(wire, notice.reason)
        self.answer(effects)
        if len(self._topics) and all(record.final for record in self._topics.records):
            self._leave(ChildExit.REFUSED, f"every subscription was refused: {notice.reason}", effects)

    def delivered(self, wire: str) -> None:
        """A topic has begun to flow, which answers requests for it too."""
        self._requests.answered(wire)

    def check_unanswered(self, record: TopicRecord, now: float, effects: list[FeedEffect]) -> None:
        """Repeat a request that is unanswered for too long; leave if that was in vain for most topics."""
        # what waits in the outbox cannot be answered yet
        if now - record.asked_at < self._limits.acknowledge_s or self._outbox or record.again_at is not None:
            return
        unanswered = sum(each.state == "asked" and not each.acknowledged for each in self._topics.records)
        if record.repeats and unanswered * 2 > len(self._topics):
            self._leave(ChildExit.CONNECTION_LOST, f"{record.topic.wire}: subscription not acknowledged", effects)
            return
        self._outbox.put(self._adapter.subscribe([record.topic]))
        record.repeats += 1
        record.asked_at = now + (self._topics.retry_s(record) if record.repeats > 1 else 0.0)

    def expire_requests(self, now: float, effects: list[FeedEffect]) -> None:
        """Answer operators' requests that the exchange has not answered in time."""
        self._requests.expire(now)
        self.answer(effects)

    def answer(self, effects: list[FeedEffect]) -> None:
        """Answer operators' requests that wait for nothing."""
        effects.extend(self._requests.take_complete())

    def _report_left(self, now: float, effects: list[FeedEffect]) -> None:
        """Publish that topics were left, once all of a symbol were: the engine then expects nothing more of it."""
        for symbol in [symbol for symbol in self._left if not self._topics.has_symbol(symbol)]:
            effects.extend(record.change("unsubscribed", now) for record in self._left.pop(symbol))

    def _is_new(self, topic: Topic) -> bool:
        record = self._topics.get(topic.wire)
        return record is None or record.final or topic.wire in self._leaving

    def _admit(self, request_id: int, topics: Sequence[Topic], now: float, effects: list[FeedEffect]) -> bool:
        if self._requests.add(request_id, {topic.wire for topic in topics}, now):
            return True
        effects.append(Answer(request_id, f"more than {REQUESTS_MAX} requests are waiting"))
        return False

    def _acknowledge(self, wire: str, now: float, effects: list[FeedEffect]) -> None:
        record = self._topics.get(wire)
        if record is None:
            return
        record.acknowledged = True
        if record.state == "asked" or (record.state == "invalid" and record.refusals and not record.final):
            record.refusals = 0
            record.again_at = None
            effects.append(record.change("acknowledged", now))

    def _refuse(self, record: TopicRecord, notice: Refused, now: float, effects: list[FeedEffect]) -> None:
        record.acknowledged = False
        record.refusals += 1
        delay_s = retry_after_refusal_s(notice.retry, record.refusals)
        record.final = delay_s is None
        record.again_at = None if delay_s is None else now + delay_s
        reason = notice.reason if delay_s is None else f"{notice.reason}; subscribed again in {delay_s:g} s"
        if record.state == "invalid":
            record.reason = reason
        else:
            effects.append(record.change("invalid", now, reason))
