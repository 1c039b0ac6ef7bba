"""What an optimizer holds and how far it moves: FB-OPT-02, 03, 04, 08, 09, and minus before the loss (FB-LOOP-08)."""

from __future__ import annotations

import math
import sys
import weakref
from typing import Any

import numpy as np

from ..place import foreign, user_frame
from . import events, follow, registry
from .codes import LIMITS
from .findings import found, seen
from .follow import Follow, print_of
from .log import log
from .sites import user_site

SAMPLE = 1024  # elements of a weight that are looked at
USUAL = {
    "SGD": (1e-3, 1e-1), "ASGD": (1e-3, 1e-1), "Adagrad": (1e-3, 1e-1), "Adadelta": (1e-1, 1.0), "LBFGS": (1e-1, 1.0),
    "Rprop": (1e-3, 1e-1), "Muon": (1e-3, 1e-1),
}  # fmt: skip
USUAL_ELSE = (1e-4, 1e-2)  # Adam and its kind


# ------------------------------------------------------------------ FB-OPT-02: the optimizer and the model disagree


def _owned(optimizer, state) -> None:
    for group in optimizer.param_groups:
        for p in group["params"]:
            p._fb_owned = True  # it has been in an optimizer: left out of a later one on purpose


def _strays(roots, leaves) -> None:
    """After a backward pass: parameters that got a gradient, and that no optimizer holds or has ever held."""
    held = log.notes.setdefault("strays", {})
    for t in leaves:
        if not hasattr(t, "_fb_owned") and type(t).__name__ != "Tensor" and t._grad is not None:
            held.setdefault(id(t), (weakref.ref(t), print_of(t._array)))


def _disagrees(f: Follow) -> None:
    """Before the first steps: the same strays twice, unchanged in between?"""
    if f.state.steps > 3 or f.state.closure:
        return
    strays = log.notes.pop("strays", {})
    before, f.notes["strays"] = f.notes.get("strays", {}), strays
    same = []
    for key, (reference, mark) in strays.items():
        t = reference()
        if t is not None and not hasattr(t, "_fb_owned") and key in before and before[key][0]() is t:
            if before[key][1] == mark == print_of(t._array):
                same.append(t)
    if not same or seen("FB-MOD-01", "FB-MOD-02", "FB-MOD-03", "FB-GRAD-04"):
        return
    stale = f.total == 0
    places = [(root, name, t) for t in same for root, name in [registry.owner(t)] if root is not None]
    if not places or f.notes.get("said"):
        return
    f.notes["said"] = True
    root = places[0][0]
    level = "H" if not stale and (log.loaded or not root.training) else "W"
    model = follow.name_of(root, type(root).__name__)
    names = ", ".join(f"{model}.{name}" for r, name, _ in places[:3] if r is root)
    if stale:
        found(
            "FB-OPT-02",
            cause="stale",
            level=level,
            saw=f"the gradients went to the {len(places)} parameters of `{model}`, but `{f.name}` ({f.kind}) holds "
            f"{len(f.params)} other ones, which got none in 2 steps",
            why=f"`{model}` was made again, or is another model, after `{f.name}`: nothing that is used gets updated",
            fix=f"make it after the final model: `{f.name} = optim.{f.kind}({model}.parameters(), lr={_rate(f):g})`",
            at=f.made,
        )
    else:
        found(
            "FB-OPT-02",
            cause="missing",
            level=level,
            saw=f"{len(places)} parameters ({names}) get gradients, but no optimizer holds them: 2 steps of `{f.name}` "
            f"({f.kind}) have not changed them",
            why="an optimizer updates only the parameters that it was given",
            fix=f"give it all of them, such as `{model}.parameters()`, or freeze those: `p.requires_grad_(False)`",
            at=f.made,
        )


def _rate(f: Follow) -> float:
    return _number(f.optimizer.param_groups[0]["lr"])


def _number(value) -> float:
    """An option as a number: a tensor is read without its methods, which would be events themselves."""
    return float(getattr(value, "_array", value))


# ------------------------------------------------------------------ what is sampled while an optimizer is young


def _weights(f: Follow) -> list:
    """The weights to look at: up to 8 matrices, or whatever there is if there are none."""
    params = [p for p in f.params if type(p._array) is np.ndarray and p._array.dtype.char in "fd" and p._rg]
    matrices = [p for p in params if p._array.ndim >= 2] or params
    return matrices if len(matrices) <= 8 else [*matrices[:4], *matrices[-4:]]


def _sample(array: np.ndarray) -> np.ndarray:
    return array.flat[:: max(1, array.size // SAMPLE)].astype(np.float64)


def _norm(array: np.ndarray) -> float:
    return math.sqrt(array.dot(array))


def _before(f: Follow) -> None:
    """Before a step: samples of the weights."""
    f.notes["weights"] = [(p, _sample(p._array)) for p in _weights(f)]
    _shrinks(f)


def _after(f: Follow) -> None:
    """After a step: by how much of their size the weights have moved."""
    ratios = []
    for p, old in f.notes.pop("weights", ()):
        size = _norm(old)
        if size > 0 and math.isfinite(size):
            moved = _norm(_sample(p._array) - old)
            if math.isfinite(moved):
                ratios.append((moved / size, weakref.ref(p)))
    f.notes.setdefault("ratios", []).append(max(ratios, key=lambda r: r[0]) if ratios else (0.0, None))


def _losses(f: Follow, roots, leaves) -> None:
    """After a backward pass: the loss it began with."""
    a = roots[0]._array
    if a.size != 1 or type(a) is not np.ndarray or a.dtype.kind != "f" or f.backward_site is None:
        return
    series = f.notes.setdefault("losses", {}).setdefault(f.backward_site.key, [])
    series.append(float(a.item()))
    _blows_up(f, series)


# ------------------------------------------------------------------ FB-OPT-03, 04: learning rate too high, too low


_CAUSES = ("FB-DATA-02", "FB-DATA-04", "FB-LOOP-01", "FB-LOOP-08", "FB-INIT-02", "FB-INIT-04", "FB-NUM-01", "FB-NUM-02")


def _blows_up(f: Follow, series: list) -> None:
    """The loss is far above where it began, and the step before moved the weights a lot."""
    limits, now, first = LIMITS["FB-OPT-03"], series[-1], series[0]
    ratios = f.notes.get("ratios")
    if not ratios or len(series) < 2 or not math.isfinite(first) or first <= 0 or f.notes.get("blown"):
        return
    high = limits["loss"] * first * (1 if f.notes.get("an error") else 100)  # other objectives may grow by themselves
    if math.isfinite(now) and now <= high:
        return
    ratio, param = max(ratios[-3:], key=lambda r: r[0])
    certain = (series[-2] > high or ratio > 1) if not math.isfinite(now) else series[-2] > high
    if not certain or ratio <= limits["ratio"]:
        return
    options = f.optimizer.param_groups[0]
    lr = _rate(f)
    if seen(*_CAUSES) or not f.alone or options.get("maximize") or lr > _number(options.get("initial_lr", lr)) * 1.01:
        return
    if any(uses > 1 for uses in f.notes.get("uses", {}).values()):
        return  # gradients add up: that is the cause
    f.notes["blown"] = True
    finite = [v for v in series if math.isfinite(v)]
    low, top = USUAL.get(f.kind, USUAL_ELSE)
    steps = len(finite) - 1
    better = min(top, max(low, 10 ** round(math.log10(lr * 0.01 / (ratios[0][0] or ratio))))) if lr > low else lr / 10
    better = better if better < lr else lr / 10
    t = param() if param is not None else None
    found(
        "FB-OPT-03",
        saw=f"the loss went from {first:.3g} to {finite[-1]:.3g} in {steps} steps, and `{registry.name_of(t)}` moved "
        f"by {ratio:.2g} times its own size in one step"
        if t is not None
        else f"the loss went from {first:.3g} to {finite[-1]:.3g} in {steps} steps",
        why=f"lr={lr:g} is too high for {f.kind} here: each step overshoots the minimum by more than the one before",
        fix=f"use `lr={better:g}` (usual for {f.kind}: {low:g} to {top:g})",
        at=f.made,
        first=first,
        last=finite[-1],
        ratio=ratio,
    )


def _hardly_moves(f: Follow) -> None:
    """At the end of the window: did anything move?"""
    limits, ratios = LIMITS["FB-OPT-04"], [r for r, _ in f.notes.get("ratios", ())]
    series: list[float] = max(f.notes.get("losses", {}).values(), key=len, default=[])
    if len(ratios) < 40 or len(series) < 40 or any(s is not None and s.optimizer is f.optimizer for s in _schedulers()):
        return
    median = sorted(ratios)[len(ratios) // 2]
    change = abs(np.mean(series[-5:]) - np.mean(series[:5]))
    noise = 2 * float(np.std(series)) / math.sqrt(len(series) / 10)  # of batches that differ
    flat = change < max(float(limits["loss"] * abs(np.mean(series[:5]))), noise)
    lr, (low, top) = _rate(f), USUAL.get(f.kind, USUAL_ELSE)
    if median >= limits["ratio"] or not flat or lr >= low or not any(_alive(p) for p in f.params):
        return
    found(
        "FB-OPT-04",
        saw=f"in {len(ratios)} steps the weights changed by {median:.1g} of their size per step, and the loss stayed "
        f"at {series[-1]:.4g}",
        why=f"lr={lr:g} is far below the usual {low:g} to {top:g} for {f.kind}",
        fix=f"use `lr={math.sqrt(low * top):g}`",
        at=f.made,
    )


def _alive(p) -> bool:
    return p._grad is not None and bool(p._grad._array.any())


def _schedulers() -> list:
    return [r() for r in log.schedulers]


# ------------------------------------------------------------------ FB-OPT-09: weight decay stronger than the data


def _shrinks(f: Follow) -> None:
    """Before a step: do the weights shrink, because decay outweighs the data?"""
    if f.notes.get("shrunk"):
        return
    limits = LIMITS["FB-OPT-09"]
    decay = {}
    for g in f.optimizer.param_groups:
        for p in g["params"]:
            decay[id(p)] = _number(g["lr"]), _number(g.get("weight_decay") or 0.0)
    weights = f.notes["weights"]
    if not any(decay[id(p)][1] for p, _ in weights):
        return
    norms = f.notes.setdefault("norms", {})
    fallen, outweighed, looked = 0, [], 0
    for p, sample in weights:
        lr, wd = decay[id(p)]
        if p._grad is None or not wd or lr * wd < limits["rate"] or p._array.ndim < 2:
            continue
        looked += 1
        series = norms.setdefault(id(p), [])
        series.append(_norm(sample))
        down = all(b <= a * 1.001 for a, b in zip(series, series[1:]))
        if len(series) > 2 and down and series[-1] <= limits["fall"] * series[0]:
            fallen += 1
        decoupled = bool(f.optimizer.param_groups[0].get("decoupled_weight_decay"))
        gradient = _norm(_sample(p._grad._array))
        share = wd * _norm(sample) / (math.sqrt(sample.size) if decoupled else gradient or 1e-30)
        f.notes.setdefault("shares", {}).setdefault(id(p), []).append(share)
        outweighed.append(sorted(f.notes["shares"][id(p)])[len(f.notes["shares"][id(p)]) // 2])
    if not looked or fallen * 2 < looked or sum(s > 1 for s in outweighed) * 2 < looked:
        return
    f.notes["shrunk"] = True
    p, _ = max(weights, key=lambda w: decay[id(w[0])][1])
    lr, wd = decay[id(p)]
    series = norms.get(id(p)) or next(iter(norms.values()))
    found(
        "FB-OPT-09",
        saw=f"weight_decay={wd:g} with lr={lr:g}: in {len(series) - 1} steps the norm of `{registry.name_of(p)}` fell "
        f"from {series[0]:.3g} to {series[-1]:.3g}, and decay was {max(outweighed):.2g} times the data's gradient",
        why="the weights shrink to zero, whatever the data say",
        fix="use `weight_decay=1e-4` (usual: 1e-4 to 1e-2)",
        at=f.made,
    )


# ------------------------------------------------------------------ FB-OPT-08: a new optimizer at every step


def _made_again(optimizer, state) -> None:
    site = state.made
    if site is None or type(optimizer).__name__ == "SGD" and not any(g["momentum"] for g in optimizer.param_groups):
        return
    params = [p for g in optimizer.param_groups for p in g["params"]]
    made = log.notes.setdefault("made", {}).setdefault(site.key, [])
    last = made[-1] if made else None
    same = (
        last is not None and last[1] == [id(p) for p in params] and all(r() is p for r, p in zip(last[3], params[:1]))
    )
    if same and last[0].steps and last[2] != _values(params):  # type: ignore[index]
        same = False  # somebody has set the parameters back since: another run
    if not same:
        made.clear()
    made.append([state, [id(p) for p in params], None, [weakref.ref(p) for p in params[:1]]])


def _values(params) -> list:
    return [print_of(p._array) for p in params[:8]]


def _stepped(f: Follow) -> None:
    """After a step: which number is this optimizer, of those made on one line for the same parameters?"""
    made = log.notes.get("made", {}).get(f.made.key if f.made is not None else None)
    if not made or made[-1][0] is not f.state:
        return
    made[-1][2] = _values(f.params)
    if len(made) < 3 or f.state.steps > 1:
        return
    steps = [entry[0].steps for entry in made[-3:]]
    if not all(steps):
        return
    short = max(steps) <= 2
    found(
        "FB-OPT-08",
        level="W" if short else "H",
        saw=f"{f.kind} was made {len(made)} times on this line for the same parameters, and stepped {steps[0]} times "
        "before the next one was made",
        why="what it remembers of the gradients (moments, momentum) starts at zero each time",
        fix=f"make `{f.name}` once, before the loop",
        at=f.made,
    )


# ------------------------------------------------------------------ FB-LOOP-08 (sign): minus before the loss

_NEVER_NEGATIVE = {
    "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "cross_entropy_loss", "nll_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "multi_margin_loss", "ctc_loss",
}  # fmt: skip
_NAMES = {"cross_entropy_loss": "cross_entropy", "pow": "(...) ** 2", "square": "square(...)", "abs": "abs(...)"}
_AS_IT_IS = {"mean", "sum", "view", "reshape", "squeeze", "squeeze_dim", "unsqueeze", "to", "clone", "select"}


def _terms(node, sign: int, found_: list, depth: int = 0) -> None:
    """The losses that a sum consists of: (name, sign; 0 if a factor of unknown sign stands before it), or ("", 0)."""
    op = getattr(node, "op", None)
    name = getattr(op, "name", "")
    edges = node.edges
    inner = [(i, e[0]) for i, e in enumerate(edges) if e is not None and e[1] != -1]
    if name in _NEVER_NEGATIVE or _is_error(name, inner):
        found_.append((name, sign))
    elif depth > 12 or not inner or any(e is not None and e[1] == -1 for e in edges):
        found_.append(("", 0))
    elif name == "neg":
        _terms(inner[0][1], -sign, found_, depth + 1)
    elif name in _AS_IT_IS:
        _terms(inner[0][1], sign, found_, depth + 1)
    elif name in ("mul", "div") and len(inner) == 1 and inner[0][0] == 0 or name == "mul" and len(inner) == 1:
        _terms(inner[0][1], 0, found_, depth + 1)
    elif name in ("add", "sub", "rsub"):
        flip = {"add": (1, 1), "sub": (1, -1), "rsub": (-1, 1)}[name]
        for i, n in inner:
            _terms(n, sign * flip[i], found_, depth + 1)
    else:
        found_.append(("", 0))


def _is_error(name: str, inner: list) -> bool:
    """(prediction - target) squared or absolute: what it is subtracted from takes part in the graph, the target not."""
    if name not in ("pow", "square", "abs") or not inner:
        return False
    below = inner[0][1]
    op = getattr(getattr(below, "op", None), "name", "")
    return op in ("sub", "rsub") and sum(e is not None for e in below.edges) == 1


def _frozen_in_sight() -> bool:
    """Whether a variable of the running code, or an attribute of its `self`, is a module with frozen parameters."""
    from ..nn.modules.module import Module

    kinds: Any = (Module, *foreign)
    frame = user_frame(sys._getframe(1))
    while frame is not None:
        holder = getattr(frame.f_locals.get("self"), "__dict__", {})
        for value in [*frame.f_locals.values(), *frame.f_globals.values(), *holder.values()]:
            if isinstance(value, kinds) and any(not p._rg for p in value.parameters()):
                return True
        frame = frame.f_back
    return False


def _sign_begins(f: Follow, roots) -> None:
    if f.state.steps > 3 or len(roots) != 1 or roots[0]._node is None:
        return
    a = roots[0]._array
    terms: list = []
    if a.size == 1 and type(a) is np.ndarray:
        _terms(roots[0]._node, 1, terms)
    f.notes["an error"] = bool(terms) and all(n for n, _ in terms)
    value = float(a.item()) if a.size == 1 and type(a) is np.ndarray and a.dtype.kind == "f" else 0.0
    negated = terms and all(n and (s < 0 or s == 0 and value < 0) for n, s in terms)
    f.notes["sign"] = (terms[0][0], value) if negated else None


def negated(loss, optimizer) -> None:
    """LOOP-08 before training: a loss that is minus an error."""
    groups = getattr(optimizer, "param_groups", None) or [{}]
    terms: list = []
    if loss._node is not None:
        _terms(loss._node, 1, terms)
    value = float(loss._array.item())
    if terms and all(n and (s < 0 or s == 0 and value < 0) for n, s in terms) and not groups[0].get("maximize"):
        name = _NAMES.get(terms[0][0], terms[0][0])
        found(
            "FB-LOOP-08",
            cause="sign",
            saw=f"the loss is minus `{name}`: {value:.4g}",
            why="an optimizer makes what it is given smaller, so the error grows without limit",
            fix=f"remove the minus before `{name}`; if it is meant, pass `maximize=True` to the optimizer instead",
            place="the loss",
        )


def _sign_ended(f: Follow, roots, leaves) -> None:
    sign = f.notes.pop("sign", None)
    if f.state.steps > 3 or f.notes.get("not negated"):
        return
    others = not f.alone or not all(id(t) in f.ids for t in leaves)
    if sign is None or others or f.optimizer.param_groups[0].get("maximize"):
        f.notes["not negated"] = True
        return
    if f.state.steps < 2 or _frozen_in_sight():
        return  # a frozen model: its input is changed, to mislead it
    f.notes["not negated"] = True
    name = _NAMES.get(sign[0], sign[0])
    loss = user_site().operands()  # type: ignore[union-attr]
    start = loss[0] if loss and len(loss[0]) < 30 else "loss"
    found(
        "FB-LOOP-08",
        cause="sign",
        saw=f"`{start}.backward()` starts from minus `{name}`: {sign[1]:.4g} after {f.state.steps} steps of `{f.name}`",
        why="an optimizer makes what it is given smaller, so the error grows without limit",
        fix=f"remove the minus before `{name}`; if it is meant, pass `maximize=True` to {f.kind} instead of the minus",
    )


events.optimizer_made += [_owned, _made_again]
follow.passed.append(_strays)
follow.backward_begins.append(_sign_begins)
follow.backward_ended += [_sign_ended, _losses]
follow.steps += [_disagrees, _before]
follow.stepped += [_after, _stepped]
follow.done.append(_hardly_moves)
