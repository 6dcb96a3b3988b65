"""Subjects and message ids of rows. Pure.

Tokens of a subject must not contain white space, ``.``, ``*`` and ``>`` (NATS documentation, "Subject-Based
Messaging"): such characters, ``%`` and all beyond printable ASCII are written as in URLs, ``%2E`` for a point.
"""

from __future__ import annotations

import functools
import re
from typing import Final
from urllib.parse import quote, unquote

from foxtrot_supervisor.sinks.sink import SinkRow

__all__ = ["EMPTY", "is_prefix", "is_stream_name", "message_id", "subject_of", "token", "token_text"]

EMPTY: Final = "_"
"""Token of an empty text, such as the symbol of a gap that concerns a whole connection."""

_SAFE: Final = "!\"#$&'()+,-/:;<=@[\\]^_`{|}~"

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)

_PREFIX_CHARS_MAX: Final = 100


@functools.lru_cache(maxsize=65_536)
def token(text: str) -> str:
    """Return `text` as one token of a subject; `token_text` reverses it."""
    if not text:
        return EMPTY
    if text == EMPTY:
        return "%5F"
    return quote(text, safe=_SAFE, errors="surrogatepass").replace(".", "%2E")


def token_text(text: str) -> str:
    """Return the text of which `token` made this token."""
    return "" if text == EMPTY else unquote(text, errors="surrogatepass")


def subject_of(row: SinkRow, prefix: str) -> str:
    """Return the subject of a row: ``foxtrot.BINANCE.trade.BTCUSDT``."""
    return f"{prefix}.{token(row.exchange)}.{row.kind}.{token(row.symbol)}"


def message_id(row: SinkRow) -> str:
    """Return the row's key as a header's value: printable ASCII."""
    key = row.key
    return key if key.isascii() and key.isprintable() else quote(key, safe=_SAFE + ". ", errors="surrogatepass")


def is_stream_name(text: str) -> bool:
    """Return whether `text` may be the name of the stream."""
    return _NAME.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Return whether `text` may stand before the tokens of all subjects."""
    return len(text) <= _PREFIX_CHARS_MAX and _PREFIX.fullmatch(text) is not None
