"""Where the symbols of sharded connections are, kept in the run directory for the next supervisor of an application.

The application outlives its supervisor, and so does its engine, which knows the streams of each shard.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from foxtrot_supervisor.config.shards import Placements, Shard
from foxtrot_supervisor.runtime.logs import Log
from foxtrot_supervisor.system.private_files import create_private, open_private, opened_directory

__all__ = ["NAME", "KeptShards"]

NAME: Final = "shards.json"

_BYTES_MAX: Final = 16 * 1024 * 1024
"""Longest file that is read; 10,000 symbols on 500 shards have less than 1 MB."""

_decode = msgspec.json.Decoder(dict[str, list[Shard]]).decode


class KeptShards:
    """The file of one run.

    Args:
        run_dir: path of the run directory, which `recover` has emptied of an earlier application's files.
        log: gets ``shards_not_kept``.
    """

    def __init__(self, run_dir: str, log: Log) -> None:
        self._run_dir = run_dir
        self._log = log
        self._written = b""

    def write(self, shards: Placements) -> None:
        """Replace the file atomically, if there is anything new."""
        data = msgspec.json.encode(shards)
        if data == self._written or (not shards and not self._written):
            return
        part = "shards.ipc"  # a name that is removed with the run, if this process is killed before the file is renamed
        try:
            with opened_directory(self._run_dir) as directory:
                with os.fdopen(create_private(part, os.O_WRONLY | os.O_TRUNC, directory), "wb") as file:
                    file.write(data)
                os.replace(part, NAME, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            self._log.warning("shards_not_kept", reason=error.strerror or str(error))
        else:
            self._written = data

    def read(self) -> dict[str, list[Shard]]:
        """Return the shards of sharded connections; {} without a file, or with one that cannot be read."""
        try:
            with opened_directory(self._run_dir) as directory:
                descriptor = open_private(NAME, os.O_RDONLY, directory)
            with os.fdopen(descriptor, "rb") as file:
                return _decode(file.read(_BYTES_MAX))
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            self._log.warning("shards_not_kept", reason=str(error))
            return {}
