"""Asks an exchange where to connect, before each connect, where it must be asked (`adapter.access`)."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import msgspec

from foxtrot_workers.adapter.access import AccessRequest
from foxtrot_workers.adapter.adapter import Adapter
from foxtrot_workers.feed.rate_limit import AddressLimit
from foxtrot_workers.http.client import HttpClient, HttpFailed
from foxtrot_workers.websocket.client import (
    REFUSING_STATUSES,
    REPELLING_STATUSES,
    RETRY_AFTER_DEFAULT_S,
    ConnectFailed,
    retry_after_s,
)

__all__ = ["ANSWER_BYTES_MAX", "gain_access", "without_secrets"]

ANSWER_BYTES_MAX = 64 * 1024
"""Maximum size of the answer: it names a few servers and a token."""

SECRET_CHARS_MIN = 8
"""Shorter values of a query are no tokens, and may be parts of ordinary words."""


async def gain_access(
    adapter: Adapter,
    request: AccessRequest,
    base: str,
    rest: HttpClient,
    rate_limit: AddressLimit,
    timeout_s: float,
) -> str:
    """Send `request` and return the URL to connect to, which the adapter reads in the answer.

    Args:
        adapter: reads the answer.
        request: its `access_request`.
        base: WebSocket address, by the adapter or the configuration.
        rest: client of the REST address.
        rate_limit: of the REST address.
        timeout_s: limit for the whole request, in seconds.

    Raises:
        ConnectFailed: there is no usable answer. The cause quotes none of it.
        RateLimitExhausted: the request would wait too long for its rate limit.
    """
    await rate_limit.acquire(request.weight)
    try:
        response = await rest.request(request.method, request.path, timeout_s, ANSWER_BYTES_MAX)
    except HttpFailed as failure:
        raise ConnectFailed(f"{request.path}: {failure}") from None
    if response.status != 200:
        delay_s = retry_after_s(response.headers.get("retry-after"), time.time())
        if response.status in REPELLING_STATUSES:
            rate_limit.spent(RETRY_AFTER_DEFAULT_S if delay_s is None else delay_s)
        raise ConnectFailed(
            f"{request.path}: the exchange answered with HTTP {response.status}",
            refused=response.status in REFUSING_STATUSES,
            retry_after_s=delay_s,
        )
    try:
        url = adapter.on_access(base, response.body)
    except (msgspec.MsgspecError, RecursionError, ValueError, LookupError) as error:
        raise ConnectFailed(f"{request.path}: its answer cannot be used: {error}") from None
    scheme = url.partition(":")[0].lower()
    if scheme != "wss" and not (scheme == "ws" and not rest.is_secure):
        raise ConnectFailed(f"{request.path}: its answer names an address of scheme {scheme!r}")
    return url


def without_secrets(text: str, url: str) -> str:
    """Return `text` without the query of `url`, which holds a token."""
    query = urlsplit(url).query
    secrets = {query, *(pair.partition("=")[2] for pair in query.split("&"))}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= SECRET_CHARS_MIN:
            text = text.replace(secret, "***")
    return text
