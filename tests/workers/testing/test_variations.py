from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict

from foxtrot_workers.testing.variations import (
    UNKNOWN_WORD,
    VARIATIONS_OF_A_KIND_MAX,
    damaged,
    truncations,
    variations,
)

FRAME = b'{"ch":"trades","rows":[["1.50",2],["3",0.25]],"side":"buy","id":"17","tick":{"t":5,"e":{}},"ok":true}'


def by_kind(frame: bytes) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for variation in variations(frame, random.Random(1)):
        found[variation.kind].append(variation.frame)
    return found


def test_each_variation_is_json_and_differs_in_one_place() -> None:
    found = by_kind(FRAME)
    for frames in found.values():
        for frame in frames:
            json.loads(frame)
            assert frame != FRAME
    assert set(found) == {
        "unknown field",
        "unknown word",
        "exponent",
        "more digits",
        "huge number",
        "empty list",
        "null",
    }


def test_what_each_kind_changes() -> None:
    found = {kind: [json.loads(frame) for frame in frames] for kind, frames in by_kind(FRAME).items()}
    assert [frame["rows"] for frame in found["empty list"]] == [[]]
    assert {frame["side"] for frame in found["unknown word"]} == {"buy", UNKNOWN_WORD}
    assert {frame["rows"][0][0] for frame in found["exponent"]} == {"1.50", "1.50e0"}
    assert {float(frame["rows"][1][1]) for frame in found["exponent"]} == {0.25}
    assert any(frame["rows"][0][0].startswith("1.500000") for frame in found["more digits"])
    assert {str(frame["id"]) for frame in found["huge number"]} >= {"17", "1000000000000000000000000000001"}
    assert len(found["unknown field"]) == 3
    assert sum(frame["ok"] is None for frame in found["null"]) == 1


def test_a_table_of_objects_gets_no_field_and_a_number_in_text_stays_text() -> None:
    frames = by_kind(b'{"markets":{"BTC":{"px":"1"}}}')["unknown field"]
    assert frames == [b'{"markets":{"BTC":{"px":"1","foxtrotUnknown":[1,{"x":null}]}}}']
    assert b'{"px":"9223372036854775808"}' in by_kind(b'{"px":"1"}')["huge number"]


def test_compressed_frames_are_varied_inside_and_other_bytes_not_at_all() -> None:
    found = by_kind(gzip.compress(b'{"px":"1.5"}'))
    assert [gzip.decompress(frame) for frame in found["exponent"]] == [b'{"px":"1.5e0"}']
    assert variations(b"ping", random.Random(1)) == []
    assert variations(b"[1,", random.Random(1))[:1] != []


def test_numbers_of_variations_and_truncations_are_bounded() -> None:
    frame = json.dumps({"rows": [["1.5", "2.5"]] * 500}).encode()
    assert all(len(frames) <= VARIATIONS_OF_A_KIND_MAX for frames in by_kind(frame).values())
    parts = truncations(frame, random.Random(1))
    assert len(parts) == 200
    assert truncations(b"abc", random.Random(1)) == [b"", b"a", b"ab"]
    assert all(frame.startswith(part) and part != frame for part in parts)
    assert damaged(frame, random.Random(1)) == damaged(frame, random.Random(1)) != frame
