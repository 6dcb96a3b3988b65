"""Messages go to stderr; a failure has its message and its exit code."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.cli.messages import Failure, say


def test_messages_go_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    say("connected")
    assert capfd.readouterr() == ("", "connected\n")


def test_a_failure_has_message_and_code() -> None:
    failure = Failure("no run", 3)
    assert (str(failure), failure.message, failure.code) == ("no run", "no run", 3)
