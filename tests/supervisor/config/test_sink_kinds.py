"""The check of sinks' own keys in a separate process: what it says, and what is said when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_supervisor.config.check import parse_config
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ExchangeInfo, FoxtrotConfig, SinkCheck
from foxtrot_supervisor.config.sink_kinds import check_options

_CONNECTION = """
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["X"]
"""


def parsed(text: str, folder: str = "/etc/foxtrot") -> FoxtrotConfig:
    return parse_config(
        text + _CONNECTION,
        source="f.toml",
        folder=folder,
        exchanges={"sim": ExchangeInfo(exchange="SIM", channels=["trade"])},
        is_file=lambda path: True,
        sinks=lambda tables, folder: [SinkCheck([], dict(table)) for _, table in tables],
    )


def problems(text: str) -> dict[str, str]:
    with pytest.raises(ConfigInvalid) as caught:
        parsed(text)
    return {problem.key: problem.reason for problem in caught.value.problems}


def test_keys_of_the_kind_are_apart_from_those_of_all_sinks() -> None:
    [sink] = parsed('[[sinks]]\nname = "tape"\nkind = "acme"\nspool_mib = 8\nurl = "x"\nspool_directory = "d"').sinks
    assert (sink.name, sink.spool_mib, sink.options) == ("tape", 8, {"url": "x"})
    assert sink.spool_directory == "/etc/foxtrot/d"


def test_every_mistake_is_named() -> None:
    found = problems(
        """
        [[sinks]]
        name = "Tape"
        kind = "acme"
        connections = ["one", "two", "one"]
        spool_mib = 0
        [[sinks]]
        name = "a"
        [[sinks]]
        name = "a"
        kind = "acme"
        batch_rows = "many"
        """
    )
    assert set(found) == {
        "sinks[0].name",
        "sinks[0].connections",
        "sinks[0].spool_mib",
        "sinks[1].kind",
        "sinks[2].name",
        "sinks[2].batch_rows",
    }
    assert "sinks[1]" in found["sinks[2].name"]
    assert problems("sinks = 5") == {"sinks": "must be tables, each headed [[sinks]]"}
    assert "at most 16" in problems('[[sinks]]\nname = "x"\nkind = "y"\n' * 17)["sinks"]


def test_the_kinds_are_asked_in_a_process_of_its_own(tmp_path: Path) -> None:
    right, wrong, unknown = check_options([("zeromq", {}), ("zeromq", {"queue_rows": 0}), ("kafka", {})], str(tmp_path))
    assert right.problems == []
    assert [key for key, _ in wrong.problems] == ["queue_rows"]
    assert [key for key, _ in unknown.problems] == ["kind"]


@pytest.mark.parametrize(
    ("module", "timeout_s", "reason"),
    [
        ("no_such_module", 30.0, "its check ended with 1: "),
        ("this", 30.0, "its check cannot be read: "),
        ("foxtrot_supervisor.sinks.option_check", 0.001, "took more than 0.001 s"),
    ],
)
def test_a_check_that_fails_is_a_problem_of_each_kind(module: str, timeout_s: float, reason: str) -> None:
    [check] = check_options([("acme", {})], "/", module=module, timeout_s=timeout_s)
    [(key, text)] = check.problems
    assert key == "kind"
    assert '"acme": ' in text
    assert reason in text
