"""What a compiled step does in Python at each call: a scheduler's step, which can be taken back."""

from __future__ import annotations

import sys
from typing import Any


class Action:
    """method(scheduler, *args) at each call."""

    def __init__(self, method: Any, scheduler: Any, args: tuple, options: dict):
        self.method, self.scheduler, self.args, self.options = method, scheduler, args, options
        self.before: list[tuple[dict, dict]] = []

    def holders(self) -> list[dict]:
        """The dicts that the scheduler changes: its own attributes, those of schedulers in it, parameter groups."""
        found = [self.scheduler.__dict__, *[s.__dict__ for s in getattr(self.scheduler, "_schedulers", ())]]
        return [*found, *self.scheduler.optimizer.param_groups]

    def advance(self) -> bool:
        """Do it."""
        self.before = [
            (held, {k: list(v) if type(v) is list else v for k, v in held.items()}) for held in self.holders()
        ]
        self.method(self.scheduler, *self.args, **self.options)
        return True

    def retreat(self) -> None:
        """Take it back."""
        for held, values in self.before:
            held.clear()
            held.update(values)

    def unwatched(self) -> Any:
        """Do it while a step is recorded: what happens in it happens again at each call."""
        profile = sys.getprofile()
        sys.setprofile(None)
        try:
            return self.method(self.scheduler, *self.args, **self.options)
        finally:
            sys.setprofile(profile)
