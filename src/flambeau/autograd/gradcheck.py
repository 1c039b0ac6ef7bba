"""gradcheck: compare gradients with finite differences; gradgradcheck: the same for gradients of gradients."""

from __future__ import annotations

import numpy as np

from ..errors import ArgumentError, FlambeauError, NotSupported, StateError
from ..language import warn
from ..tensor import Tensor, wrap
from .api import grad

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(FlambeauError, RuntimeError):
    """A gradient that finite differences contradict."""


def gradcheck(
    func, inputs, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
    nondet_tol: float = 0.0, check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_batched_forward_grad: bool = False, check_forward_ad: bool = False,
    check_backward_ad: bool = True, fast_mode: bool = False, masked: bool | None = None,
) -> bool:  # fmt: skip
    """Whether the gradients of `func` agree with (f(x + eps) - f(x - eps)) / 2 eps, element by element.

    Arguments:
        func: takes the inputs, returns a tensor or several.
        inputs: a tensor or several, float64 or complex128; those with requires_grad=True are checked.
        eps: how far an element is moved.
        atol, rtol: agreement that is asked for.
        raise_exception: raise GradcheckError instead of returning False.
        nondet_tol: how much two backward passes may differ.
        check_grad_dtypes: gradients must have the dtype of their input.
        check_batched_grad: also through `torch.autograd.grad(..., is_grads_batched=True)`.
        check_undefined_grad, fast_mode, masked: accepted; the full check is always made.

    >>> import flambeau as torch
    >>> x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.sin, x)
    True
    """
    if check_forward_ad or check_batched_forward_grad:
        raise NotSupported(
            "gradcheck of forward-mode gradients",
            why="flambeau checks gradients in reverse mode",
            fix="leave check_forward_ad and check_batched_forward_grad out",
        )
    if not check_backward_ad:
        raise ArgumentError(
            "Expected at least one of check_forward_ad and check_backward_ad to be True.",
            why="nothing would be checked",
            fix="leave check_backward_ad out",
        )
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = _checked(inputs)
    try:
        _check(func, inputs, checked, eps, atol, rtol, nondet_tol, check_grad_dtypes, check_batched_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False, check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True, fast_mode: bool = False, masked: bool = False,
) -> bool:  # fmt: skip
    """`gradcheck` of the gradients of `func`, as a function of its inputs and of the gradients of its outputs.

    Arguments: as `gradcheck`; grad_outputs: gradients of the outputs, random when None.

    >>> import flambeau as torch
    >>> x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradgradcheck(torch.sin, x)
    True
    """
    if check_fwd_over_rev:
        raise NotSupported(
            "gradgradcheck forward over reverse",
            why="flambeau checks gradients in reverse mode",
            fix="leave check_fwd_over_rev out",
        )
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if grad_outputs is None:
        seeds = [_random_like(out, gen_non_contig_grad_outputs) for out in _differentiable(_outputs(func(*inputs)))]
    else:
        seeds = list((grad_outputs,) if isinstance(grad_outputs, Tensor) else grad_outputs)
    n = len(inputs)

    def gradients(*args):
        args, seeds = args[:n], args[n:]
        wanted = [a for a in args if isinstance(a, Tensor) and a.requires_grad]
        outs = _differentiable(_outputs(func(*args)))
        found = grad(outs, wanted, seeds, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients, (*inputs, *seeds), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_grad_dtypes=check_grad_dtypes, check_batched_grad=check_batched_grad,
    )  # fmt: skip


# ------------------------------------------------------------------ one check


def _check(func, inputs, checked, eps, atol, rtol, nondet_tol, check_dtypes, batched):
    outs = _outputs(func(*inputs))
    live = _differentiable(outs)
    numerical = _numerical(func, inputs, checked, eps)
    if not live:
        if any(np.any(block != 0) for row in numerical for block in row):
            raise GradcheckError(
                "Numerical gradient for function expected to be zero",
                why="no output requires grad, and changing the inputs changes the outputs",
                fix="leave out `detach()`, `item()` and `numpy()` in the function, or write a backward for it",
            )
        return
    where = [i for i, out in enumerate(outs) if any(out is o for o in live)]
    for i, out in zip(where, live):
        analytical = _analytical(out, [inputs[j] for j in checked], check_dtypes)
        again = _analytical(out, [inputs[j] for j in checked], check_dtypes)
        for j, a, b in zip(checked, analytical, again):
            n = numerical[i][checked.index(j)]
            if not np.allclose(a, n, rtol, atol, equal_nan=True):
                raise GradcheckError(
                    f"Jacobian mismatch for output {i} with respect to input {j},\n"
                    f"numerical:{wrap(n)}\nanalytical:{wrap(a)}\n",
                    why="backward gives another derivative than differences of the function itself",
                    fix="look at the rule in `backward`; with float32 inputs, use `x.double()` first, as "
                    "differences are too inexact",
                )
            if not np.allclose(a, b, 0.0, nondet_tol, equal_nan=True):
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    "gives different values, although analytical gradient matches numerical gradient. The tolerance "
                    f"for nondeterminism was {nondet_tol}.",
                    why="backward draws random numbers, or changes something that it uses",
                    fix="save in forward what backward needs, or use a larger nondet_tol",
                )
        if batched:
            _check_batched(out, [inputs[j] for j in checked])


def _checked(inputs) -> list[int]:
    """Which inputs are checked."""
    found = []
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor) or not x.requires_grad:
            continue
        found.append(i)
        if x._array.dtype.char not in "dD":
            warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check "
                "will likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=3,
            )
        if any(stride == 0 and size > 1 for stride, size in zip(x._array.strides, x._array.shape)):
            raise StateError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call .contiguous "
                "on the input before passing it to gradcheck.",
                why="several of its elements are one number in memory",
                fix="use `x.contiguous()`",
            )
        x.retain_grad()
    if not found:
        raise ArgumentError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have "
            "requires_grad=True.",
            why="there is nothing to check",
            fix="use `torch.randn(..., dtype=torch.float64, requires_grad=True)`",
        )
    return found


def _outputs(out) -> tuple:
    return (out,) if isinstance(out, Tensor) else tuple(out)


def _differentiable(outs) -> list:
    return [out for out in outs if out.requires_grad]


def _reals(array: np.ndarray) -> np.ndarray:
    """The values as a vector of real numbers: a complex one counts as two."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def _numerical(func, inputs, checked, eps) -> list[list[np.ndarray]]:
    """[output][input] -> the Jacobian, inputs by outputs, from finite differences."""

    def values():
        return [_reals(out._array).astype(np.float64) for out in _outputs(func(*inputs))]

    columns = []
    for j in checked:
        array = inputs[j]._array
        steps = (eps, eps * 1j) if array.dtype.kind == "c" else (eps,)
        rows = []
        for index in np.ndindex(array.shape):
            kept = array[index]
            for step in steps:
                array[index] = kept + step
                above = values()
                array[index] = kept - step
                below = values()
                array[index] = kept
                rows.append([(a - b) / (2 * eps) for a, b in zip(above, below)])
        columns.append(rows)
    n = len(_outputs(func(*inputs)))
    return [[np.array([row[i] for row in rows]).reshape(len(rows), -1) for rows in columns] for i in range(n)]


def _seeds(out):
    """One gradient for each real number in `out`."""
    array = out._array
    for index in np.ndindex(array.shape):
        for unit in (1, 1j) if array.dtype.kind == "c" else (1,):
            seed = np.zeros_like(array)
            seed[index] = unit
            yield wrap(seed)


def _analytical(out, inputs, check_dtypes=False) -> list[np.ndarray]:
    """The same Jacobians from backward passes."""
    columns: list[list[np.ndarray]] = [[] for _ in inputs]
    for seed in _seeds(out):
        found = grad(out, inputs, seed, retain_graph=True, allow_unused=True)
        for x, g, column in zip(inputs, found, columns):
            if g is None:
                g = wrap(np.zeros_like(x._array))
            elif check_dtypes and g.dtype is not x.dtype:
                raise GradcheckError(
                    "Backward produced a gradient of another dtype than that of its input",
                    why=f"input is {x.dtype.name}, gradient {g.dtype.name}",
                    fix="return `grad.to(input.dtype)` in backward",
                )
            column.append(_reals(g._array).astype(np.float64))
    sizes = [_reals(x._array).size for x in inputs]
    return [np.array(column).reshape(-1, size).T for column, size in zip(columns, sizes)]


def _check_batched(out, inputs):
    seeds = [seed._array for seed in _seeds(out)]
    if not seeds:
        return
    found = grad(out, inputs, wrap(np.stack(seeds)), retain_graph=True, allow_unused=True, is_grads_batched=True)
    for g, one in zip(found, _analytical(out, inputs)):
        if g is not None and not np.allclose(np.stack([_reals(row) for row in g._array]).T, one):
            raise GradcheckError(
                "gradcheck or gradgradcheck failed while testing batched gradient computation.",
                why="backward gives other numbers for several gradients at once",
                fix="use tensor operations only in backward, without `item()` or NumPy",
            )


def _random_like(out, non_contiguous):
    rng = np.random.default_rng(0)
    array = rng.standard_normal(out._array.shape)
    if out._array.dtype.kind == "c":
        array = np.asarray(array + 1j * rng.standard_normal(out._array.shape))
    array = array.astype(out._array.dtype)
    if non_contiguous and array.ndim:
        array = np.repeat(array, 2, axis=-1)[..., ::2]
    t = wrap(array)
    t.requires_grad = True
    return t
