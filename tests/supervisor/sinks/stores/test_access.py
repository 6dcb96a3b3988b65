"""Files and addresses by which a store is reached."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from foxtrot_supervisor.sinks.sink import SinkMisconfigured
from foxtrot_supervisor.sinks.stores.access import (
    access_problems,
    password_of,
    plain_text_problem,
    tls_context,
)
from foxtrot_supervisor.sinks.stores.address import StoreAddress
from foxtrot_supervisor.sinks.stores.settings import StoreSettings
from tests.support.tls import make_tls


def private(path: Path, text: str = "S3CRET-text") -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_good_files_have_no_problems(tmp_path: Path) -> None:
    made = make_tls(tmp_path)
    settings = StoreSettings(
        user="u",
        password_file=private(tmp_path / "password"),
        ca_file=str(made.ca_file),
        cert_file=str(made.cert_file),
        key_file=str(made.key_file),
    )
    assert access_problems(settings) == []
    assert password_of(settings) == "S3CRET-text"
    assert tls_context(settings).verify_mode is ssl.CERT_REQUIRED
    assert tls_context(settings).check_hostname


def test_each_bad_file_is_named(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("x")
    key.chmod(0o644)
    settings = StoreSettings(
        password_file=str(tmp_path / "none"), ca_file=str(tmp_path), cert_file="nowhere", key_file=str(key)
    )
    problems = dict(access_problems(settings))
    assert set(problems) == {"password_file", "ca_file", "cert_file", "key_file"}
    assert "chmod 600" in problems["key_file"]
    assert ("cert_file", "cert_file and key_file belong together: set both or none") in access_problems(
        StoreSettings(cert_file=str(key))
    )


def test_a_file_that_goes_bad_later_is_a_mistake_of_configuration(tmp_path: Path) -> None:
    assert password_of(StoreSettings()) is None
    with pytest.raises(SinkMisconfigured, match="No such file"):
        password_of(StoreSettings(password_file=str(tmp_path / "none")))
    with pytest.raises(SinkMisconfigured, match="TLS files"):
        tls_context(StoreSettings(ca_file=private(tmp_path / "ca", "no certificate")))


@pytest.mark.parametrize(
    ("host", "tls", "insecure", "refused"),
    [
        ("127.0.0.1", False, False, False),
        ("/run/x", False, False, False),
        ("10.0.0.5", False, False, True),
        ("10.0.0.5", False, True, False),
        ("10.0.0.5", True, False, False),
    ],
)
def test_plain_text_leaves_the_machine_on_demand_only(host: str, tls: bool, insecure: bool, refused: bool) -> None:
    problem = plain_text_problem(StoreAddress(host, 1, tls, ""), StoreSettings(insecure=insecure), "tls://")
    assert (problem is not None) is refused
    assert problem is None or ("tls://" in problem and "insecure = true" in problem)
