"""Means over the samples of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..errors import ArgumentTypeError


class Means:
    """The mean of each of some named values, weighted by how many samples a value stands for.

    >>> from flambeau.training.means import Means
    >>> means = Means()
    >>> means.add({"loss": 1.0}, 3)
    >>> means.add({"loss": 2.0}, 1)
    >>> means.values()
    {'loss': 1.25}
    """

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Any], samples: int) -> None:
        """Add values (numbers or tensors of one element) that stand for so many samples."""
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + _number(name, value) * samples
            self.counts[name] = self.counts.get(name, 0) + samples

    def values(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / max(self.counts[name], 1) for name, total in self.totals.items()}

    def items(self) -> Any:
        """(name, mean) of each, for those who show them."""
        return self.values().items()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"totals": dict(self.totals), "counts": dict(self.counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.totals, self.counts = dict(state["totals"]), dict(state["counts"])


def _number(name: str, value: Any) -> float:
    """A number or a tensor of one element as a number; an explained error for anything else."""
    if not isinstance(value, str) and getattr(value, "shape", ()) in ((), (1,)):
        with suppress(TypeError, ValueError):
            return float(value)
    shape = tuple(getattr(value, "shape", ()))
    raise ArgumentTypeError(
        f"the metric {name!r} gave a tensor of shape {shape}, not one number"
        if shape
        else f"the metric {name!r} gave {type(value).__name__}, not a number",
        why="it is averaged over the samples of an epoch",
        fix="return a number or a tensor of one element, such as `errors.mean()`",
    )
