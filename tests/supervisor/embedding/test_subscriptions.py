"""The symbols that a later supervisor subscribes."""

from __future__ import annotations

import sys
import threading

import pytest

from foxtrot_supervisor.config.schema import FoxtrotConfig
from foxtrot_supervisor.embedding.subscriptions import Subscriptions
from foxtrot_supervisor.embedding.supervisor import read_config
from tests.support.application import config


def symbols_of(config: FoxtrotConfig, name: str = "one") -> list[str]:
    return next(each.symbols for each in config.connections if each.name == name)


@pytest.fixture
def subscriptions() -> Subscriptions:
    document = config()
    document["connections"].append({**document["connections"][0], "name": "later", "symbols": []})
    return Subscriptions(read_config(document))


def test_the_next_supervisor_gets_what_was_added_and_removed(subscriptions: Subscriptions) -> None:
    subscriptions.add("one", ["ETHUSDT", "SOLUSDT", "ETHUSDT"])
    subscriptions.remove("one", ["BTCUSDT", "XRPUSDT"])
    subscriptions.add("unknown", ["BTCUSDT"])
    assert symbols_of(subscriptions.begin()) == ["ETHUSDT", "SOLUSDT"]


def test_symbols_of_sharded_connections_are_left_to_the_supervisors() -> None:
    subscriptions = Subscriptions(read_config(config()), {"one"})
    subscriptions.add("one", ["ETHUSDT"])
    subscriptions.remove("one", ["BTCUSDT"])
    assert symbols_of(subscriptions.begin()) == ["BTCUSDT"]


def test_a_reload_gives_a_connection_its_first_symbols_and_changes_no_other(subscriptions: Subscriptions) -> None:
    subscriptions.add("one", ["ETHUSDT"])
    assert subscriptions.has_no_symbols("later")
    reloaded = subscriptions.add_first("later", ["SOLUSDT"])
    assert (symbols_of(reloaded), symbols_of(reloaded, "later")) == (["BTCUSDT"], ["SOLUSDT"])
    assert not subscriptions.has_no_symbols("later")
    assert not subscriptions.has_no_symbols("unknown")
    following = subscriptions.begin()
    assert (symbols_of(following), symbols_of(following, "later")) == (["BTCUSDT", "ETHUSDT"], ["SOLUSDT"])


def test_concurrent_changes_are_all_kept(subscriptions: Subscriptions) -> None:
    threads, each = 4, 200
    barrier = threading.Barrier(threads)

    def add(number: int) -> None:
        barrier.wait()
        for index in range(each):
            subscriptions.add("one", [f"S{number}-{index}"])

    running = [threading.Thread(target=add, args=(number,)) for number in range(threads)]
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change turns within each read-modify-write
    try:
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    finally:
        sys.setswitchinterval(interval_s)
    assert len(symbols_of(subscriptions.begin())) == 1 + threads * each
