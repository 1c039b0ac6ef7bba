"""Where a compiled step listens to what runs. Nobody does in eager mode: `listeners` is empty, and one look tells.

A listener has a `thread`, and methods that are called instead of what they watch (see compile/recorder.py).
"""

from __future__ import annotations

import threading
from typing import Any

listeners: list = []


def listener() -> Any:
    """Who listens to this thread, or None."""
    if listeners:
        thread = threading.get_ident()
        for found in reversed(listeners):
            if found.thread == thread:
                return found
    return None
