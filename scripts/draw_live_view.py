"""Draw the live view of a running supervisor as docs/live-view.svg.

    .venv/bin/foxtrot-supervisor start -c foxtrot.toml --run-dir /tmp/shown &
    .venv/bin/python scripts/draw_live_view.py --run-dir /tmp/shown

The picture shows the figures of a real run, rendered by the code of the terminal view.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from foxtrot_supervisor.cli.live import render_status

WIDTH_COLUMNS = 132
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "live-view.svg"


def main() -> None:
    """Ask the run for its status and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run-dir", required=True)
    program = Path(sys.executable).with_name("foxtrot-supervisor")
    command = [str(program), "status", "--json", "--run-dir", parser.parse_args().run_dir]
    status = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    status["supervisor"]["run_dir"] = "/run/foxtrot"
    console = Console(record=True, width=WIDTH_COLUMNS, file=sys.stderr, force_terminal=True)
    console.print(render_status(status, WIDTH_COLUMNS))
    picture = console.export_svg(title="foxtrot-supervisor")
    # without @font-face: viewers would fetch fonts from the network
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\n", "", picture, flags=re.DOTALL), encoding="utf-8")
    print(f"written: {PICTURE.relative_to(PICTURE.parent.parent)}")


if __name__ == "__main__":
    main()
