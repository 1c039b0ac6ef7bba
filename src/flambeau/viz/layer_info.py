"""One row of a summary: a call of a module, with what it takes, makes, costs and keeps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..nn import Module
from ..nn.parameter import UninitializedParameter
from ..tensor import Tensor


class LayerInfo:
    """A call of a module, or a container whose own forward is not called.

    Attributes: those of torchinfo (class_name, var_name, depth, depth_index, input_size, output_size, output_bytes,
    kernel_size, num_params, trainable_params, param_bytes, macs, is_recursive, is_leaf_layer, children, executed), and
    name: the dotted name in the model; own_params, own_trainable, own_bytes: parameters that no other row shows, each
    counted where it is met first (a tied weight counts once); saved_bytes: memory that its own operations keep for the
    backward pass; seconds: how long the call took, with all that it calls; seconds_alone: without.
    """

    def __init__(self, module: Module, var_name: str, name: str, depth: int, parent: LayerInfo | None = None):
        self.module, self.var_name, self.name, self.depth, self.parent_info = module, var_name, name, depth, parent
        self.layer_id = id(module)
        self.class_name = type(module).__name__
        self.is_leaf_layer = not any(True for _ in module.children())
        self.is_recursive = self.executed = False
        self.depth_index: int | None = None
        self.children: list[LayerInfo] = []
        self.input_size: list[int] = []
        self.output_size: list[int] = []
        self.output_bytes = self.macs = self.saved_bytes = 0
        self.seconds: float | None = None
        self.num_params = self.trainable_params = self.param_bytes = 0
        self.own_params = self.own_trainable = self.own_bytes = 0
        self.shares = False  # whether some of its parameters have been counted in an earlier layer
        self.parameters: list[tuple[str, list[int], int]] = []  # name, shape as torchinfo shows it, elements
        self.kernel_size = _kernel_size(module)

    def __repr__(self) -> str:
        return f"{self.class_name}: {self.depth}"

    def count(self, met: set[int], covered: set[int]) -> None:
        """Count the parameters.

        Arguments:
            met: ids of the parameters of earlier rows, to which those that count here are added.
            covered: ids of the modules that have rows of their own.
        """
        for name, p in _known(self.module.named_parameters()):
            count, shown = _unmasked(self.module, name, p)
            self.num_params += count
            self.trainable_params += count if p.requires_grad else 0
            self.param_bytes += count * p.element_size()
            shape = list(p.shape)
            if shown == "weight" and len(shape) > 1:
                shape[:2] = shape[1::-1]
            if self.depth or "." not in name:
                self.parameters.append((shown, shape, count))
        for module in _territory(self.module, covered):
            for name, p in _known(module.named_parameters(recurse=False)):
                if id(p) in met:
                    self.shares = self.shares or not self.is_recursive
                    continue
                met.add(id(p))
                count = _unmasked(module, name, p)[0]
                self.own_params += count
                self.own_trainable += count if p.requires_grad else 0
                self.own_bytes += count * p.element_size()

    @property
    def trainable(self) -> str:
        """Whether its parameters are trained: "True", "False", "Partial", or "--" where it has none."""
        if not self.num_params:
            return "--"
        if not self.trainable_params:
            return "False"
        return "True" if self.trainable_params == self.num_params else "Partial"

    @property
    def seconds_alone(self) -> float | None:
        """The time that the call took without the calls of its parts."""
        if self.seconds is None:
            return None
        return max(0.0, self.seconds - sum(c.seconds or 0.0 for c in self.calls))

    @property
    def calls(self) -> list[LayerInfo]:
        """The calls of parts nearest below: through containers that are not called themselves."""
        found: list[LayerInfo] = []
        within: int | None = None  # the depth of the call whose own parts are passed by
        for child in self.children:
            if within is None or child.depth <= within:
                within = child.depth if child.executed else None
                found += [child] if child.executed else []
        return found

    def total(self, name: str) -> int:
        """An attribute of this row and all rows below it."""
        return getattr(self, name) + sum(getattr(child, name) for child in self.children)

    def title(self, var_names: bool, depth: bool) -> str:
        """The row's name: the class, the attribute's name and the position, as far as they are asked for."""
        made = self.class_name
        if var_names and self.var_name:
            made += f" ({self.var_name})"
        if depth and self.depth:
            made += f": {self.depth}" + (f"-{self.depth_index}" if self.depth_index is not None else "")
        return made


def _known(named):
    """Those of (name, parameter) whose size is known: not those of a lazy layer that has seen no input."""
    return [(name, p) for name, p in named if not isinstance(p, UninitializedParameter)]


def _territory(module, covered):
    """The module and what lies below it, as far as it has no row of its own."""
    yield module
    for child in module.children():
        if id(child) not in covered:
            yield from _territory(child, covered)


def _unmasked(module, name, p) -> tuple[int, str]:
    """How many elements of a parameter count, and its name: pruned ones do not."""
    if name.endswith("_orig"):
        owner, _, last = name[:-5].rpartition(".")
        mask = module.get_submodule(owner)._buffers.get(f"{last}_mask")
        if mask is not None:
            return int(mask.sum()), name[:-5]
    return p.numel(), name


def _kernel_size(module) -> Any:
    size = vars(module).get("kernel_size")
    return list(size) if isinstance(size, Iterable) else size


def size_of(value: Any) -> tuple[list[int], int]:
    """(shape, bytes) of what a module takes or makes: of its first tensor, of a dict's last; ([], 0) if there is none.

    >>> import flambeau as torch
    >>> from flambeau.viz.layer_info import size_of
    >>> size_of((torch.ones(2, 3), torch.ones(1)))
    ([2, 3], 24)
    """
    if isinstance(value, Tensor):
        return list(value.shape), math.prod(value.shape) * value.element_size()
    if isinstance(value, np.ndarray):
        return list(value.shape), value.nbytes
    if isinstance(value, Mapping):
        return size_of(list(value.values())[::-1])
    if isinstance(getattr(value, "data", None), Tensor):  # a packed sequence
        return size_of(value.data)
    if isinstance(value, (list, tuple)):
        return next((found for found in map(size_of, value) if found[0]), ([], 0))
    return [], 0


def with_containers(called: list[LayerInfo]) -> list[LayerInfo]:
    """The calls, each after the containers it lies in that are not called themselves (ModuleList, ModuleDict...)."""
    rows: list[LayerInfo] = []
    shown: list[Module] = []  # the modules on the way to the row before
    for info in called:
        way = []
        above = info.parent_info
        while above is not None and above.depth:
            way.append(above)
            above = above.parent_info
        for place in reversed(way):
            at = place.depth - 1
            if at < len(shown) and shown[at] is place.module:
                continue
            rows.append(LayerInfo(place.module, place.var_name, place.name, place.depth, place.parent_info))
            shown[at:] = [place.module]
        if info.depth:
            shown[info.depth - 1 :] = [info.module]
        rows.append(info)
    return rows


def arranged(rows: list[LayerInfo]) -> list[LayerInfo]:
    """The rows, numbered by depth, with what lies below each, and their parameters counted."""
    numbers: dict[int, int] = {}
    seen: set[int] = set()
    met: set[int] = set()
    covered = {row.layer_id for row in rows}
    for i, row in enumerate(rows):
        numbers[row.depth] = row.depth_index = numbers.get(row.depth, 0) + 1
        end = next((j for j in range(i + 1, len(rows)) if rows[j].depth <= row.depth), len(rows))
        row.children = rows[i + 1 : end]
        row.is_recursive = row.layer_id in seen
        seen.add(row.layer_id)
        row.count(met, covered)
    return rows
