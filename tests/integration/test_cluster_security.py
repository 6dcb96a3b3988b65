"""The example server configuration: TLS, and each role may do what it needs and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import nats.errors
import psutil
import pytest

from foxtrot_supervisor.cluster import names
from foxtrot_supervisor.cluster.connection import CannotConnect, connect
from foxtrot_supervisor.cluster.store import NATS_ERRORS, NotPrepared, Store
from foxtrot_supervisor.config.cluster import ClusterConfig
from tests.support.cluster_nodes import EngineHost, Node
from tests.support.command_line import Simulated, run_program
from tests.support.store_servers import NATS_SERVER, NatsServer
from tests.support.tls import LoopbackTls, make_tls
from tests.support.waiting import wait_until, wait_until_async

pytestmark = pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cluster" / "nats-server.conf"

CONNECTION = """
[cluster]
servers = ["URL"]
ca_file = "CA"
credentials_file = "operator.nats"
[[connections]]
name = "one"
exchange = "sim"
channels = ["trade"]
symbols = ["BTCUSDT"]
url = "EXCHANGE"
"""


class Secured:
    """A server with the example's users, and their credentials."""

    def __init__(self, folder: Path, server: NatsServer, tls: LoopbackTls) -> None:
        self.folder = folder
        self.server = server
        self.tls = tls
        self.url = f"tls://127.0.0.1:{server.port}"

    def credentials(self, user: str, password: str | None = None) -> Path:
        path = self.folder / f"{user}.nats"
        path.write_text(f"{user}:{password or f'secret-of-{user}'}\n")
        path.chmod(0o600)
        return path

    def settings(self, user: str) -> ClusterConfig:
        return ClusterConfig(
            servers=[self.url], ca_file=str(self.tls.ca_file), credentials_file=str(self.credentials(user))
        )


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("s")
    tls = make_tls(folder)
    roles = EXAMPLE.read_text(encoding="utf-8")
    lines = roles[roles.index("authorization {") :]
    for role, user in (("node", "node-n1"), ("engine", "engine"), ("operator", "operator")):
        lines = lines.replace(f"REPLACE-{role}", f"secret-of-{user}")
    files = f'tls {{ cert_file: "{tls.cert_file}", key_file: "{tls.key_file}" }}'
    with NatsServer(tmp_path_factory.mktemp("n"), lines=[files, lines]) as server:
        yield Secured(folder, server, tls)


@pytest.mark.variant
def test_node_and_engine_do_with_the_rights_of_the_example_and_no_secret_shows(secured: Secured) -> None:
    folder = secured.folder
    secured.credentials("operator")
    config = folder / "foxtrot.toml"
    with contextlib.closing(Simulated(folder)) as exchange:
        text = CONNECTION.replace("URL", secured.url, 1).replace("EXCHANGE", exchange.url)
        config.write_text(text.replace("CA", str(secured.tls.ca_file), 1))
        applied = run_program("cluster", "apply", "-c", config, limit_s=100)
        assert applied.returncode == 0, applied.stderr
        node = Node(
            folder, "n1", secured.url, "--ca", secured.tls.ca_file, "--credentials", secured.credentials("node-n1")
        )
        with contextlib.closing(node):
            wait_until(node.workers, 45, "its worker")
            options = "--ca", secured.tls.ca_file, "--credentials", secured.credentials("engine")
            with contextlib.closing(EngineHost(folder, secured.url, *options)) as engine:
                wait_until(lambda: engine.states() == {"serving"}, 45, "that the engine's host hears the node")
            status = run_program("cluster", "status", "-c", config, limit_s=100)
            assert "one.a" in status.stdout, status.stderr
            family = [psutil.Process(node.process.pid), *psutil.Process(node.process.pid).children(recursive=True)]
            shown = "\n".join(f"{member.cmdline()} {member.environ()}" for member in family)
        written = shown + node.err.read_text() + node.out.read_text() + applied.stdout + applied.stderr
        assert "secret-of" not in written
    violations = [line for line in secured.server.log.read_text().splitlines() if "Permissions Violation" in line]
    assert violations == []


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("node-n1", f"$KV.{names.DESIRED}.one.a"),
        ("node-n1", f"$KV.{names.NODES}.n2"),
        ("node-n1", names.node_subject("n2", "drain")),
        ("operator", f"$KV.{names.HOLDERS}.one.a"),
        ("engine", names.event_subject("one", "a0.a")),
    ],
)
async def test_no_role_writes_what_is_not_its_own(secured: Secured, user: str, subject: str) -> None:
    problems: list[str] = []
    client = await connect(secured.settings(user), "operator", problem=problems.append, forever=False)
    await client.publish(subject, b"{}")
    await client.flush()
    await wait_until_async(lambda: problems, 10, "the refusal")
    assert "permissions violation" in problems[0].lower()
    await client.close()


async def test_wrong_credentials_and_unknown_authorities_are_refused(secured: Secured) -> None:
    wrong = ClusterConfig(
        servers=[secured.url],
        ca_file=str(secured.tls.ca_file),
        credentials_file=str(secured.credentials("engine", "wrong")),
    )
    with pytest.raises(NATS_ERRORS):
        await connect(wrong, "engine", forever=False)
    untrusted = ClusterConfig(servers=[secured.url], credentials_file=str(secured.credentials("engine")))
    with pytest.raises((*NATS_ERRORS, nats.errors.Error)):
        await connect(untrusted, "engine", forever=False)


@pytest.mark.parametrize(("content", "mode"), [("a:b", 0o644), ("two words", 0o600), ("", 0o600), ("SUX", 0o600)])
async def test_a_credentials_file_that_cannot_be_used_is_named(tmp_path: Path, content: str, mode: int) -> None:
    file = tmp_path / "credentials"
    file.write_text(content)
    file.chmod(mode)
    settings = ClusterConfig(servers=["nats://127.0.0.1:1"], credentials_file=str(file))
    with pytest.raises((CannotConnect, *NATS_ERRORS)) as refused:
        await connect(settings, "operator", forever=False)
    assert not content or content not in str(refused.value)


async def test_plain_text_to_another_machine_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(CannotConnect, match="plain text"):
        await connect(ClusterConfig(servers=["nats://203.0.113.7:4222"]), "operator", forever=False)
    with pytest.raises(CannotConnect, match="no NATS server is named"):
        await connect(ClusterConfig(), "operator", forever=False)


async def test_a_cluster_to_which_nothing_was_applied_is_told_apart(tmp_path: Path) -> None:
    with NatsServer(tmp_path) as server:
        client = await connect(ClusterConfig(servers=[server.url]), "operator", forever=False)
        with pytest.raises(NotPrepared):
            await Store(client).open()
        await client.close()
