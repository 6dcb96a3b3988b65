"""The program that starts children: ``sys.executable`` where that is Python, else the interpreter that belongs to it.

An embedded interpreter (in a server such as uWSGI, a C program, a notebook kernel) has an empty
``sys.executable`` or one that names the host program, which would be started in place of Python.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

__all__ = ["SAFE_PATH", "VARIABLE", "InterpreterMissing", "candidates", "find_interpreter", "python_command"]

VARIABLE = "FOXTROT_PYTHON"
"""Environment variable that names the interpreter for children, before anything else."""

SAFE_PATH = "-P"
"""Keeps the working directory, which ``-c`` and ``-m`` put first, off the module search path."""

_NAME = re.compile(r"(python|pypy)[0-9.]*[a-z]*")


class InterpreterMissing(OSError):
    """No interpreter was found to start a process with; the text lists the places."""


def candidates(wanted: str, executable: str, prefixes: Sequence[str], version: tuple[int, int]) -> list[str]:
    """Return the paths where an interpreter may be, best first. Pure.

    `wanted`: the value of `VARIABLE`, "" if it is not set; `executable`: ``sys.executable`` of the running interpreter;
    `prefixes`: where it is installed, a virtual environment before the interpreter that it is based on.
    """
    if wanted:
        return [wanted]
    found = [executable] if _NAME.fullmatch(os.path.basename(executable)) else []
    names = (f"python{version[0]}.{version[1]}", f"python{version[0]}")
    found += [os.path.join(prefix, "bin", name) for prefix in prefixes for name in names]
    return list(dict.fromkeys(found))


def find_interpreter() -> str:
    """Return the path of the first candidate that can be executed; raises `InterpreterMissing`."""
    prefixes = (sys.exec_prefix, sys.base_exec_prefix)
    looked = candidates(os.environ.get(VARIABLE, ""), sys.executable or "", prefixes, sys.version_info[:2])
    for path in looked:
        if os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK, effective_ids=True):
            return path
    raise InterpreterMissing(
        f"no Python interpreter to start processes with: sys.executable is {sys.executable!r}; looked for "
        f"{', '.join(looked)}; the environment variable {VARIABLE} can name one"
    )


def python_command(*arguments: str) -> list[str]:
    """Return the command line of a Python process with `arguments`; raises `InterpreterMissing`.

    The working directory is not on its module search path.
    """
    return [find_interpreter(), SAFE_PATH, *arguments]
