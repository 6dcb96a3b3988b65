"""The catalog is read from a separate process, whose output cannot break the reader."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from foxtrot_supervisor.config.exchanges import (
    CATALOG_BYTES_MAX,
    CatalogUnavailable,
    decode_catalog,
    read_catalog,
)
from foxtrot_supervisor.config.schema import ExchangeInfo


def test_a_catalog_is_decoded() -> None:
    catalog = decode_catalog(
        b'{"okx": {"exchange": "OKX", "channels": ["trade"], "topics_max": 5, "later": 1}, "bad": {"error": "no"}}'
    )
    assert catalog == {
        "okx": ExchangeInfo(exchange="OKX", channels=["trade"], topics_max=5),
        "bad": ExchangeInfo(error="no"),
    }


@pytest.mark.parametrize("output", [b"", b"[]", b'{"a": 1}', b'{"a": {"channels": "x"}}', b"\xff"])
def test_output_that_is_no_catalog_is_refused(output: bytes) -> None:
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


def test_a_hanging_catalog_is_ended_after_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = _module(tmp_path, monkeypatch, "import threading; threading.Event().wait(60)")
    with pytest.raises(CatalogUnavailable, match=r"more than 0\.3 s"):
        read_catalog(module, timeout_s=0.3)


def test_an_adapter_that_breaks_or_blocks_the_listing_is_the_only_unusable_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends.py").write_text("import os; os._exit(9)")
    (tmp_path / "raises.py").write_text("print('noise'); raise KeyboardInterrupt")
    (tmp_path / "lingers.py").write_text(
        "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "print('noise')\nfrom foxtrot_workers.exchanges.binance.variants import Sim"
    )
    information = tmp_path / "third_party-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(
        "[foxtrot.exchanges]\nends = ends:Sim\nraises = raises:Sim\nlingers = lingers:Sim\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    catalog = read_catalog()
    assert catalog["okx"].error == ""
    assert catalog["lingers"].error == ""
    assert catalog["ends"].error == "exchange 'ends': listing the exchanges ended with 9: no message"
    assert catalog["raises"].error.startswith("exchange 'raises' (raises:Sim): KeyboardInterrupt (")


def test_without_an_interpreter_the_catalog_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXTROT_PYTHON", "/nonexistent/python")
    with pytest.raises(CatalogUnavailable, match=r"no Python interpreter .* looked for /nonexistent/python"):
        read_catalog()
