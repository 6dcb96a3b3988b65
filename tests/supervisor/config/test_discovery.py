"""The configuration file is searched for in the documented order."""

from __future__ import annotations

from foxtrot_supervisor.config.discovery import Surroundings, config_candidates, find_config


def around(**environment: str) -> Surroundings:
    return Surroundings(
        environment=environment,
        working_directory="/desk",
        home="/home/ann",
    )


def test_the_order_is_working_directory_user_system() -> None:
    assert config_candidates(around()) == [
        "/desk/foxtrot.toml",
        "/home/ann/.config/foxtrot/foxtrot.toml",
        "/etc/foxtrot/foxtrot.toml",
    ]


def test_the_users_folder_can_be_elsewhere_but_not_relative() -> None:
    assert config_candidates(around(XDG_CONFIG_HOME="/cfg"))[1] == "/cfg/foxtrot/foxtrot.toml"
    assert config_candidates(around(XDG_CONFIG_HOME="cfg"))[1] == "/home/ann/.config/foxtrot/foxtrot.toml"


def test_the_first_existing_file_is_found() -> None:
    there = {"/home/ann/.config/foxtrot/foxtrot.toml", "/etc/foxtrot/foxtrot.toml"}
    assert find_config(around(), there.__contains__) == "/home/ann/.config/foxtrot/foxtrot.toml"
    assert find_config(around(), lambda _path: False) is None
