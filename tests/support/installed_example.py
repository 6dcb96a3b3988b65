"""Packages in examples/, laid out as an installer does, and programs that find them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

__all__ = ["call", "install"]


def install(example: Path, target: Path) -> Path:
    """Copy the package into `target`: its modules, and what its pyproject.toml declares; return `target`.

    Without pip, which needs tools to build a wheel that are not there where tests run.
    """
    declared = tomllib.loads((example / "pyproject.toml").read_text())
    for module in declared["tool"]["setuptools"]["py-modules"]:
        shutil.copy(example / f"{module}.py", target)
    project = declared["project"]
    metadata = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"].items()
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items()) for group, entries in groups
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return target


def call(installed: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with `arguments` where the package is installed."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
