"""What the optimizers share: one formula each, run over NumPy arrays block by block, or over tensors with a graph.

An optimizer is its `update`: a pure function from a parameter, its gradient and what is remembered (the slots) to their
new values, written as in the paper. `xp` is NumPy, or `TensorMath` when `differentiable=True` asks for a graph through
the step. The formula may branch on options, never on values, so that a compiler can trace it.
"""

from __future__ import annotations

import numpy as np

from ..autograd.mode import enable_grad, set_grad_enabled
from ..errors import ArgumentError, FailedAssertion, ShapeError, StateError
from ..kernels import fused
from ..kernels.record import listener, listeners, unheard
from ..ops.complexes import view_as_complex, view_as_real
from ..ops.inplace import check_overlap
from ..tensor import Tensor
from .optimizer import Optimizer, scalar_tensor

# Elements per block: a dozen temporaries of one block stay in the second-level cache, so that parameter, gradient and
# state travel through memory once however many operations the formula has.
BLOCK = 1 << 14


class TensorMath:
    """The functions that formulas take from `xp`, for tensors."""

    sqrt = staticmethod(lambda x: x.sqrt())
    abs = staticmethod(lambda x: x.abs())
    sign = staticmethod(lambda x: x.sign())
    maximum = staticmethod(lambda x, y: x.maximum(y) if isinstance(y, Tensor) else x.clamp(min=y))
    clip = staticmethod(lambda x, low, high: x.clamp(low, high))
    where = staticmethod(lambda condition, x, y: x.where(condition, y))


class FormulaOptimizer(Optimizer):
    """An optimizer whose step is one formula, `update`. A subclass defines:

    slots(options): names of the state tensors that the formula reads and replaces (made of zeros when missing).
    start(p, state, options): fill in other state before the first step. Default: "step" = 0.
    numbers(options, state): the scalars and switches of this step, the keyword arguments of `update`.
    update(xp, p, g, *slots, **numbers): new values of p and of the slots.
    """

    by_step = False  # `numbers` reads nothing of the state but "step"
    elementwise = True  # `update` treats each element alone: large arrays may be cut into blocks
    takes_complex = True
    _foreach_differentiable_error = True
    _latest: tuple = (None, None, None)  # options, step count, and the numbers that they gave

    def slots(self, options) -> tuple[str, ...]:
        return ()

    def start(self, p, state, options) -> None:
        state["step"] = scalar_tensor(0.0)

    def numbers(self, options, state) -> dict:
        raise NotImplementedError

    @staticmethod
    def update(xp, p, g, *slots, **numbers):
        raise NotImplementedError

    def step(self, closure=None):
        """Update all parameters that have a gradient.

        Arguments:
            closure: called first, with gradients enabled; its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("differentiable"):
                self._step_with_graph(group)
            else:
                self._step_in_place(group)
        return loss

    def _step_in_place(self, group):
        options = {
            name: value if value.__class__ in _PLAIN else plain(value)
            for name, value in group.items()
            if name != "params"
        }
        names = self.slots(options)
        jobs = []
        for p in group["params"]:
            g = p._grad
            if g is None:
                continue
            a, b = p._array, g._array
            if 0 in a.strides:
                check_overlap(p)
            if b.shape != a.shape:
                raise ShapeError(
                    f"The size of a parameter {list(p.shape)} must match the size of its gradient {list(g.shape)}",
                    why=f"{type(self).__name__} changes each element by its own gradient",
                    fix="let `backward()` set the gradients, or give `p.grad` the parameter's shape",
                )
            state, numbers = self._begin(p, names, options)
            arrays = [a, b]
            for name in names:
                arrays.append(state[name]._array)
            if jobs and numbers is not jobs[-1][1] and numbers == jobs[-1][1]:
                numbers = jobs[-1][1]  # parameters with the same numbers are updated together
            jobs.append((arrays, numbers))
            if listeners:
                self._tell(group, p, arrays, numbers)
            p._bump()
        if jobs:
            unheard(self.run, jobs)

    def _tell(self, group, p, arrays, numbers):
        """Tell who listens what is about to be done to one parameter."""
        found = listener()
        if found is not None:
            found.update(self, group, p, self.update, arrays, numbers)

    def _begin(self, p, names, options):
        """State and numbers of this step."""
        state = self.state.get(p) or self.prepare(p, names, options)
        count = None
        if "step" in state:
            steps = state["step"]._array
            count = steps.item() + 1
            steps[()] = count
        if not self.by_step:
            numbers = self.numbers(options, state)
        elif self._latest[0] is options and self._latest[1] == count:
            numbers = self._latest[2]
        else:
            numbers = self.numbers(options, state)
            self._latest = (options, count, numbers)
        for name in names:
            kept = state.get(name)
            if kept is None:
                state[name] = Tensor.wrap(np.zeros_like(p._array))
            elif self.elementwise and kept._array.shape != p._array.shape:
                raise ShapeError(
                    f"The size of a parameter {list(p.shape)} must match the size of its state '{name}' "
                    f"{list(state[name].shape)}",
                    why="the state was loaded from an optimizer of other parameters",
                    fix="load it into an optimizer of the same model, with the parameters in the same order",
                )
        return state, numbers

    def make_slots(self, p, names) -> None:
        """Zeros for the slots that a parameter's state does not have yet."""
        for name in names:
            if self.state[p].get(name) is None:
                self.state[p][name] = Tensor.wrap(np.zeros_like(p._array))

    def prepare(self, p, names, options):
        """The state of a parameter, started if this is its first step; slots are made later."""
        if not self.takes_complex and p.is_complex():
            raise StateError(
                f"{type(self).__name__} does not support complex parameters",
                why="its rule compares numbers, and complex numbers have no order",
                fix="use `torch.optim.Adam`, or a real parameter viewed by `torch.view_as_complex(p)`",
            )
        state = self.state.get(p)
        if not state:
            state = {}
            self.start(p, state, options)
            if state or names:
                self.state[p] = state
        return state

    def run(self, jobs) -> None:
        """Change the arrays of `jobs` in place; a job is ([p, g, *slots], numbers).

        Where there is enough to do, it is done by a kernel traced from the formula, in one launch, else by NumPy.
        """
        jobs = [
            ([as_real(a) for a in arrays], numbers) if arrays[0].dtype.kind == "c" else (arrays, numbers)
            for arrays, numbers in jobs
        ]
        if self.elementwise:
            jobs = fused.update(self.update, jobs)
        if not jobs:
            return
        with np.errstate(all="ignore"):
            for arrays, numbers in jobs:
                if arrays[0].size <= BLOCK or not self.elementwise or not all(a.flags.c_contiguous for a in arrays):
                    _write(arrays, self.update(np, *arrays, **numbers))
                else:
                    flat = [a.reshape(-1) for a in arrays]
                    for i in range(0, flat[0].size, BLOCK):
                        block = [a[i : i + BLOCK] for a in flat]
                        _write(block, self.update(np, *block, **numbers))

    def _step_with_graph(self, group):
        """The same formula on tensors: gradients flow through the step to gradients, learning rate and state."""
        if group.get("foreach") and self._foreach_differentiable_error:
            raise FailedAssertion(
                "_foreach ops don't support autograd",
                why="foreach=True and differentiable=True exclude each other",
                fix="leave foreach out",
            )
        with set_grad_enabled(True):
            names = self.slots(group)
            for p in group["params"]:
                if p.grad is None:
                    continue
                state, numbers = self._begin(p, names, group)
                # The graph keeps the old values of p, which is changed in place below: hence the copy.
                tensors = [p.clone(), p.grad, *[state[name] for name in names]]
                if p.is_complex():
                    new = self.update(TensorMath, *[view_as_real(t) for t in tensors], **numbers)
                    new = [view_as_complex(t) for t in new if t is not None]
                else:
                    new = self.update(TensorMath, *tensors, **numbers)
                p.copy_(new[0])
                for name, value in zip(names, new[1:]):
                    state[name] = value


_PLAIN = (float, int, bool, type(None), str)


def _write(arrays, new):
    p, _, *slots = arrays
    p[...] = new[0]
    for slot, value in zip(slots, new[1:]):
        slot[...] = value


def as_real(a: np.ndarray) -> np.ndarray:
    """A complex array's memory as real numbers, with a last dimension of 2."""
    return a.reshape(a.shape + (1,)).view(a.real.dtype) if a.dtype.kind == "c" else a


def plain(value):
    """An option as Python numbers: a learning rate may be a tensor, or a NumPy number that would widen float32."""
    if isinstance(value, (Tensor, np.generic)):
        return value.item()
    return tuple([plain(v) for v in value]) if type(value) is tuple else value


def descent(p, g, maximize, weight_decay):
    """The direction to go against: the gradient, its negative to maximize, plus that of an L2 penalty."""
    if maximize:
        g = -g
    if isinstance(weight_decay, Tensor) or weight_decay != 0:
        g = g + weight_decay * p
    return g


# ------------------------------------------------------------------ checks of constructor arguments


def require(ok, fact: str, why: str, fix: str) -> None:
    """ArgumentError unless `ok`."""
    if not ok:
        raise ArgumentError(fact, why=why, fix=fix)


def check_lr(lr, should=False) -> None:
    """A learning rate is a number >= 0, or a tensor of one element; `should` picks PyTorch's newer sentence."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ArgumentError(
            "Tensor lr must be 1-element",
            why=f"it has shape {tuple(lr.shape)}",
            fix="use `torch.tensor(0.001)`, and groups for learning rates of their own",
        )
    require(
        0.0 <= lr,
        f"Learning rate should be >= 0 but is: {lr}" if should else f"Invalid learning rate: {lr}",
        why="the step already goes downhill, by this many times the gradient",
        fix=f"use `lr={-lr}`; to climb, pass `maximize=True`" if lr < 0 else "use e.g. `lr=0.001`",
    )


def check_eps(eps) -> None:
    """What is added to a divisor is not negative."""
    require(
        0.0 <= eps,
        f"Invalid epsilon value: {eps}",
        why="it is added to a root so that nothing is divided by zero",
        fix="use `eps=1e-8`",
    )


def check_weight_decay(weight_decay) -> None:
    """Weights decay towards zero, not away from it."""
    require(
        0.0 <= weight_decay,
        f"Invalid weight_decay value: {weight_decay}",
        why="it is the rate at which weights shrink towards zero",
        fix="use a small number such as `weight_decay=0.01`, or 0 for none",
    )


def check_momentum(momentum) -> None:
    """A share of the former step is not negative."""
    require(
        0.0 <= momentum,
        f"Invalid momentum value: {momentum}",
        why="it is the share of the former steps that is kept",
        fix="use `momentum=0.9`, or 0 for none",
    )


def check_betas(betas) -> None:
    """Both decay rates are in [0, 1)."""
    for i in range(2):
        require(
            0.0 <= betas[i] < 1.0,
            f"Invalid beta parameter at index {i}: {betas[i]}",
            why="it is the share of a running mean that is kept at each step, and at 1 nothing new would come in",
            fix="use `betas=(0.9, 0.999)`",
        )


def check_not_tensors(lr, betas, foreach, capturable) -> None:
    """Adam's rules about options that are tensors."""
    if isinstance(lr, Tensor) and foreach and not capturable:
        raise ArgumentError(
            "lr as a Tensor is not supported for capturable=False and foreach=True",
            why="one number for all parameters is read before the step",
            fix="use `lr=lr.item()`, or `foreach=False`",
        )
    kinds = [isinstance(beta, Tensor) for beta in betas]
    require(
        kinds[0] == kinds[1],
        "betas must be either both floats or both Tensors",
        why="both are read in the same way at each step",
        fix="use `betas=(0.9, 0.999)`",
    )
    for i, beta in enumerate(betas):
        if kinds[i]:
            require(
                not foreach or capturable,
                f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True",
                why="one number for all parameters is read before the step",
                fix="use floats, or `foreach=False`",
            )
            require(
                beta.numel() == 1,
                f"Tensor betas[{i}] must be 1-element",
                why=f"it has shape {tuple(beta.shape)}",
                fix="use groups for rates of their own",
            )


def check_fused(fused, foreach, differentiable) -> None:
    """`fused` excludes `foreach` and `differentiable`."""
    if fused and differentiable:
        raise StateError(
            "`fused` does not support `differentiable`",
            why="the fused step is not recorded for differentiation",
            fix="use one of the two only",
        )
    if fused and foreach:
        raise StateError(
            "`fused` and `foreach` cannot be `True` together.",
            why="both say how the step is computed",
            fix="use one of the two only",
        )
