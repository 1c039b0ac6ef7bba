"""torch.func: functions that take functions and return their derivatives, or their batched form."""

from __future__ import annotations

from . import ops  # noqa: F401  (defines the tensor methods used here)
from .autograd import enable_grad, is_grad_enabled
from .autograd.api import grad as _grad
from .autograd.engine import LEAF, edge_of
from .errors import ArgumentError, NotSupported
from .generator import default_generator
from .ops.entry import REGISTRY
from .tensor import Tensor

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]

# ------------------------------------------------------------------ trees: nested tuples, lists and dicts


def leaves_of(tree) -> list:
    """The leaves of nested tuples, lists and dicts, in order."""
    if isinstance(tree, (tuple, list)):
        return [leaf for item in tree for leaf in leaves_of(item)]
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in leaves_of(tree[key])]
    return [tree]


def rebuilt(tree, leaves):
    """The same structure with other leaves, taken from an iterator."""
    if isinstance(tree, (tuple, list)):
        items = [rebuilt(item, leaves) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if isinstance(tree, dict):
        return type(tree)((key, rebuilt(value, leaves)) for key, value in tree.items())
    return next(leaves)


def mapped(function, tree):
    """The same structure with `function` applied to each leaf."""
    return rebuilt(tree, iter([function(leaf) for leaf in leaves_of(tree)]))


# ------------------------------------------------------------------ gradients


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
                raise RuntimeError("output of function f should be a tuple: (output, aux) if has_aux is True")
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
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")

    def put(new):
        made = list(args)
        for n, value in zip(numbers, new if several else (new,)):
            made[n] = value
        return made

    return (tuple(args[n] for n in numbers) if several else args[numbers[0]]), put


def grad_and_value(func, argnums=0, has_aux=False):
    """A function that returns (gradient, value) of `func`; see `grad`."""

    def wrapper(*args, **kwargs):
        chosen, put = _chosen(argnums, args)
        tracked = _track(chosen)
        run = _Recorded(lambda *a: func(*a, **kwargs), put(tracked), tracked, has_aux)
        out = run.result
        if not isinstance(out, Tensor):
            raise RuntimeError(
                f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(out)}"
                + ("\n  try: has_aux=True, if f returns (loss, something else)" if isinstance(out, tuple) else "")
            )
        if out.dim() != 0:
            raise RuntimeError(
                "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with "
                f"{out.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
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
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as pytree structure of outputs to "
                f"the function. {len(seeds)} cotangents for {len(run.outputs)} outputs."
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
        raise RuntimeError("jvp(f, primals, tangents): Expected primals and tangents to be tuples of the same length")
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
    """The Jacobian, as `jacrev` computes it: flambeau differentiates in reverse mode."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func, argnums=0):
    """A function that computes the second derivatives of `func`.

    >>> import flambeau as torch
    >>> torch.func.hessian(lambda x: (x ** 3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)


# ------------------------------------------------------------------ batches


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """`func` for one example, made to work on a batch: called for each, results stacked.

    Arguments:
        in_dims: the batch dimension of each argument; None for arguments that all examples share.
        out_dims: where the batch dimension of the results goes.
        randomness: "error" when func draws random numbers, "same" for each example, or "different".
        chunk_size: accepted.

    >>> import flambeau as torch
    >>> torch.func.vmap(torch.dot)(torch.ones(3, 2), torch.ones(3, 2))
    tensor([2., 2., 2.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )

    def wrapper(*args, **kwargs):
        flat, dims = leaves_of(args), _spread(in_dims, args)
        sizes = {x.shape[d] for x, d in zip(flat, dims) if d is not None}
        if not sizes:
            raise ArgumentError(
                f"vmap(in_dims={in_dims}, ...)(<inputs>): got no mapped inputs",
                why="every argument has in_dims None, or there are no arguments",
            )
        if len(sizes) > 1:
            raise ArgumentError(
                "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
                f"{[x.shape[d] for x, d in zip(flat, dims) if d is not None]} for the mapped dimension"
            )
        columns = [None if d is None else x.unbind(d) for x, d in zip(flat, dims)]
        before = default_generator.get_state() if randomness != "different" else None
        results = []
        for i in range(sizes.pop()):
            if randomness == "same":
                default_generator.set_state(before)
            example = rebuilt(args, iter([x if c is None else c[i] for x, c in zip(flat, columns)]))
            results.append(func(*example, **kwargs))
            if randomness == "error" and i == 0 and not _same(before, default_generator.get_state()):
                raise RuntimeError(
                    "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                    "'different' randomness flags on vmap or perform the randomness operation out of vmap"
                )
        if not results:
            raise ArgumentError("vmap over a dimension of size 0", why="there is no example to call the function with")
        return _joined(results, out_dims)

    return wrapper


def _same(a, b):
    return bool((a == b).all())


def _spread(dims, tree) -> list:
    """One dimension (or None) for each leaf of `tree`, from a number or a structure that begins like the tree."""
    if dims is None or isinstance(dims, int):
        found = []
        for leaf in leaves_of(tree):
            mapped_leaf = dims is not None and isinstance(leaf, Tensor)
            if mapped_leaf and not -leaf.dim() <= dims < leaf.dim():
                raise ArgumentError(
                    f"vmap: Got in_dim={dims} for an input of dimensionality {leaf.dim()}, so expected in_dim to "
                    f"satisfy -{leaf.dim()} <= in_dim < {leaf.dim()}."
                )
            found.append(dims % leaf.dim() if mapped_leaf else None)
        return found
    if isinstance(dims, dict):
        return [d for key in tree for d in _spread(dims[key], tree[key])]
    if not isinstance(tree, (tuple, list)) or len(dims) != len(tree):
        raise ArgumentError(
            f"vmap: in_dims is not compatible with the structure of inputs. in_dims has {len(dims)} entries, the "
            f"inputs {len(tree) if isinstance(tree, (tuple, list)) else 1}"
        )
    return [d for dim, item in zip(dims, tree) for d in _spread(dim, item)]


def _joined(results, out_dims):
    first = results[0]
    flat = [leaves_of(r) for r in results]
    for leaf in flat[0]:
        if not isinstance(leaf, Tensor):
            raise ArgumentError(
                f"vmap(...): `f` must only return Tensors, got type {type(leaf)}. Did you mean to "
                "set out_dims= to None for output?"
            )
    dims = [out_dims] * len(flat[0]) if out_dims is None or isinstance(out_dims, int) else list(leaves_of(out_dims))
    if len(dims) == 1:
        dims = dims * len(flat[0])
    stack = REGISTRY["stack"]
    made = [rows[0] if d is None else stack(rows, d) for rows, d in zip(map(list, zip(*flat)), dims)]
    return rebuilt(first, iter(made))


# ------------------------------------------------------------------ modules


def functional_call(module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False):
    """Call a module with other parameters and buffers than its own.

    Arguments:
        parameter_and_buffer_dicts: name -> tensor, or several such dicts.
        args: a tuple, or one argument. kwargs: keyword arguments.
        tie_weights: a parameter that the module has under two names is replaced under both.
        strict: an error when names are missing or unknown.

    >>> import flambeau as torch
    >>> layer = torch.nn.Linear(1, 1)
    >>> zeros = {name: torch.zeros_like(p) for name, p in layer.named_parameters()}
    >>> torch.func.functional_call(layer, zeros, torch.ones(1)).item()
    0.0
    """
    given = parameter_and_buffer_dicts
    if not isinstance(given, dict):
        merged = {}
        for part in given:
            twice = merged.keys() & part.keys()
            if twice:
                raise ArgumentError(
                    f"{sorted(twice)} appeared in multiple dictionaries; behavior of functional call is ambiguous"
                )
            merged.update(part)
        given = merged
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    places = _places(module)
    unknown = ", ".join(map(repr, sorted(given.keys() - places.keys())))
    missing = ", ".join(map(repr, sorted(places.keys() - given.keys())))
    if strict and (unknown or missing):
        lines = [f"Unexpected key(s): {unknown}."] * bool(unknown) + [f"Missing key(s): {missing}."] * bool(missing)
        text = "\n\t".join([f"Error(s) in reparametrizing for {type(module).__name__}:", *lines])
        raise RuntimeError(text)
    new = {}
    for name, value in given.items():
        if name not in places:
            continue
        new[name] = value
        if tie_weights:
            mine = places[name][0][places[name][1]]
            for other, (table, key) in places.items():
                if other not in given and table[key] is mine and mine is not None:
                    new[other] = value
    before = {name: places[name][0][places[name][1]] for name in new}
    try:
        for name, value in new.items():
            table, key = places[name]
            table[key] = value
        return module(*args, **(kwargs or {}))
    finally:
        for name, value in before.items():
            table, key = places[name]
            table[key] = value


def _places(module) -> dict:
    """Qualified name -> (the dict that holds it, its key) of every parameter and buffer."""
    places = {}
    for prefix, child in module.named_modules(remove_duplicate=False):
        for table in (child._parameters, child._buffers):
            for key, value in table.items():
                if value is not None:
                    places[f"{prefix}.{key}" if prefix else key] = (table, key)
    return places


def stack_module_state(models):
    """(parameters, buffers) of several models of one class, each stacked along a new first dimension: an ensemble."""
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    stack = REGISTRY["stack"]

    def stacked(named):
        columns = zip(*[list(getattr(m, named)()) for m in models])
        made = {}
        for column in columns:
            t = stack([value.detach() for _, value in column])
            made[column[0][0]] = t.requires_grad_(column[0][1].requires_grad) if named == "named_parameters" else t
        return made

    return stacked("named_parameters"), stacked("named_buffers")


def replace_all_batch_norm_modules_(root):
    """Make every batch norm of a module use the statistics of the batch only; returns the module."""
    for module in root.modules():
        if hasattr(module, "track_running_stats") and hasattr(module, "num_batches_tracked"):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root


def linearize(func, *primals):
    """Not available: flambeau has no forward mode; see `jvp`."""
    raise NotSupported("torch.func.linearize", fix="torch.func.jvp(func, primals, tangents)")
