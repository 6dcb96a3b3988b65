"""Checks of requests against an exchange: acknowledgements, refusals, and what they change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from foxtrot_workers.adapter import Acknowledged, Adapter, Notice, Refused, UnrecognizedFrame
from foxtrot_workers.testing.samples import (
    RECEIVE_NS,
    AdapterSample,
    NotConforming,
    feed_before,
    require,
    short,
    topic_of,
)

__all__ = ["Answerer", "check_round_trip"]

Answerer: TypeAlias = Callable[[str], Sequence[bytes]]
"""One connection of an exchange: returns the answers to a request text."""


def check_round_trip(adapter_class: type[Adapter], sample: AdapterSample, connect: Callable[[], Answerer]) -> None:
    """Check the life of one topic on connections of an exchange.

    Args:
        adapter_class: the adapter.
        sample: of the topic.
        connect: opens a connection of an exchange, or of what answers like it.
    """
    _check_life(adapter_class, sample, connect())
    _check_crossing(adapter_class, sample, connect())
    _check_strangers(adapter_class, sample, connect())


def _check_life(adapter_class: type[Adapter], sample: AdapterSample, exchange: Answerer) -> None:
    """Subscribe, receive, unsubscribe, receive nothing."""
    adapter = adapter_class()
    topic = topic_of(adapter, sample)
    notices = _tell(adapter, exchange, [*adapter.opening(), *adapter.subscribe([topic])])
    require(topic.wire in _wires(notices, subscribed=True), f"the subscription of {topic.wire} is not acknowledged")
    refused = [notice for notice in notices if isinstance(notice, Refused)]
    require(not refused, f"an accepted subscription is refused: {refused}")
    feed_before(adapter, sample)
    require(_accepts(adapter, sample), f"data of {topic.wire} are not accepted after the acknowledgement")
    notices = _tell(adapter, exchange, adapter.unsubscribe([topic]))
    require(topic.wire in _wires(notices, subscribed=False), f"the end of {topic.wire} is not acknowledged")
    require(not _accepts(adapter, sample), f"data of {topic.wire} are accepted after its end")
    require(topic.wire not in adapter.last_data_ns, f"last_data_ns has {topic.wire} after its end")


def _check_crossing(adapter_class: type[Adapter], sample: AdapterSample, exchange: Answerer) -> None:
    """A topic that is subscribed again before the answer to its end has come stays: a worker does so for a snapshot."""
    adapter = adapter_class()
    topic = topic_of(adapter, sample)
    _tell(adapter, exchange, [*adapter.opening(), *adapter.subscribe([topic])])
    notices = _tell(adapter, exchange, [*adapter.unsubscribe([topic]), *adapter.subscribe([topic])])
    ended = [
        place for place, notice in enumerate(notices) if isinstance(notice, Acknowledged) and topic.wire in notice.wires
    ]
    last = notices[ended[-1]] if ended else None
    require(
        isinstance(last, Acknowledged) and last.subscribed,
        f"{topic.wire} was subscribed again at once, and is not acknowledged: {notices}",
    )
    feed_before(adapter, sample)
    require(_accepts(adapter, sample), f"data of {topic.wire} are not accepted after it was subscribed again at once")


def _check_strangers(adapter_class: type[Adapter], sample: AdapterSample, exchange: Answerer) -> None:
    """Answers that belong to no request of this connection do no harm."""
    asked = adapter_class()
    topic = topic_of(asked, sample)
    answers = [answer for text in asked.subscribe([topic]) for answer in exchange(text)]
    stranger = adapter_class()
    for answer in answers:
        _feed(stranger, answer)
    require(not _accepts(stranger, sample), f"an answer to another connection's request opens {topic.wire}")


def _tell(adapter: Adapter, exchange: Answerer, texts: Sequence[str]) -> list[Notice]:
    """Send `texts` to the exchange, then feed all its answers; return the notices."""
    for answer in [answer for text in texts for answer in exchange(text)]:
        _feed(adapter, answer)
    notices = list(adapter.notices)
    adapter.notices.clear()
    return notices


def _feed(adapter: Adapter, answer: bytes) -> None:
    try:
        adapter.parse(answer, RECEIVE_NS, [])
    except (msgspec.DecodeError, UnrecognizedFrame):
        return
    except Exception as error:
        raise NotConforming(f"parse raised {type(error).__name__} ({error}) for {short(answer)}") from error


def _wires(notices: Sequence[Notice], *, subscribed: bool) -> set[str]:
    return {
        wire
        for notice in notices
        if isinstance(notice, Acknowledged) and notice.subscribed is subscribed
        for wire in notice.wires
    }


def _accepts(adapter: Adapter, sample: AdapterSample) -> bool:
    try:
        adapter.parse(sample.frame, RECEIVE_NS, [])
    except UnrecognizedFrame:
        return False
    return True
