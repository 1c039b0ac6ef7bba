"""Functions to their derivatives: grad, vjp, jvp, Jacobians."""

from __future__ import annotations

from ..autograd import enable_grad, is_grad_enabled
from ..autograd.api import grad as _grad
from ..autograd.engine import LEAF, edge_of
from ..errors import NotSupported, StateError
from ..ops.entry import REGISTRY
from ..tensor import Tensor
from .trees import leaves_of, mapped, rebuilt


def _track(tree):
    """Copies of the tensors to differentiate with respect to; still tied to what they were computed from."""

    def tracked(t):
        if not isinstance(t, Tensor):
            return t
        return t.view_as(t) if t.requires_grad else t.detach().requires_grad_(t.is_floating_point() or t.is_complex())

    return mapped(tracked, tree)


def _depends_on_more(outputs, tracked) -> bool:
    """Whether the outputs also depend on tensors that someone outside differentiates with respect to."""
    mine = {id(t) for t in tracked}
    stack = [e for e in (edge_of(out) for out in outputs if isinstance(out, Tensor)) if e is not None]
    seen = set()
    while stack:
        edge = stack.pop()
        if edge[1] == LEAF:
            if id(edge[0]) not in mine:
                return True
        elif id(edge[0]) not in seen:
            seen.add(id(edge[0]))
            stack += [e for e in edge[0].edges if e is not None]
    return False


class _Recorded:
    """A call of `function`, recorded so that its result can be differentiated with respect to `tracked`."""

    def __init__(self, function, args, tracked_tree, has_aux):
        self.tracked_tree = tracked_tree
        self.tracked = [t for t in leaves_of(tracked_tree) if isinstance(t, Tensor) and t.requires_grad]
        outer = is_grad_enabled()
        with enable_grad():
            result = function(*args)
        self.aux = None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise StateError(
                    "output of function f should be a tuple: (output, aux) if has_aux is True",
                    why=f"the function returned a {type(result).__name__}",
                    fix="return `(output, aux)`, or leave out `has_aux=True`",
                )
            result, self.aux = result
        self.result = result
        self.outputs = leaves_of(result)
        self.keep = outer and _depends_on_more(self.outputs, self.tracked)

    def pull(self, seeds, keep=None, retain=True) -> list:
        """The gradients of all tracked leaves."""
        keep = self.keep if keep is None else keep
        live = [(out, s) for out, s in zip(self.outputs, seeds) if isinstance(out, Tensor) and out.requires_grad]
        found = [None] * len(self.tracked)
        if live and self.tracked:
            ends, seeds = [out for out, _ in live], [s for _, s in live]
            found = _grad(ends, self.tracked, seeds, retain_graph=retain, create_graph=keep, allow_unused=True)
        return [t.new_zeros(t.shape) if g is None else g for g, t in zip(found, self.tracked)]

    def shown(self, tree):
        """Results for the caller: cut from the record unless someone outside differentiates too."""
        return tree if self.keep else mapped(lambda t: t.detach() if isinstance(t, Tensor) else t, tree)


def _chosen(argnums, args):
    """The arguments to differentiate with respect to, and a function that puts others in their place."""
    several = isinstance(argnums, (tuple, list))
    numbers = [n + len(args) if n < 0 else n for n in (argnums if several else (argnums,))]
    for n in numbers:
        if not 0 <= n < len(args):
            raise StateError(
                f"Got argnum={n}, but only {len(args)} positional inputs",
                why="arguments are counted from 0, and only those given by position are",
                fix=f"pass `argnums` between 0 and {len(args) - 1}",
            )

    def put(new):
        made = list(args)
        for n, value in zip(numbers, new if several else (new,)):
            made[n] = value
        return made

    return (tuple(args[n] for n in numbers) if several else args[numbers[0]]), put


def grad_and_value(func, argnums=0, has_aux=False):
    """A function that returns (gradient, value) of `func`; see `grad`.

    >>> import flambeau as torch
    >>> torch.func.grad_and_value(lambda x: x**2)(torch.tensor(3.0))
    (tensor(6.), tensor(9.))
    """

    def wrapper(*args, **kwargs):
        chosen, put = _chosen(argnums, args)
        tracked = _track(chosen)
        run = _Recorded(lambda *a: func(*a, **kwargs), put(tracked), tracked, has_aux)
        out = run.result
        if not isinstance(out, Tensor):
            raise StateError(
                f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(out)}",
                why=f"a gradient is that of one number, and the function returned a {type(out).__name__}",
                fix="pass `has_aux=True`, if the function returns (loss, something else)"
                if isinstance(out, tuple)
                else "return the loss as a tensor, without `.item()` or `float()`",
            )
        if out.dim() != 0:
            raise StateError(
                "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with "
                f"{out.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?",
                why=f"a gradient is that of one number, and the result has shape {tuple(out.shape)}",
                fix="return `out.sum()` or `out.mean()`, or use `torch.func.jacrev`",
            )
        found = iter(run.pull([out.new_ones(())], retain=run.keep))
        live = {id(t) for t in run.tracked}
        gradient = mapped(lambda t: next(found) if id(t) in live else t, tracked)
        value = run.shown(out)
        return (gradient, (value, run.shown(run.aux))) if has_aux else (gradient, value)

    return wrapper


def grad(func, argnums=0, has_aux=False):
    """A function that computes the gradient of `func`, which returns one number.

    Arguments:
        func: of tensors, or of nested lists, tuples and dicts of them.
        argnums: which argument (or arguments) to differentiate with respect to.
        has_aux: func returns (value, something else), and so does the result: (gradient, something else).

    >>> import flambeau as torch
    >>> torch.func.grad(torch.sin)(torch.tensor(0.0))
    tensor(1.)
    >>> torch.func.grad(torch.func.grad(lambda x: x ** 3))(torch.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    def wrapper(*args, **kwargs):
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


def vjp(func, *primals, has_aux=False):
    """(func(*primals), a function that takes a gradient of the result to the gradients of the primals).

    >>> import flambeau as torch
    >>> out, pull = torch.func.vjp(torch.sin, torch.zeros(2))
    >>> pull(torch.ones(2))
    (tensor([1., 1.]),)
    """
    tracked = _track(primals)
    run = _Recorded(func, tracked, tracked, has_aux)

    def pull(*cotangents, retain_graph=True, create_graph=None):
        given = cotangents if isinstance(run.result, tuple) and len(cotangents) != 1 else cotangents[0]
        seeds = leaves_of(given)
        if len(seeds) != len(run.outputs):
            raise StateError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of outputs to "
                f"the function. {len(seeds)} cotangents for {len(run.outputs)} outputs.",
                why="each output has its own cotangent",
                fix=f"pass {len(run.outputs)} of them",
            )
        keep = run.keep or (is_grad_enabled() and any(s.requires_grad for s in seeds))
        found = iter(run.pull(seeds, keep if create_graph is None else create_graph))
        live = {id(t) for t in run.tracked}
        result = mapped(lambda t: next(found) if id(t) in live else t, tracked)
        return result

    out = run.shown(run.result)
    return (out, pull, run.shown(run.aux)) if has_aux else (out, pull)


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """(func(*primals), its derivative along the tangents).

    Computed by two backward passes: vᵀ J is linear in v, and its gradient with respect to v is J.

    >>> import flambeau as torch
    >>> torch.func.jvp(torch.sin, (torch.zeros(2),), (torch.ones(2),))[1]
    tensor([1., 1.])
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple) or len(primals) != len(tangents):
        raise StateError(
            "jvp(f, primals, tangents): Expected primals and tangents to be tuples of the same length",
            why="each argument has its own direction",
            fix="pass `(x,)` and `(v,)` for a function of one argument",
        )
    tracked = _track(primals)
    run = _Recorded(func, tracked, tracked, has_aux)
    along = [v for t, v in zip(leaves_of(tracked), leaves_of(tangents)) if isinstance(t, Tensor) and t.requires_grad]
    keep = run.keep or (is_grad_enabled() and any(v.requires_grad for v in along))
    with enable_grad():
        dual = [out.new_zeros(out.shape).requires_grad_() for out in run.outputs]
        first = run.pull(dual, keep=True)
        live = [(g, v) for g, v in zip(first, along) if g.requires_grad]
        found = [None] * len(dual)
        if live:
            ends, seeds = [g for g, _ in live], [v for _, v in live]
            found = _grad(ends, dual, seeds, create_graph=keep, allow_unused=True)
    found = [d.new_zeros(d.shape) if g is None else g for g, d in zip(found, dual)]
    result = rebuilt(run.result, iter(found))
    out = run.shown(run.result)
    return (out, result, run.shown(run.aux)) if has_aux else (out, result)


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None, _preallocate_and_copy=False):
    """A function that computes the Jacobian of `func`, one backward pass for each element of the result.

    Arguments: as `grad`; func may return tensors of any shape.

    >>> import flambeau as torch
    >>> torch.func.jacrev(lambda x: x ** 2)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def wrapper(*args, **kwargs):
        chosen, put = _chosen(argnums, args)
        tracked = _track(chosen)
        run = _Recorded(lambda *a: func(*a, **kwargs), put(tracked), tracked, has_aux)
        blocks = []
        for k, out in enumerate(run.outputs):
            rows = []
            for i in range(out.numel()):
                seed = out.new_zeros(out.numel())
                seed[i] = 1
                seeds = [None] * len(run.outputs)
                seeds[k] = seed.view(out.shape)
                rows.append(_only(run, k, seeds))
            found = iter(
                [
                    _stack([row[j] for row in rows], t).view(out.shape + t.shape)
                    for j, t in enumerate(run.tracked)
                ]
            )  # fmt: skip
            blocks.append(rebuilt(tracked, found))
        result = rebuilt(run.result, iter(blocks))
        return (result, run.shown(run.aux)) if has_aux else result

    return wrapper


def _only(run, k, seeds):
    out = run.outputs[k]
    found = [None] * len(run.tracked)
    if out.requires_grad:
        found = _grad(out, run.tracked, seeds[k], retain_graph=True, create_graph=run.keep, allow_unused=True)
    return [t.new_zeros(t.shape) if g is None else g for g, t in zip(found, run.tracked)]


def _stack(rows, like):
    return REGISTRY["stack"](rows) if rows else like.new_zeros((0, *like.shape))


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """The Jacobian, as `jacrev` computes it: flambeau differentiates in reverse mode.

    >>> import flambeau as torch
    >>> torch.func.jacfwd(lambda x: x**2)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func, argnums=0):
    """A function that computes the second derivatives of `func`.

    >>> import flambeau as torch
    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


def linearize(func, *primals):
    """Not available: flambeau has no forward mode; see `jvp`."""
    raise NotSupported(
        "torch.func.linearize", fix="use `torch.func.jvp(func, primals, tangents)`", why="gradients go backwards only"
    )
