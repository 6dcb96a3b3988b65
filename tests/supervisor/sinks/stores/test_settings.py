"""Keys that all stores have."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from foxtrot_supervisor.config.setting import keys_of
from foxtrot_supervisor.sinks.nats.settings import NatsSettings
from foxtrot_supervisor.sinks.postgresql.settings import PostgresqlSettings
from foxtrot_supervisor.sinks.redis.settings import RedisSettings
from foxtrot_supervisor.sinks.stores.settings import StoreSettings

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
