"""Posts an alert to a webhook by HTTP/1.1. No error names the URL: it is a secret."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final
from urllib.parse import urlsplit

import h11
from msgspec import Struct

__all__ = ["URL_CHARS_MAX", "URL_CHARS_MIN", "Webhook", "post", "webhook_of"]

URL_CHARS_MIN: Final = len("http://a")
URL_CHARS_MAX: Final = 2048

_ANSWER_BYTES_MAX: Final = 64 * 1024
_CHUNK_BYTES: Final = 16 * 1024


class Webhook(Struct, frozen=True):
    """Where alerts are posted to."""

    host: str
    port: int
    tls: bool
    target: str
    """Path and query."""


def webhook_of(url: str) -> Webhook:
    """Return the webhook at `url`; raises ValueError with a reason that does not contain it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must hold a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError("must hold an http or https URL without user name and password")
    path = parts.path or "/"
    tls = parts.scheme == "https"
    return Webhook(parts.hostname, port or (443 if tls else 80), tls, f"{path}?{parts.query}" if parts.query else path)


async def post(webhook: Webhook, payload: bytes, deadline_s: float) -> str:
    """Post `payload`, JSON; return why that failed, "" if the answer was 2xx. Redirects are not followed."""
    try:
        async with asyncio.timeout(deadline_s):
            return await _post(webhook, payload)
    except TimeoutError:
        return f"no answer within {deadline_s:g} s"
    except ssl.SSLError as error:
        return f"TLS failed: {error.reason or 'handshake'}"
    except OSError as error:
        return f"cannot be reached: {error.strerror or type(error).__name__}"
    except h11.ProtocolError:
        return "the answer is no HTTP"


async def _post(webhook: Webhook, payload: bytes) -> str:
    context = ssl.create_default_context() if webhook.tls else None
    reader, writer = await asyncio.open_connection(webhook.host, webhook.port, ssl=context)
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_ANSWER_BYTES_MAX)
        host = f"[{webhook.host}]" if ":" in webhook.host else webhook.host
        headers = [
            ("host", host if webhook.port in (80, 443) else f"{host}:{webhook.port}"),
            ("content-type", "application/json"),
            ("content-length", str(len(payload))),
            ("user-agent", "foxtrot-supervisor"),
            ("connection", "close"),
        ]
        request = h11.Request(method="POST", target=webhook.target, headers=headers)
        sent = [connection.send(event) for event in (request, h11.Data(data=payload), h11.EndOfMessage())]
        writer.write(b"".join(each or b"" for each in sent))
        await writer.drain()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(_CHUNK_BYTES)
                if not data:
                    return "the connection was closed without an answer"
                connection.receive_data(data)
            elif isinstance(event, h11.Response):
                return "" if 200 <= event.status_code < 300 else f"HTTP {event.status_code}"
    finally:
        writer.transport.abort()
