"""Connects to the NATS servers of a cluster."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from typing import Any

from foxtrot_protocol.child import ChildLog
from foxtrot_supervisor.cluster.nats_client import Client, NatsError, nats
from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_supervisor.system.secret_file import SecretRefused, read_secret

__all__ = ["CONNECT_S", "Unreachable", "connect", "connect_once", "credentials"]

CONNECT_S = 2.0
"""Longest time until one server answers."""

RECONNECT_S = 0.2
"""Interval of attempts after a connection was lost."""

RETRY_FIRST_S = 0.5
"""First delay after a failed attempt to connect; doubled up to `RETRY_MAX_S`."""

RETRY_MAX_S = 5.0
"""Longest delay after a failed attempt to connect."""

PING_S = 1.0
"""Interval at which a silent connection is tested; after two pings without an answer it is made again."""

_SECRET_CHARS_MAX = 4096


class Unreachable(Exception):
    """No server can be used; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def connect(settings: ClusterConfig, name: str, log: ChildLog) -> Client:
    """Connect as soon as a server answers; the client then reconnects for as long as it lives.

    `name`: shown by the servers. `log` gets ``nats_unreachable`` when the reason changes.
    """
    delay, logged = RETRY_FIRST_S, ""
    while True:
        try:
            return await connect_once(settings, name)
        except Unreachable as error:
            if error.reason != logged:
                logged = error.reason
                log.warning("nats_unreachable", servers=", ".join(settings.servers), reason=error.reason)
        await asyncio.sleep(delay)
        delay = min(2 * delay, RETRY_MAX_S)


async def connect_once(settings: ClusterConfig, name: str) -> Client:
    """Connect; raises `Unreachable` if no server answers, or credentials are refused."""
    options: dict[str, Any] = {}
    try:
        if settings.credentials_file is not None:
            options.update(credentials(settings.credentials_file))
        if settings.ca_file is not None or settings.certificate_file is not None or _is_encrypted(settings):
            options["tls"] = _tls(settings)
    except (SecretRefused, OSError, ssl.SSLError) as error:
        raise Unreachable(str(error)) from None
    try:
        return await nats.connect(
            settings.servers,
            name=f"foxtrot {name}",
            connect_timeout=CONNECT_S,
            reconnect_time_wait=RECONNECT_S,
            max_reconnect_attempts=-1,
            ping_interval=PING_S,
            max_outstanding_pings=2,
            allow_reconnect=True,
            error_cb=_ignore,
            **options,
        )
    except (NatsError, OSError, TimeoutError, ValueError) as error:
        raise Unreachable(str(error) or type(error).__name__) from None


def credentials(path: str) -> dict[str, str]:
    """Return the options of the client for the credentials in a private file; raises `SecretRefused`.

    A file named ``*.creds`` holds a JWT and its key, as `nsc` writes them. Any other holds one line: ``user:password``,
    the seed of an nkey (``SU…``), or a token.
    """
    if path.endswith(".creds"):
        _check_private(path)
        return {"user_credentials": path}
    text = read_secret(path, least=1, most=_SECRET_CHARS_MAX)
    if text.startswith("SU") and len(text) == 58:
        return {"nkeys_seed_str": text}
    user, colon, password = text.partition(":")
    return {"user": user, "password": password} if colon else {"token": text}


def _check_private(path: str) -> None:
    try:
        facts = os.stat(path)
    except OSError as error:
        raise SecretRefused(f"{path}: {error.strerror}") from None
    if facts.st_uid not in (0, os.geteuid()) or facts.st_mode & 0o077:
        mode = stat.S_IMODE(facts.st_mode)
        raise SecretRefused(f"{path}: other users may read it (uid {facts.st_uid}, mode {mode:04o}): chmod 600")


def _is_encrypted(settings: ClusterConfig) -> bool:
    return any(server.startswith("tls://") for server in settings.servers)


def _tls(settings: ClusterConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ca_file)
    if settings.certificate_file is not None:
        context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context


async def _ignore(error: Exception) -> None:
    """The client reconnects by its own means; what is wrong shows where it is used."""
