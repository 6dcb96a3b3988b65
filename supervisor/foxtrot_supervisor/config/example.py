"""The commented example that ``foxtrot-supervisor init`` writes: every key with its default, from `schema`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from foxtrot_supervisor.config.check import default_config
from foxtrot_supervisor.config.cluster import ClusterConfig
from foxtrot_supervisor.config.schema import (
    AlertsConfig,
    ConnectionConfig,
    EngineConfig,
    MetricsConfig,
    RecorderConfig,
    RingConfig,
    SupervisorConfig,
)
from foxtrot_supervisor.config.setting import Key, keys_of

__all__ = ["EXAMPLE", "toml_text"]

_COMMENT_COLUMN = 36
_LINE_CHARACTERS = 120

_HEAD = """\
# Configuration of foxtrot-supervisor. Lines that begin with "#" and a key show that key's default.
# Times are in seconds where the key ends in _s. Unknown keys are errors: `foxtrot-supervisor check` lists them all.
# Never put secrets here; no key needs any."""

_CONNECTIONS = "# One table per connection; each connection has a process of its own."

_ANOTHER = """\
# [[connections]]
# name = "binance-spot"
# exchange = "binance"
# channels = ["trade", "quote", "book"]
# symbols = ["BTCUSDT", "ETHUSDT"]"""


def toml_text(value: Any) -> str:
    """Return a text, number, boolean or list of texts as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)


def _example() -> str:
    connection = msgspec.structs.asdict(default_config().connections[0])
    sections = [
        _HEAD,
        _section("[supervisor]", SupervisorConfig),
        _section("[engine]", EngineConfig),
        _section("[ring]", RingConfig),
        _section("[metrics]", MetricsConfig),
        _section("[alerts]", AlertsConfig),
        _section("[recorder]", RecorderConfig),
        _section("[cluster]", ClusterConfig),
        f"{_CONNECTIONS}\n{_section('[[connections]]', ConnectionConfig, connection)}",
        _ANOTHER,
    ]
    return "\n\n".join(sections) + "\n"


def _section(heading: str, table: type[Struct], required: dict[str, Any] | None = None) -> str:
    """Return `table`, its optional keys as comments; `required` has values for the others."""
    lines = [heading]
    for key in keys_of(table).values():
        if key.default is msgspec.NODEFAULT:
            lines += _lines(f"{key.name} = {toml_text((required or {})[key.name])}", key.setting.description)
        else:
            value = key.default if key.setting.example is None else key.setting.example
            lines += _lines(f"# {key.name} = {toml_text(value)}", _optional(key))
    return "\n".join(lines)


def _optional(key: Key) -> str:
    """Return the description, with what holds without the key where the line shows another value."""
    if key.setting.example is None:
        return key.setting.description
    default = key.setting.unset.partition("; ")[0].replace("[by channel](#staleness)", "by channel")
    return f"{key.setting.description} Default: {default or 'none'}."


def _lines(assignment: str, comment: str) -> Iterator[str]:
    """Yield the assignment with its comment beside it, continued below where it is too long."""
    first, *further = textwrap.wrap(comment, _LINE_CHARACTERS - _COMMENT_COLUMN - 2)
    yield f"{assignment} ".ljust(_COMMENT_COLUMN) + f"# {first}"
    for line in further:
        yield "#".ljust(_COMMENT_COLUMN) + f"# {line}"


EXAMPLE = _example()
"""The text of the file; as it stands it configures what runs without a file."""
