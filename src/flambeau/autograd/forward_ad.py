"""torch.autograd.forward_ad: tensors with a tangent. Computed by two backward passes, not by a forward mode of its own.

vᵀ J is linear in v, and its gradient with respect to v, along the tangents, is J t. So a dual tensor is an ordinary
tensor whose history is recorded, and `unpack_dual` differentiates that history twice.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import ArgumentError, GradientError, StateError
from ..tensor import Tensor
from .api import grad
from .mode import enable_grad

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]

_levels: list[list[tuple[Tensor, Tensor]]] = []  # for each level, its (dual tensor, tangent) pairs


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns; the tangent is None when there is none."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Begin a level; `dual_level` is the better form."""
    if _levels:
        raise StateError(
            "Nested forward mode AD is not supported at the moment",
            why="a level is active already",
            fix="leave the outer `dual_level()` first",
        )
    _levels.append([])
    return len(_levels) - 1


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: its tangents are forgotten."""
    if not _levels:
        raise StateError(
            "Trying to exit a forward AD level but no level exists",
            why="enter_dual_level() was not called, or every level is left already",
            fix="use `with torch.autograd.forward_ad.dual_level():`",
        )
    if level is not None and level != len(_levels) - 1:
        raise StateError(
            "Trying to exit a forward AD level that was not the last one that was created. This is not supported.",
            why=f"level {level} was given, and the last one is {len(_levels) - 1}",
            fix="leave level out",
        )
    _levels.pop()


class dual_level:
    """The block in which dual tensors live.

    >>> import flambeau as torch
    >>> from flambeau.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0]))
    ...     forward_ad.unpack_dual(x ** 2).tangent
    tensor([2., 0.])
    """

    def __enter__(self):
        return enter_dual_level()

    def __exit__(self, *exc):
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A tensor with a tangent: results computed from it have one too.

    >>> import flambeau as torch
    >>> import flambeau.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     y = fwAD.make_dual(torch.tensor(3.0), torch.tensor(1.0)) ** 2
    ...     print(fwAD.unpack_dual(y).tangent)
    tensor(6.)
    """
    if not _levels:
        raise StateError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.",
            why="tangents belong to a level",
            fix="use `with torch.autograd.forward_ad.dual_level():` around it",
        )
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise ArgumentError(
            f"Expected primal to be floating point or complex, but got: {tensor.dtype}",
            why="whole numbers have no derivative",
            fix="use `x.float()`",
        )
    if tangent.shape != tensor.shape:
        raise GradientError(
            f"Expected tangent to have the shape of the primal, {list(tensor.shape)}, but got {list(tangent.shape)}",
            why="the tangent is the direction of the derivative, with one number for each element",
            fix=f"use a tangent of shape {tuple(tensor.shape)}",
        )
    with enable_grad():
        dual = tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
    _levels[-1].append((dual, tangent))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value of a tensor, and its tangent if it was computed from dual tensors.

    >>> import flambeau as torch
    >>> import flambeau.autograd.forward_ad as fwAD
    >>> with fwAD.dual_level():
    ...     print(fwAD.unpack_dual(torch.tensor(3.0)).tangent)
    None
    """
    if not _levels:
        return UnpackedDualTensor(tensor, None)
    for dual, tangent in _levels[-1]:
        if dual is tensor:
            return UnpackedDualTensor(tensor.detach(), tangent)
    if not tensor.requires_grad or not _levels[-1]:
        return UnpackedDualTensor(tensor, None)
    duals, tangents = zip(*_levels[-1])
    with enable_grad():
        v = tensor.new_zeros(tensor.shape).requires_grad_()
        found = grad(tensor, duals, v, retain_graph=True, create_graph=True, allow_unused=True)
        reached = [(g, t) for g, t in zip(found, tangents) if g is not None]
        if not reached:
            return UnpackedDualTensor(tensor, None)
        live = [(g, t) for g, t in reached if g.requires_grad]
        moved = None
        if live:
            (moved,) = grad([g for g, _ in live], v, [t for _, t in live], allow_unused=True)
    return UnpackedDualTensor(tensor.detach(), tensor.new_zeros(tensor.shape) if moved is None else moved)
