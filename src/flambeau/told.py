"""Warnings that name the line of the user's program, not the one in this package."""

from __future__ import annotations

import sys

from .language import warn
from .place import user_frame


def tell(message: str) -> None:
    """Warn, in the user's language, at the line of the program that led here."""
    frame = sys._getframe(1)
    place, level = user_frame(frame), 2
    while place is not None and frame is not place and frame.f_back is not None:
        frame, level = frame.f_back, level + 1
    warn(message, stacklevel=level if frame is place else 2)
