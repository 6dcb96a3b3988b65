"""Problems as lines of a message."""

from __future__ import annotations

from foxtrot_supervisor.config.problems import ConfigInvalid, Problem


def test_each_problem_is_a_line_with_file_key_and_reason() -> None:
    error = ConfigInvalid("foxtrot.toml", [Problem("engine.ticks", "is wrong"), Problem("", "is not TOML")])
    assert str(error) == "foxtrot.toml: engine.ticks: is wrong\nfoxtrot.toml: is not TOML"
    assert ConfigInvalid("", [Problem("a", "b")]).lines() == ["a: b"]
