"""Walking a module: its parameters, buffers and submodules, by name or in order."""

from __future__ import annotations

from ...checks import modules as rules
from ...checks.log import log
from ...errors import ArgumentError, MissingAttribute
from ...tensor import Tensor
from ..parameter import Parameter


class Traversal:
    """The part of `Module` that finds what it holds."""

    _modules: dict
    _parameters: dict
    _buffers: dict

    def _get_name(self):
        return self.__class__.__name__

    def children(self):
        """The direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self):
        """(name, module) of the direct submodules, each module once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True):
        """This module and all modules below it."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(self, memo=None, prefix: str = "", remove_duplicate: bool = True):
        """(dotted name, module) of this module and all modules below it.

        >>> import flambeau as torch
        >>> [name for name, _ in torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU()).named_modules()]
        ['', '0', '1']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                inner = prefix + ("." if prefix else "") + name
                yield from module.named_modules(memo, inner, remove_duplicate)

    def _named_members(self, get_members_fn, prefix="", recurse=True, remove_duplicate=True):
        seen = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for place, module in modules:
            for name, value in get_members_fn(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield place + ("." if place else "") + name, value

    def parameters(self, recurse: bool = True):
        """All parameters, each once; what an optimizer is given."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True):
        """(dotted name, parameter) of all parameters."""
        yield from self._named_members(lambda m: m._parameters.items(), prefix, recurse, remove_duplicate)
        if recurse and log.on and "holders" in log.notes:
            rules.listed(self)

    def buffers(self, recurse: bool = True):
        """All buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True):
        """(dotted name, buffer) of all buffers."""
        yield from self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    # ------------------------------------------------------------ by dotted name

    def get_submodule(self, target: str):
        """The module at a dotted name, such as 'features.3'. Raises AttributeError where the path ends."""
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise MissingAttribute(
                    f"{module._get_name()} has no attribute `{name}`",
                    why=f"its children are {[name for name, _ in module.named_children()]}",
                    fix="use a name of `model.named_modules()`",
                )
            module = getattr(module, name)
            if not isinstance(module, Traversal):
                raise MissingAttribute(
                    f"`{name}` is not an nn.Module",
                    why=f"it is {type(module).__name__}, and only modules have children",
                    fix="use `get_parameter` or `get_buffer` for tensors",
                )
        return module

    def set_submodule(self, target: str, module, strict: bool = False) -> None:
        """Put a module at a dotted name; with strict, only in place of one that is there."""
        if not target:
            raise ArgumentError(
                "Cannot set the submodule without a target name!",
                why="the empty name is the module itself",
                fix="give the child's name",
            )
        if not isinstance(module, Traversal):
            raise ArgumentError(
                f"`module` is not an nn.Module, found {type(module)}",
                why="children are instances of nn.Module",
                fix=f"use `{module.__name__}()` to make a module of the class"
                if isinstance(module, type)
                else "wrap a function in a module",
            )
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise MissingAttribute(
                f"{parent._get_name()} has no attribute `{name}`",
                why="strict=True replaces what exists already; the children are "
                f"{[n for n, _ in parent.named_children()]}",
                fix="use `strict=False` to add a new child",
            )
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Traversal):
            raise MissingAttribute(
                f"`{name}` is not an nn.Module",
                why=f"it is {type(getattr(parent, name)).__name__}, and only modules are replaced",
                fix=f"use `setattr(model, '{name}', value)`",
            )
        setattr(parent, name, module)

    def get_parameter(self, target: str):
        """The parameter at a dotted name."""
        owner, name = self._owner_of(target)
        param = getattr(owner, name)
        if not isinstance(param, Parameter):
            raise MissingAttribute(
                f"`{name}` is not an nn.Parameter",
                why=f"it is {type(param).__name__}",
                fix="use `get_buffer` for buffers, and `get_submodule` for modules",
            )
        return param

    def get_buffer(self, target: str):
        """The buffer at a dotted name."""
        owner, name = self._owner_of(target)
        if not isinstance(getattr(owner, name), Tensor) or name not in owner._buffers:
            raise MissingAttribute(
                f"`{name}` is not a buffer",
                why=f"it is {type(getattr(owner, name)).__name__}",
                fix="use `get_parameter` for parameters, and `get_submodule` for modules",
            )
        return getattr(owner, name)

    def _owner_of(self, target):
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise MissingAttribute(
                f"{owner._get_name()} has no attribute `{name}`",
                why=f"its parameters and buffers are {[*owner._parameters, *owner._buffers]}",
                fix="use a name of `model.state_dict()`",
            )
        return owner, name
