"""What a run prints, as lines."""

from __future__ import annotations

from foxtrot_supervisor.cli.screen.output import LINE_CHARACTERS_MAX, LINES_MAX, Output


def test_lines_in_pieces() -> None:
    output = Output()
    for piece in (b"fi", b"rst\nsec", b"ond\nthi"):
        output.feed(piece)
    assert output.latest(5) == ["first", "second"]
    assert output.latest(1) == ["second"]


def test_control_characters_do_not_reach_the_screen() -> None:
    output = Output()
    output.feed(b"\x1b[31mred\x1b[0m\x07\r\n\xff\n")
    assert output.latest(2) == ["red", "\ufffd"]


def test_memory_is_bounded() -> None:
    output = Output()
    output.feed(b"x" * 10_000)
    output.feed(b"y" * 10_000 + b"\n" + b"line\n" * (LINES_MAX + 5))
    assert len(output.latest(10**6)) == LINES_MAX
    output = Output()
    output.feed(b"x" * 10_000 + b"\n")
    assert output.latest(1) == ["x" * LINE_CHARACTERS_MAX]
