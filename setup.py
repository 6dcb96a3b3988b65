"""Compiled forms of the hot paths: every ``.pyx`` file of the packages becomes an optional extension module.

Without Cython, without a C compiler, or with ``FOXTROT_FORM=pure``, the installation is pure Python. All other
metadata is in setup.cfg.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import zlib
from pathlib import Path
from typing import Any

from setuptools import Extension, setup

ROOT = Path(__file__).resolve().parent

FOLDERS = ("protocol", "workers", "supervisor")

NEED_PICOWS = ("foxtrot_workers.websocket._burst_listener",)
"""Modules that are compiled against the declarations of picows, and work with that version of it only."""


def picows_version() -> str:
    """Return the version of picows that is installed where this runs; "" for none."""
    try:
        return importlib.metadata.version("picows")
    except importlib.metadata.PackageNotFoundError:
        return ""


def extensions() -> list[Extension]:
    """Return an extension for each ``.pyx`` file; none where they cannot or must not be compiled."""
    if os.environ.get("FOXTROT_FORM") == "pure" or importlib.util.find_spec("Cython") is None:
        return []
    found = []
    picows = picows_version()
    declarations = [
        path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.pxd"))
    ]
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.pyx")):
            name = ".".join(path.relative_to(ROOT / folder).with_suffix("").parts)
            if name in NEED_PICOWS and not picows:
                continue
            found.append(
                Extension(
                    name,
                    [path.relative_to(ROOT).as_posix()],
                    depends=declarations,
                    optional=True,  # a failing compiler leaves pure Python
                    # foxtrot_protocol.compiled compares it with the file, where the file is installed too
                    define_macros=[
                        ("FOXTROT_SOURCE_CRC", str(zlib.crc32(path.read_bytes())) + "u"),
                        ("FOXTROT_PICOWS_VERSION", f'"{picows}"'),
                    ],
                    extra_compile_args=["-O3", "-g0"],
                )
            )
    return found


def options(compiled: bool) -> dict[str, Any]:
    """Return options of setuptools: generated C goes to the build folder, not beside the sources."""
    return {"build_ext": {"cython_c_in_temp": True}} if compiled else {}


EXTENSIONS = extensions()
setup(ext_modules=EXTENSIONS, options=options(bool(EXTENSIONS)))
