"""Spectral normalisation as a hook (old form): the weight divided by its greatest singular value.

See also `parametrizations.spectral_norm`. Miyato et al., "Spectral Normalization for GANs", 2018.
"""

from __future__ import annotations

from ...autograd import no_grad
from ...errors import ArgumentError, StateError
from .. import functional as F
from ..modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..parameter import Parameter, UninitializedParameter

__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]

TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


class SpectralNorm:
    """The hook that computes the weight before every call."""

    _version = 1

    def __init__(self, name="weight", n_power_iterations=1, dim=0, eps=1e-12):
        self.name = name
        self.dim = dim
        if n_power_iterations <= 0:
            raise ArgumentError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}",
                why="the largest singular value is estimated by iteration",
                fix="use `n_power_iterations=1`",
            )
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def reshape_weight_to_matrix(self, weight):
        """(the chosen dimension, all others joined)."""
        if self.dim != 0:
            weight = weight.permute(self.dim, *[d for d in range(weight.dim()) if d != self.dim])
        return weight.reshape(weight.size(0), -1)

    def compute_weight(self, module, do_power_iteration):
        """The weight over its greatest singular value; in training, after steps of the power method."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(matrix.t() @ u, dim=0, eps=self.eps))
                    u.copy_(F.normalize(matrix @ v, dim=0, eps=self.eps))
                # Backward must see these values even when the next call has moved on.
                u, v = u.clone(), v.clone()
        return weight / (u @ (matrix @ v))

    def remove(self, module):
        """Make the weight a plain parameter again."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        delattr(module, self.name)
        for ending in ("_u", "_v", "_orig"):
            delattr(module, self.name + ending)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module, inputs):
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))

    @staticmethod
    def apply(module, name, n_power_iterations, dim, eps):
        """Install the hook on a module."""
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm) and hook.name == name:
                raise StateError(
                    f"Cannot register two spectral_norm hooks on the same parameter {name}",
                    why=f"'{name}' is normalised already",
                    fix="apply it once, or `remove_spectral_norm` first",
                )
        fn = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters.get(name)
        if weight is None:
            raise ArgumentError(
                f"`SpectralNorm` cannot be applied as parameter `{name}` is None",
                why=f"the module has the parameters {[n for n, p in module._parameters.items() if p is not None]}",
                fix="use one of these as name",
            )
        if isinstance(weight, UninitializedParameter):
            raise ArgumentError(
                "The module passed to `SpectralNorm` can't have uninitialized parameters. Make sure to run the dummy "
                "forward before applying spectral normalization",
                why="a lazy module makes its weight when it sees its first input",
                fix="call the module once with a batch of data before",
            )
        with no_grad():
            height, width = fn.reshape_weight_to_matrix(weight).size()
            u = F.normalize(weight.new_empty(height).normal_(0, 1), dim=0, eps=eps)
            v = F.normalize(weight.new_empty(width).normal_(0, 1), dim=0, eps=eps)
        del module._parameters[name]
        module.register_parameter(name + "_orig", weight)
        setattr(module, name, weight.data)
        module.register_buffer(name + "_u", u)
        module.register_buffer(name + "_v", v)
        module.register_forward_pre_hook(fn)
        module._register_state_dict_hook(fn.note_version)
        return fn

    def note_version(self, module, state_dict, prefix, local_metadata):
        """Say in the metadata which form of u and v a state_dict has."""
        local_metadata.setdefault("spectral_norm", {})[self.name + ".version"] = self._version


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a module's weight by its greatest singular value before every call.

    Arguments:
        n_power_iterations: steps of the power method per call in training. Default: 1.
        dim: the dimension of the outputs. Default: 0, and 1 for transposed convolutions.

    Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.spectral_norm(torch.nn.Linear(4, 3), n_power_iterations=20)
    >>> sorted(name for name, _ in layer.named_buffers())
    ['weight_u', 'weight_v']
    """
    if dim is None:
        dim = 1 if isinstance(module, TRANSPOSED) else 0
    SpectralNorm.apply(module, name, n_power_iterations, dim, eps)
    return module


def remove_spectral_norm(module, name="weight"):
    """Undo `spectral_norm`; the weight keeps its value.

    Raises ValueError when the module has none.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.spectral_norm(torch.nn.Linear(4, 3))
    >>> sorted(torch.nn.utils.remove_spectral_norm(layer).state_dict())
    ['bias', 'weight']
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            for number, other in list(module._state_dict_hooks.items()):
                if getattr(other, "__self__", None) is hook:
                    del module._state_dict_hooks[number]
            return module
    raise ArgumentError(
        f"spectral_norm of '{name}' not found in {module}",
        why="no spectral_norm of that name was applied to the module",
        fix="use the name given to `spectral_norm`, and the module itself rather than the model around it",
    )
