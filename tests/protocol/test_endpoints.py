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
