"""Reference material beside the source tree: recorded frames, the sheet of protocols. Tests skip where it is absent."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.sources import ROOT

_FOLDERS = [folder / "shared" for folder in (ROOT.parent, ROOT.parent.parent)]
SHARED = next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])

needs_references = pytest.mark.skipif(not SHARED.is_dir(), reason="the reference material is not beside the tree")


def single_frames(exchange: str) -> list[tuple[str, bytes]]:
    """Source and bytes of each single frame of `exchange`."""
    return [
        (Path(frame["src"]).stem, frame["raw"].encode())
        for frame in _lines(SHARED / "data" / exchange / "single-frames.jsonl.gz")
    ]


def recorded_frames(exchange: str) -> Iterator[bytes]:
    """The frames received in all recordings of `exchange`."""
    for path in sorted((SHARED / "data" / exchange).glob("*.jsonl.gz")):
        if not path.name.endswith((".expected.jsonl.gz", "-instruments.jsonl.gz")):
            for frame in _lines(path):
                if frame["dir"] == "in" and "enc" not in frame:
                    yield frame["raw"].encode()


def sheet_lines(heading: str) -> list[bytes]:
    """The JSON documents in the section of the sheet that begins with `heading` (such as "## 6." or "### 7.7")."""
    text = (SHARED / "docs" / "exchanges.md").read_text(encoding="utf-8")
    level = heading.split(" ", 1)[0]
    start = text.index(f"\n{heading} ") + 1
    end = re.compile(rf"^#{{1,{len(level)}}} ", re.MULTILINE).search(text, start + len(heading))
    section = text[start : end.start() if end else None]
    blocks = re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [line.encode() for block in blocks for line in block.splitlines() if line]


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
