"""``[cluster]``: where the cluster is, what this node is in it, and how long silence lasts until it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from foxtrot_supervisor.config.setting import SECONDS_MAX, Range, Setting
from foxtrot_supervisor.config.values import is_loopback, short

__all__ = [
    "CLUSTER_FILES",
    "NODE_CHARACTERS_MAX",
    "ClusterConfig",
    "EngineCluster",
    "NodeCluster",
    "cluster_problems",
    "name_reason",
]

NODE_CHARACTERS_MAX = 60
"""Longest name of a node: it is part of NATS subjects and keys."""

CLUSTER_FILES = ("credentials_file", "ca_file", "certificate_file", "key_file")
"""Keys that name existing files."""

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class ClusterConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cluster]``: connections on several machines, placed by NATS JetStream."""

    servers: Annotated[
        list[str],
        Setting(
            description="Addresses of the NATS servers.",
            allowed="`nats://HOST:PORT`, `tls://HOST:PORT`; no credentials",
            example=["tls://nats-1.example:4222", "tls://nats-2.example:4222"],
            more="`nats://` is plain text, and only for the loopback address unless `insecure` is set.",
        ),
    ] = []
    credentials_file: Annotated[
        str | None,
        Setting(
            description="File with the credentials of this role.",
            allowed="an existing file of mode 0600",
            unset="none are sent",
            example="/etc/foxtrot/nats.creds",
            more="`user:password`, a token, an nkey seed or a `.creds` file: [cluster.md](cluster.md#security).",
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Setting(
            description="Certificate authority of the NATS servers in place of the system's.",
            allowed="an existing file",
            unset="those of the system",
            example="/etc/foxtrot/nats-ca.pem",
        ),
    ] = None
    certificate_file: Annotated[
        str | None,
        Setting(
            description="Certificate that this machine shows to the NATS servers.",
            allowed="an existing file; only with `key_file`",
            unset="none is shown",
            example="/etc/foxtrot/node.pem",
        ),
    ] = None
    key_file: Annotated[
        str | None,
        Setting(
            description="Private key of certificate_file.",
            allowed="an existing file of mode 0600; only with `certificate_file`",
            unset="none",
            example="/etc/foxtrot/node.key",
        ),
    ] = None
    insecure: Annotated[
        bool, Setting(description="Allow plain text (nats://) to other machines: a network that is private anyway.")
    ] = False
    node: Annotated[
        str | None,
        Setting(
            description="Name of this node.",
            allowed=f"letters, digits, `-`, `_`; at most {NODE_CHARACTERS_MAX}; unique in the cluster",
            unset="the name of the machine",
            example="tokyo-1",
        ),
    ] = None
    host: Annotated[
        str | None,
        Setting(
            description="Machine on which this node runs: twins are kept on different ones.",
            allowed="as for `node`",
            unset="the name of the machine",
            example="rack-7",
        ),
    ] = None
    addresses: Annotated[
        list[str],
        Setting(
            description="Addresses from which exchanges see this node: twins are kept on different ones.",
            allowed="at most 16",
            example=["203.0.113.7"],
            more="Also multiplies the exchanges' limits of connections for one address.",
        ),
    ] = []
    capacity: Annotated[
        int | None,
        Setting(
            description="Largest number of shards on this node.",
            range=Range(0, 10_000),
            unset="from its cores and its memory",
            example=50,
        ),
    ] = None
    ack_wait_s: Annotated[
        float,
        Setting(
            description="Silence of a node after which others take over its shards.",
            range=Range(0.5, 3600.0),
            more="Set by `cluster apply` for all nodes.",
        ),
    ] = 2.0
    lease_s: Annotated[
        float,
        Setting(
            description="How long a node without NATS runs on before it stops its shards.",
            range=Range(0.5, SECONDS_MAX),
            allowed="≥ `ack_wait_s`",
            more="Set by `cluster apply` for all nodes. Longer than a restart of the NATS servers.",
        ),
    ] = 30.0
    replicas: Annotated[
        int,
        Setting(
            description="Copies of each stream and bucket, on as many NATS servers.",
            range=Range(1, 5),
            allowed="1, 3 or 5",
        ),
    ] = 1
    storage: Annotated[
        Literal["file", "memory"],
        Setting(description="Where the NATS servers keep the stream of events."),
    ] = "file"
    events_max_mib: Annotated[
        int, Setting(description="Largest size of the stream of events.", range=Range(1, 1_048_576))
    ] = 1024
    events_max_age_s: Annotated[
        float,
        Setting(description="Age at which events leave the stream.", range=Range(1.0, SECONDS_MAX)),
    ] = 3600.0


class NodeCluster(ClusterConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cluster]`` of a supervisor that is a node: it has an agent, and its connections come from the cluster."""

    exchanges: list[str] = []
    """Exchanges that are installed on this node."""


class EngineCluster(ClusterConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cluster]`` of a supervisor whose engine gets its events from the cluster; it has no workers of its own."""

    engine: str = "main"
    """Name of the engine: engines of one name continue each other, engines of different names each get everything."""
    from_start: bool = False
    """Whether an engine of a new name gets what the stream holds already."""


def name_reason(name: str) -> str | None:
    """Return why `name` is no name of a node or host, None if it is one."""
    if 0 < len(name) <= NODE_CHARACTERS_MAX and set(name) <= _NAME:
        return None
    return f'must be at most {NODE_CHARACTERS_MAX} of letters, digits, "-" and "_", not "{short(name)}"'


def cluster_problems(good: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield key and reason of each mistake in values that have their declared type and range."""
    values = ClusterConfig(**good)
    for index, server in enumerate(values.servers):
        reason = server_reason(server, insecure=values.insecure)
        if reason is not None:
            yield f"servers[{index}]", reason
    checks: list[tuple[str, Callable[[str], str | None]]] = [("node", name_reason), ("host", name_reason)]
    for key, check in checks:
        if (name := good.get(key)) is not None and (reason := check(name)) is not None:
            yield key, reason
    if len(values.addresses) > 16:
        yield "addresses", f"has {len(values.addresses)} addresses, at most 16 are allowed"
    if any(not address or len(address) > 64 for address in values.addresses):
        yield "addresses", "must hold texts of 1 to 64 characters"
    if (values.certificate_file is None) is not (values.key_file is None):
        yield "certificate_file", "needs key_file, and key_file needs it"
    if values.lease_s < values.ack_wait_s:
        yield "lease_s", f"must be at least ack_wait_s ({values.ack_wait_s:g})"
    if values.replicas not in (1, 3, 5):
        yield "replicas", f"must be 1, 3 or 5, not {values.replicas}"


def server_reason(url: str, *, insecure: bool) -> str | None:
    """Return why `url` is no address of a NATS server that may be used, None if it is one.

    `insecure`: plain text to other machines is allowed.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"is no address: {error}"
    if "@" in parts.netloc:
        return "must not contain credentials: put them into a file, and name it as credentials_file"
    if parts.scheme not in ("nats", "tls") or not host or parts.path.strip("/") or parts.query:
        return f'must be nats://HOST:PORT or tls://HOST:PORT, not "{short(url)}"'
    if parts.scheme == "nats" and not insecure and not is_loopback(host):
        return f'"{short(url)}" would be plain text to another machine: use tls://, or set insecure = true'
    return None
