"""Exit notes as bytes."""

from __future__ import annotations

import fnmatch

from foxtrot_protocol.exit_note import (
    EXIT_NOTE_BYTES_MAX,
    EXIT_NOTE_PATTERN,
    ExitNote,
    decode_exit_note,
    encode_exit_note,
    note_name,
)


def test_a_note_comes_back_as_it_was() -> None:
    note = ExitNote(doing="setting up", cause="ValueError: é", trace="Traceback\n")
    assert decode_exit_note(encode_exit_note(note)) == note


def test_text_that_is_no_unicode_is_written_all_the_same() -> None:
    note = decode_exit_note(encode_exit_note(ExitNote(cause="\udcff")))
    assert note == ExitNote(cause="?")


def test_what_is_no_note_is_none() -> None:
    assert decode_exit_note(b"") is None
    assert decode_exit_note(b'{"cause": 3}') is None
    assert decode_exit_note(b"[" * 5000) is None
    assert decode_exit_note(b" " * EXIT_NOTE_BYTES_MAX + b"{}") is None


def test_names_match_the_pattern() -> None:
    assert fnmatch.fnmatch(note_name("okx-swap.a", 3), EXIT_NOTE_PATTERN)
