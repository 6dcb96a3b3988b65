"""Reading of a configuration file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from foxtrot_supervisor.config.check import parse_config
from foxtrot_supervisor.config.exchanges import read_catalog
from foxtrot_supervisor.config.problems import ConfigInvalid, Problem
from foxtrot_supervisor.config.schema import ExchangeInfo, FoxtrotConfig
from foxtrot_supervisor.config.sink_kinds import check_options

__all__ = ["CONFIG_BYTES_MAX", "configured_recordings", "configured_run_dir", "load_config"]

CONFIG_BYTES_MAX = 4 * 1024 * 1024
"""Largest size of a configuration; 1,000 connections with 500 symbols each stay below it."""


def load_config(
    path: str,
    *,
    catalog: Callable[[], Mapping[str, ExchangeInfo]] = read_catalog,
    without_symbols: bool = False,
    without_connections: bool = False,
) -> FoxtrotConfig:
    """Return the configuration in the file `path`, with its relative paths made absolute.

    `catalog` returns the installed exchanges; `without_symbols`: a connection may have no symbols;
    `without_connections`: there may be no connection.
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
        sinks=check_options,
        without_symbols=without_symbols,
        without_connections=without_connections,
    )


def configured_run_dir(path: str) -> str | None:
    """Return the absolute run directory named in the file `path`, None if it names none.

    Ignores the rest of the file: a mistake elsewhere must not prevent stopping a run.
    Raises `ConfigInvalid` if the file cannot be read at all.
    """
    section = _loose(path).get("supervisor")
    run_dir = section.get("run_dir") if isinstance(section, dict) else None
    return _absolute(path, run_dir) if isinstance(run_dir, str) and run_dir else None


def configured_recordings(path: str) -> list[str]:
    """Return the absolute directories of the sinks of kind ``parquet`` in the file `path`.

    Ignores the rest of the file, as `configured_run_dir` does, and raises what that raises.
    """
    sinks = _loose(path).get("sinks")
    found = []
    for sink in sinks if isinstance(sinks, list) else ():
        if isinstance(sink, dict) and sink.get("kind") == "parquet":
            directory = sink.get("directory")
            if isinstance(directory, str) and directory:
                found.append(_absolute(path, directory))
    return list(dict.fromkeys(found))


def _loose(path: str) -> dict[str, Any]:
    """Return the content of the file, unchecked; raises `ConfigInvalid` if it cannot be read at all."""
    try:
        return tomllib.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid(path, [Problem("", f"is not TOML: {error}")]) from None


def _absolute(path: str, relative: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(path)), relative))


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
