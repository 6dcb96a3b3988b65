"""Keys of a ``[[sinks]]`` table of kind "nats". Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from foxtrot_supervisor.config.setting import Range, Setting
from foxtrot_supervisor.sinks.stores.settings import StoreSettings

__all__ = ["NatsSettings"]


class NatsSettings(StoreSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where NATS is, and which stream holds the messages."""

    servers: Annotated[
        list[str],
        Setting(
            description="Addresses of the servers of one NATS system.",
            allowed="`nats://HOST:PORT`, `tls://HOST:PORT`",
            more="With `tls://` a server that does not offer TLS is refused.",
        ),
    ] = field(default_factory=lambda: ["nats://127.0.0.1:4222"])
    credentials_file: Annotated[
        str | None,
        Setting(
            description="NATS credentials (JWT and seed) of the user, in place of user and password_file.",
            allowed="an existing file of mode 0600",
            unset="none are sent",
            example="/etc/foxtrot/nats.creds",
        ),
    ] = None
    stream: Annotated[
        str,
        Setting(description="Name of the JetStream stream.", allowed="A-Z, a-z, 0-9, `_`, `-`; at most 100"),
    ] = "FOXTROT"
    subject_prefix: Annotated[
        str,
        Setting(
            description="First tokens of all subjects.",
            allowed="A-Z, a-z, 0-9, `_`, `-`, separated by `.`; at most 100",
            more="Messages have the subject PREFIX.EXCHANGE.KIND.SYMBOL.",
        ),
    ] = "foxtrot"
    create: Annotated[
        bool,
        Setting(
            description="Create the stream where it is missing.",
            more="A stream that exists is checked and never changed.",
        ),
    ] = True
    max_age_days: Annotated[
        float, Setting(description="Age at which a created stream drops messages.", range=Range(0.001, 3650.0))
    ] = 7.0
    max_mib: Annotated[
        int,
        Setting(
            description="Size in MiB at which a created stream drops its oldest messages.",
            range=Range(1, 1_000_000_000),
        ),
    ] = 10_240
    replicas: Annotated[
        int, Setting(description="Servers that hold each message of a created stream.", range=Range(1, 5))
    ] = 1
    duplicate_window_s: Annotated[
        int,
        Setting(
            description="How long a created stream remembers the keys of messages.",
            range=Range(1, 86_400),
            more="The server keeps them in memory, some 150 bytes for each message.",
        ),
    ] = 120
    in_flight_rows: Annotated[
        int,
        Setting(
            description="Largest number of messages that are sent and not acknowledged.",
            range=Range(1, 100_000),
            more="Besides, at most 8 MiB of them.",
        ),
    ] = 1000
