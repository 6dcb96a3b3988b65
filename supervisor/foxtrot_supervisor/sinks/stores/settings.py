"""Settings that all sinks for stores have: who connects, with which certificates, how long an answer may take. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from foxtrot_supervisor.config.setting import Range, Setting

__all__ = ["StoreSettings"]


class StoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of every store."""

    user: Annotated[
        str | None, Setting(description="User name at the store.", unset="none is sent", example="foxtrot")
    ] = None
    password_file: Annotated[
        str | None,
        Setting(
            description="File that holds the password and nothing else.",
            allowed="an existing file of mode 0600",
            unset="no password is sent",
            example="/etc/foxtrot/store.password",
            more="Read at each connection, so it may be replaced while the run goes on.",
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Setting(
            description="Certificate authority that has signed the store's certificate, as PEM.",
            allowed="an existing file",
            unset="those of the system",
            example="ca.pem",
        ),
    ] = None
    cert_file: Annotated[
        str | None,
        Setting(
            description="Certificate by which the store knows this client, as PEM.",
            allowed="an existing file; only with `key_file`",
            unset="none is sent",
            example="client.pem",
        ),
    ] = None
    key_file: Annotated[
        str | None,
        Setting(
            description="Private key of `cert_file`, as PEM without a passphrase.",
            allowed="an existing file of mode 0600",
            unset="none",
            example="client.key",
        ),
    ] = None
    insecure: Annotated[
        bool,
        Setting(description="Send events and passwords in plain text to another machine, where the address says so."),
    ] = False
    timeout_s: Annotated[
        float,
        Setting(
            description="Longest wait for the store: to connect, and for its next answer.",
            range=Range(0.1, 3600.0),
            more="After it the connection is closed, and rows come again after a pause.",
        ),
    ] = 10.0
