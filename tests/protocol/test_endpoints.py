"""Addresses stand in the run directory and fit into a socket's path."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from foxtrot_protocol import endpoints

PATHS = [endpoints.operator_path, endpoints.tap_path, endpoints.nursery_path]
ENDPOINTS = [endpoints.data_endpoint, endpoints.child_control_endpoint]


def test_every_address_is_another_file_of_the_run_directory() -> None:
    files = [endpoints.ipc_path(make("/run/foxtrot")) for make in ENDPOINTS] + [make("/run/foxtrot") for make in PATHS]
    files.append(endpoints.lock_path("/run/foxtrot"))
    assert len(set(files)) == 6
    assert all(file.startswith("/run/foxtrot/") for file in files)


@pytest.mark.parametrize("make", ENDPOINTS)
def test_endpoints_are_ipc(make: Callable[[str], str]) -> None:
    assert make("/run/foxtrot") == "ipc://" + endpoints.ipc_path(make("/run/foxtrot"))


@pytest.mark.parametrize("make", [*PATHS, *ENDPOINTS])
def test_a_path_that_no_socket_can_have_is_refused(make: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="more than 107 bytes, shorten run_dir"):
        make("/" + "x" * 100)
    # bytes count, not characters
    with pytest.raises(ValueError, match="107 bytes"):
        make("/" + "é" * 50)


def test_with_rings_the_engine_hears_of_batches_by_datagrams() -> None:
    endpoint = endpoints.data_endpoint("/run/foxtrot", "ring")
    assert endpoints.doorbell_path(endpoint) == "/run/foxtrot/doorbell.sock"
    assert endpoints.doorbell_path(endpoints.data_endpoint("/run/foxtrot")) is None
    with pytest.raises(ValueError, match="107 bytes"):
        endpoints.data_endpoint("/" + "x" * 100, "ring")


def test_what_a_killed_run_has_left_for_a_sink_is_found_by_its_name() -> None:
    name = endpoints.left_name(12, "20260101T000000-abc")
    assert endpoints.parse_left_name(name) == (12, "20260101T000000-abc")
    assert endpoints.left_name(9, "x") < endpoints.left_name(10, "x"), "names sort by number"
    assert endpoints.sink_directory("/run/foxtrot", "store") == "/run/foxtrot/sinks/store"


@pytest.mark.parametrize(
    "name", ["", "left", "left-12-x", "left-00001x-x", "left-000012-", "left-000012", "ring-000012-x"]
)
def test_other_names_were_left_by_no_run(name: str) -> None:
    assert endpoints.parse_left_name(name) is None
