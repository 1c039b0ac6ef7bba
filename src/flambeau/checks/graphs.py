"""Errors about graphs, explained when they are raised: cut off (FB-GRAD-03), or used before (FB-GRAD-02)."""

from __future__ import annotations

import math
import sys

from ..errors import GradientError
from ..place import user_frame
from . import cuts, events
from .flow import Root, Scope, names, own_expressions, root_at, source_of
from .log import log
from .registry import modules
from .sites import Site, user_site

DATA = {
    "x",
    "y",
    "input",
    "inputs",
    "data",
    "target",
    "targets",
    "label",
    "labels",
    "t",
}  # names of what is not trained


# ---------------------------------------------------------------------- FB-GRAD-03: no path to any parameter


def no_graph(i: int, t) -> GradientError:
    """The error of backward() on a tensor without history, with what cut it."""
    fact = f"element {i} of tensors does not require grad and does not have a grad_fn"
    if log.on:
        try:
            found = _no_graph(i, fact)
        except Exception:  # whatever the user's source looks like: the error stays
            found = None
        if found is not None:
            return found
    return GradientError(
        fact,
        why="nothing that it was computed from requires grad, or its history was cut by detach(), no_grad() or NumPy",
        fix="set `requires_grad=True` on the inputs or parameters before the forward pass",
        code="FB-GRAD-03",
    )


def _no_graph(i, fact):
    frame = user_frame(sys._getframe(2))
    if frame is None:
        return None
    root = root_at(Site(frame.f_code, frame.f_lasti), frame)
    if root is None:
        return None
    if hasattr(root.expression, "elts") and i < len(root.expression.elts):
        root = root._replace(expression=root.expression.elts[i])
    cut = cuts.find(root, cuts.recent(log.backwards))
    off = cuts.off_here(root)
    if off is not None and (cut is None or cut.cause in ("argmax/compare/cast", "tensor()")):
        cut = off
    if cut is not None:
        return _cut_error(fact, root.name, cut)
    return _frozen(fact, root)


def _cut_error(fact, name, cut):
    more = {"code": "FB-GRAD-03", "cause": cut.cause}
    line, text, fixed = cut.site.line, cut.text, cut.fixed()
    if cut.cause == "item/float":
        return GradientError(
            fact,
            why=f"`{name}` was rebuilt from a Python number: `{text}` on line {line} dropped the graph",
            fix=f"call backward() on the tensor itself: write `{fixed}`, and `{cut.then}`"
            if fixed and cut.then
            else f"call backward() on the tensor itself: write `{fixed}`"
            if fixed
            else f"call backward() on the tensor itself, without `{text}`",
            **more,
        )
    if cut.cause == "numpy":
        return GradientError(
            fact,
            why=f"`{name}` was computed from a NumPy array, which has no graph: `{text}` on line {line} left it",
            fix=f"keep the computation in tensors: write `{fixed}`, and `{cut.then}`"
            if fixed and cut.then
            else f"keep the computation in tensors: write `{fixed}`"
            if fixed
            else f"keep the computation in tensors, without `{text}`",
            **more,
        )
    if cut.cause == "detach/.data":
        return GradientError(
            fact,
            why=f"`{text}` on line {line} cut `{name}` off from what it was computed from",
            fix=f"leave `{text}` out: write `{fixed}`" if fixed else f"leave `{text}` out",
            **more,
        )
    if cut.cause == "tensor()":
        return GradientError(
            fact,
            why=f"`{text}` on line {line} copied the values into a new tensor, without their history",
            fix=f"use the tensor as it is: write `{fixed}`"
            if fixed
            else f"use the tensors as they are, without `{text}`",
            **more,
        )
    if cut.cause == "sample":
        return GradientError(
            fact,
            why=f"`{text}` on line {line} draws numbers without recording where they come from",
            fix="use `.rsample()` where the distribution has it; else put the log-probability of the sample into the "
            "loss: `-(distribution.log_prob(sample) * reward).mean()`",
            **more,
        )
    if cut.cause == "no_grad":
        return GradientError(
            fact,
            why=f"`{name}` was computed where nothing is recorded: `{text}` on line {line}",
            fix="switch recording on again before the forward pass: `torch.set_grad_enabled(True)`"
            if cut.step is None and "set_grad_enabled" in text
            else f"take the forward pass of the training step out of `{text}`",
            **more,
        )
    return GradientError(
        fact,
        why=f"`{text}` on line {line} has no gradient: its result jumps, or is made of whole numbers",
        fix="train on a differentiable loss of the scores, such as `F.cross_entropy(scores, target)`, "
        f"and use `{text}` only to report",
        **more,
    )


def _frozen(fact, root: Root):
    modules = [(name, m) for name, m in cuts.modules_in(root) if any(True for _ in m.parameters())]
    counts = [(name, sum(1 for _ in m.parameters())) for name, m in modules]
    if modules and not any(p._rg for _, m in modules for p in m.parameters()):
        name, count = counts[0]
        others = sum(n for _, n in counts[1:])
        return GradientError(
            fact,
            why=f"all {count + others} parameters behind `{root.name}` have requires_grad=False",
            fix=f"unfreeze what is to be trained: `{name}.requires_grad_(True)`",
            code="FB-GRAD-03",
            cause="all-frozen",
        )
    leaves = cuts.leaves_in(root)
    if leaves and not modules:
        name = next((n for n in leaves if n.lower() not in DATA), leaves[0])
        named = ", ".join(leaves[:3])
        return GradientError(
            fact,
            why=f"none of the tensors that `{root.name}` was computed from ({named}) has requires_grad=True",
            fix=f"make what is to be trained a leaf before the forward pass, such as `{name}.requires_grad_()`",
            code="FB-GRAD-03",
            cause="no-leaf",
        )
    return None


# ---------------------------------------------------------------------- FB-GRAD-02: a graph that was used before


def note_root(roots):
    """Remember where the first backward passes were called."""
    node = roots[0]._node
    places = log.notes.setdefault("FB-GRAD-02", {})
    places.setdefault(0 if node is None else node.seq, user_site())
    if len(places) > 64:
        del places[next(iter(places))]


events.before_backward_early.append(note_root)


def used_twice(fact: str, node, roots) -> GradientError | None:
    """The error of a backward pass that needs what an earlier one has freed, with what led there."""
    try:
        return _used_twice(fact, node, roots)
    except Exception:  # whatever the user's source looks like: the error stays
        return None


def _used_twice(fact, node, roots):
    frame = user_frame(sys._getframe(2))
    if frame is None or roots[0]._node is None:
        return None
    here = Site(frame.f_code, frame.f_lasti)
    root, number = root_at(here, frame), roots[0]._node.seq
    name = root.name if root is not None else "loss"
    places = log.notes.get("FB-GRAD-02", {})
    if number in log.sequence[1:]:
        return _called_twice(fact, name, places.get(number), here)
    before = next((i for i, n in enumerate(log.sequence) if n >= node.seq), len(log.sequence) - 1)
    first = places.get(log.sequence[before])
    crossing = {id(e[0]): e for n in events.graph(roots) for e in n.edges
                if e is not None and e[1] != -1 and n.seq > log.ends[before] >= e[0].seq}  # fmt: skip
    if not crossing:
        return _shared(fact, name, node, first, here, frame, roots)
    state = _crossed(frame, crossing, roots)
    if state is None:
        return None
    held, source, definition, carried = state
    line = definition.statement.lineno if definition is not None else here.line
    between = first is not None and first.code is here.code and first.line < line <= here.line
    if not carried and not between and first is not None and first.line != here.line:
        return _shared(fact, name, node, first, here, frame, roots, held)
    more = {"code": "FB-GRAD-02", "cause": "carried-state"}
    if held == name and definition is not None and definition.adds:
        return GradientError(
            fact,
            why=f"`{held}` (line {line}) still holds the graphs of earlier steps, which their backward() has freed",
            fix=f"call backward() on this step's loss alone, and add up numbers: `{held} += loss.item()`",
            **more,
        )
    if carried or definition is None or not _outside_loop(source, definition, here):
        cut = (
            f"{held} = {held}.detach()" if not _several(frame, held) else f"{held} = tuple(s.detach() for s in {held})"
        )
        return GradientError(
            fact,
            why=f"this step reached `{held}`, computed in an earlier step (line {line}), whose graph was freed by that "
            "step's backward()",
            fix=f"cut the history before `{held}` is used again: `{cut}`",
            **more,
        )
    return GradientError(
        fact,
        why=f"`{held}` was computed once, on line {line}, before the loop; the first backward() has freed its graph",
        fix=f"compute `{held}` anew in every step, inside the loop; if it is not trained, cut it off: "
        f"`{held} = {held}.detach()`",
        **more,
    )


def _called_twice(fact, name, first, here):
    more = {"code": "FB-GRAD-02", "cause": "called-twice"}
    if first is None or first.line == here.line:
        return GradientError(
            fact,
            why=f"backward() was called twice on the same `{name}`, both times on line {here.line}",
            fix=f"compute `{name}` anew before each backward(), or keep the graph: "
            f"`{name}.backward(retain_graph=True)`",
            **more,
        )
    return GradientError(
        fact,
        why=f"backward() was called twice on the same `{name}`: on line {first.line} and on line {here.line}",
        fix=f"leave out one of the two, or keep the graph in the first: `{name}.backward(retain_graph=True)`",
        **more,
    )


def _shared(fact, name, node, first, here, frame, roots, held=""):
    other = root_at(first, frame) if first is not None else None
    before = other.name if other is not None else "the first loss"
    line = first.line if first is not None else here.line
    if not held:
        behind = {id(n) for n in events.graph(roots)}
        found = [(t._node.seq, n) for n, t, _ in _held(frame) if t._node is not None and id(t._node) in behind]
        held = max((f for f in found if f[1] != name and f[0] <= node.seq + 1), default=(0, ""))[1]
    what = held or node.name()
    if len(log.live_optimizers()) > 1:
        return GradientError(
            fact,
            why=f"`{name}` and `{before}` share the graph behind `{what}`, which `{before}.backward()` on line {line} "
            "has freed",
            fix=f"if `{before}` is not to train what made `{what}`, use `{what}.detach()` in it; "
            f"else keep the graph: `{before}.backward(retain_graph=True)`",
            code="FB-GRAD-02",
            cause="shared-subgraph",
        )
    return GradientError(
        fact,
        why=f"`{name}` and `{before}` share the graph behind `{what}`, which `{before}.backward()` on line {line} "
        "has freed",
        fix=f"call backward() once, on the sum: `({before} + {name}).backward()`; "
        f"or keep the graph: `{before}.backward(retain_graph=True)`",
        code="FB-GRAD-02",
        cause="shared-subgraph",
    )


def _held(frame) -> list:
    """(name, tensor, frame) of what the user's variables hold, tuples, lists and attributes of modules included."""
    found = []
    while frame is not None:
        for table in (frame.f_locals, frame.f_globals) if frame.f_code.co_name != "<module>" else (frame.f_globals,):
            for name, value in list(table.items()):
                if name.startswith("__"):
                    continue
                for t in _tensors(value):
                    found.append((name, t, frame))
                if name == "self" or hasattr(value, "_parameters"):
                    for attribute, inner in list(getattr(value, "__dict__", {}).items()):
                        if not attribute.startswith("_"):
                            found += [(f"{name}.{attribute}", t, frame) for t in _tensors(inner)]
        frame = user_frame(frame.f_back)
    return found


def _tensors(value, depth=2) -> list:
    if hasattr(value, "_array") and hasattr(value, "_rg"):
        return [value]
    if depth and isinstance(value, (list, tuple)) and len(value) < 100:
        return [t for v in value for t in _tensors(v, depth - 1)]
    if depth and isinstance(value, dict) and len(value) < 100:
        return [t for v in list(value.values()) for t in _tensors(v, depth - 1)]
    return []


def _several(frame, name) -> bool:
    """Whether a variable holds several tensors."""
    scope = Scope.of(frame)
    value = scope.known.get(name, scope.outer.get(name)) if scope is not None else None
    return isinstance(value, (list, tuple))


def _crossed(frame, crossing, roots):
    """(name, source, its definition, whether it goes from one pass of the loop to the next) of what crossed."""
    behind = {id(n) for n in events.graph(roots)}
    sizes = {math.prod(e[2]) for e in crossing.values()}
    held = _held(frame)
    for name, t, where in held:
        if t._node is not None and id(t._node) in crossing:
            source = source_of(where.f_code)
            d = _definition(source, name, where)
            return name, source, d, d is not None and _carried(source, d)
    for name, t, where in held:  # the variable has been given its next value since
        source = source_of(where.f_code)
        if source is None or t._node is None or not any(id(n) in behind for n in events.graph([t], 1000)):
            continue
        d = _definition(source, name, where)
        again = d is not None and not d.loops and len(source.reaching(name, d.order)) > 0 and name in names(d.value)
        if d is not None and (again or _carried(source, d)) and t._array.size in sizes:
            return name, source, d, True
    for module in modules():  # state that a module keeps from call to call
        for name, value in list(module.__dict__.items()):
            tensors = [] if name.startswith("_") else _tensors(value)
            if any(t._array.size in sizes and any(id(n) in behind for n in events.graph([t], 1000)) for t in tensors):
                source, d = _written(module, name)
                return f"self.{name}", source, d, True
    return None


def _definition(source, name, frame):
    if source is None:
        return None
    order = source.at(frame.f_lineno)
    return next(iter(source.reaching(name, order)), None) or next(
        (d for d in source.definitions if d.name == name), None
    )


def _carried(source, d) -> bool:
    """Whether a loop's body reads a name before it gives it its value: the value comes from the pass before."""
    if d.adds and d.loops:
        return True
    for loop in d.loops:
        for order, (s, loops, _) in enumerate(source.statements):
            if loop in loops and order <= d.order and any(d.name in names(e) for e in _read(s, own_expressions(s))):
                return True
    return False


def _read(s, expressions):
    """The expressions of a statement that are read, without the targets of assignments."""
    targets = {id(t) for t in getattr(s, "targets", [])} | {id(getattr(s, "target", None))}
    return [e for e in expressions if id(e) not in targets]


def _outside_loop(source, d, here) -> bool:
    order = source.at(here.line) if here.code is source.code else -1
    loops = source.statements[order][1] if order >= 0 else ()
    return bool(loops) and not any(loop in d.loops for loop in loops)


def _written(module, name):
    """(source, definition) of the assignment to an attribute in a module's own methods."""
    for kind in type(module).__mro__:
        for function in list(vars(kind).values()):
            source = source_of(function.__code__) if hasattr(function, "__code__") else None
            if source is not None and function.__name__ != "__init__":
                for d in source.definitions:
                    if d.name == f"self.{name}":
                        return source, d
    return None, None
