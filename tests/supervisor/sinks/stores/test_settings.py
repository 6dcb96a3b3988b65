"""Keys that all stores have."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from foxtrot_supervisor.config.setting import keys_of
from foxtrot_supervisor.sinks.nats.settings import NatsSettings
from foxtrot_supervisor.sinks.postgresql.settings import PostgresqlSettings
from foxtrot_supervisor.sinks.redis.settings import RedisSettings
from foxtrot_supervisor.sinks.stores.settings import StoreSettings
from tests.support.sources import ROOT

KINDS = (NatsSettings, PostgresqlSettings, RedisSettings)


@pytest.mark.parametrize("kind", KINDS)
def test_each_key_is_declared_and_a_default_is_in_its_range(kind: type[msgspec.Struct]) -> None:
    assert set(keys_of(StoreSettings)) <= set(keys_of(kind))
    for key in keys_of(kind).values():
        assert key.setting.description.endswith(".")
        if key.setting.range is not None:
            assert key.setting.range.reason(key.default) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("table", [{"password": "S3CRET"}, {"timeout_s": "long"}])
def test_unknown_keys_and_wrong_types_are_refused(kind: type[msgspec.Struct], table: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, kind)
    assert msgspec.convert({}, kind) == kind()


def test_the_documents_are_current() -> None:
    """Tables of keys, and the SQL that creates the tables of PostgreSQL."""
    script = ROOT / "scripts" / "draw_sinks.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"scripts/draw_sinks.py {done.stderr}"


def test_a_configuration_is_checked_without_the_libraries_of_stores() -> None:
    """The process that checks, and every process of a run but the sink's own, does not load them."""
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('nats', 'redis', 'psycopg')))  # as if they were not installed\n"
        "from foxtrot_supervisor.sinks.catalog import sink_kind\n"
        "for name in ('nats', 'redis', 'postgresql'):\n"
        "    kind = sink_kind(name)\n"
        "    print(*kind.problems(kind.settings()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for extra, line in zip(("nats", "redis", "postgresql"), done.stdout.splitlines(), strict=True):
        assert f"pip install 'foxtrot-supervisor[{extra}]'" in line
