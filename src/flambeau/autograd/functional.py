"""torch.autograd.functional: Jacobians, Hessians, and their products with vectors, of functions of tensors."""

from __future__ import annotations

from ..errors import ArgumentTypeError, FailedAssertion, NotSupported, StateError
from ..tensor import Tensor
from .api import grad
from .mode import enable_grad, is_grad_enabled, set_grad_enabled

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), vᵀ J): the product of a vector of the outputs' shape with the Jacobian, by one backward pass.

    Arguments:
        func: takes the inputs, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple.
        v: may be None for a function with one number as its result.
        create_graph: make the results differentiable.
        strict: an error, not zeros, for an output that does not depend on an input.

    >>> import flambeau as torch
    >>> torch.autograd.functional.vjp(lambda x: x ** 2, torch.tensor([1.0, 2.0]), torch.ones(2))[1]
    tensor([2., 4.])
    """
    with enable_grad():
        many, inputs = _tensors(inputs, "inputs", "vjp")
        inputs = _fresh(inputs, create_graph)
        many_out, outputs = _result(func(*inputs), "vjp")
        _check_requires(outputs, strict, create_graph)
        v = _vector(
            v,
            outputs,
            many_out,
            "vjp",
            "The vector v can only be None if the user-provided function returns a "
            "single Tensor with a single element.",
        )
    with set_grad_enabled(create_graph or is_grad_enabled()):
        found = _grad(outputs, inputs, v, create_graph)
        found = _fill(found, inputs, strict, create_graph)
    return _back(outputs, many_out, create_graph), _back(found, many, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), J v): the derivative along a vector of the inputs' shape.

    vᵀ J is linear in v, and its own gradient with respect to v is J: two backward passes.

    Arguments: as `vjp`.

    >>> import flambeau as torch
    >>> torch.autograd.functional.jvp(lambda x: x ** 2, torch.tensor([1.0, 2.0]), torch.ones(2))[1]
    tensor([2., 4.])
    """
    with enable_grad():
        many, inputs = _tensors(inputs, "inputs", "jvp")
        v = _vector(
            v,
            inputs,
            many,
            "jvp",
            "The vector v can only be None if the input to the user-provided function is a "
            "single Tensor with a single element.",
        )
        inputs = _fresh(inputs, create_graph)
        many_out, outputs = _result(func(*inputs), "jvp")
        _check_requires(outputs, strict, create_graph)
        dual = tuple(out.new_zeros(out.shape).requires_grad_() for out in outputs)
        first = _fill(_grad(outputs, inputs, dual, True), inputs, strict, True)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        live = [(g, u) for g, u in zip(first, v) if g.requires_grad]
        found = (None,) * len(dual)
        if live:
            found = grad([g for g, _ in live], dual, [u for _, u in live], create_graph=create_graph, allow_unused=True)
        found = _fill(found, outputs, strict, create_graph)
    return _back(outputs, many_out, create_graph), _back(found, many_out, create_graph)


def jacobian(func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"):
    """The Jacobian: for each output and each input, a tensor of shape output shape + input shape.

    Arguments:
        func, inputs, create_graph, strict: as `vjp`.
        vectorize: accepted; one backward pass is made per output element.

    >>> import flambeau as torch
    >>> torch.autograd.functional.jacobian(lambda x: x ** 2, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise FailedAssertion(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs '
            'than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".',
            why=f"it is {strategy!r}",
            fix='use `strategy="reverse-mode"`',
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotSupported(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian isonly implemented for "
            "`vectorize=True`.",
            why="without vectorize, rows are computed one by one backward",
            fix='use `strategy="reverse-mode"`',
        )
    if vectorize and strict:
        raise StateError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
            "Please either set `strict=False` or `vectorize=False`.",
            why="strict looks at each row by itself",
            fix="leave one of them out",
        )
    with enable_grad():
        many, inputs = _tensors(inputs, "inputs", "jacobian")
        inputs = _fresh(inputs, create_graph)
        many_out, outputs = _result(func(*inputs), "jacobian")
        _check_requires(outputs, strict, create_graph)
        blocks = []
        for i, out in enumerate(outputs):
            rows = [[] for _ in inputs]
            for element in out.reshape(-1).unbind(0) if out.numel() else ():
                found = (None,) * len(inputs)
                if element.requires_grad:
                    found = grad(element, inputs, retain_graph=True, create_graph=create_graph, allow_unused=True)
                for j, (g, x, row) in enumerate(zip(found, inputs, rows)):
                    if g is None:
                        if strict:
                            raise StateError(
                                f"Output {i} of the user-provided function is independent of input {j}. This is not "
                                "allowed in strict mode.",
                                why="the gradient would be zero whatever the input",
                                fix=f"use input {j} in the function, or `strict=False`",
                            )
                        g = x.new_zeros(x.shape)
                    elif strict and create_graph and not g.requires_grad:
                        raise StateError(
                            "The jacobian of the user-provided function is independent of input "
                            f"{j}. This is not allowed in strict mode when create_graph=True.",
                            why="the function is linear in it, so second derivatives would be zero",
                            fix="use `strict=False`",
                        )
                    row.append(g)
            blocks.append(tuple(_assemble(row, out, x) for row, x in zip(rows, inputs)))
    blocks = tuple(_back(block, many, create_graph) for block in blocks)
    return blocks if many_out else blocks[0]


def hessian(func, inputs, create_graph=False, strict=False, vectorize=False, outer_jacobian_strategy="reverse-mode"):
    """The matrix of second derivatives of a function with one number as its result.

    Arguments: as `jacobian`.
    Returns: for each pair of inputs a tensor of shape first shape + second shape.

    >>> import flambeau as torch
    >>> torch.autograd.functional.hessian(lambda x: (x ** 3).sum(), torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    many, inputs = _tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise FailedAssertion(
            'Expected strategy to be either "forward-mode" or "reverse-mode".',
            why=f"it is {outer_jacobian_strategy!r}",
            fix='use `outer_jacobian_strategy="reverse-mode"`',
        )

    def gradient(*args):
        def checked(*args):
            out = func(*args)
            if isinstance(out, Tensor) and out.numel() != 1:
                raise StateError(
                    "The Tensor returned by the function given to hessian should contain a single element",
                    why=f"it has shape {tuple(out.shape)}, and a Hessian is that of one number",
                    fix="use `.sum()` at the end of the function, or `jacobian` of the gradient",
                )
            if not isinstance(out, Tensor):
                raise StateError(
                    "The function given to hessian should return a single Tensor",
                    why=f"it returned {type(out).__name__}",
                    fix="return one tensor",
                )
            return out.reshape(())

        return jacobian(checked, args if many else args[0], create_graph=True, strict=strict)

    return jacobian(gradient, inputs if many else inputs[0], create_graph=create_graph, strict=strict)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), vᵀ H): the product of a vector with the Hessian, by two backward passes.

    Arguments: as `vjp`; v has the shape of the inputs.

    >>> import flambeau as torch
    >>> torch.autograd.functional.vhp(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]), torch.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), H v). The Hessian is symmetric, so this is `vhp`.

    Arguments: as `vjp`; v has the shape of the inputs.

    >>> import flambeau as torch
    >>> torch.autograd.functional.hvp(lambda x: (x ** 3).sum(), torch.tensor([1.0, 2.0]), torch.ones(2))[1]
    tensor([ 6., 12.])
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(name, func, inputs, v, create_graph, strict):
    with enable_grad():
        many, inputs = _tensors(inputs, "inputs", name)
        v = _vector(
            v,
            inputs,
            many,
            name,
            "The vector v can only be None if the input to the user-provided function is a "
            "single Tensor with a single element.",
        )
        inputs = _fresh(inputs, create_graph)
        many_out, outputs = _result(func(*inputs), name)
        if many_out:
            raise StateError(
                f"The function given to {name} should return a single Tensor",
                why="a Hessian is that of one number",
                fix="return one tensor",
            )
        if outputs[0].numel() != 1:
            raise StateError(
                f"The Tensor returned by the function given to {name} should contain a single element",
                why=f"it has shape {tuple(outputs[0].shape)}, and a Hessian is that of one number",
                fix="use `.sum()` at the end of the function",
            )
        _check_requires(outputs, strict, create_graph)
        ones = tuple(out.new_ones(out.shape) for out in outputs)
        first = _fill(_grad(outputs, inputs, ones, True), inputs, strict, True)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        live = [(g, u) for g, u in zip(first, v) if g.requires_grad]
        found = (None,) * len(inputs)
        if live:
            ends, seeds = [g for g, _ in live], [u for _, u in live]
            found = grad(ends, inputs, seeds, create_graph=create_graph, allow_unused=True)
        found = _fill(found, inputs, strict, create_graph)
    return _back(outputs, False, create_graph), _back(found, many, create_graph)


# ------------------------------------------------------------------ arguments and results


def _tensors(value, what, name):
    """(whether a tuple was given, a tuple of tensors)."""
    many = isinstance(value, tuple)
    values = value if many else (value,)
    for i, x in enumerate(values):
        if not isinstance(x, Tensor):
            if many:
                raise ArgumentTypeError(
                    f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the value at index "
                    f"{i} has type {type(x)}.",
                    why="derivatives are taken of tensors by tensors",
                    fix=f"use `torch.tensor(value)` for element {i}",
                )
            raise ArgumentTypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the given {what} has "
                f"type {type(x)}.",
                why="derivatives are taken of tensors by tensors",
                fix="use a tuple of tensors" if isinstance(x, list) else "use `torch.tensor(value)`",
            )
    return many, values


def _result(value, name):
    value = tuple(value) if isinstance(value, list) else value
    return _tensors(value, "outputs of the user-provided function", name)


def _fresh(inputs, create_graph):
    """New leaves to differentiate with respect to; tied to the originals when the result must be differentiable."""
    made = []
    for x in inputs:
        tied = create_graph and x.requires_grad
        made.append(x.view_as(x) if tied else x.detach().requires_grad_())
    return tuple(made)


def _check_requires(outputs, strict, create_graph):
    for i, out in enumerate(outputs):
        if strict and not out.requires_grad:
            raise StateError(
                f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in "
                "a differentiable manner from the input when running in strict mode.",
                why="nothing in it depends on the inputs by operations that are differentiated",
                fix="leave out `detach()`, `item()` and `numpy()` in the function, or use `strict=False`",
            )


def _vector(v, like, many, name, message):
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise StateError(message, why="v is 1 by default, which fits a single number only", fix="give v")
        return (like[0].new_ones(like[0].shape),)
    _, v = _tensors(v, "v", name)
    if len(v) != len(like):
        if many:
            raise StateError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}.",
                why="each tensor has its own vector",
                fix=f"give a tuple of {len(like)} tensors",
            )
        raise StateError(
            "The given v should contain a single Tensor.",
            why="there is one tensor, so there is one vector",
            fix="give one tensor",
        )
    for i, (u, x) in enumerate(zip(v, like)):
        if u.shape != x.shape:
            raise StateError(
                f"Entry {i} in v has invalid size: should be {x.size()} but got {u.size()}."
                if many
                else f"v has invalid size: should be {x.size()} but got {u.size()}.",
                why="v holds one number for each element",
                fix=f"use a v of shape {tuple(x.shape)}",
            )
    return tuple(v)


def _grad(outputs, inputs, seeds, create_graph):
    live = [(out, seed) for out, seed in zip(outputs, seeds) if out.requires_grad]
    if not live:
        return (None,) * len(inputs)
    ends, seeds = [out for out, _ in live], [seed for _, seed in live]
    return grad(ends, inputs, seeds, create_graph=create_graph, allow_unused=True)


def _fill(found, like, strict, create_graph):
    """Zeros for what does not depend on something; an error when strict."""
    result = []
    for i, (g, x) in enumerate(zip(found, like)):
        if g is None:
            if strict:
                raise StateError(
                    f"The output of the user-provided function is independent of input {i}. This is not allowed in "
                    "strict mode.",
                    why="the gradient would be zero whatever the input",
                    fix=f"use input {i} in the function, or `strict=False`",
                )
            g = x.new_zeros(x.shape)
        result.append(g)
    return tuple(result)


def _back(values, many, create_graph):
    values = tuple(values if create_graph else [v.detach() for v in values])
    return values if many else values[0]


def _assemble(rows, out, x):
    """The gradients of all elements of an output as one tensor of shape output shape + input shape."""
    made = x.new_zeros((out.numel(), *x.shape))
    for i, row in enumerate(rows):
        made[i] = row
    return made.view(out.shape + x.shape)
