"""What a profile watches: every operation, layer, node of a backward pass, optimizer, loader and compiled function."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

from ..autograd import api, engine
from ..autograd.function import Function
from ..checks import events
from ..nn import functional
from ..nn.modules.module import Module
from ..nn.utils import clip_grad
from ..ops.entry import METHODS, REGISTRY, Primitive
from ..optim.lr_scheduler import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from ..utils.data import dataloader
from .exchange import Watch

# Functions that compute nothing, and would only be noise.
_QUIET = frozenset(
    "is_conj is_neg is_contiguous get_device broadcast_shapes get_rng_state set_rng_state seed initial_seed "
    "manual_seed set_ type".split()
)
# Methods that Python calls, and their names as operations.
_SPECIAL = {
    "__getitem__": "index", "__setitem__": "index_put_", "__neg__": "neg", "__invert__": "bitwise_not",
    "__and__": "bitwise_and", "__or__": "bitwise_or", "__xor__": "bitwise_xor", "__abs__": "abs",
    **{f"__{name}__": name for name in ("add", "sub", "mul", "matmul", "pow", "lt", "le", "gt", "ge", "eq", "ne")},
    **{f"__i{name}__": f"{name}_" for name in ("add", "sub", "mul", "pow")},
    "__truediv__": "div", "__itruediv__": "div_", "__floordiv__": "floor_divide", "__mod__": "remainder",
    "__radd__": "add", "__rsub__": "rsub", "__rmul__": "mul", "__rtruediv__": "div", "__rpow__": "pow",
    "__rmatmul__": "matmul",
}  # fmt: skip
_METHODS = ("item", "detach", "bool", "int", "long", "float", "double", "half", "bfloat16", "numpy", "tolist")
_NAMES = {"cross_entropy": "cross_entropy_loss"}  # where PyTorch's operation is called otherwise than its function


def watches() -> list[Watch]:
    """One `Watch` for each function."""
    found: dict[Any, Watch] = {}
    for watch in (*_operations(), *_graph(), *_training()):
        if isinstance(watch.function, types.FunctionType):  # not a class, or a method that is not there
            found.setdefault(watch.function, watch)
    return list(found.values())


def _operations() -> Iterator[Watch]:
    for name, function in [*REGISTRY.items(), *METHODS.items()]:
        name = getattr(function, "__flambeau_name__", name) if not name.endswith("_") else name
        if name not in _QUIET:
            title = f"aten::{_NAMES.get(name, name).replace('.', '_')}"
            yield Watch(function, "op", title)
            yield Watch(getattr(function, "operator", None), "op", title)
    for name, function in vars(functional).items():
        if not name.startswith("_"):
            yield Watch(function, "op", f"aten::{_NAMES.get(name, name)}")
    for name, title in [*_SPECIAL.items(), *zip(_METHODS, _METHODS)]:
        yield Watch(vars(Tensor).get(name), "op", f"aten::{title}")
    yield Watch(Primitive.__call__, "op", subject="self")
    yield Watch(Function.__dict__["apply"].__func__, "op", subject="cls")
    for name, function in vars(clip_grad).items():
        if not name.startswith("_") and getattr(function, "__module__", "") == clip_grad.__name__:
            yield Watch(function, "op", f"nn.utils.{name}")


def _graph() -> Iterator[Watch]:
    yield Watch(Module.__call__, "module", subject="self")
    yield Watch(vars(Tensor)["backward"], "backward", "autograd::backward")
    yield Watch(api.backward, "backward", "autograd::backward")
    yield Watch(api.grad, "backward", "autograd::grad")
    yield Watch(engine.accumulate, "leaf", "torch::autograd::AccumulateGrad")
    for node in _subclasses(engine.Node):
        if "pull" in vars(node):
            yield Watch(vars(node)["pull"], "node", subject="self.__class__", number="self.seq")


def _training() -> Iterator[Watch]:
    optimizer = "f'Optimizer.{0}#{{{1}.__class__.__name__}}.{0}'"
    for name, function in vars(events).items():
        if getattr(function, "__module__", "") == events.__name__ and not name.startswith("_"):
            yield Watch(function, "checks", f"flambeau.checks: {name}")
    for kind in (Optimizer, *_subclasses(Optimizer)):
        for name in ("step", "zero_grad"):
            function = vars(kind).get(name)
            if isinstance(function, types.FunctionType):
                # `step` is wrapped by a function of any arguments.
                own = "args[0]" if function.__code__.co_varnames[0] == "args" else "self"
                yield Watch(function, "optimizer", subject=optimizer.format(name, own))
    step = vars(LRScheduler)["step"]
    yield Watch(step, "optimizer", subject="f'LRScheduler.step#{self.__class__.__name__}.step'")
    loader: type = dataloader._BaseDataLoaderIter
    for kind in (loader, *_subclasses(loader)):
        if "__next__" in vars(kind):
            title = "f'enumerate(DataLoader)#{self.__class__.__name__}.__next__'"
            yield Watch(vars(kind)["__next__"], "data", subject=title)


def _subclasses(kind: Any) -> Iterator[Any]:
    for derived in kind.__subclasses__():
        yield derived
        yield from _subclasses(derived)
