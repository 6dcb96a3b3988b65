"""The example loads as it is, has every key, and shows the real defaults."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import msgspec
import pytest

from foxtrot_supervisor.config.check import default_config, parse_config
from foxtrot_supervisor.config.example import EXAMPLE
from foxtrot_supervisor.config.schema import (
    ConnectionConfig,
    EngineConfig,
    ExchangeInfo,
    FoxtrotConfig,
    RingConfig,
    SupervisorConfig,
)

EXCHANGES = {name: ExchangeInfo(channels=["trade", "quote", "book"]) for name in ("sim", "binance")}

# keys whose line shows a use, since the default is none or depends on the surroundings
WITHOUT_DEFAULT = {
    "bars_from_trades",
    "bundles_directory",
    "run_dir",
    "worker_memory_mib",
    "engine_memory_mib",
    "open_files",
    "handlers",
    "block",
    "conflate",
    "never_drop",
    "suspend_after",
    "shard_symbols",
    "stale_after_s",
    "rotate_after_s",
    "url",
    "rest_url",
    "ca_file",
    "proxy",
}


def parse(text: str) -> FoxtrotConfig:
    return parse_config(text, source="example", folder="/etc", exchanges=EXCHANGES, is_file=lambda _path: True)


def uncommented() -> dict[str, Any]:
    return tomllib.loads(re.sub(r"^# (?=[a-z_]+ = |\[\[)", "", EXAMPLE, flags=re.MULTILINE))


def test_the_example_equals_the_default_configuration() -> None:
    assert parse(EXAMPLE) == default_config()


@pytest.mark.parametrize(
    ("section", "kind"), [("supervisor", SupervisorConfig), ("engine", EngineConfig), ("ring", RingConfig)]
)
def test_every_key_is_shown_with_its_default(section: str, kind: type[msgspec.Struct]) -> None:
    shown = uncommented()[section]
    assert set(shown) == set(kind.__struct_fields__)
    defaults = msgspec.structs.asdict(kind())
    for key in set(shown) - WITHOUT_DEFAULT:
        assert shown[key] == defaults[key], key


def test_every_key_of_a_connection_is_shown_with_its_default() -> None:
    shown = uncommented()["connections"][0]
    assert set(shown) == set(ConnectionConfig.__struct_fields__)
    defaults = msgspec.structs.asdict(parse(EXAMPLE).connections[0]) | {"restart": "permanent"}
    for key in set(shown) - WITHOUT_DEFAULT:
        assert shown[key] == defaults[key], key


def test_the_example_loads_with_every_key_uncommented() -> None:
    text = re.sub(r"^# (?=[a-z_]+ = |\[\[)", "", EXAMPLE, flags=re.MULTILINE)
    assert [connection.name for connection in parse(text).connections] == ["sim", "binance-spot"]
