"""The proof: the conformance suite, with a folder as the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from acme_sink import AcmeSettings, AcmeSink

from foxtrot_protocol.events import BookSnapshot
from foxtrot_supervisor.sinks.testing import SinkChecks, SinkContext


class TestAcmeSink(SinkChecks):
    """Every check of the suite; the folder is the store."""

    @pytest.fixture(autouse=True)
    def store(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "tape"

    def make(self, context: SinkContext) -> AcmeSink:
        return AcmeSink(AcmeSettings(directory=str(self.folder)), context)

    async def stored_keys(self) -> list[str]:
        lines = [line for path in sorted(self.folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
        return [json.loads(line)["key"] for line in lines]

    async def make_unavailable(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.folder.rename(self.folder.with_name("aside"))
        self.folder.write_text("a file in the place of the folder")

    async def make_available(self) -> None:
        self.folder.unlink()
        self.folder.with_name("aside").rename(self.folder)

    def refused_event(self) -> Any:
        level = ("64000.10", "0.5")
        return BookSnapshot("SIM", "X", 1, 2, [level] * 60_000, [level] * 60_000, None, "7", None)
