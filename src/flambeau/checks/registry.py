"""Which modules, optimizers and names there are: looked up when a message is built, never kept up to date."""

from __future__ import annotations

import gc
import sys
import weakref

from ..place import LIBRARY, foreign, user_frame
from .log import log
from .sites import name_in


def real(thing):
    """The object that the user holds: a twin (doctor/pytorch) stands for another framework's."""
    found = getattr(thing, "_fb_real", thing)
    if isinstance(found, weakref.ref):
        alive = found()
        return thing if alive is None else alive
    return found


def library_class(thing) -> str:
    """The name of a thing's class if that is the library's own (flambeau's, or PyTorch's under the doctor), else ""."""
    kind = type(thing)
    return kind.__name__ if kind.__module__.startswith(LIBRARY) else ""


def modules() -> list:
    """All modules that exist, in the order of the collector."""
    found = sys.modules.get("flambeau.nn.modules.module")
    kinds = (*foreign, *([] if found is None else [found.Module]))
    # By its type, and of a module only `__dict__`: what objects compute themselves may be anything.
    held = object.__getattribute__
    objects = gc.get_objects() if kinds else []
    return [o for o in objects if issubclass(type(o), kinds) and "_modules" in held(o, "__dict__")]


def roots() -> list:
    """The modules that are not part of another one."""
    everything = modules()
    inner = {id(child) for m in everything for child in m.__dict__["_modules"].values() if child is not None}
    return [m for m in everything if id(m) not in inner]


def owner(parameter):
    """(root module, dotted name) of a parameter; (None, "") if no module has it."""
    parameter = real(parameter)
    for root in roots():
        for name, p in root.named_parameters():
            if p is parameter:
                return root, name
    return None, ""


def path_of(module):
    """(root module, dotted name) of a module; ("" for a root)."""
    for root in roots():
        for name, m in root.named_modules():
            if m is module:
                return root, name
    return module, ""


def variable(value) -> str:
    """The user's variable that holds an object, looked up from the frame that is running outwards; "" if none."""
    frame, value = user_frame(sys._getframe(1)), real(value)
    while frame is not None:
        name = name_in(frame, value)
        if name:
            return name
        frame = frame.f_back
    return ""


def name_of_module(module) -> str:
    """What the user would call a module: variable and path (`net.2`), else class name and path."""
    root, path = path_of(module)
    start = variable(root) or type(root).__name__
    return f"{start}.{path}" if path else start


def name_of(tensor) -> str:
    """What the user would call a tensor: `net.0.weight` for a parameter, else its variable, else its shape."""
    root, path = owner(tensor)
    if root is not None:
        return f"{variable(root) or type(root).__name__}.{path}"
    return variable(tensor) or f"a tensor of shape {tuple(tensor._array.shape)}"


def parameters(module) -> list:
    """The parameters of a module as graphs and optimizers have them: twins of another framework's."""
    found = list(module.parameters())
    return [p._fb_self for p in found] if foreign and isinstance(module, tuple(foreign)) else found


def optimized() -> set:
    """The ids of the tensors that live optimizers hold, of twins and of what they stand for."""
    held = [p for o in log.live_optimizers() for g in o.param_groups for p in g["params"]]
    return {id(p) for p in held} | {id(real(p)) for p in held} if foreign else {id(p) for p in held}
