"""Mistakes in how modules are put together: FB-MOD-01 to 05 (04: methods that are assigned over)."""

from __future__ import annotations

import ast
import sys
import weakref
from collections import OrderedDict, defaultdict, deque
from types import CodeType, FunctionType
from typing import Any

from ..place import LIBRARY, NEVER, USER, describe, foreign, foreign_tensors, kind_of, running, user_frame
from ..place import path_of as path_in
from ..tensor import Tensor
from . import events, follow
from .findings import found
from .follow import Follow, name_of, print_of
from .log import log
from .registry import parameters, path_of
from .sites import Site, site_at, statements, user_site, whole

CONTAINERS = {list, tuple, dict, set, OrderedDict, defaultdict, deque}
WATCHED = CONTAINERS | {Tensor}  # classes of attributes that `assigned` is told of
# Methods of Module that no plain value should take the place of
METHODS = frozenset(
    "train eval forward parameters named_parameters zero_grad state_dict load_state_dict modules children "
    "requires_grad_ to cuda cpu apply".split()
)


class _Holder:
    """A module with attributes that may hide layers or tensors: name -> where it was assigned."""

    def __init__(self, module):
        self.module = weakref.ref(module)
        self.sites: dict[str, Site | None] = {}


def assigned(module, name: str, value: Any) -> None:
    """A plain attribute of a module was assigned: a container, a tensor, or something named like a method."""
    if name in METHODS:
        _over_a_method(module, name, value)
        return
    frame = sys._getframe(2)
    if type(module).__module__.startswith(LIBRARY) or kind_of(frame.f_code.co_filename) != USER:
        return
    kind = value.__class__
    if _plain(value) and not _being_made(module, frame):
        return
    if kind is tuple and not _inside(value):
        return
    held = log.notes.setdefault("holders", {})
    holder = held.get(id(module))
    if holder is None or holder.module() is not module:
        holder = held[id(module)] = _Holder(module)
    holder.sites[name] = Site(frame.f_code, frame.f_lasti)


def _plain(value: Any) -> bool:
    """Whether a value is a tensor that is no parameter."""
    return value.__class__ is Tensor or value.__class__ in foreign_tensors[:1]


def _being_made(module, frame) -> bool:
    """Whether the constructor of a module is running."""
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_code.co_name == "__init__" and frame.f_locals.get("self") is module:
            return True
        frame = frame.f_back
    return False


def _holders() -> list[tuple[Any, _Holder]]:
    return [(m, h) for h in list(log.notes.get("holders", {}).values()) if (m := h.module()) is not None]


# ------------------------------------------------------------------ FB-MOD-01: layers in a plain list


def _inside(value: Any, depth: int = 2) -> list:
    """The modules and parameters in a container, and in the containers in it."""
    from ..nn.modules.module import Module
    from ..nn.parameter import Parameter

    if isinstance(value, (Module, Parameter, *foreign, *foreign_tensors[1:])):
        return [value]
    if not depth or value.__class__ not in CONTAINERS:
        return []
    items = list(value.values()) if isinstance(value, dict) else list(value)
    return [found_ for item in items[:1000] for found_ in _inside(item, depth - 1)]


def _hidden(module, name: str, known: set) -> tuple[list, list]:
    """(what a container of a module holds, the trainable parameters in it that the root does not know)"""
    value = module.__dict__.get(name)
    if value.__class__ not in CONTAINERS:
        return [], []
    items = [item for item in _inside(value) if id(item) not in known]
    params = [p for item in items for p in (item.parameters() if hasattr(item, "parameters") else [item])]
    return items, [p for p in dict.fromkeys(params) if id(p) not in known and p._rg]


def _known(root) -> set:
    """The ids of the modules and parameters that are registered below a module."""
    return {id(m) for m in root.modules()} | {id(p) for m in root.modules() for p in m._parameters.values()}


def listed(root) -> None:
    """The parameters of a module were gone through to the end: by the user, or for an optimizer?"""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.endswith("traversal.py"):
        frame = frame.f_back
    if frame is None:
        return
    file = frame.f_code.co_filename
    by_optimizer = kind_of(file) == NEVER and file.endswith("optimizer.py") and "optim" in file
    if kind_of(file) != USER and not by_optimizer:
        return
    known = _known(root)
    if by_optimizer and not any(p is not None for m in root.modules() for p in m._parameters.values()):
        return  # the optimizer will say that it got none, and why
    for module, holder in _holders():
        if id(module) in known:
            for name in list(holder.sites):
                _judge(module, name, holder, known)


def _judge(module, name: str, holder: _Holder, known: set) -> None:
    """Say what is hidden in an attribute, unless the program may do something about it elsewhere."""
    items, params = _hidden(module, name, known)
    tensor = module.__dict__.get(name)
    plain = _plain(tensor) and tensor._rg and tensor._node is None
    if not (params or plain) or not _only_used_inside(module, name, holder.sites[name]):
        return
    if any(hasattr(p, "_fb_owned") for p in params) or plain and hasattr(tensor, "_fb_owned"):
        return
    if params:
        _say_hidden(module, name, holder.sites[name], items, params)
    else:
        _say_plain(module, name, holder.sites[name], tensor)


def _say_hidden(module, name, site, items, params) -> None:
    what = type(module).__name__
    value = module.__dict__[name]
    kind = "dict" if isinstance(value, dict) else type(value).__name__
    layers = [i for i in items if hasattr(i, "parameters")]
    wrapper = (
        ("ModuleDict" if kind == "dict" else "ModuleList")
        if layers
        else ("ParameterDict" if kind == "dict" else "ParameterList")
    )
    classes = " and ".join(dict.fromkeys(type(i).__name__ for i in items))
    found(
        "FB-MOD-01",
        saw=f"`{what}.{name}` is a plain {kind}, so the {len(items)} {classes} in it ({len(params)} parameters) "
        f"are not in `{what}.parameters()`",
        why="an optimizer that is given `parameters()` does not train them, `.to()` does not move them, and "
        "`state_dict()` does not save them",
        fix=f"write `self.{name} = nn.{wrapper}({_assigned_text(site)})`",
        at=site,
        parameters=len(params),
    )


def _assigned_text(site: Site | None) -> str:
    """The source of what is assigned at a site, if it is short."""
    for s in statements(site) if site is not None else ():
        for n in ast.walk(s):
            if isinstance(n, ast.Assign) and n.lineno <= site.line <= (n.end_lineno or n.lineno):  # type: ignore[union-attr]
                text = ast.unparse(n.value)
                if text in ("[]", "{}", "list()", "dict()", "()"):
                    return ""
                return text if len(text) < 100 else "..."
    return "..."


def _only_used_inside(module, name: str, site: Site | None) -> bool:
    """Whether an attribute is used by the module's own methods to compute, and nowhere handed to anything else."""
    used = False
    for cls in type(module).__mro__:
        if cls.__module__.startswith(LIBRARY) or cls is object:
            continue
        for method in vars(cls).values():
            if not isinstance(method, FunctionType) or method.__name__ == "__init__":
                continue
            names = _names(method.__code__)
            if name not in names:
                continue
            if names & {"parameters", "named_parameters", "no_grad", "inference_mode", "detach"}:
                return False
            used = True
    tree = whole(site) if site is not None else None
    if not used or tree is None:
        return False
    inside = {id(n) for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for n in ast.walk(c)}
    return not any(isinstance(n, ast.Attribute) and n.attr == name and id(n) not in inside for n in ast.walk(tree))


def _names(code: CodeType) -> set[str]:
    """The names that occur in a function and in those within it."""
    return set(code.co_names).union(*[_names(c) for c in code.co_consts if isinstance(c, CodeType)])


def _trained(f: Follow) -> None:
    """Before the first steps of an optimizer: hidden parameters that get gradients and are in no optimizer."""
    if f.state.steps > 2 or not log.notes.get("holders"):
        return
    before, now = f.notes.get("hidden", {}), {}
    for module, holder in _holders():
        for name, site in list(holder.sites.items()):
            value = module.__dict__.get(name)
            if _plain(value):
                if value._grad is not None and value._rg and not hasattr(value, "_fb_owned"):
                    now[id(value)] = mark = print_of(value._array)
                    if before.get(id(value)) == mark:
                        _say_plain(module, name, site, value)
            elif value.__class__ in CONTAINERS and _inside(value):
                items, params = _hidden(module, name, _known(path_of(module)[0]))
                reached = [p for p in params if p._grad is not None and not hasattr(p, "_fb_owned")]
                for p in reached:
                    now[id(p)] = print_of(p._array)
                if reached and all(before.get(id(p)) == now[id(p)] for p in reached):
                    _say_hidden(module, name, site, items, params)
    f.notes["hidden"] = now


# ------------------------------------------------------------------ FB-MOD-02: a tensor that is no parameter, no buffer


def _say_plain(module, name, site, tensor) -> None:
    what, text = type(module).__name__, _assigned_text(site)
    value = text.replace(", requires_grad=True", "").removesuffix(".requires_grad_()")
    found(
        "FB-MOD-02",
        cause="parameter",
        saw=f"`{what}.{name}` of shape {tuple(tensor._array.shape)} requires grad, but it is a plain tensor",
        why="`parameters()` does not list it, so no optimizer finds it, and `state_dict()` does not save it",
        fix=f"write `self.{name} = nn.Parameter({value})`",
        at=site,
    )


def _state_taken(module, state) -> None:
    if log.notes.get("holders"):
        log.notes["states"] = [*log.notes.get("states", ())[-3:], (id(state), weakref.ref(module))]
        known = _known(module)
        for inner, holder in _holders():
            if id(inner) in known:
                for name in list(holder.sites):
                    if inner.__dict__.get(name).__class__ in CONTAINERS:
                        _judge(inner, name, holder, known)


def _saved(thing, file) -> None:
    """A file is written: does it hold the state of a module that computes with tensors that are in no state?"""
    states = log.notes.get("states")
    if not states:
        return
    ids = {id(thing)} | ({id(v) for v in thing.values()} if isinstance(thing, dict) else set())
    for key, reference in states:
        root = reference()
        if key not in ids or root is None:
            continue
        known = _known(root)
        for module, holder in _holders():
            for name, site in list(holder.sites.items()):
                value = module.__dict__.get(name)
                if id(module) not in known or not _plain(value) or value._rg or value._array.size < 2:
                    continue
                if _only_used_inside(module, name, site):
                    what = type(module).__name__
                    found(
                        "FB-MOD-02",
                        cause="buffer",
                        saw=f"`{what}.{name}` of shape {tuple(value._array.shape)} is a plain tensor that `forward` "
                        "uses, and the file that was just saved does not hold it",
                        why="`state_dict()` saves only parameters and buffers, and `.to()` moves only those",
                        fix=f'write `self.register_buffer("{name}", {_assigned_text(site)})`',
                        at=site,
                    )


# ------------------------------------------------------------------ FB-MOD-03: layers made in forward


def made_parameter(parameter) -> None:
    """A Parameter was made: within a forward of the user's?"""
    frame: Any = sys._getframe(2)
    within: Any = None  # where forward, or a function that it calls, makes the layer
    for _ in range(40):
        if frame is None:
            return
        code = frame.f_code
        if code.co_name in ("__deepcopy__", "_rebuild_parameter"):
            return
        if code.co_name == "forward" and kind_of(code.co_filename) == USER:
            break
        if code.co_name == "__init__":
            within = None
        elif within is None and kind_of(code.co_filename) == USER:
            within = frame
        frame = frame.f_back
    else:
        return
    stack = running(frame)
    if not stack or frame.f_locals.get("self") is not stack[0]:
        return
    within = within or frame
    site, now = Site(within.f_code, within.f_lasti), (log.backwards, log.steps, id(frame))
    fresh = log.notes.setdefault("fresh", {})
    before = fresh.get(site.key)
    if before is None or before[0] == now:
        fresh.setdefault(site.key, (now, weakref.ref(parameter)))
        return
    first = before[1]()
    root = stack[-1]
    if first is not None and any(p is first for p in parameters(root)):
        return  # built at the first call, and kept
    made = site.expression()
    text = ast.unparse(made) if made is not None else type(parameter).__name__
    name = _suggestion(made)
    outer, path = path_in(stack)
    what = type(stack[0]).__name__
    found(
        "FB-MOD-03",
        saw=f"`{text}` is made inside `{what}.forward` (line {site.line}), at every call",
        why="each call uses new random weights, which are in no optimizer and are never trained",
        fix=f"make it once, in `__init__`: `self.{name} = {text}`, and use `self.{name}` in forward",
        at=site,
        place=path or type(outer).__name__,
    )


def _suggestion(made: ast.expr | None) -> str:
    function: Any = made.func if isinstance(made, ast.Call) else None
    name = getattr(function, "attr", "") or getattr(function, "id", "")
    return {"Linear": "out", "Parameter": "weight"}.get(name, name.lower() or "layer")


# ------------------------------------------------------------------ FB-MOD-04: a method that is assigned over


def _over_a_method(module, name: str, value: Any) -> None:
    if callable(value) or kind_of(sys._getframe(3).f_code.co_filename) != USER:
        return
    what = name_of(module, type(module).__name__)
    mode = {"train": (True, "train"), "eval": (True, "eval")}.get(name)
    if mode is not None:
        wanted = "eval" if (name == "eval") == bool(value) else "train"
        found(
            "FB-MOD-04",
            cause="assigned",
            level="W",
            saw=f"`{what}.{name} = {value!r}` puts {value!r} in the place of the method `{name}()`",
            why=f"the mode does not change: training is still {module.training}; `{name}()` can no longer be called",
            fix=f"write `{what}.{wanted}()`",
            at=user_site(sys._getframe(3)),
        )
    else:
        found(
            "FB-MOD-04",
            cause="assigned",
            level="W",
            saw=f"`{what}.{name}` was assigned a {type(value).__name__}, in the place of Module's method `{name}()`",
            why=f"`{name}()` cannot be called any more, by you or by the library",
            fix=f"choose another name, such as `{name}_`",
            at=user_site(sys._getframe(3)),
        )


def hooked(module) -> None:
    """A hook was registered on a module: does the program call its `forward` directly, past the hook?"""
    site = user_site(sys._getframe(2))
    tree = whole(site) if site is not None and not site.library else None
    frame = user_frame(sys._getframe(2))
    if tree is None or frame is None or site is None:
        return
    holder = frame.f_locals.get("self")
    for call, owner in _forwards(tree):
        held = _held_by(owner, {**frame.f_globals, **frame.f_locals})
        same = isinstance(owner, ast.Name) or holder is not None  # `self` means the same in the methods of one class
        if held is module and same and (call.lineno > site.line or frame.f_code.co_name != "<module>"):
            _say_forward(site.file, call, owner, hooks=True)
            return


def _forwards(tree) -> list[tuple[ast.Call, ast.expr]]:
    """The calls `x.forward(...)` in a file, and x: no `super().forward(x)`, no method of a class, no `self.forward`."""
    calls: list[tuple[ast.Call, ast.expr]] = []
    for n in ast.walk(tree):
        if not (isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "forward"):
            continue
        owner = n.func.value
        first = n.args[0].id if n.args and isinstance(n.args[0], ast.Name) else ""
        last = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if isinstance(owner, (ast.Name, ast.Attribute, ast.Subscript)) and last != "self" and not last[:1].isupper():
            if first not in ("self", "ctx"):
                calls.append((n, owner))
    return calls


def _held_by(e: ast.expr, names: dict) -> Any:
    """The module that an expression of names, attributes and indices stands for; None where that is not plain."""
    if isinstance(e, ast.Name):
        return names.get(e.id)
    inner = _held_by(e.value, names) if isinstance(e, (ast.Attribute, ast.Subscript)) else None
    own = getattr(inner, "__dict__", {})
    if isinstance(e, ast.Attribute):
        return own.get(e.attr, own.get("_modules", {}).get(e.attr))
    if isinstance(e, ast.Subscript) and isinstance(e.slice, ast.Constant):
        return own.get("_modules", {}).get(str(e.slice.value))
    return None


def _say_forward(file: str, call: ast.Call, owner: ast.expr, hooks: bool) -> None:
    name = ast.unparse(owner)
    given = ", ".join(ast.unparse(a) for a in (*call.args, *call.keywords))
    found(
        "FB-MOD-04",
        cause="forward",
        level="W" if hooks else "H",
        saw=f"line {call.lineno} calls `{name}.forward(...)` directly, and `{name}` has a hook"
        if hooks
        else f"line {call.lineno} calls `{name}.forward(...)` directly",
        why="hooks run only when the module itself is called: forward skips them",
        fix=f"write `{name}({given})`",
        at=site_at(file, call.lineno),
    )


def direct_forwards(site: Site) -> None:
    """MOD-04 from the source of a file alone: hints about `net.forward(x)` in place of `net(x)`."""
    tree = whole(site) if not site.library else None
    for call, owner in _forwards(tree) if tree is not None else ():
        _say_forward(site.file, call, owner, hooks=False)


# ------------------------------------------------------------------ FB-MOD-05: one layer several times


def repeated(container) -> None:
    """A container was filled, and holds a module more than once."""
    entries = [m for m in container._modules.values() if m is not None]
    counts: dict[int, int] = {}
    for m in entries:
        counts[id(m)] = counts.get(id(m), 0) + 1
    for m in entries:
        times = counts[id(m)]
        if times < 2 or next(iter(m.parameters()), None) is None or m.__dict__.get("_fb_repeated"):
            continue
        m.__dict__["_fb_repeated"] = True
        weights = sum(p._array.size for p in m.parameters())
        layer = describe(m)
        own = type(m).__module__.startswith(LIBRARY) and not m._modules
        name = name_of(m, "layer")
        found(
            "FB-MOD-05",
            saw=f"{times} of the {len(entries)} entries of {type(container).__name__} are one and the same {layer}",
            why=f"they share their {weights} weights, not {times * weights} in all: each update moves all entries",
            fix=f"make separate layers: `[nn.{layer} for _ in range({times})]`"
            if own
            else f"make separate layers: `[copy.deepcopy({name}) for _ in range({times})]`",
        )
        return


follow.steps.append(_trained)
events.state_taken.append(_state_taken)
events.saved.append(_saved)
