"""Problems of a worker's topics, from its status. Pure.

The same rules serve `doctor` and `status`: a topic is a problem if it is acknowledged but silent, flowing but old,
without a valid book, refused, or never acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

__all__ = [
    "DATA_OLD_BAD_S",
    "DATA_OLD_WATCH_S",
    "INVALID_BAD_S",
    "OLD_SLACK_S",
    "UNANSWERED_BAD_S",
    "Problem",
    "Severity",
    "topic_problems",
]

Severity: TypeAlias = Literal["bad", "watch"]

INVALID_BAD_S: Final = 10.0
"""Seconds after which a book that resynchronizes, or a temporary refusal, is ``bad`` and no longer ``watch``."""

UNANSWERED_BAD_S: Final = 30.0
"""Seconds after which a subscription without any answer is ``bad``."""

OLD_SLACK_S: Final = 10.0
"""Seconds by which the data of a flowing topic may exceed its limit, since heartbeats may be late."""

DATA_OLD_WATCH_S: Final = 60.0
DATA_OLD_BAD_S: Final = 300.0
"""Age of the latest data of a whole connection, in seconds, also where each of its topics may rest."""


class Problem(Struct, frozen=True):
    """One problem of a topic, or of all topics of a worker."""

    severity: Severity
    what: str
    reason: str = ""


def topic_problems(worker: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield the problems of the topics of `worker`, an element of ``workers`` in the status."""
    if worker.get("stopped_by_operator"):
        return
    for topic in worker["topics"]:
        problem = _problem(topic)
        if problem is not None:
            yield problem
    age_s = worker.get("last_data_age_s")
    if worker.get("state") == "RUNNING" and age_s is not None and age_s >= DATA_OLD_WATCH_S:
        severity: Severity = "bad" if age_s >= DATA_OLD_BAD_S else "watch"
        yield Problem(severity, f"no data of any topic for {age_s:.0f} s")


def _problem(topic: Mapping[str, Any]) -> Problem | None:
    name, state, reason = topic["topic"], topic["state"], topic.get("reason") or ""
    since_s, age_s, limit_s = topic.get("since_s") or 0.0, topic.get("age_s"), topic.get("limit_s")
    match state:
        case "stale":
            return Problem("bad", f"{name} is stale{_age(age_s)}", reason)
        case "silent":
            return Problem("bad", f"{name} is acknowledged but silent", reason)
        case "invalid" if topic.get("final"):
            return Problem("bad", f"{name} is refused for good", reason)
        case "invalid":
            return Problem(_worse(since_s >= INVALID_BAD_S), f"{name} is invalid for {since_s:.0f} s", reason)
        case "maintenance":
            return Problem("watch", f"{name} waits for the exchange", reason)
        case "gap":
            return Problem("watch", f"{name} has a gap", reason)
        case "asked" if since_s >= UNANSWERED_BAD_S:
            return Problem("bad", f"{name} is not acknowledged for {since_s:.0f} s", reason)
        case "flowing" if age_s is not None and limit_s is not None and age_s > limit_s + OLD_SLACK_S:
            return Problem("bad", f"{name} is flowing, but its data are {age_s:.0f} s old")
        case _:
            return None


def _worse(bad: bool) -> Severity:
    return "bad" if bad else "watch"


def _age(age_s: float | None) -> str:
    return "" if age_s is None else f": its data are {age_s:.0f} s old"
