"""Addresses fit into what the kernel takes."""

from __future__ import annotations

import pytest

from foxtrot_protocol import endpoints


def test_every_address_lies_in_the_run_directory_and_differs() -> None:
    run_dir = "/run/foxtrot"
    paths = [
        endpoints.ipc_path(endpoints.data_endpoint(run_dir)),
        endpoints.ipc_path(endpoints.child_control_endpoint(run_dir)),
        endpoints.operator_path(run_dir),
        endpoints.tap_path(run_dir),
        endpoints.nursery_path(run_dir),
        endpoints.lock_path(run_dir),
    ]
    assert len(set(paths)) == len(paths)
    assert all(path.startswith(f"{run_dir}/") for path in paths)


def test_a_path_that_a_socket_cannot_hold_is_refused_with_advice() -> None:
    longest = "/" + "x" * (endpoints.IPC_PATH_BYTES_MAX - len("//data.ipc"))
    assert endpoints.data_endpoint(longest).endswith("/data.ipc")
    with pytest.raises(ValueError, match="shorten run_dir"):
        endpoints.data_endpoint(longest + "x")
    with pytest.raises(ValueError, match="107"):
        endpoints.data_endpoint("/" + "ä" * 60)
