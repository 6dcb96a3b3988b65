"""Log lines: complete, bounded, the same in every process."""

from __future__ import annotations

import json
from typing import Any

from foxtrot_protocol.log_limits import REPEATS_PERIOD_S, TRACE_CHARACTERS_MAX
from foxtrot_protocol.log_line import Identity, LineMaker, LogLine, connection_of, timestamp

AT = 1_700_000_000_123_456_789
KNOWN = {"sim.a": Identity(worker="sim.a", incarnation=3, connection="sim", exchange="binance")}


def maker(own: str = "", repeats_max: int = 2) -> LineMaker:
    return LineMaker("supervisor", lambda name: KNOWN.get(name, Identity(worker=name)), repeats_max, 10, own)


def made(fields: dict[str, Any], own: str = "") -> LogLine:
    line = maker(own).make("info", "seen", fields, 0.0, AT)
    assert line is not None
    return line


def test_a_line_says_who_wrote_it_and_what_it_is_about() -> None:
    assert made({"worker": "sim.a", "reason": "x"}).flat() == {
        "timestamp": "2023-11-14T22:13:20.123456Z",
        "level": "info",
        "event": "seen",
        "process": "supervisor",
        "worker": "sim.a",
        "incarnation": 3,
        "connection": "sim",
        "exchange": "binance",
        "reason": "x",
    }


def test_what_does_not_apply_is_left_out() -> None:
    assert set(made({"reason": "", "rung": None}).flat()) == {"timestamp", "level", "event", "process"}
    assert made({"worker": "engine"}).about == Identity(worker="engine")
    assert made({"connection": "sim"}).about == Identity(connection="sim")


def test_a_line_that_names_no_child_is_about_the_process_itself() -> None:
    assert made({}, own="sim.a").about == KNOWN["sim.a"]
    assert made({"worker": "other.b", "incarnation": 7}, own="sim.a").about == Identity(worker="other.b", incarnation=7)


def test_what_the_call_says_counts_for_more_than_what_is_known() -> None:
    about = made({"worker": "sim.a", "incarnation": 2}).about
    assert (about.incarnation, about.connection) == (2, "sim")


def test_fields_cannot_pretend_to_be_something_else() -> None:
    flat = made({"timestamp": "never", "level": "error", "seq": 5, "process": "liar", "incarnation": "text"}).flat()
    assert (flat["timestamp"][:4], flat["level"], flat["process"]) == ("2023", "info", "supervisor")
    assert "seq" not in flat
    assert "incarnation" not in flat


def test_long_texts_are_shortened_and_other_values_become_text() -> None:
    fields = made({"sample": "x" * 11, "odd": {1, 2}, "trace": "y" * 9000, "stacks": "z" * 9000, "count": 1}).fields
    assert fields["sample"] == "x" * 10 + "…"
    assert fields["odd"] == "{1, 2}"
    assert len(fields["trace"]) == TRACE_CHARACTERS_MAX + 1
    assert len(fields["stacks"]) == 9000
    assert fields["count"] == 1


def test_repetitions_of_a_child_are_held_back_and_told_later() -> None:
    lines = maker()
    admitted = [lines.make("info", "seen", {"worker": "a"}, 0.0, AT) is not None for _ in range(5)]
    assert admitted == [True, True, False, False, False]
    assert lines.make("info", "seen", {"worker": "b"}, 0.0, AT) is not None
    later = lines.make("info", "seen", {"worker": "a"}, REPEATS_PERIOD_S, AT)
    assert later is not None
    assert later.fields == {"held_back": 3}


def test_repetitions_that_do_not_come_again_get_a_line_of_their_own() -> None:
    lines = maker()
    for _ in range(5):
        lines.make("error", "seen", {"worker": "sim.a"}, 0.0, AT)
    assert lines.held_back(1.0, AT) == []
    (line,) = lines.held_back(REPEATS_PERIOD_S, AT)
    assert (line.event, line.about, line.fields) == ("lines_held_back", KNOWN["sim.a"], {"of": "seen", "held_back": 3})
    assert lines.held_back(REPEATS_PERIOD_S, AT) == []


def test_json_never_fails() -> None:
    line = made({"path": "not unicode: \udcff", "odd": [object]})
    assert json.loads(line.json(seq=4))["seq"] == 4
    assert b"\n" not in line.json()


def test_names_of_workers_say_their_connection() -> None:
    assert [connection_of(name) for name in ("okx.swap.a", "engine")] == ["okx.swap", ""]


def test_times_have_microseconds_and_are_exact() -> None:
    assert timestamp(AT) == "2023-11-14T22:13:20.123456Z"
    assert timestamp(0) == "1970-01-01T00:00:00.000000Z"
