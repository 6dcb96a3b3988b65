"""What is demanded of a stream that exists."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from foxtrot_supervisor.sinks.nats.settings import NatsSettings
from foxtrot_supervisor.sinks.nats.stream_checks import StreamFacts, covers, differences, stream_problems

SETTINGS = NatsSettings()
GOOD = StreamFacts(subjects=["foxtrot.>"], duplicate_window_s=120.0, max_age_s=7 * 86_400.0, max_bytes=10_240 * 1024**2)


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("foxtrot.>", "foxtrot.>", True),
        (">", "foxtrot.>", True),
        ("*.>", "foxtrot.>", True),
        ("foxtrot.*.>", "foxtrot.>", False),
        ("foxtrot.*", "foxtrot.>", False),
        ("other.>", "foxtrot.>", False),
        ("foxtrot", "foxtrot.>", False),
        ("a.b.>", "a.b.>", True),
        ("a.*.>", "a.b.>", True),
        ("a.b", "a.b", True),
        ("a.b.c", "a.b", False),
        ("a.*", "a.*", True),
        ("a.b", "a.*", False),
    ],
)
def test_patterns_that_cover_others(pattern: str, subject: str, expected: bool) -> None:
    assert covers(pattern, subject) is expected


def test_a_stream_as_we_create_it_is_good() -> None:
    assert stream_problems(GOOD, SETTINGS) == []
    assert differences(GOOD, SETTINGS) == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(GOOD, subjects=["orders.>"]), "without foxtrot.>"),
        (replace(GOOD, subjects=[]), "none, without"),
        (replace(GOOD, no_ack=True), "no_ack"),
        (replace(GOOD, sealed=True), "sealed"),
        (replace(GOOD, duplicate_window_s=0.0), "doubled"),
    ],
)
def test_streams_that_cannot_be_used(facts: StreamFacts, reason: str) -> None:
    (problem,) = stream_problems(facts, SETTINGS)
    assert problem.startswith("stream FOXTROT: ")
    assert reason in problem


def test_differences_are_said() -> None:
    facts = replace(GOOD, max_age_s=86_400.0, max_bytes=-1, replicas=3, storage="memory", retention="workqueue")
    assert differences(facts, SETTINGS) == [
        "max_age_days is 1, not 7",
        "max_mib is 0, not 10240",
        "replicas is 3, not 1",
        "storage is memory: a restart of the server loses it",
        "retention is workqueue",
    ]
