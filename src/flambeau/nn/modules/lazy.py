"""Lazy modules: they take their input sizes from the first input and then become ordinary modules."""

from __future__ import annotations

from ...errors import NotSupported, StateError
from ...language import warn
from ..parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Put before a module class whose parameters start as `UninitializedParameter`.

    The subclass defines `initialize_parameters(*args)`, which gets the arguments of the first call. After that call the
    module is of class `cls_to_become`.

    >>> import flambeau as torch
    >>> layer = torch.nn.LazyLinear(3)
    >>> isinstance(layer, torch.nn.modules.lazy.LazyModuleMixin), layer.has_uninitialized_params()
    (True, True)
    >>> layer(torch.rand(1, 5)).shape, type(layer).__name__
    (torch.Size([1, 3]), 'Linear')
    """

    cls_to_become: type | None = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(self._infer_parameters, with_kwargs=True)
        warn(
            "Lazy modules are a new feature under heavy development so changes to the API or functionality can happen "
            "at any moment.",
            stacklevel=2,
        )

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        # A parameter without a shape is saved as it is, so that loading knows it has none.
        for table in (self._parameters, self._buffers):
            for name, value in table.items():
                if value is not None and name not in self._non_persistent_buffers_set:
                    destination[prefix + name] = value if is_lazy(value) or keep_vars else value.detach()

    def _lazy_load_hook(self, state_dict, prefix, metadata, strict, missing_keys, unexpected_keys, error_msgs):
        for table in (self._parameters, self._buffers):
            for name, value in table.items():
                given = state_dict.get(prefix + name)
                if value is not None and given is not None and is_lazy(value) and not is_lazy(given):
                    value.materialize(given.shape)

    def initialize_parameters(self, *args, **kwargs):
        """Give the parameters their shapes, from the arguments of the first call."""
        raise NotSupported(
            f"initialize_parameters is not implemented for {self.__class__.__name__}",
            why="a lazy module makes its parameters when it sees its first input",
            fix=f"define `initialize_parameters(self, input)` in {self.__class__.__name__}",
        )

    def has_uninitialized_params(self):
        """Whether any parameter or buffer still has no shape."""
        return any(is_lazy(v) for table in (self._parameters, self._buffers) for v in table.values())

    def _infer_parameters(self, module, args, kwargs=None):
        kwargs = kwargs or {}
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise StateError(
                f"module {self._get_name()} has not been fully initialized",
                why="initialize_parameters has run and has left parameters without a shape",
                fix="call `materialize(shape)` on each of them in initialize_parameters",
            )
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook
        del module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become

    def _replicate_for_data_parallel(self):
        raise StateError(
            "Modules with uninitialized parameters can't be used with `DataParallel`. Run a dummy forward pass to "
            "correctly initialize the modules",
            why="copies need parameters with a shape",
            fix="call the model once with a batch of data before wrapping it",
        )
