"""What draws needs textual, which is not installed in every environment."""

from __future__ import annotations

import importlib.util

if importlib.util.find_spec("textual") is None:
    collect_ignore = ["test_app.py", "test_details.py", "test_dialogs.py", "test_process_list.py"]
