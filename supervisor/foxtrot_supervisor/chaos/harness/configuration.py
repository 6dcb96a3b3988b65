"""The text of configuration files for supervisors under test; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

__all__ = ["configuration"]


def configuration(tables: Mapping[str, Mapping[str, object]], connections: Sequence[Mapping[str, object]]) -> str:
    """Return TOML with these tables and one ``[[connections]]`` for each of `connections`."""

    def lines(values: Mapping[str, object]) -> str:
        return "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in values.items())

    text = "".join(f"[{name}]\n{lines(values)}" for name, values in tables.items())
    return text + "".join("[[connections]]\n" + lines(connection) for connection in connections)
