"""Weight normalisation as a hook (old form): the weight is g v / ‖v‖. See also `parametrizations.weight_norm`.

Salimans, Kingma, "Weight Normalization", 2016.
"""

from __future__ import annotations

from ...errors import ArgumentError, StateError
from ...language import warn
from ..parameter import Parameter, UninitializedParameter

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]


def norm_except(v, dim):
    """The 2-norm over all dimensions but one, which stay as size one; over all of them for dim None or -1."""
    if dim is None or dim == -1:
        return (v * v).sum().sqrt()
    dim %= v.dim()
    rest = [d for d in range(v.dim()) if d != dim]
    return (v * v).sum(rest, keepdim=True).sqrt() if rest else v.abs()


class WeightNorm:
    """The hook that computes the weight before every call."""

    def __init__(self, name, dim):
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module):
        """The weight from g and v."""
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        return v * (g / norm_except(v, self.dim))

    @staticmethod
    def apply(module, name, dim):
        """Split a module's weight into g and v."""
        warn(
            "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
            FutureWarning,
            stacklevel=3,
        )
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, WeightNorm) and hook.name == name:
                raise StateError(
                    f"Cannot register two weight_norm hooks on the same parameter {name}",
                    why=f"'{name}' is normalised already",
                    fix="apply it once, or `remove_weight_norm` first",
                )
        fn = WeightNorm(name, dim)
        weight = getattr(module, name)
        if isinstance(weight, UninitializedParameter):
            raise ArgumentError(
                "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run the dummy "
                "forward before applying weight normalization",
                why="a lazy module makes its weight when it sees its first input",
                fix="call the module once with a batch of data before",
            )
        del module._parameters[name]
        module.register_parameter(name + "_g", Parameter(norm_except(weight, fn.dim).data))
        module.register_parameter(name + "_v", Parameter(weight.data))
        setattr(module, name, fn.compute_weight(module))
        module.register_forward_pre_hook(fn)
        return fn

    def remove(self, module):
        """Make the weight a plain parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[self.name + "_g"]
        del module._parameters[self.name + "_v"]
        setattr(module, self.name, Parameter(weight.data))

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module, name="weight", dim=0):
    """Learn the length g and the direction v of a weight apart. Deprecated for the parametrization of that name.

    Salimans, Kingma, "Weight Normalization", 2016.

    >>> import flambeau as torch
    >>> sorted(torch.nn.utils.weight_norm(torch.nn.Linear(4, 3)).state_dict())
    ['bias', 'weight_g', 'weight_v']
    """
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module, name="weight"):
    """Undo `weight_norm`; the weight keeps its value.

    Raises ValueError when the module has none.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.weight_norm(torch.nn.Linear(4, 3))
    >>> sorted(torch.nn.utils.remove_weight_norm(layer).state_dict())
    ['bias', 'weight']
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ArgumentError(
        f"weight_norm of '{name}' not found in {module}",
        why="no weight_norm of that name was applied to the module",
        fix="use the name given to `weight_norm`, and the module itself rather than the model around it",
    )
