"""The catalog of installed exchanges, read from a separate process.

The supervisor never imports exchange code, so that a broken adapter cannot harm it, not even while a configuration is
checked. ``python -m foxtrot_workers.adapter.catalog`` prints the catalog.
"""

from __future__ import annotations

import subprocess

import msgspec

from foxtrot_supervisor.config.schema import ExchangeInfo
from foxtrot_supervisor.system.interpreter import python_command

__all__ = ["CATALOG_BYTES_MAX", "CATALOG_S", "CatalogUnavailable", "decode_catalog", "read_catalog"]

CATALOG_S = 30.0
"""Longest wait for the catalog in seconds; it imports every adapter, including those of third parties."""

ONE_S = 10.0
"""Longest wait for one exchange in seconds, where each is listed separately."""

CATALOG_BYTES_MAX = 4 * 1024 * 1024

_MODULE = "foxtrot_workers.adapter.catalog"


class CatalogUnavailable(Exception):
    """The exchanges could not be listed; the text says why."""


def decode_catalog(output: bytes) -> dict[str, ExchangeInfo]:
    """Decode a printed catalog; raises `CatalogUnavailable` for anything else."""
    if len(output) > CATALOG_BYTES_MAX:
        raise CatalogUnavailable(f"the list of exchanges has more than {CATALOG_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(output, type=dict[str, ExchangeInfo])
    except (ValueError, RecursionError) as error:
        raise CatalogUnavailable(f"the list of exchanges cannot be read: {error}") from None


def read_catalog(module: str = _MODULE, *, timeout_s: float = CATALOG_S) -> dict[str, ExchangeInfo]:
    """Return the installed exchanges by configuration name; raises `CatalogUnavailable`.

    If one of them breaks or blocks the listing, each is listed separately, so that only that one is unusable.
    """
    try:
        return decode_catalog(_ask(module, timeout_s=timeout_s))
    except CatalogUnavailable as failure:
        try:
            names = msgspec.json.decode(_ask(module, "--names", timeout_s=timeout_s), type=list[str])
        except (CatalogUnavailable, ValueError, RecursionError):
            raise failure from None
    catalog = {}
    for name in names:
        try:
            catalog.update(decode_catalog(_ask(module, name, timeout_s=min(ONE_S, timeout_s))))
        except CatalogUnavailable as failure:
            catalog[name] = ExchangeInfo(error=f"exchange {name!r}: {failure}")
    return catalog


def _ask(module: str, *arguments: str, timeout_s: float) -> bytes:
    try:
        done = subprocess.run(
            python_command("-m", module, *arguments),
            capture_output=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise CatalogUnavailable(f"listing the exchanges took more than {timeout_s:g} s") from None
    except OSError as error:
        raise CatalogUnavailable(f"listing the exchanges: {error}") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise CatalogUnavailable(f"listing the exchanges ended with {done.returncode}: {last[0]}")
    return done.stdout
