"""Policy for silent topics and connections. Pure.

A venue that pings and sends no data looks alive to every library. Three questions are answered here:

* Is a topic *stale*? Each channel has a limit, or none where a pause is normal (trades of an illiquid symbol). A topic
  with longer pauses gets a longer limit (`topic_limit_s`).
* Are the silent topics *most of the connection* (`most_is_silent`)? Then the connection is suspected. Otherwise the
  silent topics are subscribed again with backoff on the running connection, and the others continue.
* Is a suspected connection *dead, or its market quiet* (`StallProbe`)? Two REST requests some time apart show it: a
  change at the venue that the stream did not deliver proves a dead stream. Data of the twin prove it too. Without
  either, the duration of the silence decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

__all__ = [
    "ASK_AGAIN_MAX_S",
    "BLIND_FACTOR",
    "BLIND_RESTING_FACTOR",
    "GRACE_S",
    "LOOK_AGAIN_MAX_S",
    "RESTING_FACTOR",
    "RESTING_LIMIT_S",
    "RESTING_LOOKS_MIN",
    "REST_FACTOR",
    "REST_LIMIT_FACTOR_MAX",
    "Activity",
    "StallProbe",
    "ask_again_s",
    "most_is_silent",
    "topic_limit_s",
]

REST_FACTOR: Final = 4.0
"""A topic is stale only after this multiple of its longest pause so far ..."""

REST_LIMIT_FACTOR_MAX: Final = 10.0
"""... and at the latest after this multiple of its channel's limit."""

ASK_AGAIN_FIRST_S: Final = 10.0
ASK_AGAIN_MAX_S: Final = 900.0
"""Bounds of the delay in seconds before a silent topic is subscribed again; it doubles with each attempt."""

LOOK_AGAIN_MAX_S: Final = 300.0
"""Maximum seconds between two looks by REST; the interval doubles with each look."""

GRACE_S: Final = 2.0
"""Seconds that the stream has to deliver a change that REST has shown: REST may be ahead of it."""

BLIND_FACTOR: Final = 2.0
"""Without evidence, a connection is replaced at this multiple of its limit ..."""

BLIND_RESTING_FACTOR: Final = 10.0
"""... and at this multiple if all its topics may pause for any time."""

RESTING_LOOKS_MIN: Final = 100
"""A topic without a limit gets one after new data were found at this many looks: ..."""

RESTING_LIMIT_S: Final = 120.0
"""... at least this many seconds ..."""

RESTING_FACTOR: Final = 20.0
"""... and at least this multiple of its longest pause."""


def topic_limit_s(default_s: float | None, longest_rest_s: float, looks: int) -> float | None:
    """Return the seconds without data after which a topic is stale; None: it may pause for any time.

    Args:
        default_s: the channel's limit; None: none, but a busy topic must not fall silent unnoticed.
        longest_rest_s: longest pause of this topic that ended without a new subscription.
        looks: number of looks that found new data.
    """
    if default_s is None:
        known = looks >= RESTING_LOOKS_MIN
        return max(RESTING_LIMIT_S, RESTING_FACTOR * longest_rest_s) if known else None
    return min(max(default_s, REST_FACTOR * longest_rest_s), REST_LIMIT_FACTOR_MAX * default_s)


def ask_again_s(limit_s: float, attempt: int) -> float:
    """Return the delay in seconds after subscription number `attempt` (from 0) of a silent topic."""
    first_s = min(max(limit_s, ASK_AGAIN_FIRST_S), ASK_AGAIN_MAX_S)
    return float(min(first_s * 2.0 ** min(attempt, 10), ASK_AGAIN_MAX_S))


class Activity(Struct, frozen=True):
    """A topic that has delivered data on this connection."""

    silent: bool
    """Whether it is silent although it was subscribed again."""
    looks: int
    """Number of looks that found new data: a measure of its activity."""


def most_is_silent(topics: Iterable[Activity]) -> bool:
    """Whether most of a connection is silent, both by number of topics and by their activity.

    Two illiquid symbols must not end the connection of a busy one. Topics that never delivered data are not counted: a
    delisted symbol would cause endless reconnections.
    """
    known = list(topics)
    silent = [topic for topic in known if topic.silent]
    total = sum(topic.looks for topic in known)
    return len(silent) * 2 > len(known) and sum(topic.looks for topic in silent) * 2 > total


class StallProbe:
    """Collects evidence about one suspected connection; times are monotonic seconds.

    Call `suspect` while the connection is suspected, `clear` when it is not. When `wants_look` is true, send a REST
    request and pass the answer to `answered`. `verdict` returns the reason to replace the connection.
    """

    def __init__(self, limit_s: float) -> None:
        """`limit_s`: seconds without data after which the connection may be replaced."""
        self._limit_s = limit_s
        self.clear()

    def clear(self) -> None:
        """Discard the evidence: data have arrived, or the connection is not suspected."""
        self._since: float | None = None
        self._token: str | None = None
        self.looks = 0
        """Answers since it is suspected."""
        self._look_at = 0.0
        self._asking = False
        self._moved_at: float | None = None
        self._blind = True
        self.subject = ""
        """Wire name of the topic that REST requests are about."""

    def suspect(self, now: float, subject: str) -> None:
        """The connection is suspected; `subject`: the topic to request by REST, kept until `clear`."""
        if self._since is None:
            self._since = self._look_at = now
            self.subject = subject

    @property
    def suspected(self) -> bool:
        """Whether evidence is being collected."""
        return self._since is not None

    @property
    def is_blind(self) -> bool:
        """Whether no answer could be read yet."""
        return self._blind

    def has_moved(self, now: float) -> bool:
        """Whether REST has shown a change that the stream has not delivered since."""
        return self._moved_at is not None and now - self._moved_at >= GRACE_S

    def wants_look(self, now: float) -> bool:
        """Whether to send a REST request now; true once for each request."""
        if self._since is None or self._asking or self._moved_at is not None or now < self._look_at:
            return False
        self._asking = True
        return True

    def answered(self, token: str | None, now: float) -> None:
        """Process an answer: a text that changes if the topic has new data; None: no readable answer."""
        if self._since is None or not self._asking:
            return
        self._asking = False
        if token is not None:
            if self._token is not None and token != self._token:
                self._moved_at = now
            self._token = token
            self._blind = False
        self._look_at = now + min(self._limit_s / 2.0 * 2.0 ** min(self.looks, 10), LOOK_AGAIN_MAX_S)
        self.looks += 1

    def verdict(self, now: float, silent_s: float, *, resting: bool) -> str:
        """Return why the connection is dead; "" if that is not known.

        Args:
            now: monotonic seconds.
            silent_s: seconds since the suspected topics delivered data.
            resting: all of them may pause for any time, so that their silence proves little.
        """
        if self._since is None or silent_s < self._limit_s:
            return ""
        if self.has_moved(now):
            return f"REST shows that {self.subject} has moved meanwhile"
        factor = BLIND_RESTING_FACTOR if resting else BLIND_FACTOR
        if self._blind and silent_s >= factor * self._limit_s:
            return "and nothing shows whether the market is quiet"
        return ""
