"""The source tree, as the tests about the whole project see it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["PACKAGES", "ROOT", "modules", "source_files"]

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = {
    "foxtrot_protocol": ROOT / "protocol",
    "foxtrot_workers": ROOT / "workers",
    "foxtrot_supervisor": ROOT / "supervisor",
}
"""Package and the folder it stands in."""


def source_files() -> list[Path]:
    """Every source file of the three packages, sorted."""
    return sorted(path for package, folder in PACKAGES.items() for path in (folder / package).rglob("*.py"))


def modules() -> dict[str, Path]:
    """Dotted name to file, of every module and package."""
    found = {}
    for path in source_files():
        folder = next(folder for folder in PACKAGES.values() if path.is_relative_to(folder))
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found
