"""vmap: a function of one sample to one of a batch."""

from __future__ import annotations

from ..errors import ArgumentError, StateError
from ..generator import default_generator
from ..ops.entry import REGISTRY
from ..tensor import Tensor
from .trees import leaves_of, rebuilt


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
        raise StateError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}",
            why="random numbers may differ from example to example, be the same, or be forbidden",
            fix='pass `randomness="different"`',
        )

    def wrapper(*args, **kwargs):
        flat, dims = leaves_of(args), _spread(in_dims, args)
        sizes = {x.shape[d] for x, d in zip(flat, dims) if d is not None}
        if not sizes:
            raise ArgumentError(
                f"vmap(in_dims={in_dims}, ...)(<inputs>): got no mapped inputs",
                why="every argument has `in_dims` None, or there are no arguments",
                fix="pass the dimension of the batch, such as `in_dims=0`",
            )
        if len(sizes) > 1:
            raise ArgumentError(
                "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
                f"{[x.shape[d] for x, d in zip(flat, dims) if d is not None]} for the mapped dimension",
                why="the function is called once for each index of the mapped dimension",
                fix="give all mapped arguments one size there, or pass None in `in_dims` for those that stay whole",
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
                raise StateError(
                    "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                    "'different' randomness flags on vmap or perform the randomness operation out of vmap",
                    why="whether each example gets its own random numbers is not known",
                    fix='pass `randomness="different"` or `randomness="same"`',
                )
        if not results:
            raise ArgumentError(
                "vmap over a dimension of size 0",
                why="there is no example to call the function with",
                fix="test the size first",
            )
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
                    f"satisfy -{leaf.dim()} <= in_dim < {leaf.dim()}.",
                    why=f"the input has shape {tuple(leaf.shape)}",
                    fix=f"pass `in_dims` between {-leaf.dim()} and {leaf.dim() - 1}",
                )
            found.append(dims % leaf.dim() if mapped_leaf else None)
        return found
    if isinstance(dims, dict):
        return [d for key in tree for d in _spread(dims[key], tree[key])]
    if not isinstance(tree, (tuple, list)) or len(dims) != len(tree):
        raise ArgumentError(
            f"vmap: in_dims is not compatible with the structure of inputs. in_dims has {len(dims)} entries, the "
            f"inputs {len(tree) if isinstance(tree, (tuple, list)) else 1}",
            why="each argument has its own entry",
            fix="pass one number for all arguments, or one for each",
        )
    return [d for dim, item in zip(dims, tree) for d in _spread(dim, item)]


def _joined(results, out_dims):
    first = results[0]
    flat = [leaves_of(r) for r in results]
    for leaf in flat[0]:
        if not isinstance(leaf, Tensor):
            raise ArgumentError(
                f"vmap(...): `f` must only return Tensors, got type {type(leaf)}. Did you mean to "
                "set out_dims= to None for output?",
                why="the results of all examples are stacked",
                fix="return `torch.as_tensor(result)`",
            )
    dims = [out_dims] * len(flat[0]) if out_dims is None or isinstance(out_dims, int) else list(leaves_of(out_dims))
    if len(dims) == 1:
        dims = dims * len(flat[0])
    stack = REGISTRY["stack"]
    made = [rows[0] if d is None else stack(rows, d) for rows, d in zip(map(list, zip(*flat)), dims)]
    return rebuilt(first, iter(made))
