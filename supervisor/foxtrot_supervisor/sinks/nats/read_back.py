"""Finds out which rows a stream holds already, where its duplicate window no longer tells.

A message that was sent and not acknowledged may have been stored. If it is sent again within the stream's duplicate
window, the server recognizes it. After an outage that was longer, the ids of the messages that were stored since are
read from the stream and compared.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from nats.js import JetStreamContext

__all__ = ["CLOCKS_S", "MESSAGES_MAX", "ReadBack", "stored_ids"]

MESSAGES_MAX: Final = 1_000_000
"""Messages of a stream that are read at most: about half a minute."""

FETCH_MESSAGES: Final = 500

ABANDONED_S: Final = 60.0
"""Time after which the server removes a consumer that nobody uses."""

CLOCKS_S: Final = 300.0
"""Difference of this machine's clock and the server's that is allowed for."""


class ReadBack(Struct, frozen=True):
    """Ids that the stream holds, of those that were asked for."""

    found: frozenset[str]
    is_complete: bool
    """False: the stream has more messages since then than were read."""


async def stored_ids(
    jetstream: JetStreamContext, stream: str, subject: str, ids: Collection[str], since_ns: int, timeout_s: float
) -> ReadBack:
    """Return which of `ids` messages on `subject` stored since `since_ns` (1970 UTC) have.

    Raises the errors of nats-py.
    """
    import nats.errors
    from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

    wanted = set(ids)
    found: set[str] = set()
    start = datetime.datetime.fromtimestamp(max(0.0, since_ns / 1e9 - CLOCKS_S), datetime.UTC)
    consumer = await jetstream.add_consumer(
        stream,
        ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_TIME,
            opt_start_time=start.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),  # type: ignore[arg-type]  # sent as it is
            filter_subject=subject,
            headers_only=True,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=ABANDONED_S,
        ),
    )
    left = min(consumer.num_pending or 0, MESSAGES_MAX)
    is_complete = left == (consumer.num_pending or 0)
    subscription = await jetstream.pull_subscribe_bind(consumer.name, stream)
    try:
        while left > 0 and found != wanted:
            for message in await subscription.fetch(min(left, FETCH_MESSAGES), timeout=timeout_s):
                left -= 1
                name = (message.headers or {}).get("Nats-Msg-Id")
                if name in wanted:
                    found.add(name)
    finally:
        with contextlib.suppress(nats.errors.Error, OSError):  # the server removes an abandoned consumer
            await subscription.unsubscribe()
            await jetstream.delete_consumer(stream, consumer.name)
    return ReadBack(frozenset(found), is_complete or found == wanted)
