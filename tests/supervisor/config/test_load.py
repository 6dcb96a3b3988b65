"""A configuration file is read, or refused with its name and the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foxtrot_supervisor.config.load import CONFIG_BYTES_MAX, configured_recordings, configured_run_dir, load_config
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import ExchangeInfo

TEXT = """
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
ca_file = "ca.pem"
"""


def catalog() -> dict[str, ExchangeInfo]:
    return {"sim": ExchangeInfo(exchange="SIM", channels=["trade"], topics_max=10)}


def test_relative_paths_are_resolved_against_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    path = tmp_path / "foxtrot.toml"
    path.write_text("\ufeff" + TEXT, encoding="utf-8")
    config = load_config(str(path), catalog=catalog)
    assert config.connections[0].ca_file == str(tmp_path / "ca.pem")


def test_problems_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "foxtrot.toml"
    path.write_text(TEXT)
    with pytest.raises(ConfigInvalid) as caught:
        load_config(str(path), catalog=catalog)
    assert caught.value.lines() == [f"{path}: connections[0].ca_file: there is no file {tmp_path / 'ca.pem'}"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"x = '\xff'", "is not UTF-8 at byte 5"),
        (b"#" * (CONFIG_BYTES_MAX + 1), f"has more than {CONFIG_BYTES_MAX} bytes"),
    ],
)
def test_unreadable_files_are_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "foxtrot.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigInvalid) as caught:
        load_config(str(path), catalog=catalog)
    assert caught.value.lines() == [f"{path}: {reason}"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="cannot be read: Is a directory"):
        load_config(str(tmp_path), catalog=catalog)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[supervisor]\nrun_dir = "run"\nwrong = 1', "run"),
        ('[supervisor]\nrun_dir = "../run"', "../run"),
        ("[supervisor]\nrun_dir = 3", None),
        ('[supervisor]\nrun_dir = ""', None),
        ("supervisor = 3", None),
        ("", None),
    ],
)
def test_the_run_dir_is_found_despite_other_mistakes(tmp_path: Path, text: str, expected: str | None) -> None:
    path = tmp_path / "foxtrot.toml"
    path.write_text(text)
    wanted = None if expected is None else str((tmp_path / expected).resolve())
    assert configured_run_dir(str(path)) == wanted


def test_a_run_dir_is_not_read_from_invalid_toml(tmp_path: Path) -> None:
    path = tmp_path / "foxtrot.toml"
    path.write_text("[")
    with pytest.raises(ConfigInvalid, match="is not TOML"):
        configured_run_dir(str(path))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("sinks = 1", []),
        ("sinks = [1]", []),
        ('[[sinks]]\nkind = "nats"\ndirectory = "a"', []),
        ('[[sinks]]\nkind = "parquet"\ndirectory = 5', []),
        ('[[sinks]]\nkind = "parquet"', []),
        (
            '[[sinks]]\nkind = "parquet"\ndirectory = "../a"\n[[sinks]]\nkind = "parquet"\ndirectory = "/b"',
            ["../a", "/b"],
        ),
        ('[[sinks]]\nkind = "parquet"\ndirectory = "/b"\n[[sinks]]\nkind = "parquet"\ndirectory = "/b/"', ["/b"]),
    ],
)
def test_recordings_are_those_of_parquet_sinks_whatever_else_is_wrong(
    tmp_path: Path, text: str, found: list[str]
) -> None:
    path = tmp_path / "foxtrot.toml"
    path.write_text(text)
    assert configured_recordings(str(path)) == [os.path.normpath(tmp_path / directory) for directory in found]
