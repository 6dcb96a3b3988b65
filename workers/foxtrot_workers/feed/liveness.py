"""Reads answers to requests for liveness. Pure."""

from __future__ import annotations

import contextlib

import msgspec

from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.topics import TopicRecord

__all__ = ["read_token"]


def read_token(adapter: Adapter, record: TopicRecord | None, status: int, body: bytes) -> str | None:
    """Return the text of an answer that changes with new data of a topic; None if the answer cannot be read.

    `record`: of the topic; None: it is gone. `status` 0: no answer was received.
    """
    if record is not None and status == 200:
        with contextlib.suppress(msgspec.MsgspecError, RecursionError, ValueError, LookupError):
            return adapter.liveness_token(record.topic, body)
    return None
