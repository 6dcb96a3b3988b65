"""When a worker brings all that another has brought."""

from __future__ import annotations

import pytest

from foxtrot_protocol.commands import TopicStatus
from foxtrot_supervisor.core.coordination.takeover import Takeover, takeover

FLOWING = TopicStatus("t", "flowing", 0.1, 50.0, channel="trade")


def topic(state: str, since_s: float = 5.0, channel: str = "trade", reason: str = "") -> TopicStatus:
    return TopicStatus("t", state, None, since_s, reason=reason, channel=channel)


def before(age_s: float | None, state: str = "flowing") -> TopicStatus:
    return TopicStatus("t", state, age_s, 50.0, channel="trade")


@pytest.mark.parametrize(
    ("new", "old", "brought"),
    [
        (FLOWING, before(0.1), True),
        (topic("asked"), None, False),
        (topic("acknowledged"), None, True),
        (topic("acknowledged"), before(None, "acknowledged"), True),
        (topic("acknowledged"), before(4.9), False),
        (topic("acknowledged"), before(5.0), True),
        (topic("stale"), before(900.0, "stale"), True),
        (topic("acknowledged", channel="book"), before(900.0), False),
        (topic("acknowledged", channel="book"), before(900.0, "stale"), True),
        (topic("invalid", reason="refused"), before(0.0), False),
    ],
)
def test_a_topic_is_brought_if_nothing_was_missed(new: TopicStatus, old: TopicStatus | None, brought: bool) -> None:
    found = takeover([new], {} if old is None else {"t": old})
    assert (found.carried, found.total, bool(found.lacking)) == (int(brought), 1, not brought)


def test_what_is_lacking_is_named() -> None:
    lacking = TopicStatus("u", "invalid", None, 1.0, reason="refused")
    assert takeover([FLOWING, lacking], {"u": before(0.0)}) == Takeover(1, 2, "u is invalid: refused")
    assert takeover([], {}) == Takeover(0, 0, "")
