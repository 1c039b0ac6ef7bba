"""L-BFGS: Newton's direction from the last few gradients, and the line search that goes with it."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np

from ..autograd.mode import enable_grad
from ..errors import ArgumentError, ArgumentTypeError, StateError
from ..tensor import Tensor
from .optimizer import Optimizer
from .rule import as_real, check_lr, plain


def no_closure() -> ArgumentTypeError:
    """The error for a step without the function that computes the loss."""
    return ArgumentTypeError(
        "LBFGS.step() missing 1 required positional argument: 'closure'",
        why="LBFGS evaluates the loss several times in a step, so it has to be told how",
        fix="define a function `closure` that does `optimizer.zero_grad()`, computes the loss, does "
        "`loss.backward()` and returns the loss; then call `optimizer.step(closure)`",
        code="FB-OPT-07",
    )


class LBFGS(Optimizer):
    """L-BFGS (Liu & Nocedal, 1989), for full batches: many evaluations per step, few steps.

    The inverse Hessian is never formed. The last `history_size` pairs of position change s and gradient change y apply
    it to the gradient in the two loops of Nocedal & Wright, algorithm 7.4.

    Arguments:
        params: tensors; one group only.
        lr: step length, or the first one tried in a line search. Default: 1.
        max_iter: iterations per step. Default: 20.
        max_eval: evaluations of the closure per step. Default: max_iter * 5 / 4.
        tolerance_grad: stop when no component of the gradient is larger. Default: 1e-7.
        tolerance_change: stop when position or loss change less. Default: 1e-9.
        history_size: pairs remembered. Default: 100.
        line_search_fn: None, or "strong_wolfe".

    >>> import flambeau as torch
    >>> x = torch.nn.Parameter(torch.tensor([-1.0, 2.0]))
    >>> optimizer = torch.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    ...     loss.backward()
    ...     return loss
    >>> for _ in range(3):
    ...     first = optimizer.step(closure)
    >>> bool(closure() < 1e-6)
    True
    """

    def __init__(
        self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7, tolerance_change=1e-9, history_size=100,
        line_search_fn=None,
    ):  # fmt: skip
        check_lr(lr)
        super().__init__(params, dict(
            lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad, tolerance_change=tolerance_change, history_size=history_size,
            line_search_fn=line_search_fn,
        ))  # fmt: skip
        if len(self.param_groups) != 1:
            raise ArgumentError(
                "LBFGS doesn't support per-parameter options (parameter groups)",
                why="one direction and one step length are found for all parameters together",
                fix="give the parameters as one list: `LBFGS(model.parameters())`",
            )
        self._params = self.param_groups[0]["params"]

    def __setstate__(self, state):
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    # ------------------------------------------------------------------ all parameters as one vector

    def _gradient(self) -> np.ndarray:
        parts = []
        for p in self._params:
            g = np.zeros_like(p._array) if p.grad is None else p.grad._array
            parts.append(as_real(g).reshape(-1))
        return np.concatenate(parts)

    def _move(self, length, direction) -> None:
        start = 0
        for p in self._params:
            array = as_real(p._array)
            array += (length * direction[start : start + array.size]).reshape(array.shape)
            start += array.size
            p._bump()

    def _evaluate_at(self, closure, here, length, direction):
        """Loss and gradient at `here` + length · direction, with the parameters put back."""
        self._move(length, direction)
        loss = float(closure())
        gradient = self._gradient()
        for p, array in zip(self._params, here):
            p._array[...] = array
            p._bump()
        return loss, gradient

    # ------------------------------------------------------------------ one step

    def step(self, closure=None):
        """Iterate until converged or `max_iter`.

        Arguments:
            closure: clears the gradients, computes the loss, calls backward and returns the loss.
        Returns: the loss before the step.
        """

        if closure is None:
            raise no_closure()

        def evaluate():
            with enable_grad():
                return closure()

        options = {name: plain(value) for name, value in self.param_groups[0].items() if name != "params"}
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        first_loss = evaluate()
        loss = float(first_loss)
        evaluations = 1
        state["func_evals"] += 1
        g = self._gradient()
        tolerance = options["tolerance_change"]
        if np.abs(g).max(initial=0.0) <= options["tolerance_grad"]:
            return first_loss

        memory = _Memory.from_state(state, options["history_size"])
        d, length = _array(state.get("d")), state.get("t")
        previous_g, previous_loss = _array(state.get("prev_flat_grad")), state.get("prev_loss")
        for iteration in range(1, options["max_iter"] + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                memory = _Memory(options["history_size"])
                d = -g
                length = min(1.0, 1.0 / float(np.abs(g).sum())) * options["lr"]
            else:
                memory.add(y=g - previous_g, s=d * length)
                d = memory.direction(g)
                length = options["lr"]
            previous_g, previous_loss = g.copy(), loss
            slope = float(g @ d)
            if slope > -tolerance:
                break
            used = 0
            if options["line_search_fn"] is not None:
                if options["line_search_fn"] != "strong_wolfe":
                    raise StateError(
                        "only 'strong_wolfe' is supported",
                        why=f"line_search_fn is {options['line_search_fn']!r}",
                        fix='use `line_search_fn="strong_wolfe"`, or None for a fixed step',
                    )
                here = [p._array.copy() for p in self._params]
                at = lambda t: self._evaluate_at(evaluate, here, t, d)  # noqa: B023
                found, used = strong_wolfe(at, Point(0, loss, g, slope), length, d)
                loss, g, length = found.f, found.g, found.t
                self._move(length, d)
            else:
                self._move(length, d)
                if iteration != options["max_iter"]:  # nothing reads loss and gradient after the last one
                    loss = float(evaluate())
                    g = self._gradient()
                    used = 1
            evaluations += used
            state["func_evals"] += used
            if (
                evaluations >= options["max_eval"]
                or np.abs(g).max() <= options["tolerance_grad"]
                or np.abs(d * length).max() <= tolerance
                or abs(loss - previous_loss) < tolerance
            ):
                break

        memory.into_state(state)
        state["d"], state["t"] = Tensor.wrap(d), length
        state["old_dirs"] = [Tensor.wrap(y) for y in memory.y]
        state["old_stps"] = [Tensor.wrap(s) for s in memory.s]
        state["ro"] = [Tensor.wrap(np.asarray(rho)) for rho in memory.rho]
        state["H_diag"] = memory.scale if memory.scale == 1 else Tensor.wrap(np.asarray(memory.scale))
        state["prev_flat_grad"], state["prev_loss"] = Tensor.wrap(previous_g), previous_loss
        return first_loss


def _array(value):
    return value._array if isinstance(value, Tensor) else value


class _Memory:
    """The last pairs (s, y), and the product of the inverse Hessian they stand for with a vector."""

    def __init__(self, size: int):
        self.size = size
        self.y: list = []
        self.s: list = []
        self.rho: list = []
        self.scale = 1
        self.alpha = None

    @classmethod
    def from_state(cls, state, size):
        memory = cls(size)
        memory.y = [_array(y) for y in state.get("old_dirs") or []]
        memory.s = [_array(s) for s in state.get("old_stps") or []]
        memory.rho = [_array(rho)[()] for rho in state.get("ro") or []]
        scale = _array(state.get("H_diag", 1))
        memory.scale = scale[()] if isinstance(scale, np.ndarray) else scale
        return memory

    def into_state(self, state):
        if self.alpha is not None:
            state["al"] = [Tensor.wrap(np.asarray(a)) for a in self.alpha]
            state["al"] += [None] * (self.size - len(self.alpha))

    def add(self, y, s):
        curvature = y @ s
        if curvature > 1e-10:  # else the Hessian would not be positive definite
            if len(self.y) == self.size:
                del self.y[0], self.s[0], self.rho[0]
            self.y.append(y)
            self.s.append(s)
            self.rho.append(1.0 / curvature)
            self.scale = curvature / (y @ y)

    def direction(self, g):
        q = -g
        n = len(self.y)
        self.alpha = [None] * n
        for i in range(n - 1, -1, -1):
            self.alpha[i] = (self.s[i] @ q) * self.rho[i]
            q = q - self.alpha[i] * self.y[i]
        d = q * self.scale
        for i in range(n):
            d = d + self.s[i] * (self.alpha[i] - (self.y[i] @ d) * self.rho[i])
        return d


class Point(NamedTuple):
    """A step length tried: t, the loss and gradient there, and the slope along the direction."""

    t: float
    f: float
    g: np.ndarray
    slope: float


def strong_wolfe(evaluate, origin: Point, t, d, c1=1e-4, c2=0.9, tolerance=1e-9, most=25):
    """A step length with enough decrease (c1) and a slope near enough to zero (c2).

    Nocedal & Wright, algorithms 3.5 (bracket) and 3.6 (zoom), by cubic interpolation.

    Returns: the point found, and the number of evaluations.
    """

    def try_at(t):
        f, g = evaluate(t)
        return Point(t, f, g, float(g @ d))

    too_high = lambda p: p.f > origin.f + c1 * p.t * origin.slope
    flat = lambda p: abs(p.slope) <= -c2 * origin.slope

    # Go on until the minimum lies between two points.
    previous, point, n = origin, try_at(t), 0
    evaluations = 1
    bracket = None
    while n < most:
        if too_high(point) or (n > 1 and point.f >= previous.f):
            bracket = [previous, point]
        elif flat(point):
            return point, evaluations
        elif point.slope >= 0:
            bracket = [previous, point]
        if bracket:
            break
        bounds = (point.t + 0.01 * (point.t - previous.t), point.t * 10)
        previous, point = point, try_at(cubic_minimum(previous, point, bounds))
        evaluations += 1
        n += 1
    bracket = bracket or [origin, point]

    # Shrink the bracket; `low` is its better end.
    largest = float(np.abs(d).max())
    stalled = False
    low = 0 if bracket[0].f <= bracket[1].f else 1
    while n < most:
        first, last = sorted((bracket[0].t, bracket[1].t))
        if (last - first) * largest < tolerance:
            break
        t = cubic_minimum(*bracket)
        margin = 0.1 * (last - first)
        if min(last - t, t - first) < margin:  # hardly inside: accept that once, then step in from the nearer end
            if stalled or t >= last or t <= first:
                t = last - margin if abs(t - last) < abs(t - first) else first + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        point = try_at(t)
        evaluations += 1
        n += 1
        if too_high(point) or point.f >= bracket[low].f:
            bracket[1 - low] = point
            low = 0 if bracket[0].f <= bracket[1].f else 1
        else:
            done = flat(point)
            if not done and point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
                bracket[1 - low] = bracket[low]
            bracket[low] = point
            if done:
                break
    return bracket[low], evaluations


def cubic_minimum(a: Point, b: Point, bounds=None):
    """Where the cubic through two points with their slopes is least, within the bounds."""
    least, most = bounds or sorted((a.t, b.t))
    if a.t > b.t:
        a, b = b, a
    mean = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = mean * mean - a.slope * b.slope
    if square < 0:
        return (least + most) / 2.0
    root = sqrt(square)
    t = b.t - (b.t - a.t) * ((b.slope + root - mean) / (b.slope - a.slope + 2 * root))
    return min(max(t, least), most)
