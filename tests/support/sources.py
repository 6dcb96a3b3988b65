"""The source tree, as the tests about the whole project see it."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["PACKAGES", "ROOT", "imported_by", "modules", "source_files"]

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


def imported_by(path: Path) -> set[str]:
    """Names of all modules that the file imports anywhere, except for type checking only."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found
