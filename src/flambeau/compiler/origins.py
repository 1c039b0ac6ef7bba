"""Where each node of a recording comes from: a line of the program and a layer, for a gradient those of its forward.

Noted while recording, for profiles of compiled steps, which may begin long after that.
"""

from __future__ import annotations

import bisect
import sys
from types import FrameType
from typing import Any

from ..autograd.engine import next_number
from ..nn.modules.module import Module
from ..place import NEVER, kind_of, path_of
from .program import Node, Update

OPTIMIZER = "(optimizer)"  # in place of a layer
_CALL = Module.__call__.__code__


class Noted(list):
    """The nodes of a recording; each gets its origin, (layer or None, (file, line) or None), when it is appended."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: list[int] = []  # of the graph's nodes: those made for what is appended next have later ones
        self._origins: list[tuple] = []
        self._paths: dict[tuple[int, ...], str] = {}

    def append(self, node: Node) -> None:
        """Add a node."""
        line, modules, number = _seen_from(sys._getframe(1))
        if number is None:
            origin: tuple = OPTIMIZER if isinstance(node, Update) else self._path(modules), line
            self._numbers.append(next_number())
            self._origins.append(origin)
        else:
            node.backward = True
            at = bisect.bisect_right(self._numbers, number) - 1
            origin = self._origins[at] if at >= 0 else (None, None)
        node.origins = (origin,)
        super().append(node)

    def _path(self, modules: list[Module]) -> str | None:
        if not modules:
            return None
        key = tuple(map(id, modules))  # they live as long as the call that is being recorded
        if key not in self._paths:
            root, path = path_of(modules)
            self._paths[key] = f"{type(root).__name__}.{path}" if path else type(root).__name__
        return self._paths[key]


def _seen_from(start: FrameType) -> tuple[tuple[str, int] | None, list[Module], int | None]:
    """From a frame outwards: the user's line, the modules that run, and the number of the graph's node that does.

    Only frames whose local variables live as long as they are asked for these: what holds an array longer than the
    program would change what is recorded.
    """
    line: tuple[str, int] | None = None
    modules: list[Module] = []
    frame: Any = start
    while frame is not None:
        code = frame.f_code
        if code is _CALL:
            module = frame.f_locals["self"]
            if not modules or modules[-1] is not module:
                modules.append(module)
        elif code.co_name == "pull" and code.co_varnames[0] == "self" and kind_of(code.co_filename) == NEVER:
            return None, [], frame.f_locals["self"].seq
        elif line is None and kind_of(code.co_filename) != NEVER:
            line = code.co_filename, frame.f_lineno
        frame = frame.f_back
    return line, modules, None
