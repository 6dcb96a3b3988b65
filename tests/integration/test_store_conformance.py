"""The conformance suite for sinks, with real stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from foxtrot_supervisor.sinks.catalog import sink_kind
from foxtrot_supervisor.sinks.sink import Sink, SinkContext
from foxtrot_supervisor.sinks.testing import SinkChecks
from tests.support.store_contents import make_store, stored_keys
from tests.support.store_servers import NATS_SERVER, POSTGRES, REDIS_SERVER, StoreServer


class StoreChecks(SinkChecks):
    """One server for each check."""

    kind = ""

    @pytest.fixture(autouse=True)
    def store(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """A store that is empty."""
        folder: Path = tmp_path_factory.mktemp("s")
        self.server: StoreServer
        self.server, keys = make_store(self.kind, folder)
        self.options: dict[str, Any] = {**keys, "timeout_s": 5.0}
        with self.server:
            yield

    def make(self, context: SinkContext) -> Sink:
        kind = sink_kind(self.kind)
        return kind(msgspec.convert(self.options, kind.settings), context)

    async def stored_keys(self) -> list[str]:
        return await stored_keys(self.kind, self.server)

    async def make_unavailable(self) -> None:
        self.server.kill()

    async def make_available(self) -> None:
        self.server.start()


@pytest.mark.variant
@pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")
class TestNats(StoreChecks):
    """NATS JetStream."""

    kind = "nats"


@pytest.mark.variant
@pytest.mark.skipif(REDIS_SERVER is None, reason="redis-server is not installed")
class TestRedis(StoreChecks):
    """Redis Streams."""

    kind = "redis"
    order_matters = False


@pytest.mark.variant
@pytest.mark.skipif(POSTGRES is None, reason="PostgreSQL is not installed")
class TestPostgresql(StoreChecks):
    """PostgreSQL."""

    kind = "postgresql"
    order_matters = False
