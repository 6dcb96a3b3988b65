"""Reading of a configuration file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping

from foxtrot_supervisor.config.check import parse_config
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import ExchangeInfo, FoxtrotConfig

__all__ = ["CONFIG_BYTES_MAX", "configured_run_dir", "load_config"]

CONFIG_BYTES_MAX = 4 * 1024 * 1024
"""Largest size of a configuration; 1,000 connections with 500 symbols each stay below it."""


def load_config(
    path: str,
    *,
    catalog: Callable[[], Mapping[str, ExchangeInfo]] = read_catalog,
    without_symbols: bool = False,
) -> FoxtrotConfig:
    """Return the configuration in the file `path`, with its relative paths made absolute.

    `catalog` returns the installed exchanges; `without_symbols`: a connection may have no symbols.
    Raises `ConfigInvalid` with every problem, `CatalogUnavailable` if the exchanges cannot be listed.
    """
    text = _read(path)
    folder = os.path.dirname(os.path.abspath(path))
    return parse_config(
        text,
        source=path,
        folder=folder,
        exchanges=catalog(),
        is_file=os.path.isfile,
        without_symbols=without_symbols,
    )


def configured_run_dir(path: str) -> str | None:
    """Return the absolute run directory named in the file `path`, None if it names none.

    Ignores the rest of the file: a mistake elsewhere must not prevent stopping a run.
    Raises `ConfigInvalid` if the file cannot be read at all.
    """
    try:
        section = tomllib.loads(_read(path)).get("supervisor")
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid(path, [Problem("", f"is not TOML: {error}")]) from None
    run_dir = section.get("run_dir") if isinstance(section, dict) else None
    if not isinstance(run_dir, str) or not run_dir:
        return None
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(path)), run_dir))


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigInvalid(path, [Problem("", f"cannot be read: {error.strerror}")]) from None
    if len(data) > CONFIG_BYTES_MAX:
        raise ConfigInvalid(path, [Problem("", f"has more than {CONFIG_BYTES_MAX} bytes")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigInvalid(path, [Problem("", f"is not UTF-8 at byte {error.start}")]) from None
