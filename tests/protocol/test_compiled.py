"""The form of the hot paths: chosen by an environment variable, pure Python where nothing current is installed."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import pytest

from foxtrot_protocol import compiled

TEXT = b"# the source of a compiled module\n"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed module as the build makes it, with its source beside it."""
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "some_matcher.pyx").write_bytes(TEXT)
    (package / "some_matcher.py").write_text(f"SOURCE_CRC = {zlib.crc32(TEXT)}\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("some_package", "some_package.some_matcher"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(compiled, "MODULES", ("some_package.some_matcher",))
    monkeypatch.delenv("FOXTROT_FORM", raising=False)
    return "some_package.some_matcher"


@pytest.mark.parametrize("form", ["", "auto", "compiled"])
def test_an_installed_module_is_used(module: str, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("FOXTROT_FORM", form)
    loaded = compiled.load(module)
    assert loaded is not None
    assert loaded.__name__ == module
    assert compiled.describe() == "compiled"


def test_pure_python_can_be_demanded(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXTROT_FORM", "pure")
    assert compiled.load(module) is None
    assert compiled.describe() == "pure Python: FOXTROT_FORM=pure"


def test_a_missing_module_leaves_pure_python(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MODULES", (module, "some_package.other", "no_such_package.matcher"))
    assert compiled.load("some_package.other") is None
    missing = "some_package.other, no_such_package.matcher"
    assert compiled.describe() == f"pure Python: {missing} not installed"


def test_a_missing_module_is_an_error_where_the_compiled_form_is_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXTROT_FORM", "compiled")
    with pytest.raises(ImportError):
        compiled.load("no_such_matcher")


def test_a_module_of_other_source_text_is_not_used(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_package" / "some_matcher.pyx").write_bytes(TEXT + b"# changed\n")
    assert compiled.load(module) is None
    monkeypatch.setenv("FOXTROT_FORM", "compiled")
    with pytest.raises(compiled.StaleModule):
        compiled.load(module)


def test_a_module_without_its_source_beside_it_is_current(module: str, tmp_path: Path) -> None:
    (tmp_path / "some_package" / "some_matcher.pyx").unlink()
    assert compiled.load(module) is not None


def test_describing_imports_nothing(module: str) -> None:
    assert compiled.describe() == "compiled"
    assert "some_package" not in sys.modules


def test_an_unknown_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXTROT_FORM", "quick")
    with pytest.raises(ValueError, match="quick"):
        compiled.load("some_matcher")
