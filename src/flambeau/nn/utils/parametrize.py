"""Parametrizations: parameters computed by modules from others, which are the ones that are learnt.

`register_parametrization(module, "weight", parametrization)` moves the weight into
`module.parametrizations.weight.original`, and makes `module.weight` a property that computes it.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence

from ...autograd import no_grad
from ...errors import ArgumentError, ArgumentTypeError, StateError
from ...tensor import Tensor
from ..modules.container import ModuleDict, ModuleList
from ..parameter import Parameter

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_depth = 0
_values: dict = {}


@contextlib.contextmanager
def cached():
    """Compute every parametrized tensor only once inside this `with` block.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2))
    >>> with torch.nn.utils.parametrize.cached():
    ...     print(layer.weight is layer.weight)
    True
    """
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            _values.clear()


def _register(owner, name, value):
    if isinstance(value, Parameter):
        owner.register_parameter(name, value)
    else:
        owner.register_buffer(name, value)


def _set(place, value):
    """Give a parameter or buffer another value, of any shape, in place."""
    if not isinstance(value, Tensor):
        raise ArgumentTypeError(
            f"expected a tensor, got {type(value).__name__}",
            why="the value takes the place of the tensor that is computed from",
            fix="use `torch.tensor(value)`",
        )
    place.data = value.detach()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, and the original tensor or tensors it is computed from."""

    unsafe: bool

    def __init__(self, modules, original, unsafe=False):
        if len(modules) == 0:
            raise ArgumentError(
                "ParametrizationList requires one or more modules.",
                why="the tensor is computed by them",
                fix="use `register_parametrization(module, name, parametrization)`",
            )
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        with no_grad():
            new = original
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    try:
                        new = module.right_inverse(new)
                    except NotImplementedError:
                        pass
        if not isinstance(new, Tensor) and not isinstance(new, Sequence):
            raise ArgumentError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}",
                why="what it returns is what the tensor will be computed from",
                fix="return a tensor, or a tuple of tensors",
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if original.dtype != new.dtype:
                raise ArgumentError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {new.dtype}",
                    why="the parameter that optimizers know stays the same object",
                    fix=f"return `value.to({original.dtype})`",
                )
            if original.device != new.device:
                raise ArgumentError(
                    "When `right_inverse` outputs one tensor, it may not change the device.\n"
                    f"original.device: {original.device}\nright_inverse(original).device: {new.device}",
                    why="the parameter that optimizers know stays the same object",
                    fix=f"return `value.to('{original.device}')`",
                )
            _set(original, new)  # the original object stays: optimizers know it
            _register(self, "original", original)
        else:
            for i, value in enumerate(new):
                if not isinstance(value, Tensor):
                    raise ArgumentError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                        f"Got element {i} of the sequence with type {type(value).__name__}.",
                        why="what it returns is what the tensor will be computed from",
                        fix="return a tensor, or a tuple of tensors",
                    )
                if isinstance(original, Parameter):
                    value = Parameter(value, original.requires_grad)
                value.requires_grad_(original.requires_grad)
                _register(self, f"original{i}", value)
        if not self.unsafe:
            value = self()
            if not isinstance(value, Tensor):
                raise ArgumentError(
                    f"A parametrization must return a tensor. Got {type(value).__name__}.",
                    why="what it returns takes the place of the module's tensor",
                    fix="end its forward with `return` and a tensor",
                )
            if value.dtype != dtype:
                raise ArgumentError(
                    "Registering a parametrization may not change the dtype of the tensor, unless `unsafe` flag is "
                    f"enabled.\nunparametrized dtype: {dtype}\nparametrized dtype: {value.dtype}",
                    why="the module computes with a tensor of its old dtype",
                    fix=f"return `value.to({dtype})`, or use `unsafe=True`",
                )
            if value.shape != shape:
                raise ArgumentError(
                    "Registering a parametrization may not change the shape of the tensor, unless `unsafe` flag is "
                    f"enabled.\nunparametrized shape: {shape}\nparametrized shape: {value.shape}",
                    why="the module computes with a tensor of its old shape",
                    fix=f"return a tensor of shape {tuple(shape)}, or use `unsafe=True`",
                )

    def right_inverse(self, value):
        """Set the originals so that the parametrized tensor becomes `value`, by the parametrizations' inverses."""
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise StateError(
                        f"parametrization {type(module).__name__} does not implement right_inverse.",
                        why="a value is assigned to the tensor, and nothing says which original gives it",
                        fix=f"define `right_inverse(self, value)` in {type(module).__name__}",
                    )
                value = module.right_inverse(value)
            if self.is_tensor:
                if not isinstance(value, Tensor):
                    raise ArgumentError(
                        f"`right_inverse` should return a tensor. Got {type(value).__name__}",
                        why="what it returns takes the place of the original",
                        fix="return a tensor",
                    )
                if value.dtype != self.original.dtype:
                    raise ArgumentError(
                        f"The tensor returned by `right_inverse` has dtype {value.dtype} while `original` has dtype "
                        f"{self.original.dtype}",
                        why="the original stays the same object",
                        fix=f"return `value.to({self.original.dtype})`",
                    )
                _set(self.original, value)
            else:
                if not isinstance(value, Sequence):
                    raise ArgumentError(
                        f"'right_inverse' must return a sequence of tensors. Got {type(value).__name__}.",
                        why=f"the tensor is computed from {self.ntensors} originals",
                        fix=f"return a tuple of {self.ntensors} tensors",
                    )
                if len(value) != self.ntensors:
                    raise ArgumentError(
                        "'right_inverse' must return a sequence of tensors of length "
                        f"{self.ntensors}. Got a sequence of length {len(value)}.",
                        why=f"the tensor is computed from {self.ntensors} originals",
                        fix=f"return a tuple of {self.ntensors} tensors",
                    )
                for i, one in enumerate(value):
                    place = getattr(self, f"original{i}")
                    if not isinstance(one, Tensor):
                        raise ArgumentError(
                            f"`right_inverse` must return a sequence of tensors. Got element {i} of type "
                            f"{type(one).__name__}",
                            why=f"the tensor is computed from {self.ntensors} originals",
                            fix=f"return a tuple of {self.ntensors} tensors",
                        )
                    if place.dtype != one.dtype:
                        raise ArgumentError(
                            f"Tensor {i} returned by `right_inverse` has dtype {one.dtype} while `original{i}` has "
                            f"dtype {place.dtype}",
                            why="the original stays the same object",
                            fix=f"return `value.to({place.dtype})` for element {i}",
                        )
                    _set(place, one)

    def forward(self):
        if len(self) == 0:
            raise StateError(
                "ParametrizationList.forward() called with no parametrizations",
                why="there is nothing to compute the tensor by",
                fix="use `register_parametrization(module, name, parametrization)`",
            )
        if self.is_tensor:
            originals = (self.original,)
        else:
            originals = [getattr(self, f"original{i}") for i in range(self.ntensors)]
        value, *rest = self
        result = value(*originals)
        for module in rest:
            result = module(result)
        return result


def _inject_new_class(module):
    """Give a module a class of its own, which can have properties of its own."""
    base = type(module)

    def __deepcopy__(self, memo):
        twin = memo.get(id(self))
        if twin is None:
            twin = self.__new__(type(self))
            memo[id(self)] = twin
            twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    def __reduce_ex__(self, protocol):
        raise StateError(
            "Serialization of parametrized modules is only supported through state_dict(). See:\n"
            "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
            "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training",
            why="the class of a parametrized module is made at run time",
            fix="use `torch.save(model.state_dict(), path)`",
        )

    body = {"__reduce_ex__": __reduce_ex__}
    if not hasattr(base, "__deepcopy__"):
        body["__deepcopy__"] = __deepcopy__
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), body)


def _inject_property(module, name):
    """Make the attribute a property that computes the parametrized tensor."""

    def get(self):
        listed = self.parametrizations[name]
        if not _depth:
            return listed()
        key = id(self), name
        if key not in _values:
            _values[key] = listed()
        return _values[key]

    def put(self, value):
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Compute a parameter or buffer of a module by another module, from the original one.

    Arguments:
        module, tensor_name: what to parametrize.
        parametrization: a module; its `right_inverse`, if it has one, tells which original gives a value.
        unsafe: do not check that shape and dtype stay.

    >>> import flambeau as torch
    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = torch.nn.Linear(3, 3)
    >>> _ = torch.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        listed = module.parametrizations[tensor_name]
        if not unsafe:
            before = getattr(module, tensor_name)
            _check_next(parametrization, before)
        listed.append(parametrization)
        listed.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        listed = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _inject_new_class(module)
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = listed
    else:
        raise ArgumentError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'",
            why=f"it has {[n for n, _ in module.named_parameters(recurse=False)]}",
            fix="use one of these as tensor_name",
        )
    return module


def _check_next(parametrization, before):
    """Errors of a further parametrization that changes dtype or shape."""
    with no_grad():
        after = parametrization(before)
        if not isinstance(after, Tensor):
            raise ArgumentError(
                f"A parametrization must return a tensor. Got {type(after).__name__}.",
                why="what it returns takes the place of the module's tensor",
                fix="end its forward with `return` and a tensor",
            )
        if after.dtype != before.dtype:
            raise ArgumentError(
                "Registering a parametrization may not change the dtype of the tensor, unless the `unsafe` flag is "
                f"enabled.\nmodule dtype: {before.dtype}\nparametrized dtype: {after.dtype}",
                why="the module computes with a tensor of its old dtype",
                fix=f"return `value.to({before.dtype})`, or use `unsafe=True`",
            )
        if after.shape != before.shape:
            raise ArgumentError(
                "Registering a parametrization may not change the shape of the tensor, unless the `unsafe` flag is "
                f"enabled.\nmodule shape: {before.shape}\nparametrized shape: {after.shape}",
                why="the module computes with a tensor of its old shape",
                fix=f"return a tensor of shape {tuple(before.shape)}, or use `unsafe=True`",
            )
        if hasattr(parametrization, "right_inverse"):
            try:
                back = parametrization.right_inverse(after)
            except NotImplementedError:
                return
            if not isinstance(back, Tensor):
                raise ArgumentError(
                    f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}",
                    why="what it returns is what the tensor will be computed from",
                    fix="return a tensor",
                )
            if back.dtype != before.dtype:
                raise ArgumentError(
                    "The tensor returned by parametrization.right_inverse must have the same dtype as the module's "
                    f"tensor.\nmodule dtype: {before.dtype}\nreturned dtype: {back.dtype}",
                    why="the parameter that optimizers know stays the same object",
                    fix=f"return `value.to({before.dtype})`",
                )


def is_parametrized(module, tensor_name=None) -> bool:
    """Whether a module has parametrizations, or one of this tensor.

    >>> import flambeau as torch
    >>> torch.nn.utils.parametrize.is_parametrized(torch.nn.Linear(2, 2))
    False
    """
    listed = module.__dict__.get("parametrizations")
    if not isinstance(listed, ModuleDict):
        return False
    return len(listed) > 0 if tensor_name is None else tensor_name in listed


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Make a parametrized tensor plain again.

    Arguments:
        leave_parametrized: keep its present value; otherwise the original one.
    Raises ValueError when the tensor is not parametrized.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(2, 2))
    >>> torch.nn.utils.parametrize.remove_parametrizations(layer, "weight")
    Linear(in_features=2, out_features=2, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(
            f"Module {module} does not have a parametrization on {tensor_name}",
            why=f"parametrized are {list(module.parametrizations)}" if is_parametrized(module) else "nothing in it is",
            fix="use the name that was given to `register_parametrization`, and the same module",
        )
    listed = module.parametrizations[tensor_name]
    original = listed.original if listed.is_tensor else None
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name)
        if listed.is_tensor:
            _set(original, value)
        else:
            needs_grad = any(p.requires_grad for p in listed.parameters(recurse=False))
            is_parameter = "original0" in listed._parameters
            original = Parameter(value, needs_grad) if is_parameter else value.detach()
    elif not listed.is_tensor:
        raise ArgumentError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors.",
            why="no single original could take its place",
            fix="use `leave_parametrized=True`",
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module) -> type:
    """The class a module had before it was parametrized.

    >>> import flambeau as torch
    >>> layer = torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(2, 2))
    >>> torch.nn.utils.parametrize.type_before_parametrizations(layer).__name__
    'Linear'
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module, to_module, tensor_name=None):
    """Give another module the same parametrizations, and the values of the parametrized tensors."""
    if not is_parametrized(from_module):
        return to_module
    if tensor_name is not None and tensor_name not in from_module.parametrizations:
        raise ArgumentError(
            f"{tensor_name} is not parametrized in {from_module}",
            why=f"parametrized are {list(from_module.parametrizations)}",
            fix="use one of these as tensor_name",
        )
    for name in [tensor_name] if tensor_name is not None else list(from_module.parametrizations):
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, copy.deepcopy(getattr(from_module, name)))
        for one in source:
            register_parametrization(to_module, name, one)
        target = to_module.parametrizations[name]
        if source.is_tensor:
            target.original = source.original
        else:
            for i in range(source.ntensors):
                setattr(target, f"original{i}", getattr(source, f"original{i}"))
    return to_module
