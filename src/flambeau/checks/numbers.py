"""Numbers that are not finite: FB-NUM-01 (the loss), 02 (its gradient), 03 (a reduction over nothing), 04 (float16).

By default a loss that is not finite is a warning at backward(), with the operation that it began at; doctor.watch makes
an error of it. The graph is looked at only then: the check of each step is one comparison.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from typing import Any

import numpy as np

from ..errors import GradientError
from ..place import user_frame
from . import events
from .findings import found, seen
from .flow import Root, dotted, root_at, source_of
from .inplace import Spot, operand_of, spot_of, spots
from .log import log
from .registry import name_of
from .sites import Site, user_site
from .tags import origin
from .trace import Culprit, culprit, finite, has_nan

# What makes a loss that is not finite: where one of these was found, nothing more is said.
CAUSES = ("FB-DATA-04", "FB-INIT-02", "FB-INIT-04", "FB-OPT-03")
HUGE = 1e15  # finite values beyond this say that training had diverged before
LIMIT = {"float32": 88.72, "float64": 709.78, "float16": 11.09}  # of exp


# ---------------------------------------------------------------------- FB-NUM-01: the loss


def _not_finite(root, value):
    if log.scaled:
        return
    for watch in log.watches:
        if watch.stop_at_nan:
            watch.not_finite(root)
            return
    log.bad_losses += 1
    if log.bad_losses <= 3:
        log.unsound = lambda: None if seen(*CAUSES) else _explain(root, value, strict=False)


events.not_finite.append(_not_finite)


def locate(root) -> GradientError | None:
    """The error for a loss that is not finite: the first operation whose inputs are finite and output is not."""
    return _explain(root, root._array.item(), strict=True)


def _say(strict, code, fact, why, fix, cause, site, **evidence):
    """The error, or the finding as a warning."""
    if strict:
        return GradientError(fact, why=why, fix=fix, code=code, cause=cause)
    found(code, saw=fact, why=why, fix=fix, cause=cause, level="W", at=site, **evidence)
    return None


class Context:
    """The user's line at backward(), and what stands there."""

    def __init__(self):
        frame = user_frame(sys._getframe(1))
        self.site = Site(frame.f_code, frame.f_lasti) if frame is not None else None
        self.root: Root | None = root_at(self.site, frame) if self.site is not None else None
        self.name = self.root.name if self.root is not None else "the loss"

    def spot(self, node, nodes: list) -> Spot | None:
        """Where in the source the operation of a node stands."""
        op = getattr(getattr(node, "op", None), "name", "") or type(node).__name__.removesuffix("Backward")
        if self.root is None:
            return None
        only = spot_of(self.root, op)
        if only is not None:
            return only
        every = sorted(
            spots(self.root, op), key=lambda s: (s.step.site().file, s.line, getattr(s.node, "col_offset", 0))
        )
        same = sorted((n for n in nodes if getattr(getattr(n, "op", None), "name", "") == op), key=lambda n: n.seq)
        files = {s.step.scope.source.code for s in every}
        if len(every) == len(same) and len(files) == 1 and node in same:
            return every[same.index(node)]
        return None


def _explain(root, value, strict):
    try:
        c = culprit(root)
    except Exception:  # an unusual node: say what is certain
        c = None
    here = Context()
    if c is None:
        return _say(
            strict,
            "FB-NUM-01",
            f"`{here.name}` is {value}",
            "the operation that it began at is not known: the graph does not keep its values",
            "stop at the first one: `with torch.autograd.detect_anomaly(): ...`",
            "unknown",
            here.site,
        )
    if c.node is None:
        return _came_in(c, here, value, strict)
    spot = here.spot(c.node, events.graph([root]))
    return _nothing(c, spot, here, value, strict) or _half(c, spot, here, value, strict) or _domain(
        c, spot, here, value, strict
    )  # fmt: skip


SAID = object()  # a warning was given, or is not due


def _told(error):
    return error if error is not None else SAID


def _came_in(c: Culprit, here, value, strict):
    """A leaf that is not finite: the data (FB-DATA-04 says so), or weights that an earlier step has destroyed."""
    leaf = c.leaf
    if hasattr(leaf, "_array") and leaf._rg:
        calm = abs(log.loss) < 1e6
        if (seen("FB-NUM-01", "FB-NUM-02", "FB-OPT-03", "FB-INIT-02", "FB-DATA-04", "FB-LOOP-08") or not calm) and (
            not strict
        ):
            return None
        name = name_of(leaf)
        return _say(
            strict,
            "FB-NUM-02",
            f"`{here.name}` is {value}: `{name}` is not finite since the last optimizer step",
            "the loss was finite then, so its gradient was not",
            "find the operation: run the training under `flambeau.doctor.watch()`, which stops at the first such step",
            "weights",
            here.site,
        )
    if seen("FB-DATA-04") and not strict:
        return None
    array = leaf._array if hasattr(leaf, "_array") else leaf
    bad = int((~np.isfinite(array)).sum())
    name = name_of(leaf) if hasattr(leaf, "_array") else "an input"
    return _say(
        strict,
        "FB-NUM-01" if strict else "FB-DATA-04",
        f"`{here.name}` is {value}: {name} has {bad} of {array.size} values that are not finite",
        "NaN and inf in the data spread to the loss, and from there to all weights",
        "look at the data: `torch.isfinite(x).all()`; leave such rows out, or fill them in",
        "input",
        here.site,
    )


def _nothing(c, spot, here, value, strict):
    """FB-NUM-03: a reduction over nothing."""
    x = c.inputs[0] if c.inputs else None
    line = spot.line if spot is not None else 0
    site = spot.site if spot is not None else here.site
    if c.op in ("softmax", "log_softmax"):
        axis = c.options.get("axis", c.options.get("dim", -1))
        if x is not None:
            rows = np.isneginf(x).all(axis)
        elif c.output is not None:
            rows = np.isnan(c.output).all(axis)
        if (x is None and c.output is None) or not rows.any():
            return None
        count, first = int(rows.sum()), int(np.flatnonzero(rows.reshape(-1))[0])
        text = _bounded(spot) if spot is not None else ""
        return _told(_say(
            strict, "FB-NUM-03",
            f"{count} of {rows.size} rows of the {c.op} on line {line} are masked completely (the first: row {first}), "
            f"so they are NaN, and `{here.name}` too" if line else
            f"{count} of {rows.size} rows of a {c.op} are masked completely (the first: row {first}), so they are NaN, "
            f"and `{here.name}` too",
            "softmax over nothing but -inf divides 0 by 0",
            f"keep at least one position in each row, or mask with a large finite number: `{text}`" if text else
            "keep at least one position in each row, or mask with a large finite number: `masked_fill(mask, -1e9)`",
            "masked-row", site, rows=count,
        ))  # fmt: skip
    if not isinstance(x, np.ndarray):
        return None
    if c.op in ("cross_entropy_loss", "nll_loss") and len(c.inputs) > 1 and c.inputs[1] is not None:
        ignored = c.options.get("ignore_index", -100)
        target = c.inputs[1]
        if target.dtype.kind == "i" and target.size and (target == ignored).all():
            return _told(_say(
                strict, "FB-NUM-03",
                f"all {target.size} targets are ignore_index={ignored}, so `{here.name}` is the mean of nothing: NaN",
                "the mean divides by the number of targets that count, and there are none",
                "leave such batches out: `if (target != "
                f"{ignored}).any(): ...`, or divide a sum: `F.cross_entropy(scores, target, reduction='sum') / "
                f"max((target != {ignored}).sum(), 1)`",
                "ignored-targets", site,
            ))  # fmt: skip
    if x.size == 0:
        return _told(_say(
            strict, "FB-NUM-03",
            f"{c.op} (line {line}) takes the mean of a tensor of shape {x.shape}, without elements: NaN" if line else
            f"{c.op} takes the mean of a tensor of shape {x.shape}, without elements: NaN",
            "a mean divides by the number of elements",
            "leave empty selections out: `if x.numel(): ...`, or divide the sum: `x.sum() / max(x.numel(), 1)`",
            "empty", site,
        ))  # fmt: skip
    if c.op in ("std", "var", "std_mean", "var_mean"):
        axes = c.options.get("axes")
        count = int(np.prod([x.shape[i] for i in axes])) if axes is not None else x.size
        if count - c.options.get("correction", 1) <= 0:
            return _told(_say(
                strict, "FB-NUM-03",
                f"the {c.op} on line {line} is taken of {count} value: NaN" if line else
                f"a {c.op} is taken of {count} value: NaN",
                "it divides by the number of values less one",
                f"use `correction=0`, or leave `{c.op}` out where there is one value only",
                "one-value", site,
            ))  # fmt: skip
    return None


def _bounded(spot) -> str:
    """The source of a softmax whose mask is a large finite number; "" where it has no mask of its own."""
    text = re.sub(r"float\(['\"]-inf['\"]\)|-float\(['\"]inf['\"]\)|-(torch|math|np|numpy)\.inf", "-1e9", spot.text)
    return "" if text == spot.text else text


def _half(c, spot, here, value, strict):
    """FB-NUM-04: the range of float16."""
    out = c.output
    if not strict and seen("FB-NUM-04"):
        return SAID
    if not (isinstance(out, np.ndarray) and out.dtype == np.float16) or has_nan(out):
        return None
    known = [a for a in c.inputs if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if not known or not all(map(finite, known)):
        return None
    line = spot.line if spot is not None else 0
    return _told(_say(
        strict, "FB-NUM-04",
        f"{c.op} (line {line}) of float16 values is above the float16 maximum 65504, so `{here.name}` is {value}"
        if line else
        f"{c.op} of float16 values is above the float16 maximum 65504, so `{here.name}` is {value}",
        "float16 ends at 65504, however large the values are in float32",
        "compute it in float32, such as `x.float()` or `x.sum(dtype=torch.float32)`, or use bfloat16",
        "overflow", spot.site if spot is not None else here.site,
    ))  # fmt: skip


# What an operation does not take: (operation, input number) -> (test, cause).
def _zero(x):
    return x == 0


def _negative(x):
    return x < 0


DOMAINS: dict[str, list] = {
    "log": [(0, _zero, "log0", 0), (0, _negative, "log-neg", 0)],
    "log2": [(0, _zero, "log0", 0), (0, _negative, "log-neg", 0)],
    "log10": [(0, _zero, "log0", 0), (0, _negative, "log-neg", 0)],
    "log1p": [(0, lambda x: x == -1, "log0", -1), (0, lambda x: x < -1, "log-neg", -1)],
    "xlogy": [(1, _zero, "log0", 0), (1, _negative, "log-neg", 0)],
    "logit": [(0, lambda x: (x <= 0) | (x >= 1), "log0", 0)],
    "div": [(1, _zero, "div0", 0)],
    "reciprocal": [(0, _zero, "div0", 0)],
    "rsqrt": [(0, _zero, "div0", 0), (0, _negative, "sqrt-neg", 0)],
    "sqrt": [(0, _negative, "sqrt-neg", 0)],
    "acos": [(0, lambda x: abs(x) > 1, "domain", 1)],
    "asin": [(0, lambda x: abs(x) > 1, "domain", 1)],
    "atanh": [(0, lambda x: abs(x) >= 1, "domain", 1)],
    "acosh": [(0, lambda x: x < 1, "domain", 1)],
}
EXPONENTIALS = {"exp", "exp2", "expm1", "sinh", "cosh"}


def _domain(c, spot, here, value, strict):
    """FB-NUM-01: what an operation was given that it has no finite result for."""
    line = spot.line if spot is not None else 0
    site = spot.site if spot is not None else here.site
    for position, test, cause, _ in DOMAINS.get(c.op, ()):
        x = c.inputs[position] if position < len(c.inputs) else None
        if isinstance(x, np.ndarray) and x.dtype.kind == "f" and (bad := test(x)).any():
            return _told(_received(c, spot, here, value, strict, cause, x, bad, position))
    x = c.inputs[0] if c.inputs else None
    if c.op == "pow" and isinstance(x, np.ndarray):
        return _told(_power(c, spot, here, value, strict, x))
    if c.op in EXPONENTIALS and isinstance(x, np.ndarray):
        bad = x > LIMIT.get(x.dtype.name, 88.72) * (1.45 if c.op == "exp2" else 1)
        if bad.any():
            if not strict and seen("FB-OPT-03", "FB-INIT-02", "FB-DATA-02"):
                return SAID
            return _told(_received(c, spot, here, value, strict, "exp-overflow", x, bad, 0))
    known = [a for a in c.inputs if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size]
    largest = max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in known), default=0.0)
    if not strict and (seen("FB-OPT-03", "FB-INIT-02", "FB-LOOP-08", "FB-DATA-02", "FB-DATA-04")
                       or (largest > HUGE and log.steps > 0)):  # fmt: skip
        return SAID  # training had diverged before: other rules say why
    return _told(_say(
        strict, "FB-NUM-01",
        f"`{here.name}` is {value}: {c.op} (line {line}) is the first operation whose inputs are finite and whose "
        f"output is not; its inputs reach {largest:.4g}" if line else
        f"`{here.name}` is {value}: {c.op} is the first operation whose inputs are finite and whose output is not; "
        f"its inputs reach {largest:.4g}",
        "the result is beyond what its dtype can hold",
        "keep the values small: normalise the inputs, use a smaller learning rate, or initialise with smaller weights",
        "overflow", site, largest=largest,
    ))  # fmt: skip


def _received(c, spot, here, value, strict, cause, x, bad, position):
    offending = float(x[bad].max() if cause == "exp-overflow" else x[bad].min() if "neg" in cause else x[bad].flat[0])
    count = int(bad.sum())
    site = spot.site if spot is not None else here.site
    shown = f"{offending:.4g}"
    operand = operand_of(spot, position)
    what = ast.unparse(operand) if operand is not None else "its input"
    why, fix = _cure(c, spot, operand, cause, position)
    return _say(
        strict,
        "FB-NUM-01",
        f"`{here.name}` is {value}: {c.op} (line {spot.line}) received {shown} in {count} of {x.size} values of "
        f"`{what}`"
        if spot is not None
        else f"`{here.name}` is {value}: {c.op} received {shown} in {count} of {x.size} values",
        why,
        fix,
        cause,
        site,
        value=offending,
        count=count,
    )


def _cure(c, spot, operand, cause, position):
    """(reason, remedy) for a cause."""
    maker = ""
    edge = c.node.edges[position] if position < len(c.node.edges) else None
    if edge is not None and edge[1] != -1:
        maker = getattr(getattr(edge[0], "op", None), "name", "")
    if cause == "log0" and maker == "softmax":
        return (
            "a softmax gives exactly 0 where a score is about 104 or more below the largest one, and log(0) is -inf",
            "use `F.log_softmax(scores, dim)`, or `F.cross_entropy(scores, target)`, in place of log(softmax(scores))",
        )
    if cause == "log0" and maker == "sigmoid":
        return (
            "a sigmoid gives exactly 0 or 1 for large scores, and log(0) is -inf",
            "use `F.logsigmoid(scores)`, or `F.binary_cross_entropy_with_logits(scores, target)`",
        )
    if cause == "log0":
        better = replaced(spot, operand, "{}.clamp(min=1e-08)")
        return "log(0) is -inf", f"keep it above 0: `{better}`" if better else "keep it above 0: `x.clamp(min=1e-8)`"
    if cause == "log-neg":
        better = replaced(spot, operand, "{}.clamp(min=1e-08)")
        return (
            "the logarithm of a negative number is NaN",
            f"make sure that it is positive, for example `{better}`" if better else "make sure that it is positive",
        )
    if cause == "div0":
        better = replaced(spot, operand, "({} + 1e-08)")
        return (
            "a division by 0 gives inf, and 0 / 0 gives NaN",
            f"keep it away from 0: `{better}`" if better else "keep it away from 0: `x / (y + 1e-8)`",
        )
    if cause == "sqrt-neg":
        better = replaced(spot, operand, "{}.clamp(min=1e-08)")
        return (
            "the root of a negative number is NaN; rounding makes small negative numbers of what should be 0",
            f"keep it positive: `{better}`" if better else "keep it positive: `x.clamp(min=1e-8)`",
        )
    if cause == "exp-overflow":
        better = replaced(spot, operand, "{}.clamp(max=80)")
        return (
            "exp() of more than 88.7 is above the largest float32",
            f"bound it, `{better}`, or use a function that is stable: `torch.logsumexp`, `F.softmax`, `F.softplus`"
            if better
            else "bound it, `x.clamp(max=80)`, or use a function that is stable: `torch.logsumexp`, `F.softplus`",
        )
    better = replaced(spot, operand, "{}.clamp(-0.999999, 0.999999)")
    return (
        "the function is not defined there",
        f"keep it inside: `{better}`" if better else "keep it inside: `x.clamp(-0.999999, 0.999999)`",
    )


def _power(c, spot, here, value, strict, x):
    e = c.inputs[1] if len(c.inputs) > 1 else None
    e = np.asarray(np.nan if e is None else e)
    negative, zero = (x < 0) & (e != np.trunc(e)), (x == 0) & (e < 0)
    bad = negative if negative.any() else zero if zero.any() else np.abs(x) >= np.abs(x).max()
    largest = float(np.abs(x).max())
    if not negative.any() and not zero.any() and not strict:
        if seen("FB-OPT-03", "FB-INIT-02", "FB-LOOP-08") or (largest > 1e9 and log.steps > 0):
            return None
    operand = operand_of(spot, 0)
    better = replaced(spot, operand, "{}.clamp(min=1e-08)")
    shown, count = f"{float(x[bad].flat[0]):.4g}", int(bad.sum())
    return _say(
        strict,
        "FB-NUM-01",
        f"`{here.name}` is {value}: pow (line {spot.line}) received {shown} in {count} of {x.size} values"
        if spot is not None
        else f"`{here.name}` is {value}: pow received {shown} in {count} of {x.size} values",
        "a fraction as the power of a negative number is NaN"
        if negative.any()
        else "a negative power of 0 is inf"
        if zero.any()
        else "the power is beyond what its dtype can hold",
        f"keep the base positive: `{better}`"
        if better and (negative.any() or zero.any())
        else "keep the base small, or compute with logarithms",
        "pow",
        spot.site if spot is not None else here.site,
    )


class _Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        if node is self.old or (ast.dump(node) == ast.dump(self.old) and not isinstance(node, ast.Constant)):
            return self.new
        return super().generic_visit(node)


def replaced(spot: Spot | None, operand: ast.expr | None, form: str) -> str:
    """The source of an operation with another operand: `{}.clamp(min=1e-8)` of it; "" if there is no source."""
    if spot is None or operand is None:
        return ""
    text = ast.unparse(operand)
    simple = isinstance(operand, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) or form.startswith("(")
    new = ast.parse(form.format(text if simple else f"({text})"), mode="eval").body
    return ast.unparse(ast.fix_missing_locations(_Replace(operand, new).visit(copy.deepcopy(spot.node))))


# ---------------------------------------------------------------------- FB-NUM-02: the gradient


class Witness:
    """Looks at what each node of a backward pass gives, and remembers the first that is not finite."""

    def __init__(self):
        self.node: Any = None
        self.inputs: list = []
        self.made = self.came = None

    def __call__(self, node, g, given):
        if self.node is not None:
            return
        for d in given:
            if d is not None and not finite(d._array):
                arrived = [x._array for x in (g if isinstance(g, (list, tuple)) else [g]) if x is not None]
                if all(map(finite, arrived)):
                    self.node, self.made, self.came = node, d._array, arrived[0] if arrived else None
                    saved = getattr(node, "saved", None) or {}
                    self.inputs = [(key, kept[0]._array) for key, kept in saved.items() if hasattr(kept[0], "_array")]
                return


def witness(roots) -> Witness | None:
    """Who looks on in this backward pass: in the first passes, then in one of 64."""
    if (log.deep > 0 or log.backwards & 63 == 0) and not log.scaled:
        if finite(roots[0]._array):
            log.witness = Witness()
            return log.witness
    log.witness = None
    return None


def check_gradients(roots, leaves):
    """After a backward pass that was looked at: say which operation's gradient is not finite."""
    w = log.witness
    if w is None or any(x.stop_at_nan for x in log.watches):
        return
    bad = next((t for t in leaves if t._grad is not None and not finite(t._grad._array)), None)
    if bad is not None:
        _explain_gradient(roots, bad, w, strict=False)


def locate_backward(roots, leaf) -> GradientError | None:
    """The error for a gradient that is not finite although the loss is, after the backward pass that gave it.

    Where nobody looked on in that pass, it is gone through again, if the graph was kept for it (`log.kept`).
    """
    w = log.witness
    if w is None and log.kept is not None:
        from ..autograd.engine import run

        w = log.witness = Witness()
        kept, seeds = log.kept
        run(kept, seeds, True, False, targets=[leaf], check=w)
    if w is None:
        return None
    if w.node is None:
        return GradientError(
            f"the gradient of {name_of(leaf)} is not finite, although the loss is",
            why="no operation of this pass gave it: it was there before, or a hook or a custom Function made it",
            fix="clear the gradients before backward(): `optimizer.zero_grad()`",
            code="FB-NUM-02",
            cause="unknown",
        )
    return _explain_gradient(roots, leaf, w, strict=True)


STEEP = {
    "sqrt",
    "pow",
    "linalg_vector_norm",
    "log",
    "div",
    "acos",
    "asin",
    "std",
    "var",
    "reciprocal",
    "rsqrt",
    "atanh",
}


def _explain_gradient(roots, leaf, w, strict):
    here = Context()
    node = w.node
    op = getattr(getattr(node, "op", None), "name", "") or type(node).__name__.removesuffix("Backward")
    spot = here.spot(node, events.graph(roots))
    bad = ~np.isfinite(w.made)
    count, total = int(bad.sum()), w.made.size
    shape = w.made.shape
    x = next((a for key, a in w.inputs if key >= 0 and a.shape == shape), None)
    if op == "div" and len(w.inputs) > 1:
        x = next((a for key, a in w.inputs if key == 1), x)
    if x is None:
        x = next((a for _, a in w.inputs if a.shape == shape), None)
    at = 0.0
    if x is not None:
        where = np.broadcast_to(x, shape)[bad] if x.ndim <= len(shape) and x.size in (1, total) else x.reshape(-1)
        at = float(where.flat[0])
    masked = bool(np.isnan(w.made).any()) and w.came is not None and bool((w.came == 0).any())
    operand = operand_of(spot, 1 if op == "div" else 0)
    better = replaced(spot, operand, "({} + 1e-08)")
    if op in ("acos", "asin", "atanh"):
        better = replaced(spot, operand, "{}.clamp(-0.999999, 0.999999)")
    name, line, shown = name_of(leaf), spot.line if spot is not None else 0, f"{at:.4g}"
    return _say(
        strict,
        "FB-NUM-02",
        f"`{here.name}` is finite, but the gradient of {name} is not: that of {op} (line {line}) at {shown} is "
        f"infinite ({count} of {total} elements)"
        if line
        else f"`{here.name}` is finite, but the gradient of {name} is not: that of {op} at {shown} is infinite "
        f"({count} of {total} elements)",
        "a later where() or mask multiplies the infinite slope by 0, and 0 * inf is NaN"
        if masked
        else "the slope of the function is infinite there",
        f"keep away from that point: `{better}`; in an unused branch of where(), put a harmless value in first: "
        "`torch.where(used, x, 1.0)`"
        if better
        else "keep away from that point by adding a small number, such as `(x + 1e-8)`",
        "where-branch" if masked else op if op in STEEP else "slope",
        spot.site if spot is not None else here.site,
        count=count,
    )


# ---------------------------------------------------------------------- FB-NUM-03 and 04: without a backward pass


def shown(t):
    """A tensor is printed: rows of a softmax that are NaN are seen by the user now."""
    a = t._array
    if a.__class__ is not np.ndarray or not has_nan(a):
        return
    of = origin(t)
    if of.kind not in ("softmax", "log_softmax") or of.moved:
        return
    rows = np.isnan(a).all(-1)
    if not rows.any():
        return
    site = of.site or user_site()
    name = _assigned(site) or "weights"
    found(
        "FB-NUM-03",
        saw=f"{int(rows.sum())} of {rows.size} rows of a {of.kind} are NaN: they are masked completely",
        why="softmax over nothing but -inf divides 0 by 0",
        fix=f"keep at least one position in each row, or set such rows to 0: `{name} = torch.nan_to_num({name})`",
        cause="masked-row",
        level="W",
        at=site,
    )


def _assigned(site) -> str:
    """The variable that the statement at a place gives its value."""
    source = source_of(site.code) if site is not None else None
    order = source.at(site.line) if source is not None else -1
    targets = getattr(source.statements[order][0], "targets", []) if source is not None and order >= 0 else []
    return dotted(targets[0]) if targets else ""


def overflowed(a, axes):
    """A sum of float16 values is not finite."""
    if log.scaled or not finite(a):
        return
    total = np.add.reduce(a, axes, np.float64)
    largest = float(np.abs(total).max())
    count = a.size // max(np.size(total), 1)
    site = user_site()
    given = site.operands() if site is not None else []
    name = given[0] if given and given[0].isidentifier() else f"({given[0]})" if given else "x"
    found(
        "FB-NUM-04",
        saw=f"the sum of {count} float16 values is {largest:.6g}, above the float16 maximum 65504: inf",
        why="float16 ends at 65504; the sum itself is computed in float32, and does not fit when it is stored",
        fix=f"sum in float32: `{name}.sum(dtype=torch.float32)`, or use bfloat16",
        cause="overflow",
        level="W",
        at=site,
    )


# ---------------------------------------------------------------------- FB-NUM-04: an optimizer over float16


def check_eps(optimizer, state):
    """An optimizer over float16 parameters whose eps is 0 in float16."""
    eps = optimizer.defaults.get("eps")
    if not isinstance(eps, float) or not 0 < eps < 6e-8:
        return
    half = [p for g in optimizer.param_groups for p in g["params"] if p._array.dtype == np.float16]
    if half:
        kind = type(optimizer).__name__
        found(
            "FB-NUM-04",
            saw=f"{kind} with eps={eps:g} holds {len(half)} float16 parameters, and {eps:g} is 0 in float16",
            why="eps keeps the division of the update from dividing by 0; the smallest float16 is 6e-8",
            fix=f"use `eps=1e-4`, or keep the parameters in float32 and compute under `torch.autocast`: `{kind}(..., "
            "eps=1e-4)`",
            cause="eps",
            level="W",
            at=user_site(),
        )


events.optimizer_made.append(check_eps)
