"""What is created, and what is demanded of a stream that exists. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from foxtrot_supervisor.sinks.nats.settings import NatsSettings

__all__ = ["StreamFacts", "covers", "differences", "stream_problems", "wanted_subject"]


class StreamFacts(Struct, frozen=True, kw_only=True):
    """What matters of a stream's configuration."""

    subjects: Sequence[str]
    no_ack: bool = False
    sealed: bool = False
    duplicate_window_s: float = 0.0
    max_age_s: float = 0.0
    max_bytes: int = -1
    replicas: int = 1
    storage: str = "file"
    retention: str = "limits"
    discard: str = "old"


def wanted_subject(settings: NatsSettings) -> str:
    """Return the subject of the stream that is created."""
    return f"{settings.subject_prefix}.>"


def covers(pattern: str, subject: str) -> bool:
    """Return whether every subject of the pattern `subject` is one of the pattern `pattern`."""
    have, want = pattern.split("."), subject.split(".")
    for place, part in enumerate(want):
        if place >= len(have):
            return False
        if have[place] == ">":
            return True
        if part == ">" or (have[place] != "*" and have[place] != part):
            return False
    return len(have) == len(want)


def stream_problems(facts: StreamFacts, settings: NatsSettings) -> list[str]:
    """Return why the stream cannot be used."""
    found = []
    wanted = wanted_subject(settings)
    if not any(covers(subject, wanted) for subject in facts.subjects):
        found.append(f"its subjects are {', '.join(facts.subjects) or 'none'}, without {wanted}")
    if facts.no_ack:
        found.append("it acknowledges nothing (no_ack)")
    if facts.sealed:
        found.append("it is sealed")
    if facts.duplicate_window_s <= 0:
        found.append("it has no duplicate window, messages could be doubled")
    return [f"stream {settings.stream}: {each}" for each in found]


def differences(facts: StreamFacts, settings: NatsSettings) -> list[str]:
    """Return what of the stream differs from the settings and is used as it is."""
    have_and_want: list[tuple[str, Any, Any]] = [
        ("max_age_days", facts.max_age_s / 86_400, settings.max_age_days),
        ("max_mib", facts.max_bytes / 1024**2 if facts.max_bytes > 0 else 0, settings.max_mib),
        ("replicas", facts.replicas, settings.replicas),
        ("duplicate_window_s", facts.duplicate_window_s, settings.duplicate_window_s),
    ]
    found = [
        f"{name} is {have:g}, not {want:g}" for name, have, want in have_and_want if abs(have - want) > 1e-6 * want
    ]
    if facts.storage != "file":
        found.append(f"storage is {facts.storage}: a restart of the server loses it")
    if facts.retention != "limits":
        found.append(f"retention is {facts.retention}")
    return found
