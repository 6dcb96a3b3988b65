#!/usr/bin/env python3
"""Draw the packages and their imports from the contracts in setup.cfg.

Replaces the part of ``docs/architecture.md`` (or FILE) between two marker lines: a Mermaid diagram, and a table of all
packages with their docstrings. With ``--check`` nothing is written; exit 1 if the file does not match the contracts.

usage: draw_packages.py [--check] [FILE]
"""

from __future__ import annotations

import argparse
import ast
import configparser
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- packages: drawn by scripts/draw_packages.py from setup.cfg; do not edit -->\n"
END = "<!-- end of packages -->\n"

PROTOCOL = "foxtrot_protocol"
TREES = ("foxtrot_supervisor", "foxtrot_workers")
"""Packages that are drawn with what is in them. All of it may import `PROTOCOL`."""

Imports = dict[str, set[str] | None]
"""For each package the packages of its tree that it may import; None: any."""


def configuration() -> configparser.ConfigParser:
    """setup.cfg, read."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def packages(config: configparser.ConfigParser) -> list[str]:
    """Every package that is installed, sorted."""
    return sorted(config["options"]["packages"].split())


def allowed_imports(config: configparser.ConfigParser, tree: str) -> Imports:
    """What the contracts let each direct sub-package of `tree` import within that tree.

    A package that `forbidden` contracts over its siblings have as a source may import the siblings that none of them
    names. A package without such a contract may import any.
    """
    rooms = {name for name in packages(config) if name.startswith(f"{tree}.") and name.count(".") == 1}
    forbidden_to: dict[str, set[str]] = {}
    for section in config.sections():
        if not section.startswith("importlinter:contract:") or config[section]["type"].strip() != "forbidden":
            continue
        forbidden = set(config[section]["forbidden_modules"].split())
        if forbidden <= rooms:
            for source in rooms.intersection(config[section]["source_modules"].split()):
                forbidden_to.setdefault(source, set()).update(forbidden)
    return {name: rooms - forbidden_to[name] - {name} if name in forbidden_to else None for name in rooms}


def floors(allowed: Imports) -> dict[str, int]:
    """The floor of each package, from 1 upwards: one above the highest that it may import.

    Packages that may import anything share the top floor.

    Raises:
        SystemExit: The contracts allow a circle of imports.
    """
    found: dict[str, int] = {}

    def floor_of(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise SystemExit(f"the contracts allow a circle of imports: {' -> '.join((*above, name))}")
        if name not in found:
            below = allowed[name] or set()
            found[name] = 1 + max((floor_of(other, (*above, name)) for other in below), default=0)
        return found[name]

    bounded = [name for name, reached in allowed.items() if reached is not None]
    top = 1 + max((floor_of(name, ()) for name in bounded), default=0)
    return found | {name: top for name in allowed if name not in bounded}


def arrows(allowed: Imports, floor: dict[str, int]) -> dict[str, set[str]]:
    """The imports to draw: those that do not follow from others."""
    below = {
        name: {other for other in allowed if floor[other] < floor[name]} if reached is None else reached
        for name, reached in allowed.items()
    }
    return {
        name: {other for other in reached if not any(other in below[between] for between in reached)}
        for name, reached in below.items()
    }


def short(name: str) -> str:
    """The name within its tree."""
    return name.partition(".")[2]


def diagram(config: configparser.ConfigParser) -> str:
    """The Mermaid text: highest floor first."""
    lines = ["flowchart TD"]
    links = []
    for tree in TREES:
        allowed = allowed_imports(config, tree)
        floor = floors(allowed)
        drawn = arrows(allowed, floor)
        lines.append(f"    subgraph {tree}")
        for name in sorted(allowed, key=lambda name: (-floor[name], name)):
            lines.append(f"        {name.replace('.', '_')}[{short(name)}]")
            links += [f"    {name.replace('.', '_')} --> {other.replace('.', '_')}" for other in sorted(drawn[name])]
        lines.append("    end")
    lines += links
    lines += [f"    {tree} --> {PROTOCOL}" for tree in TREES]
    return "\n".join(["```mermaid", *lines, "```"])


def summary(config: configparser.ConfigParser, name: str) -> str:
    """The first line of a package's docstring."""
    folder = dict(line.split(" = ") for line in config["options"]["package_dir"].strip().splitlines())
    tree, *rest = name.split(".")
    source = ROOT.joinpath(folder[tree], *rest, "__init__.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0].replace("|", r"\|")


def table(config: configparser.ConfigParser) -> str:
    """Every package with its floor, its docstring and what it may import; highest floor first."""
    names = packages(config)
    lines = ["| floor | package | contents | may import, of its tree |", "| --- | --- | --- | --- |"]
    for tree in TREES:
        lines.append(f"| | **`{tree}`** | {summary(config, tree)} | |")
        allowed = allowed_imports(config, tree)
        floor = floors(allowed)
        for name in sorted(allowed, key=lambda name: (-floor[name], name)):
            reached = allowed[name]
            words = "anything" if reached is None else ", ".join(f"`{short(other)}`" for other in sorted(reached))
            lines.append(f"| {floor[name]} | `{short(name)}` | {summary(config, name)} | {words or 'nothing'} |")
            inner = [other for other in names if other.startswith(f"{name}.")]
            lines += [f"| | `{short(other)}` | {summary(config, other)} | |" for other in inner]
    lines.append(f"| 0 | **`{PROTOCOL}`** | {summary(config, PROTOCOL)} | nothing |")
    return "\n".join(lines)


def drawing() -> str:
    """What stands between the markers."""
    config = configuration()
    return f"\n{diagram(config)}\n\n{table(config)}\n\n"


def replaced(document: str) -> str:
    """`document` with the part between the markers drawn again.

    Raises:
        ValueError: A marker is missing.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the markers are missing: {BEGIN.strip()} … {END.strip()}")
    return before + BEGIN + drawing() + END + after


def main() -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw the packages in docs/architecture.md from the import contracts.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is not current")
    parser.add_argument("file", nargs="?", type=Path, default=TARGET)
    arguments = parser.parse_args()
    document = arguments.file.read_text(encoding="utf-8")
    current = replaced(document)
    if not arguments.check:
        arguments.file.write_text(current, encoding="utf-8")
        return 0
    if document == current:
        return 0
    print(f"{arguments.file} is not current: run scripts/draw_packages.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
