"""Options and settings that the commands of a cluster share."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import structs

from foxtrot_protocol.exit_codes import SupervisorExit
from foxtrot_supervisor.cli.common import absolute
from foxtrot_supervisor.cli.messages import Failure
from foxtrot_supervisor.config.cluster import ClusterConfig, cluster_problems
from foxtrot_supervisor.system.ending import insistent_timeout

if TYPE_CHECKING:
    from foxtrot_supervisor.cluster.store import Store

__all__ = ["cluster_of", "cluster_options", "with_store"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

URL_VARIABLE = "FOXTROT_CLUSTER"


def cluster_options(command: F) -> F:
    """Add ``--cluster``, ``--credentials`` and ``--ca``."""
    command = click.option("--ca", "ca_file", metavar="FILE", help="Certificate authority of the NATS servers.")(
        command
    )
    command = click.option("--credentials", "credentials_file", metavar="FILE", help="File with the credentials.")(
        command
    )
    return click.option(
        "--cluster",
        "url",
        metavar="URL",
        envvar=URL_VARIABLE,
        help="Address of a NATS server, more with commas; else [cluster] servers of the configuration.",
    )(command)


def cluster_of(
    configured: ClusterConfig, url: str | None, credentials_file: str | None, ca_file: str | None, **more: Any
) -> ClusterConfig:
    """Return the settings with what the options say in place of the configuration.

    Raises `Failure`, also where nats-py is missing.
    """
    if importlib.util.find_spec("nats") is None:
        raise Failure("a cluster needs nats-py: pip install 'foxtrot-supervisor[cluster]'", SupervisorExit.START_FAILED)
    changes: dict[str, Any] = {key: value for key, value in more.items() if value}
    if url:
        changes["servers"] = [server.strip() for server in url.split(",") if server.strip()]
    for key, path in (("credentials_file", credentials_file), ("ca_file", ca_file)):
        if path is not None:
            changes[key] = absolute(path)
            if not os.path.isfile(changes[key]):
                raise Failure(f"there is no file {changes[key]}", SupervisorExit.USAGE)
    cluster = structs.replace(configured, **changes)
    values = {key: getattr(cluster, key) for key in ClusterConfig.__struct_fields__}
    problems = [f"{key}: {reason}" for key, reason in cluster_problems(values)]
    if not cluster.servers:
        problems.append("no NATS server is named: --cluster nats://…, or [cluster] servers in the configuration (-c)")
    if problems:
        raise Failure("\n".join(problems), SupervisorExit.CONFIGURATION)
    return cluster


def with_store(cluster: ClusterConfig, work: Callable[[Store, Any], Awaitable[T]]) -> T:
    """Connect, call `work` with the store and the client, and return its result; raises `Failure`."""
    return asyncio.run(_with_store(cluster, work))


async def _with_store(cluster: ClusterConfig, work: Callable[[Store, Any], Awaitable[T]]) -> T:
    from nats.js.errors import APIError

    from foxtrot_supervisor.cluster.connection import CannotConnect, connect
    from foxtrot_supervisor.cluster.store import NATS_ERRORS, NotPrepared, Store

    servers = ", ".join(cluster.servers)
    problems: list[str] = []
    try:
        client = await connect(cluster, "operator", problem=problems.append, forever=False)
    except CannotConnect as refusal:
        raise Failure(str(refusal), SupervisorExit.CONFIGURATION) from None
    except NATS_ERRORS as error:
        reason = problems[-1] if problems else f"{type(error).__name__}: {error}"
        raise Failure(f"no NATS server answers at {servers}: {reason}", SupervisorExit.START_FAILED) from None
    try:
        return await work(Store(client), client)
    except NotPrepared:
        raise Failure(
            "nothing has been applied to this cluster yet: foxtrot-supervisor cluster apply -c FILE",
            SupervisorExit.START_FAILED,
        ) from None
    except APIError as error:
        raise Failure(f"NATS refuses: {error.description or error}", SupervisorExit.INTERNAL_ERROR) from None
    except NATS_ERRORS as error:
        reason = problems[-1] if problems else f"{type(error).__name__}: {error}"
        raise Failure(f"NATS does not answer: {reason}", SupervisorExit.START_FAILED) from None
    finally:
        await _closed(client.close())


async def _closed(closing: Coroutine[Any, Any, None]) -> None:
    try:
        async with insistent_timeout(1.0):
            await closing
    except Exception:  # noqa: S110 - the result is there already
        pass
