"""FB-NUM-01: operations that have no finite result for what they were given: log(0), x / 0, exp(100), (-1) ** 0.5."""

from __future__ import annotations

import ast

import numpy as np

from .blame import SAID, replaced, say, told
from .findings import seen
from .inplace import operand_of
from .log import log

HUGE = 1e15  # finite values beyond this say that training had diverged before
LIMIT = {"float32": 88.72, "float64": 709.78, "float16": 11.09}  # of exp


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


def outside(c, spot, here, value, strict):
    """FB-NUM-01: what an operation was given that it has no finite result for."""
    line = spot.line if spot is not None else 0
    site = spot.site if spot is not None else here.site
    for position, test, cause, _ in DOMAINS.get(c.op, ()):
        x = c.inputs[position] if position < len(c.inputs) else None
        if isinstance(x, np.ndarray) and x.dtype.kind == "f" and (bad := test(x)).any():
            return told(_received(c, spot, here, value, strict, cause, x, bad, position))
    x = c.inputs[0] if c.inputs else None
    if c.op == "pow" and isinstance(x, np.ndarray):
        return told(_power(c, spot, here, value, strict, x))
    if c.op in EXPONENTIALS and isinstance(x, np.ndarray):
        bad = x > LIMIT.get(x.dtype.name, 88.72) * (1.45 if c.op == "exp2" else 1)
        if bad.any():
            if not strict and seen("FB-OPT-03", "FB-INIT-02", "FB-DATA-02"):
                return SAID
            return told(_received(c, spot, here, value, strict, "exp-overflow", x, bad, 0))
    known = [a for a in c.inputs if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size]
    largest = max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in known), default=0.0)
    if not strict and (seen("FB-OPT-03", "FB-INIT-02", "FB-LOOP-08", "FB-DATA-02", "FB-DATA-04")
                       or (largest > HUGE and log.steps > 0)):  # fmt: skip
        return SAID  # training had diverged before: other rules say why
    return told(say(
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
    return say(
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
    return say(
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
