"""Where the way from a loss to the parameters was cut: the events of `log.cuts`, matched with the user's source.

`find(root)` follows the source backwards from what backward() was called on. `rewritten(statement)` is the statement
without what cut it: the remedy, as code.
"""

from __future__ import annotations

import ast
import copy
from typing import Any, NamedTuple, cast

from ..autograd.mode import state
from ..place import is_tensor
from .flow import Root, Scope, Step, back, callees, dotted, is_module, names, needs_gradient, stops_recording, targets
from .log import Cut, log
from .sites import Site

CAUSES = {"item": "item/float", "tolist": "item/float", "numpy": "numpy", "detach": "detach/.data",
          "data": "detach/.data", "tensor": "tensor()", "no_grad": "no_grad"}  # fmt: skip
BUILDERS = {"tensor", "as_tensor", "from_numpy", "asarray", "FloatTensor", "Tensor", "Variable", "scalar_tensor"}
WHOLE = {"argmax", "argmin", "long", "int", "bool", "byte", "short", "eq", "ne", "gt", "ge", "lt", "le", "isclose",
         "bincount", "argsort", "multinomial", "one_hot", "equal", "sign_bit", "searchsorted"}  # fmt: skip
WHOLE_DTYPES = {"long", "int", "bool", "int64", "int32", "int16", "int8", "uint8", "short", "LongTensor"}
LEAVES = {"item", "tolist", "numpy", "detach", "cpu", "data", "clone"}
SAME = {"mean", "sum", "exp", "log", "sqrt", "abs", "square", "tanh", "maximum", "minimum", "clip", "stack"}  # in NumPy


class Found(NamedTuple):
    """A cut: `text`, the code that cuts (".item()"), at `site`; `cause`: its slug; `step`: what it is part of."""

    cause: str
    text: str
    site: Site
    step: Step | None
    event: Cut | None = None
    then: str = ""  # the statement further on that has to be rewritten too

    def fixed(self) -> str:
        """The statement without the cut, as source; "" if it cannot be written."""
        return "" if self.step is None else rewritten(self.step)


def recent(since: int) -> list[Cut]:
    """The cuts since `log.backwards` was `since`."""
    return [c for c in log.cuts if c.backwards >= since and c.site is not None]


def find(root: Root, events: list[Cut], wanted=None) -> Found | None:
    """The cut nearest to the root. wanted(event or None, step): whether it cuts off what is looked for."""
    tentative, then = None, ""
    for step in root.steps():
        found = _recorded(step, events, wanted) or _unrecorded(step, events, wanted)
        if found is None and wanted is None:
            found, sure = _silent(step)
            # A tensor made anew of what had been taken out of the graph before: that is the cut.
            sure = sure and not (found is not None and found.cause == "tensor()" and events)
            if found is not None and not sure:
                tentative, found = tentative or found, None
        if found is not None:
            return found._replace(then=then)
        if not then and any(_builds(n) for n in ast.walk(step.expression)):
            then = rewritten(step)
    return tentative


def _builds(n: ast.AST) -> bool:
    return isinstance(n, ast.Call) and dotted(n.func).rpartition(".")[2] in BUILDERS


def _recorded(step: Step, events, wanted) -> Found | None:
    """A cut that was seen to happen in this expression."""
    for event in reversed(events):
        if event.kind != "no_grad" and step.covers(event.site) and (wanted is None or wanted(event, step)):
            text, node = spelled(step.expression, event)
            if not text:
                continue
            cause = "numpy" if ".numpy()" in text else CAUSES[event.kind]
            return Found(cause, text, step.site(node), step, event)
    return None


def spelled(e: ast.expr, event: Cut) -> tuple[str, ast.AST | None]:
    """(source, node) of what cuts in an expression, such as `.detach().numpy()`."""
    best: tuple[str, ast.AST | None] = ("", None)
    for n in ast.walk(e):
        text = _chain(n)
        kind = event.kind
        if kind in ("item", "tolist") and isinstance(n, ast.Call) and dotted(n.func) in ("float", "int", "bool"):
            text = f"{dotted(n.func)}()"
        if kind == "tensor" and isinstance(n, ast.Call) and dotted(n.func).rpartition(".")[2] in BUILDERS:
            text = f"{dotted(n.func)}()"
        right = (
            f".{kind}" in text
            or (kind in ("item", "tolist") and text in ("float()", "int()", "bool()"))
            or (kind == "tensor" and text.endswith("()") and not text.startswith("."))
        )
        if right and len(text) > len(best[0]):
            best = text, n
    if best[1] is None and event.kind in ("item", "tolist", "numpy"):
        for n in ast.walk(e):  # what converts by itself: np.mean(t), math.sqrt(t), format
            if isinstance(n, ast.Call) and dotted(n.func):
                return f"{dotted(n.func)}()", n
    return best


def _chain(n: ast.AST) -> str:
    """ ".detach().cpu().numpy()" of a chain of such calls; "" if it is none."""
    text = ""
    while True:
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in LEAVES and not n.args:
            text, n = f".{n.func.attr}(){text}", n.func.value
        elif isinstance(n, ast.Attribute) and n.attr == "data":
            text, n = f".data{text}", n.value
        else:
            return text


def _unrecorded(step: Step, events, wanted) -> Found | None:
    """An expression that ran under no_grad."""
    source = step.scope.source
    line = step.expression.lineno
    within = [w for first, last, w in source.unrecorded if first < line <= last]
    if within and (wanted is None or wanted(None, step)):
        w = within[-1]
        manager = next(i.context_expr for i in w.items if stops_recording(i.context_expr))  # type: ignore[attr-defined]
        return Found("no_grad", f"with {ast.unparse(manager)}", source.site(manager), step)
    for call in (n for n in ast.walk(step.expression) if isinstance(n, ast.Call)):
        if _draws(step, call) and (wanted is None or any(wanted(None, s) for s in _behind(step, call))):
            return Found("sample", ".sample()", step.site(call), step)
        for inner in callees(step.scope, call):
            for d in getattr(inner.source.node, "decorator_list", ()):
                if stops_recording(d) and (wanted is None or wanted(None, step)):
                    return Found("no_grad", f"@{ast.unparse(d)}", Site(inner.source.code, 0), step)
    return None


def _draws(step: Step, call: ast.Call) -> bool:
    """Whether a call is `.sample()` of a distribution that has been given as a variable, or made on the spot."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("sample", "sample_n"):
        return False
    of = call.func.value
    if isinstance(of, ast.Call):
        kind = step.scope.value(of.func)
        return isinstance(kind, type) and kind.__module__.startswith("flambeau.distributions")
    return type(step.scope.value(of)).__module__.startswith("flambeau.distributions")


def _behind(step: Step, e: ast.expr):
    """The steps that an expression within a step was computed by."""
    return back(step.scope, e, step.scope.source.at(e.lineno))


def _silent(step: Step) -> tuple[Found | None, bool]:
    """A comparison, an argmax, a cast to whole numbers or a new tensor; and whether what it takes requires grad."""
    for n in ast.walk(step.expression):
        text, inside, cause = "", cast("ast.expr | None", None), "argmax/compare/cast"
        if isinstance(n, ast.Compare) and not any(isinstance(o, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for o in n.ops):
            text, inside = ast.unparse(n), n
        elif isinstance(n, ast.Call):
            name = dotted(n.func).rpartition(".")[2] or (n.func.attr if isinstance(n.func, ast.Attribute) else "")
            given = [a for a in (*n.args, *[k.value for k in n.keywords])]
            types = {dotted(a).rpartition(".")[2] for a in given}
            if name in WHOLE and not (name in ("int", "bool") and isinstance(n.func, ast.Name)):
                text, inside = f"{name}()", n
            elif name in ("to", "type") and types & WHOLE_DTYPES:
                text, inside = f"{name}({', '.join(map(ast.unparse, given))})", n
            elif name in BUILDERS and n.args and not isinstance(n.args[0], ast.Constant):
                text, inside, cause = f"{ast.unparse(n.func)}()", n.args[0], "tensor()"
            elif name in ("max", "min", "sort", "topk") and _second(step, n):
                text, inside = f"{name}()", n
        if inside is not None:
            needs = needs_gradient(step.scope, inside)
            if needs or (needs is None and cause != "tensor()"):
                return Found(cause, text, step.site(n), step), bool(needs)
    return None, False


def _second(step: Step, n: ast.Call) -> bool:
    """Whether the indices are taken of what a call returns: `_, p = x.max(1)`, `x.max(1)[1]`, `.indices`."""
    e, s = step.expression, step.statement
    if isinstance(e, ast.Subscript) and e.value is n:
        return isinstance(e.slice, ast.Constant) and e.slice.value in (1, -1)
    if isinstance(e, ast.Attribute) and e.value is n:
        return e.attr == "indices"
    if isinstance(s, ast.Assign) and s.value is n and isinstance(s.targets[0], ast.Tuple):
        first = s.targets[0].elts[0]
        return isinstance(first, ast.Name) and first.id.startswith("_")
    return False


def modules_in(root: Root) -> list[tuple[str, Any]]:
    """(source, module) of the modules that the root was computed by, the nearest first."""
    found: dict = {}
    for step in root.steps():
        for call in (n for n in ast.walk(step.expression) if isinstance(n, ast.Call)):
            value = step.scope.value(call.func)
            own = step.scope.value(call.func.value) if isinstance(call.func, ast.Attribute) else None
            for thing, e in ((value, call.func), (own, getattr(call.func, "value", None))):
                if is_module(thing):
                    found.setdefault(id(thing), (ast.unparse(e), thing))  # type: ignore[arg-type]
    return list(found.values())


def leaves_in(root: Root) -> list[str]:
    """The names of floating-point tensors that the root was computed by and that were not computed themselves."""
    found: dict = {}
    for step in root.steps():
        for name in names(step.expression):
            value = step.scope.value(ast.parse(name, mode="eval").body)
            if is_tensor(value) and value._node is None and value._array.dtype.kind == "f":
                found.setdefault(name, [step, value])
    made = set()
    for name, (step, _) in found.items():
        for d in step.scope.source.reaching(name, 1 << 30):
            if any(n in found and n != name for n in names(d.value)):
                made.add(name)
    return [n for n in found if n not in made]


def off_here(root: Root) -> Found | None:
    """Where recording was switched off, if it is off now."""
    if state.grad:
        return None
    last = next((e for e in reversed(log.cuts) if e.kind == "no_grad" and e.site is not None), None)
    if last is not None:
        return Found("no_grad", last.site.source, last.site, None, last)
    return None


# ---------------------------------------------------------------------- the remedy


class _Without(ast.NodeTransformer):
    """Takes out what cuts a graph."""

    def __init__(self, scope: Scope):
        self.scope = scope

    def visit_Call(self, node):
        self.generic_visit(node)
        name = dotted(node.func)
        short = name.rpartition(".")[2] or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
        if isinstance(node.func, ast.Attribute) and short in LEAVES - {"clone", "data"} and not node.args:
            return node.func.value
        if name in ("float", "int") and len(node.args) == 1:
            return node.args[0]
        if short in BUILDERS and node.args:
            inner = node.args[0]
            several = isinstance(self.scope.value(inner), (list, tuple))
            if several or isinstance(inner, (ast.List, ast.Tuple, ast.ListComp, ast.GeneratorExp)):
                prefix = name.rpartition(".")[0] or "torch"
                stack = ast.Attribute(ast.Name(prefix, ast.Load()), "stack", ast.Load())
                if isinstance(inner, ast.GeneratorExp):
                    inner = ast.ListComp(inner.elt, inner.generators)
                return ast.Call(stack, [inner], [])
            return inner
        if name.startswith(("np.", "numpy.")) and short in SAME:
            node.func = ast.Attribute(ast.Name("torch", ast.Load()), short, ast.Load())
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        return node.value if node.attr == "data" else node


def rewritten(step: Step) -> str:
    """The statement of a step without the cut in its expression; "" where nothing is left of it."""
    s = step.statement
    if isinstance(s, (ast.For, ast.While, ast.With, ast.If, ast.FunctionDef, ast.ClassDef)):
        return ""
    made = ast.unparse(ast.fix_missing_locations(_Without(step.scope).visit(copy.deepcopy(s))))
    before, _, after = made.partition(" = ")
    return "" if made == ast.unparse(s) or before == after else made


def all_of(scope: Scope, call: ast.Call) -> list:
    """The modules that a call runs, their parts included."""
    return [m for _, own, *_ in targets(scope, call) if is_module(own) for m in own.modules()]
