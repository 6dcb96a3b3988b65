"""The file of earlier reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from foxtrot_supervisor.bench.chain import BenchFailed
from foxtrot_supervisor.bench.history import append, last_of


def test_the_last_report_is_compared_with(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    assert last_of(path) is None
    append(path, {"a": 1})
    append(path, {"a": 2})
    assert last_of(path) == {"a": 2}
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("content", [b"", b"no report\n", b"[1]\n", b'{"a": 1}\nbroken{'])
def test_a_file_that_is_no_history_is_refused_before_anything_is_measured(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history.jsonl"
    path.write_bytes(content)
    with pytest.raises(BenchFailed, match="history"):
        last_of(path)


def test_a_path_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for use in (last_of, lambda path: append(path, {})):
        with pytest.raises(BenchFailed, match="directory"):
            use(tmp_path)
