"""Every key is declared completely, and its default is allowed."""

from __future__ import annotations

import inspect

import msgspec
import pytest
from msgspec import Struct

from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, RingConfig, SupervisorConfig
from foxtrot_supervisor.config.setting import keys_of
from foxtrot_supervisor.engine.bus.event_engine import EventEngine

TABLES = [SupervisorConfig, EngineConfig, RingConfig, ConnectionConfig]


@pytest.mark.parametrize("table", TABLES)
def test_every_key_has_one_sentence_and_a_range_if_it_is_a_number(table: type[Struct]) -> None:
    keys = keys_of(table)
    assert list(keys) == list(table.__struct_fields__)
    for name, key in keys.items():
        assert key.setting.description.endswith("."), name
        assert (key.setting.range is not None) == (key.hint in (int, float)), name


@pytest.mark.parametrize("table", TABLES)
def test_defaults_and_examples_are_in_range(table: type[Struct]) -> None:
    for name, key in keys_of(table).items():
        for value in (key.default, key.setting.example):
            if key.setting.range is not None and value not in (None, msgspec.NODEFAULT):
                assert key.setting.range.reason(value) is None, name


@pytest.mark.parametrize("table", TABLES)
def test_a_key_without_a_default_says_what_holds_without_it(table: type[Struct]) -> None:
    missing = [name for name, key in keys_of(table).items() if key.default is None and not key.setting.unset]
    assert missing == []


def test_a_bare_event_engine_has_the_defaults_of_the_configuration() -> None:
    arguments = inspect.signature(EventEngine).parameters
    keys = keys_of(EngineConfig)
    shared = [name for name in keys if name in arguments]
    limits = ["queue_limit", "never_drop_limit", "put_wait_s", "slow_handler_ms", "suspend_after"]
    assert shared == ["idle", "spin_us", *limits]
    assert {name: arguments[name].default for name in shared} == {name: keys[name].default for name in shared}


def test_addresses_are_the_first_one_and_the_further_ones() -> None:
    connection = ConnectionConfig(name="a", exchange="sim", channels=[], symbols=[])
    assert connection.addresses == []
    further = msgspec.structs.replace(connection, url="ws://a", more_urls=["ws://b"])
    assert further.addresses == ["ws://a", "ws://b"]
