"""Where in a model an error happened: a note under the error, such as `in Net.features.3 = Linear(...)`.

Each module that an error passes on its way out puts its own name for the part in front, so that the note ends up
naming the whole path. Nothing of this runs until something fails.
"""

from __future__ import annotations


class _Place:
    """What is known so far: the module that failed, the path to it, and the outermost module of that path."""

    def __init__(self, module):
        text = repr(module)
        self.what = text if "\n" not in text else type(module).__name__
        self.outermost, self.path, self.note = module, "", None

    def text(self):
        if not self.path:
            return f"  in {self.what}"
        return f"  in {type(self.outermost).__name__}.{self.path} = {self.what}"


def note_place(module, error) -> None:
    """Add or extend the note of an error that leaves a module's call."""
    place = error.__dict__.get("_place")
    if place is None:
        place = error._place = _Place(module)
    elif place.outermost is not module:
        name = next((n for n, m in module.named_modules() if m is place.outermost), "")
        if not name:
            return
        place.path = name + ("." + place.path if place.path else "")
        place.outermost = module
    notes = error.__dict__.setdefault("__notes__", [])
    if place.note in notes:
        notes.remove(place.note)
    place.note = place.text()
    notes.append(place.note)
