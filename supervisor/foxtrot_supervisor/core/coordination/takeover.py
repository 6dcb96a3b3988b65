"""Whether one worker brings all that another does, topic by topic, so that the other may let go of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from foxtrot_protocol.commands import TopicStatus

__all__ = ["Takeover", "takeover"]


class Takeover(Struct, frozen=True):
    """`carried` of `total` topics are brought; `lacking` names one that is not, "" if there is none."""

    carried: int
    total: int
    lacking: str


def takeover(new: Sequence[TopicStatus], old: Mapping[str, TopicStatus]) -> Takeover:
    """Compare the topics of a new worker with those of the one that had them before, by name.

    A topic that flows is brought. So is one that is acknowledged and quiet, if the other has had no data since then
    either; but a book must flow, since its first snapshot may come much later than the acknowledgement.
    """
    lacking = [topic for topic in new if not _is_brought(topic, old.get(topic.topic))]
    text = f"{lacking[0].topic} is {lacking[0].state}" if lacking else ""
    reason = f": {lacking[0].reason}" if lacking and lacking[0].reason else ""
    return Takeover(len(new) - len(lacking), len(new), text + reason)


def _is_brought(topic: TopicStatus, before: TopicStatus | None) -> bool:
    if topic.state == "flowing":
        return True
    if topic.state == "asked":
        return False
    if before is None or before.age_s is None:
        return True
    if topic.channel.startswith("book") and before.state == "flowing":
        return False
    return before.age_s >= topic.since_s
