"""Frames are taken apart so that their parts, in order, are the frame again; what cannot be matched has no layout."""

from __future__ import annotations

import random

import pytest

from foxtrot_workers.templates.frame_layout import Layout, Lists, take_apart
from tests.workers.templates.venue_frames import binance_depth, binance_trade, okx_book, okx_trades

NO_LISTS: Lists = {}
OKX: Lists = {("data",): "rows", ("data", "[]", "asks"): "levels", ("data", "[]", "bids"): "levels"}
BINANCE: Lists = {("data", "b"): "levels", ("data", "a"): "levels"}


def joined(layout: Layout) -> bytes:
    """The frame that a layout was made of."""
    text = b"".join(field.before + field.text for field in layout.head)
    rows = [b"".join(field.before + field.text for field in fields) + end for fields, end in layout.rows or ()]
    tail = b"".join(field.before + field.text for field in layout.tail)
    return text + b",".join(rows) + tail + layout.end


@pytest.mark.parametrize(
    ("frame", "lists"),
    [
        (binance_trade(random.Random(1), 1), NO_LISTS),
        (binance_depth(random.Random(1), 1, 2), BINANCE),
        (okx_trades(random.Random(1), 1, 3), OKX),
        (okx_book(random.Random(1), 1, 2), OKX),
        (b'{ "a" : 1 , "b":[ true,null ,"x"], "c":{}, "d":[] }', NO_LISTS),
        (b'[0,-1.5,"t",[[1],[2,{"k":"v"}]]]', NO_LISTS),
        (b'{"data":[{"x":1},{"x":2}],"after":3}', OKX),
        (b'{"data":{"b":[],"a":[[1.5,2],["3","4",0]]}}', BINANCE),
    ],
)
def test_the_parts_are_the_frame(frame: bytes, lists: Lists) -> None:
    layout = take_apart(frame, lists)
    assert layout is not None
    assert joined(layout) == frame


def test_fields_have_paths_and_kinds() -> None:
    layout = take_apart(b'{"a":{"n":-1.5,"s":"x"},"l":[true,null],"data":[{"asks":[["1","2"]]}]}', OKX)
    assert layout is not None
    assert [(field.path, field.kind, field.text) for field in layout.head[:-1]] == [
        (("a", "n"), "number", b"-1.5"),
        (("a", "s"), "string", b"x"),
        (("l", "0"), "word", b"true"),
        (("l", "1"), "word", b"null"),
    ]
    assert layout.rows is not None
    assert [(field.path, field.kind) for field in layout.rows[0][0]] == [(("data", "[]", "asks"), "levels")]


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b'{"a":1',
        b'{"a":1}x',
        b'{"a":1e5}',
        b'{"a":01}',
        b'{"a":"\\u0041"}',
        b'{"a":"\xc3\xa4"}',
        b'{"\xc3\xa4":1}',
        b'{"a" 1}',
        b'{"a":1 "b":2}',
        b'{"a":nul}',
        b'["1" "2"]',
        b'{"data":[]}',
        b'{"data":[{"x":1} ,{"x":2}]}',
        b'{"data":[{"asks":[["1"]]}]}',
        b'{"data":[{"data":1,"y":[{"data":[{"x":1}]}]}]}x',
        b"[" * 100 + b"]" * 100,
        b"[" + b"1," * 300 + b"1]",
    ],
)
def test_other_frames_have_no_layout(frame: bytes) -> None:
    assert take_apart(frame, OKX) is None


def test_rows_in_two_places_have_no_layout() -> None:
    lists: Lists = {("a",): "rows", ("b",): "rows"}
    assert take_apart(b'{"a":[{"x":1}]}', lists) is not None
    assert take_apart(b'{"a":[{"x":1}],"b":[{"x":1}]}', lists) is None
