"""Instrument lists of exchanges: fetched by a process of their own, kept on disk with their age.

The list is kept in ``$XDG_CACHE_HOME/foxtrot`` (or ``~/.cache/foxtrot``), so that a bad network leaves an old list
instead of none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from typing import Final

import msgspec
from msgspec import Struct

from foxtrot_protocol.instruments import Instrument, Listing
from foxtrot_supervisor.system.interpreter import python_command
from foxtrot_supervisor.system.private_files import create_private, open_private, opened_directory

__all__ = [
    "FETCH_S",
    "LIST_BYTES_MAX",
    "ListSource",
    "ListUnavailable",
    "MarketList",
    "cache_path",
    "fetch",
    "keep",
    "kept",
    "take",
]

FETCH_S: Final = 60.0
"""Longest time in seconds for all pages of a list."""

LIST_BYTES_MAX: Final = 64 * 1024 * 1024
"""Largest list."""

_MODULE: Final = "foxtrot_workers.listing.fetch"


class ListUnavailable(Exception):
    """The list cannot be fetched; the text says why."""


class ListSource(Struct, frozen=True, kw_only=True):
    """Where a list comes from.

    `exchange`: name in the configuration. `rest_url`: in place of the exchange's own; `ca_file` and `proxy` as in the
    configuration; None: none.
    """

    exchange: str
    rest_url: str | None = None
    ca_file: str | None = None
    proxy: str | None = None


class MarketList(Struct, frozen=True, kw_only=True):
    """A list and when it was fetched (seconds since 1970)."""

    exchange: str
    fetched_at: float
    instruments: list[Instrument]


def cache_path(environment: dict[str, str], home: str) -> str:
    """Return the directory of kept lists."""
    base = environment.get("XDG_CACHE_HOME", "")
    return os.path.join(base if os.path.isabs(base) else os.path.join(home, ".cache"), "foxtrot")


def fetch(source: ListSource, directory: str, now: float, *, module: str = _MODULE) -> MarketList:
    """Fetch a list and keep it in `directory`.

    Args:
        source: which one.
        directory: see `cache_path`; made if it is missing. A list that cannot be kept is returned all the same.
        now: wall clock in seconds since 1970, stored with the list.
        module: the program that fetches.

    Raises `ListUnavailable`.
    """
    arguments = [source.exchange]
    for option, value in (("--rest-url", source.rest_url), ("--ca-file", source.ca_file), ("--proxy", source.proxy)):
        if value is not None:
            arguments += [option, value]
    try:
        done = subprocess.run(
            python_command("-m", module, *arguments),
            capture_output=True,
            timeout=FETCH_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise ListUnavailable(f"no complete list within {FETCH_S:g} s") from None
    except OSError as error:
        raise ListUnavailable(str(error)) from None
    try:
        printed = msgspec.json.decode(done.stdout, type=Listing)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise ListUnavailable(f"the program that fetches it ended with {done.returncode}: {last[0]}") from None
    return keep(printed, source, directory, now)


def keep(listing: Listing, source: ListSource, directory: str, now: float) -> MarketList:
    """Keep a list that was fetched at `now` in `directory`, as `fetch` does; raises `ListUnavailable` for none."""
    if listing.error:
        raise ListUnavailable(listing.error)
    if not listing.instruments:
        raise ListUnavailable("the exchange lists no instrument")
    found = MarketList(exchange=source.exchange, fetched_at=now, instruments=listing.instruments)
    with contextlib.suppress(OSError):
        _keep(found, source, directory)
    return found


def take(path: str, source: ListSource, directory: str, now: float) -> MarketList:
    """Read a list that a worker has written to `path`, remove that file, and keep the list in `directory`.

    Raises `ListUnavailable`.
    """
    try:
        folder, name = os.path.split(path)
        with opened_directory(folder) as opened:
            descriptor = open_private(name, os.O_RDONLY, opened)
            os.unlink(name, dir_fd=opened)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(LIST_BYTES_MAX + 1)
        if len(data) > LIST_BYTES_MAX:
            raise ListUnavailable(f"the list has more than {LIST_BYTES_MAX} bytes")
        listing = msgspec.json.decode(data, type=Listing)
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ListUnavailable(f"the list cannot be read: {error}") from None
    return keep(listing, source, directory, now)


def kept(source: ListSource, directory: str) -> MarketList | None:
    """Return the list that was kept last; None without one, or where it cannot be read or another user made it."""
    try:
        with opened_directory(directory) as folder:
            descriptor = open_private(_name(source), os.O_RDONLY, folder)
            with os.fdopen(descriptor, "rb") as file:
                data = file.read(LIST_BYTES_MAX + 1)
        return msgspec.json.decode(data, type=MarketList) if len(data) <= LIST_BYTES_MAX else None
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _keep(found: MarketList, source: ListSource, directory: str) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with opened_directory(directory) as folder:
        name = _name(source)
        part = f"{name}.{os.getpid()}"
        descriptor = create_private(part, os.O_WRONLY | os.O_TRUNC, folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(found))
        os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)


def _name(source: ListSource) -> str:
    """Return the file name: lists of a test network are kept apart."""
    if source.rest_url is None:
        return f"markets-{source.exchange}.json"
    return f"markets-{source.exchange}-{hashlib.sha256(source.rest_url.encode()).hexdigest()[:12]}.json"
