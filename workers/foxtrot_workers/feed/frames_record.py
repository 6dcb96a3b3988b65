"""What a worker keeps of its connection in a frames ring, without secrets."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from foxtrot_protocol.child import ChildContext
from foxtrot_protocol.frames_layout import FramesIdentity
from foxtrot_protocol.spec import FeedSettings
from foxtrot_workers.feed.access import without_secrets
from foxtrot_workers.feed.frames_writer import FramesRefused, FramesWriter

__all__ = ["FramesRecord", "Purpose", "open_frames_record", "shown_address"]

Purpose: TypeAlias = Literal["adapter", "backfill", "instruments"]
"""Why a REST request was made: by the adapter, for missed trades, or for the list of instruments."""

_SECRET_KEY = re.compile(r"([?&;][^=&;]*(?:key|token|secret|sign|auth|pass)[^=&;]*=)[^&;]*", re.IGNORECASE)


def shown_address(url: str) -> str:
    """Return `url` without user, password and the values of a query whose keys look secret."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return _SECRET_KEY.sub(r"\1***", urlunsplit(parts._replace(netloc=host, fragment="")))


class FramesRecord:
    """The frames ring of one connection.

    Args:
        writer: of the ring.
        rest_base: address that REST paths are appended to.
    """

    def __init__(self, writer: FramesWriter, rest_base: str) -> None:
        self._writer = writer
        self._rest_base = shown_address(rest_base)
        self._token_url = ""
        self.received: Callable[[list[bytes], int], None] = writer.received
        """Keeps frames that were received together, at a time in ns since 1970. The hot path."""

    def connecting(self, url: str, *, has_token: bool) -> None:
        """Keep the address; `has_token`: its query is a token, which is left out of everything."""
        self._token_url = url if has_token else ""
        self._writer.write_address(shown_address(self._public(url)))

    def sent(self, text: str) -> None:
        """Keep a text that is sent to the exchange."""
        self._writer.sent(self._public(text), time.time_ns())

    def answered(self, purpose: Purpose, path: str, status: int, body: bytes, receive_ns: int) -> None:
        """Keep the answer to a REST request; status 0: there was none, and it is not kept."""
        if status:
            self._writer.answered(purpose, shown_address(self._rest_base + path), status, body, receive_ns)

    def _public(self, text: str) -> str:
        return without_secrets(text, self._token_url) if self._token_url else text


def open_frames_record(context: ChildContext, settings: FeedSettings, rest_base: str) -> FramesRecord | None:
    """Return the record of a worker; None where none is configured, or the ring cannot be made (logged)."""
    if not settings.frames_ring_bytes:
        return None
    spec = context.spec
    identity = FramesIdentity(
        worker=spec.name,
        incarnation=spec.incarnation,
        connection=settings.connection,
        side=settings.side,
        exchange=settings.exchange,
        capacity=settings.frames_ring_bytes,
        recorded=settings.recorded,
        started_ns=time.time_ns(),
    )
    try:
        return FramesRecord(FramesWriter(spec.run_dir, identity), rest_base)
    except FramesRefused as refusal:  # the feed goes on; a recorder announces what is missing
        context.log.error("frames_ring_refused", reason=str(refusal))
        return None
