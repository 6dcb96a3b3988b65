"""Connecting to the NATS servers of a cluster, with TLS and credentials from files."""

from __future__ import annotations

import importlib.util
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from foxtrot_supervisor.config.cluster import ClusterConfig, server_reason
from foxtrot_supervisor.system.ending import insistent_timeout
from foxtrot_supervisor.system.nats_seed import seed_problem
from foxtrot_supervisor.system.secret_file import SecretRefused, read_secret_lines

if TYPE_CHECKING:
    from nats.aio.client import Client

__all__ = ["ANSWER_S", "CannotConnect", "connect"]

ANSWER_S: Final = 2.0
"""Longest wait, in seconds, for one answer of a NATS server."""

GIVE_UP_S: Final = 4.0
"""Longest time, in seconds, in which a command connects."""

RECONNECT_S: Final = 0.1
"""Wait between two attempts to connect again: shorter than every lease."""

PING_S: Final = 2.0
"""Interval of pings; without two answers the connection counts as dead."""

CREDENTIALS_BYTES_MAX: Final = 16_384


class CannotConnect(Exception):
    """The settings cannot be used, or the servers refuse them; waiting does not help. The text has no secret."""


Callback = Callable[[], Awaitable[None]]


async def connect(
    cluster: ClusterConfig,
    role: str,
    *,
    reconnected: Callback | None = None,
    disconnected: Callback | None = None,
    problem: Callable[[str], None] | None = None,
    forever: bool = True,
) -> Client:
    """Connect to one of the servers; the connection is made again whenever it is lost.

    Args:
        cluster: addresses and files.
        role: names the client for the servers, and the prefix of its inboxes: ``_INBOX_<role>``.
        reconnected: is awaited after a lost connection was made again.
        disconnected: is awaited after the connection was lost.
        problem: gets errors of the connection as text.
        forever: keep trying where no server answers; False: give up after the first attempt at each.

    Raises `CannotConnect`, and with ``forever=False`` OSError or `nats.errors.Error` where no server answers.
    """
    try:
        import nats
    except ImportError:
        raise CannotConnect("a cluster needs nats-py: pip install 'foxtrot-supervisor[cluster]'") from None
    if not cluster.servers:
        raise CannotConnect("no NATS server is named: set [cluster] servers, or --cluster")
    for server in cluster.servers:
        reason = server_reason(server, insecure=cluster.insecure)
        if reason is not None:
            raise CannotConnect(f"[cluster] servers: {reason}")
    options: dict[str, Any] = {
        "servers": list(cluster.servers),
        "name": f"foxtrot {role}",
        "inbox_prefix": f"_INBOX_{role}",
        "allow_reconnect": True,
        "max_reconnect_attempts": -1 if forever else 1,
        "reconnect_time_wait": RECONNECT_S,
        "connect_timeout": ANSWER_S,
        "ping_interval": PING_S,
        "max_outstanding_pings": 2,
    }
    options.update(_credentials(cluster.credentials_file))
    if any(server.startswith("tls://") for server in cluster.servers):
        options["tls"] = _tls(cluster)

    async def on_error(error: Exception) -> None:
        if problem is not None:
            problem(f"{type(error).__name__}: {error}"[:300])

    if reconnected is not None:
        options["reconnected_cb"] = reconnected
    if disconnected is not None:
        options["disconnected_cb"] = disconnected
    if forever:
        return await nats.connect(error_cb=on_error, **options)
    async with insistent_timeout(GIVE_UP_S):  # the client itself goes on after refused credentials
        return await nats.connect(error_cb=on_error, **options)


def _tls(cluster: ClusterConfig) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=cluster.ca_file)
        if cluster.certificate_file is not None:
            context.load_cert_chain(cluster.certificate_file, cluster.key_file)
    except (OSError, ssl.SSLError) as error:
        raise CannotConnect(f"[cluster] TLS files: {error.strerror or error}") from None
    return context


def _credentials(path: str | None) -> dict[str, Any]:
    """Return the options of `nats.connect` for a file of credentials, by what stands in it."""
    if path is None:
        return {}
    try:
        text = read_secret_lines(path, most=CREDENTIALS_BYTES_MAX).strip()
    except SecretRefused as refusal:
        raise CannotConnect(str(refusal)) from None
    if "BEGIN NATS USER JWT" in text or text.startswith("SU"):
        if importlib.util.find_spec("nkeys") is None:
            raise CannotConnect(f"{path}: needs nkeys: pip install 'foxtrot-supervisor[cluster]'")
        problem = seed_problem(text)
        if problem:
            raise CannotConnect(f"{path}: {problem}")
        return {"user_credentials": path} if "BEGIN" in text else {"nkeys_seed_str": text}
    if not text or not text.isprintable() or " " in text:
        raise CannotConnect(f"{path}: must hold user:password, a token, an nkey seed or a .creds file")
    user, colon, password = text.partition(":")
    return {"user": user, "password": password} if colon else {"token": text}
