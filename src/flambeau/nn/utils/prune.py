"""Pruning: masks that keep parts of a parameter at zero.

A pruned parameter `weight` is kept as `weight_orig`, with a buffer `weight_mask`; `weight` itself is their product,
made anew before every call. `remove` makes it permanent.
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable

from ... import ops
from ...errors import ArgumentError, ArgumentTypeError, FailedAssertion, IndexOutOfRange
from .convert_parameters import parameters_to_vector


class BasePruningMethod(ABC):
    """A way to choose what to prune: `compute_mask` gives a mask for a tensor."""

    _tensor_name: str

    def __call__(self, module, inputs):
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t, default_mask):
        """The new mask for t, given the present one."""

    def apply_mask(self, module):
        """The pruned tensor."""
        if self._tensor_name is None:
            raise FailedAssertion(
                f"Module {module} has to be pruned",
                why="no pruning method has been applied to it",
                fix="use e.g. `prune.l1_unstructured(module, 'weight', amount=0.2)`",
            )
        mask = getattr(module, self._tensor_name + "_mask")
        original = getattr(module, self._tensor_name + "_orig")
        return mask.to(dtype=original.dtype) * original

    @classmethod
    def apply(cls, module, name, *args, importance_scores=None, **kwargs):
        """Prune a parameter of a module, on top of what prunes it already."""
        before = None
        for key, hook in module._forward_pre_hooks.items():
            if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
                before = key, hook
                break
        if before is not None:
            del module._forward_pre_hooks[before[0]]
        method = cls(*args, **kwargs)
        method._tensor_name = name
        original = getattr(module, name)
        if importance_scores is not None:
            if importance_scores.shape != original.shape:
                raise FailedAssertion(
                    f"importance_scores should have the same shape as parameter {name} of {module}",
                    why=f"the scores have shape {tuple(importance_scores.shape)}, the parameter "
                    f"{tuple(original.shape)}",
                    fix="give one score for each element",
                )
        else:
            importance_scores = original
        if before is not None:
            container = before[1]
            if not isinstance(container, PruningContainer):
                container = PruningContainer(container)
            container.add_pruning_method(method)
            method = container
            original = getattr(module, name + "_orig")
        else:
            module.register_parameter(name + "_orig", module._parameters.pop(name))
        default = getattr(module, name + "_mask", None)
        default = ops.ones_like(original).detach() if default is None else default.detach().clone()
        try:
            mask = method.compute_mask(importance_scores, default_mask=default)
            module.register_buffer(name + "_mask", mask)
            setattr(module, name, method.apply_mask(module))
            module.register_forward_pre_hook(method)
        except Exception:
            if before is None:  # leave the module as it was
                module.__dict__.pop(name, None)
                module.register_parameter(name, module._parameters.pop(name + "_orig"))
            raise
        return method

    def prune(self, t, default_mask=None, importance_scores=None):
        """A pruned copy of a tensor."""
        if importance_scores is not None:
            if importance_scores.shape != t.shape:
                raise FailedAssertion(
                    "importance_scores should have the same shape as tensor t",
                    why=f"the scores have shape {tuple(importance_scores.shape)}, the tensor {tuple(t.shape)}",
                    fix="give one score for each element",
                )
        else:
            importance_scores = t
        default_mask = default_mask if default_mask is not None else ops.ones_like(t)
        return t * self.compute_mask(importance_scores, default_mask=default_mask)

    def remove(self, module):
        """Make the pruning permanent: the parameter is plain again, with zeros in it."""
        if self._tensor_name is None:
            raise FailedAssertion(
                f"Module {module} has to be pruned before pruning can be removed",
                why="no pruning method has been applied to it",
                fix="remove pruning only once, from modules for which `prune.is_pruned(module)`",
            )
        weight = self.apply_mask(module)
        if hasattr(module, self._tensor_name):
            delattr(module, self._tensor_name)
        original = module._parameters[self._tensor_name + "_orig"]
        original.data = weight.data
        del module._parameters[self._tensor_name + "_orig"]
        del module._buffers[self._tensor_name + "_mask"]
        setattr(module, self._tensor_name, original)


class PruningContainer(BasePruningMethod):
    """Several pruning methods on one parameter, one after the other."""

    def __init__(self, *args):
        self._pruning_methods = ()
        if not isinstance(args, Iterable) or (len(args) == 1 and isinstance(args[0], BasePruningMethod)):
            self._tensor_name = args[0]._tensor_name
            self.add_pruning_method(args[0])
        elif len(args) == 1:
            self._tensor_name = None
            for method in args[0]:
                self._tensor_name = method._tensor_name
                self.add_pruning_method(method)
        else:
            self._tensor_name = args[0]._tensor_name if args else None
            for method in args:
                self.add_pruning_method(method)

    def add_pruning_method(self, method):
        """Add one more, of the same parameter."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise ArgumentTypeError(
                f"{type(method)} is not a BasePruningMethod subclass",
                why="the container applies pruning methods one after another",
                fix="give an instance of a class derived from `prune.BasePruningMethod`",
            )
        if method is not None and self._tensor_name != method._tensor_name:
            raise ArgumentError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'",
                why="the masks of a container are multiplied",
                fix=f"prune '{method._tensor_name}' by itself",
            )
        self._pruning_methods += (method,)

    def __len__(self):
        return len(self._pruning_methods)

    def __iter__(self):
        return iter(self._pruning_methods)

    def __getitem__(self, index):
        return self._pruning_methods[index]

    def compute_mask(self, t, default_mask):
        """The mask with what the last method prunes among what is left."""
        method, mask = self._pruning_methods[-1], default_mask.to(dtype=t.dtype)
        if method.PRUNING_TYPE == "unstructured":
            where = mask == 1
        elif method.PRUNING_TYPE == "structured":
            dim = method.dim % t.dim()
            rest = [d for d in range(t.dim()) if d != dim]
            where = [slice(None)] * t.dim()
            where[dim] = mask.sum(rest) != 0
            where = tuple(where)
        elif method.PRUNING_TYPE == "global":
            where = tuple(slice(None) for _ in range(t.dim()))
        else:
            raise ArgumentError(
                f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}",
                why="it says which part of the tensor a second pruning still counts",
                fix='use "unstructured", "structured" or "global"',
            )
        result = mask.clone()
        result[where] = method.compute_mask(t[where], default_mask=mask[where]).to(dtype=t.dtype)
        return result


class Identity(BasePruningMethod):
    """Prunes nothing: makes the mask only."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The present mask."""
        return default_mask

    @classmethod
    def apply(cls, module, name):
        """See `identity`."""
        return super().apply(module, name)


class _ByAmount(BasePruningMethod):
    def __init__(self, amount):
        _validate_pruning_amount_init(amount)
        self.amount = amount


class RandomUnstructured(_ByAmount):
    """Prunes elements at random.

    >>> import flambeau as torch
    >>> from flambeau import nn
    >>> from flambeau.nn.utils import prune
    >>> (prune.RandomUnstructured(amount=3).prune(torch.ones(10)) == 0).sum()
    tensor(3)
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The mask without the elements drawn."""
        size = t.nelement()
        count = _compute_nparams_toprune(self.amount, size)
        _validate_pruning_amount(count, size)
        mask = default_mask.clone()
        if count:
            drawn = ops.rand_like(t).view(-1).topk(count)
            mask.view(-1)[drawn.indices] = 0
        return mask

    @classmethod
    def apply(cls, module, name, amount):
        """See `random_unstructured`."""
        return super().apply(module, name, amount=amount)


class L1Unstructured(_ByAmount):
    """Prunes the elements of least absolute value.

    >>> import flambeau as torch
    >>> from flambeau import nn
    >>> from flambeau.nn.utils import prune
    >>> prune.L1Unstructured(amount=0.5).prune(torch.tensor([1.0, -3.0, 0.5, 2.0]))
    tensor([ 0., -3.,  0.,  2.])
    """

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t, default_mask):
        """The mask without the least elements."""
        size = t.nelement()
        count = _compute_nparams_toprune(self.amount, size)
        _validate_pruning_amount(count, size)
        mask = default_mask.clone()
        if count:
            least = t.detach().abs().reshape(-1).topk(count, largest=False)
            mask.view(-1)[least.indices] = 0
        return mask

    @classmethod
    def apply(cls, module, name, amount, importance_scores=None):
        """See `l1_unstructured`."""
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


class _Structured(_ByAmount):
    """Prunes whole slices along a dimension."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount, dim=-1):
        super().__init__(amount)
        self.dim = dim

    def _count(self, t):
        _validate_structured_pruning(t)
        _validate_pruning_dim(t, self.dim)
        size = t.shape[self.dim]
        count = _compute_nparams_toprune(self.amount, size)
        _validate_pruning_amount(count, size)
        return count, size

    def _keep(self, t, default_mask, kept):
        mask = ops.zeros_like(t)
        where = [slice(None)] * t.dim()
        where[self.dim] = kept
        mask[tuple(where)] = 1
        return mask * default_mask.to(dtype=mask.dtype)


class RandomStructured(_Structured):
    """Prunes slices along a dimension at random.

    >>> import flambeau as torch
    >>> from flambeau import nn
    >>> from flambeau.nn.utils import prune
    >>> (prune.RandomStructured(amount=1).prune(torch.ones(4, 4)) == 0).sum()
    tensor(4)
    """

    def compute_mask(self, t, default_mask):
        """The mask without the slices drawn."""
        count, size = self._count(t)
        if not count:
            return default_mask
        # A slice is kept when its draw is above the count-th least one.
        draws = ops.rand(size)
        threshold = draws.kthvalue(count).values
        return self._keep(t, default_mask, draws > threshold)

    @classmethod
    def apply(cls, module, name, amount, dim=-1):
        """See `random_structured`."""
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(_Structured):
    """Prunes the slices along a dimension that have the least n-norm.

    >>> import flambeau as torch
    >>> from flambeau import nn
    >>> from flambeau.nn.utils import prune
    >>> prune.LnStructured(amount=1, n=2, dim=0).prune(torch.tensor([[1.0, 1.0], [2.0, 2.0]]))
    tensor([[0., 0.],
            [2., 2.]])
    """

    def __init__(self, amount, n, dim=-1):
        super().__init__(amount, dim)
        self.n = n

    def compute_mask(self, t, default_mask):
        """The mask without the slices of least norm."""
        count, size = self._count(t)
        if not count:
            return default_mask
        norms = _compute_norm(t.detach(), self.n, self.dim)
        return self._keep(t, default_mask, norms.topk(size - count, largest=True).indices)

    @classmethod
    def apply(cls, module, name, amount, n, dim, importance_scores=None):
        """See `ln_structured`."""
        return super().apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)


class CustomFromMask(BasePruningMethod):
    """Prunes by a given mask.

    >>> import flambeau as torch
    >>> from flambeau import nn
    >>> from flambeau.nn.utils import prune
    >>> prune.CustomFromMask(torch.tensor([1, 0])).prune(torch.tensor([5.0, 6.0]))
    tensor([5., 0.])
    """

    PRUNING_TYPE = "global"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        """Both masks."""
        if default_mask.shape != self.mask.shape:
            raise FailedAssertion(
                f"default_mask shape {default_mask.shape} must match self.mask shape {self.mask.shape}",
                why="the two masks are multiplied",
                fix=f"give a mask of shape {tuple(default_mask.shape)}",
            )
        return default_mask * self.mask.to(dtype=default_mask.dtype)

    @classmethod
    def apply(cls, module, name, mask):
        """See `custom_from_mask`."""
        return super().apply(module, name, mask=mask)


def identity(module, name):
    """Prepare a parameter for pruning without pruning anything; returns the module.

    >>> import flambeau as torch
    >>> from flambeau.nn.utils import prune
    >>> sorted(prune.identity(torch.nn.Linear(2, 1), "weight").state_dict())
    ['bias', 'weight_mask', 'weight_orig']
    """
    Identity.apply(module, name)
    return module


def random_unstructured(module, name, amount):
    """Prune elements at random.

    Arguments:
        amount: a number of them, or a fraction between 0 and 1.

    >>> import flambeau as torch
    >>> from flambeau.nn.utils import prune
    >>> layer = prune.random_unstructured(torch.nn.Linear(4, 2), "weight", amount=3)
    >>> int(layer.weight_mask.sum())
    5
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module, name, amount, importance_scores=None):
    """Prune the elements of least absolute value, or of least importance score.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.prune.l1_unstructured(torch.nn.Linear(2, 3), "weight", amount=2)
    >>> int((layer.weight == 0).sum()), sorted(layer.state_dict())
    (2, ['bias', 'weight_mask', 'weight_orig'])
    """
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module, name, amount, dim):
    """Prune slices along a dimension at random.

    >>> import flambeau as torch
    >>> from flambeau.nn.utils import prune
    >>> layer = prune.random_structured(torch.nn.Linear(4, 2), "weight", amount=1, dim=0)
    >>> int(layer.weight_mask.sum())
    4
    """
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(module, name, amount, n, dim, importance_scores=None):
    """Prune the slices along a dimension that have the least n-norm.

    >>> import flambeau as torch
    >>> from flambeau.nn.utils import prune
    >>> layer = prune.ln_structured(torch.nn.Linear(4, 2), "weight", amount=1, n=2, dim=0)
    >>> int(layer.weight_mask.sum())
    4
    """
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def global_unstructured(parameters, pruning_method, importance_scores=None, **kwargs):
    """Prune several parameters together, as if they were one.

    Arguments:
        parameters: (module, name) pairs.
        pruning_method: an unstructured method, such as L1Unstructured; kwargs are its arguments.
        importance_scores: scores by (module, name).

    >>> import flambeau as torch
    >>> from flambeau.nn.utils import prune
    >>> a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> prune.global_unstructured([(a, "weight"), (b, "weight")], prune.L1Unstructured, amount=5)
    >>> int(a.weight_mask.sum() + b.weight_mask.sum())
    3
    """
    if not isinstance(parameters, Iterable):
        raise ArgumentTypeError(
            "global_unstructured(): parameters is not an Iterable",
            why="it lists what is to be pruned together",
            fix="use `[(module, 'weight'), ...]`",
        )
    parameters = list(parameters)
    scores = importance_scores if importance_scores is not None else {}
    if not isinstance(scores, dict):
        raise ArgumentTypeError(
            "global_unstructured(): importance_scores must be of type dict",
            why=f"it is {type(scores).__name__}",
            fix="use `{(module, 'weight'): scores}`",
        )
    joined = parameters_to_vector([scores.get((m, n), getattr(m, n)) for m, n in parameters])
    present = [getattr(m, n + "_mask", ops.ones_like(getattr(m, n))) for m, n in parameters]
    method = PruningContainer()
    method._tensor_name = "temp"
    one = pruning_method(**kwargs)
    one._tensor_name = "temp"
    if one.PRUNING_TYPE != "unstructured":
        raise ArgumentTypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. '
            f"Found method {pruning_method} of type {one.PRUNING_TYPE}",
            why="the elements of all parameters are compared with one another, whatever their place",
            fix="use `prune.L1Unstructured`",
        )
    method.add_pruning_method(one)
    mask = method.compute_mask(joined, parameters_to_vector(present))
    start = 0
    for module, name in parameters:
        param = getattr(module, name)
        custom_from_mask(module, name, mask[start : start + param.numel()].view_as(param))
        start += param.numel()


def custom_from_mask(module, name, mask):
    """Prune by a given mask of zeros and ones.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.prune.custom_from_mask(torch.nn.Linear(2, 1), "weight", torch.tensor([[1, 0]]))
    >>> layer.weight_mask
    tensor([[1., 0.]])
    """
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module, name):
    """Make pruning permanent: the parameter is plain again, with zeros in it.

    Raises ValueError when the parameter is not pruned.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.prune.random_unstructured(torch.nn.Linear(4, 2), "weight", amount=3)
    >>> sorted(torch.nn.utils.prune.remove(layer, "weight").state_dict())
    ['bias', 'weight']
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ArgumentError(
        f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed",
        why="no pruning method has been applied to that parameter of this very module",
        fix="remove pruning once, with the module and the name that were pruned",
    )


def is_pruned(module) -> bool:
    """Whether anything in a module is pruned.

    >>> import flambeau as torch
    >>> torch.nn.utils.prune.is_pruned(torch.nn.Linear(2, 1))
    False
    """
    return any(isinstance(hook, BasePruningMethod) for m in module.modules() for hook in m._forward_pre_hooks.values())


def _validate_pruning_amount_init(amount):
    if not isinstance(amount, numbers.Real):
        raise ArgumentTypeError(
            f"Invalid type for amount: {amount}. Must be int or float.",
            why="it is the share, or the number, of elements to prune",
            fix="use `amount=0.2` for a fifth of them",
        )
    if (isinstance(amount, numbers.Integral) and amount < 0) or (
        not isinstance(amount, numbers.Integral) and (float(amount) > 1.0 or float(amount) < 0.0)
    ):
        raise ArgumentError(
            f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer",
            why="it is the share, or the number, of elements to prune",
            fix="use `amount=0.2` for a fifth of them",
        )


def _validate_pruning_amount(amount, tensor_size):
    if isinstance(amount, numbers.Integral) and amount > tensor_size:
        raise ArgumentError(
            f"amount={amount} should be smaller than the number of parameters to prune={tensor_size}",
            why=f"there are only {tensor_size} to prune",
            fix=f"use an amount of at most {tensor_size}, or a share such as `amount=0.2`",
        )


def _validate_structured_pruning(t):
    if t.dim() <= 1:
        raise ArgumentError(
            "Structured pruning can only be applied to multidimensional tensors. "
            f"Found tensor of shape {t.shape} with {t.dim()} dims",
            why="whole rows are pruned, and each element of a vector is one",
            fix="use `prune.l1_unstructured` for it",
        )


def _compute_nparams_toprune(amount, tensor_size):
    return amount if isinstance(amount, numbers.Integral) else round(amount * tensor_size)


def _validate_pruning_dim(t, dim):
    if dim >= t.dim():
        raise IndexOutOfRange(
            f"Invalid index {dim} for tensor of size {t.shape}",
            why=f"it has {t.dim()} dimensions, numbered from 0",
            fix=f"use a dim from 0 to {t.dim() - 1}",
        )


def _compute_norm(t, n, dim):
    """The n-norm of every slice along a dimension."""
    dim %= t.dim()
    rest = [d for d in range(t.dim()) if d != dim]
    a = t.abs()
    if n in ("fro", "nuc") or n == 2:
        return (a * a).sum(rest).sqrt()
    if n == float("inf"):
        return a.amax(rest)
    if n == float("-inf"):
        return a.amin(rest)
    if n == 0:
        return (a != 0).sum(rest).to(t.dtype)
    return a.pow(n).sum(rest).pow(1.0 / n)
