"""Kernels of compiled steps: run with the time taken after each, and named after the operations that they fuse."""

from __future__ import annotations

from typing import NamedTuple

from ..compiler import step as compiled
from ..compiler.explain import launched
from ..compiler.plan import Segment
from ..compiler.program import Node
from ..kernels import sequence
from ..kernels.notes import Notes


class Listener:
    """Runs the launches of compiled steps between `on` and `off`, whenever they were compiled."""

    def __init__(self, notes: Notes):
        self.begin, self.end, self.run = notes.begin, notes.end, sequence.timed()

    def on(self) -> None:
        """Take over."""
        compiled.watchers.append(self)

    def off(self) -> None:
        """Let them run as always."""
        compiled.watchers.remove(self)


class Kernel(NamedTuple):
    """What is known of a launch: origins are (layer, line) of each operation that it does."""

    name: str
    flops: int
    origins: tuple
    backward: bool


def kernel_of(node: Node, parts: int = 0) -> Kernel:
    """What is known of a node of a compiled step."""
    what = launched(node, parts, False)
    names = ", ".join(what.operations) or what.kernel
    return Kernel(f"kernel {what.kernel}: {names}", what.flops or 0, node.origins, node.backward)


def kernels_of(segment: Segment) -> list[Kernel]:
    """What a segment launches, in order."""
    seen: set[int] = set()
    found = []
    for node, parts in segment.launches:
        kernel = kernel_of(node, parts)
        # A reduction in two launches: its operations are counted once.
        found.append(kernel._replace(flops=0) if id(node) in seen else kernel)
        seen.add(id(node))
    return found
