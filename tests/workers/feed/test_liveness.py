"""Answers to requests for liveness."""

from __future__ import annotations

from foxtrot_workers.adapter.limits import Topic
from foxtrot_workers.feed.liveness import read_token
from foxtrot_workers.feed.topics import TopicRecord
from tests.workers.feed.test_stall_watch import Watched


class Broken(Watched):
    def liveness_token(self, topic: Topic, body: bytes) -> str:
        raise LookupError("no such field")


def test_only_a_readable_answer_has_a_token() -> None:
    record = TopicRecord(Topic("trade", "A", "A@trade"), 0.0)
    assert read_token(Watched(), record, 200, b"7") == "7"
    assert read_token(Watched(), record, 503, b"7") is None
    assert read_token(Watched(), None, 200, b"7") is None
    assert read_token(Broken(), record, 200, b"7") is None
