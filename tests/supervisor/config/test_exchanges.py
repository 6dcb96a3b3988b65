"""The catalog is read from a process of its own, and no answer of that process breaks the reader."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from foxtrot_supervisor.config.check import ExchangeInfo
from foxtrot_supervisor.config.exchanges import (
    CATALOG_BYTES_MAX,
    CatalogUnavailable,
    decode_catalog,
    read_catalog,
)


def test_a_catalog_is_decoded() -> None:
    catalog = decode_catalog(
        b'{"okx": {"exchange": "OKX", "channels": ["trade"], "topics_max": 5, "later": 1}, "bad": {"error": "no"}}'
    )
    assert catalog == {
        "okx": ExchangeInfo(exchange="OKX", channels=["trade"], topics_max=5),
        "bad": ExchangeInfo(error="no"),
    }


@pytest.mark.parametrize("output", [b"", b"[]", b'{"a": 1}', b'{"a": {"channels": "x"}}', b"\xff"])
def test_what_is_no_catalog_is_refused(output: bytes) -> None:
    with pytest.raises(CatalogUnavailable, match="cannot be read"):
        decode_catalog(output)


def test_a_catalog_too_large_is_refused() -> None:
    with pytest.raises(CatalogUnavailable, match="bytes"):
        decode_catalog(b" " * (CATALOG_BYTES_MAX + 1))


def test_the_installed_exchanges_are_listed() -> None:
    catalog = read_catalog()
    assert {"trade", "quote", "book"} <= set(catalog["sim"].channels)
    assert catalog["binance"].exchange == "BINANCE"
    assert catalog["okx"].error == ""


def _module(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> str:
    (folder / "planted_catalog.py").write_text(textwrap.dedent(code))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "planted_catalog"


def test_a_failing_catalog_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module(tmp_path, monkeypatch, "raise RuntimeError('an adapter went mad')")
    with pytest.raises(CatalogUnavailable, match="ended with 1: RuntimeError: an adapter went mad"):
        read_catalog(module)
    module = _module(tmp_path, monkeypatch, "raise SystemExit(3)")
    with pytest.raises(CatalogUnavailable, match="ended with 3: no message"):
        read_catalog(module)


def test_a_hanging_catalog_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module(tmp_path, monkeypatch, "import threading; threading.Event().wait(60)")
    with pytest.raises(CatalogUnavailable, match=r"more than 0\.3 s"):
        read_catalog(module, timeout_s=0.3)


def test_no_python_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXTROT_PYTHON", "/nonexistent/python")
    with pytest.raises(CatalogUnavailable, match=r"no Python interpreter .* looked for /nonexistent/python"):
        read_catalog()
