"""``[cluster]``: addresses, files and names are checked, each with its reason."""

from __future__ import annotations

import pytest

from foxtrot_supervisor.config.check import parse_config
from foxtrot_supervisor.config.cluster import ClusterConfig, name_reason, server_reason
from foxtrot_supervisor.config.problems import ConfigInvalid
from foxtrot_supervisor.config.schema import FoxtrotConfig


def parse(text: str) -> FoxtrotConfig:
    return parse_config(
        text,
        source="f.toml",
        folder="/etc/foxtrot",
        exchanges={},
        is_file=lambda path: path.endswith(".pem"),
        without_connections=True,
    )


def test_without_the_table_there_is_no_cluster() -> None:
    assert parse("").cluster == ClusterConfig()
    assert not parse("").cluster.servers


def test_files_are_made_absolute() -> None:
    text = '[cluster]\nservers = ["tls://n:4222"]\nca_file = "ca.pem"\ncertificate_file = "a.pem"\nkey_file = "k.pem"'
    cluster = parse(text).cluster
    assert (cluster.ca_file, cluster.key_file) == ("/etc/foxtrot/ca.pem", "/etc/foxtrot/k.pem")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ('servers = ["nats://10.0.0.1:4222"]', "would be plain text to another machine"),
        ('servers = ["nats://user:secret@localhost"]', "must not contain credentials"),
        ('servers = ["http://localhost"]', "must be nats://HOST:PORT or tls://HOST:PORT"),
        ('servers = ["nats://localhost:99999"]', "is no address"),
        ('servers = ["nats://"]', "must be nats://"),
        ('credentials_file = "none"', "cluster.credentials_file: there is no file /etc/foxtrot/none"),
        ('certificate_file = "a.pem"', "needs key_file"),
        ("lease_s = 1.0", "must be at least ack_wait_s (2)"),
        ("replicas = 2", "must be 1, 3 or 5, not 2"),
        ('node = "a.b"', 'not "a.b"'),
        ('host = ""', "must be at most 60 of letters"),
        ('addresses = [""]', "texts of 1 to 64 characters"),
        (f"addresses = {['10.0.0.1'] * 17}", "at most 16"),
        ("capacity = -1", "must be at least 0"),
    ],
)
def test_mistakes_are_named(keys: str, reason: str) -> None:
    with pytest.raises(ConfigInvalid) as invalid:
        parse(f"[cluster]\n{keys}")
    assert reason in str(invalid.value)
    assert "secret" not in str(invalid.value)


def test_plain_text_to_other_machines_needs_a_word() -> None:
    assert server_reason("nats://10.0.0.1:4222", insecure=True) is None
    assert server_reason("nats://127.0.0.1:4222", insecure=False) is None
    assert server_reason("tls://10.0.0.1:4222", insecure=False) is None


def test_names_of_nodes() -> None:
    assert name_reason("Tokyo_1-a") is None
    assert name_reason("x" * 61) is not None
