"""Space on the disk of a directory."""

from __future__ import annotations

import shutil
from pathlib import Path

from foxtrot_supervisor.telemetry.disk import disk_space


def test_space_is_that_of_the_file_system(tmp_path: Path) -> None:
    free, total = disk_space(str(tmp_path))
    assert total == shutil.disk_usage(tmp_path).total
    assert free is not None
    assert 0 <= free <= total


def test_a_directory_that_is_gone_has_none(tmp_path: Path) -> None:
    assert disk_space(str(tmp_path / "gone")) == (None, None)
    assert disk_space("a\0b") == (None, None)
