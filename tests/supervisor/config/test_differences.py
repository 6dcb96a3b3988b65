"""What differs between two configurations."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from foxtrot_supervisor.config.differences import Setting, differences
from foxtrot_supervisor.config.schema import ConnectionConfig, EngineConfig, FoxtrotConfig, SupervisorConfig
from foxtrot_supervisor.config.shards import Shard


def connection(name: str, **more: Any) -> ConnectionConfig:
    return ConnectionConfig(**({"name": name, "exchange": "sim", "channels": ["trade"], "symbols": ["A", "B"]} | more))


BASE = FoxtrotConfig(connections=[connection("one"), connection("two")])


def test_the_same_has_no_differences() -> None:
    found = differences(BASE, structs.replace(BASE))
    assert (found.settings, found.added, found.removed, found.changed) == ([], [], [], {})


def test_settings_connections_and_their_keys() -> None:
    after = FoxtrotConfig(
        supervisor=SupervisorConfig(hung_s=12.0),
        engine=EngineConfig(handlers=["x:y"]),
        connections=[connection("one", symbols=["B", "C"], redundancy=2), connection("three")],
    )
    found = differences(BASE, after)
    assert found.settings == [Setting("supervisor.hung_s", 10.0, 12.0), Setting("engine.handlers", [], ["x:y"])]
    assert (found.added, found.removed) == (["three"], ["two"])
    assert found.changed == {"one": [Setting("symbols", ["A"], ["C"]), Setting("redundancy", 1, 2)]}


def test_another_order_is_shown_whole() -> None:
    after = FoxtrotConfig(connections=[connection("one", symbols=["B", "A"]), connection("two")])
    assert differences(BASE, after).changed == {"one": [Setting("symbols", ["A", "B"], ["B", "A"])]}


def test_passwords_are_not_shown() -> None:
    after = FoxtrotConfig(
        connections=[
            connection("one", proxy="http://me:secret@proxy:3128", url="wss://key:secret@x/y"),
            BASE.connections[1],
        ]
    )
    text = repr(differences(BASE, after))
    assert "secret" not in text
    assert "http://***@proxy:3128" in text


def test_shards_are_compared_as_they_stand_in_the_file() -> None:
    def sharded(entries: list[str], symbols: list[str]) -> FoxtrotConfig:
        values = structs.asdict(connection("x-1", symbols=symbols))
        shard = Shard(**values, shard_of="x", entries=entries, symbols_max=10, symbol_case="upper")
        return FoxtrotConfig(connections=[shard])

    assert differences(sharded(["*"], ["A"]), sharded(["*"], ["A", "B"])).changed == {}
    assert differences(sharded(["*"], ["A"]), sharded(["*-USDT"], ["A"])).changed == {
        "x": [Setting("symbols", ["*"], ["*-USDT"])]
    }
