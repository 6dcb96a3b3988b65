"""Keys of a ``[[sinks]]`` table of kind "postgresql". Pure."""

from __future__ import annotations

from typing import Annotated

from foxtrot_supervisor.config.setting import Range, Setting
from foxtrot_supervisor.sinks.stores.settings import StoreSettings

__all__ = ["PostgresqlSettings"]


class PostgresqlSettings(StoreSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the database is, and which schema holds the tables."""

    host: Annotated[
        str,
        Setting(
            description="Name or address of the server, or the folder of its socket.",
            allowed='a host name, an address, or a path that begins with "/"',
            more="Debian's socket folder is /var/run/postgresql.",
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Setting(description="Port of the server.", range=Range(1, 65_535))] = 5432
    database: Annotated[str, Setting(description="Name of the database; it must exist.")] = "foxtrot"
    schema: Annotated[
        str, Setting(description="Schema of the tables.", allowed="a-z, 0-9, `_`; at most 63, a letter first")
    ] = "foxtrot"
    create: Annotated[
        bool,
        Setting(
            description="Create the schema and its tables where they are missing.",
            more="Tables that exist are checked and never altered.",
        ),
    ] = True
    tls: Annotated[
        bool | None,
        Setting(
            description="Whether TLS is demanded, and certificate and name are verified.",
            unset="true, except for an address of this machine",
            example=True,
        ),
    ] = None
