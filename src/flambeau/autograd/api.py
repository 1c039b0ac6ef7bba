"""What users call to differentiate: backward, grad, and the tensor methods that belong to the graph."""

from __future__ import annotations

import weakref

import numpy as np

from ..arrays import MetaArray, mixed
from ..checks import events, graphs, memory, slopes
from ..checks import gradients as _rules  # noqa: F401  they register themselves
from ..checks import numbers as _numbers  # noqa: F401  the rule looks at each loss
from ..checks.log import log, number
from ..checks.tags import pass_on
from ..errors import ArgumentError, ArgumentTypeError, GradientError, ShapeError
from ..kernels.record import constant
from ..mistakes.graphs import not_scalar
from ..tensor import Tensor, attach, wrap
from .engine import LEAF, AccumulateGrad, _Handle, accumulate, checked_hook_result, edge_of, next_number, run
from .graph import GradientEdge


def _seed(t: Tensor, g):
    """The gradient to start from: given, or 1 for a scalar."""
    if g is None:
        if not t.requires_grad:
            return None
        if t._array.size != 1:
            raise not_scalar(t)
        if t._array.dtype.kind == "c":
            raise GradientError(
                f"grad can be implicitly created only for real scalar outputs but got {t.dtype}",
                why="the gradient of a complex number has a direction that nothing says here",
                fix="use `loss.abs().backward()` or `loss.real.backward()`, or pass the gradient",
            )
        if isinstance(t._array, MetaArray):
            return wrap(t._array)
        a = t._array
        return wrap(constant(np.ones(a.shape, a.dtype) if a.shape else np.asarray(1, a.dtype)))
    if not isinstance(g, Tensor):
        raise ArgumentTypeError(
            f"gradients can be either Tensors or None, but got {type(g).__name__}",
            why="a gradient is given for each tensor, or none",
            fix="use `torch.tensor(value)`, of the shape of the tensor it belongs to",
        )
    if type(g._array) is not type(t._array):
        raise mixed(t.device, g.device)
    if g._array.shape != t._array.shape:
        raise ShapeError(
            f"Mismatch in shape: grad_output[0] has a shape of {g.shape} and output[0] has a shape of {t.shape}.",
            why="the gradient holds one number for each element of the tensor it belongs to",
            fix=f"use `gradient=torch.ones_like(output)`, of shape {tuple(t.shape)}",
        )
    if (g._array.dtype.kind == "c") != (t._array.dtype.kind == "c"):
        raise GradientError(
            "For complex Tensors, both grad_output and output are required to have the same dtype. "
            f"Mismatch in dtype: grad_output[0] has a dtype of {g.dtype} and output[0] has a dtype of "
            f"{t.dtype}.",
            why="a complex output has a complex gradient, a real one a real gradient",
            fix=f"use `gradient.to({t.dtype})`",
        )
    return g


def _tuple(x):
    if isinstance(x, (Tensor, GradientEdge)):
        return (x,)
    try:
        return tuple(x)
    except TypeError:
        raise ArgumentTypeError(
            f"expected a tensor or a sequence of tensors, got {type(x).__name__}",
            why="gradients are computed of tensors, with respect to tensors",
            fix="give a tensor, or a list of tensors",
        ) from None


def _tensors(items, what):
    """Error unless all are tensors (or edges of the graph)."""
    for t in items:
        if not isinstance(t, (Tensor, GradientEdge)):
            raise GradientError(
                f"all {what} have to be Tensors or GradientEdges, but got {type(t).__name__}",
                why="gradients are computed of tensors, with respect to tensors",
                fix="take out what is not a tensor",
            )
    return items


def _at_edge(x, g=None):
    """A tensor that stands in the graph where a GradientEdge points to; tensors as they are."""
    if not isinstance(x, GradientEdge):
        return x
    if isinstance(x.node, AccumulateGrad):
        return x.node.variable
    t = wrap(np.empty(0) if g is None else g._array)
    t._node, t._index, t._rg = x.node, x.output_nr, True
    return t


def _run(roots, seeds, retain, create_graph):
    """Accumulate into the leaves, and tell the checks."""
    if not log.on:
        run(roots, seeds, retain, create_graph)
        return
    value = number(roots[0]._array)
    count = log.backwards & 63
    if (
        count < 6 or value - value != 0.0 or log.deep > 0 or log.backwards < 64 or log.armed or log.unsound
        or events.before_backward or events.after_backward
    ):  # fmt: skip
        _told(roots, seeds, retain, create_graph)
        return
    # In steady state, all that is kept of a pass is its loss and where it began.
    log.backwards += 1
    if value.__class__ is float:
        log.loss = value
    node = roots[0]._node
    run(roots, seeds, retain, create_graph)
    log.sequence.append(0 if node is None else node.seq)
    log.ends.append(next_number())


def _told(roots, seeds, retain, create_graph):
    """A backward pass that the rules look at."""
    events.backward_begins(roots)
    node, reached = roots[0]._node, []
    look = slopes.witness(roots)
    # A watch that stops at a gradient which is not finite goes back again, to see where it began.
    keep = not retain and not create_graph and any(w.stop_at_nan for w in log.watches)
    log.kept = (roots, seeds) if keep else None
    try:
        run(roots, seeds, retain or keep, create_graph, reached=reached, check=look)
        events.backward_ended(roots, reached, node, next_number())
    finally:
        if keep:
            log.kept = None
            for passed in events.graph(roots):
                passed.release()
    if look is not None and look.node is not None:
        slopes.check_gradients(roots, reached)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Accumulate the gradients of `tensors` into the leaves' `.grad`.

    Arguments:
        tensors: a tensor or several; grad_tensors: the gradient of each (may be omitted for scalars).
        retain_graph: keep the graph for another backward; default: the value of `create_graph`.
        create_graph: record the backward pass, for gradients of gradients.
        inputs: accumulate only into these leaves.
    Raises RuntimeError for a tensor without graph, a graph already used, or a non-scalar without gradient.

    >>> import flambeau as torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.backward(x * x)
    >>> x.grad
    tensor(6.)
    """
    tensors = _tuple(tensors)
    grad_tensors = grad_variables if grad_tensors is None else grad_tensors
    given = (None,) * len(tensors) if grad_tensors is None else _tuple(grad_tensors)
    for g in given:
        if g is not None and not isinstance(g, Tensor):
            raise ArgumentTypeError(
                f"gradients can be either Tensors or None, but got {type(g).__name__}",
                why="a gradient is given for each tensor, or none",
                fix="use `torch.tensor(value)`, of the shape of the tensor it belongs to",
            )
    if len(given) != len(tensors):
        raise ArgumentError(
            f"got {len(tensors)} tensors and {len(given)} gradients",
            why="each tensor has its own gradient",
            fix="give one gradient per tensor, None for scalars",
        )
    if inputs is not None and len(_tuple(inputs)) == 0:
        raise GradientError(
            "`inputs` argument to `backward()` cannot be empty.",
            why="there is nothing to compute gradients for",
            fix="leave inputs out to compute the gradients of all leaves",
        )
    roots, seeds = [], []
    for i, (t, g) in enumerate(zip(_tensors(tensors, "tensors"), given)):
        t = _at_edge(t, g)
        g = _seed(t, g)
        if not t.requires_grad:
            raise graphs.no_graph(i, t)
        roots.append(t)
        seeds.append(g)
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        _run(roots, seeds, retain, create_graph)
        return
    inputs = [_at_edge(t) for t in (inputs.values() if isinstance(inputs, dict) else _tuple(inputs))]
    for t in inputs:
        if not t.requires_grad:
            raise GradientError("One of the differentiated Tensors does not require grad")
    from_graph = run(roots, seeds, retain, create_graph, targets=inputs)
    for t, g in zip(inputs, from_graph):
        if g is not None:
            accumulate(t, g, create_graph)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, only_inputs=True,
         allow_unused=None, is_grads_batched=False, materialize_grads=False):  # fmt: skip
    """The gradients of `outputs` with respect to `inputs`, returned instead of accumulated.

    Arguments:
        grad_outputs: gradient of each output (may be omitted for scalars).
        allow_unused: None instead of an error for inputs that the outputs do not depend on.
        materialize_grads: zeros instead of None for those.
    Returns a tuple of tensors, one for each input.

    >>> import flambeau as torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> torch.autograd.grad(x ** 3, x)
    (tensor(27.),)
    """
    if isinstance(inputs, dict):
        rest = grad_outputs, retain_graph, create_graph, only_inputs, allow_unused, is_grads_batched, materialize_grads
        found = grad(outputs, tuple(inputs.values()), *rest)
        return dict(zip(inputs, found))
    outputs, inputs = _tuple(outputs), tuple([_at_edge(t) for t in _tensors(_tuple(inputs), "inputs")])
    if log.on:
        log.notes["gradients asked for"] = True
    if is_grads_batched:
        batches = _tuple(grad_outputs)
        rows = [
            grad(outputs, inputs, [b[i] for b in batches], True, create_graph, only_inputs, allow_unused, False, True)
            for i in range(len(batches[0]))
        ]
        return tuple(_stack(r) for r in zip(*rows))
    if allow_unused is False and materialize_grads:
        raise ArgumentError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.",
            why="gradients of zero are made for unused inputs, which must be allowed for that",
            fix="leave allow_unused out",
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    given = (None,) * len(outputs) if grad_outputs is None else _tuple(grad_outputs)
    if len(given) != len(outputs):
        raise ArgumentError(
            f"got {len(outputs)} tensors and {len(given)} gradients",
            why="each output has its own gradient",
            fix="give one gradient per output, None for scalars",
        )
    if not inputs:
        raise ArgumentError(
            "grad requires non-empty inputs.",
            why="there is nothing to compute gradients for",
            fix="give the tensors to differentiate by: `torch.autograd.grad(loss, [x])`",
        )
    roots, seeds = [], []
    for i, (t, g) in enumerate(zip(outputs, given)):
        t = _at_edge(t, g)
        g = _seed(t, g)
        if not t.requires_grad:
            raise graphs.no_graph(i, t)
        roots.append(t)
        seeds.append(g)
    for t in inputs:
        if not t.requires_grad:
            raise GradientError(
                "One of the differentiated Tensors does not require grad",
                fix="x.requires_grad_() before the forward pass",
            )
    found = run(roots, seeds, create_graph if retain_graph is None else retain_graph, create_graph, targets=inputs)
    result = []
    for i, (t, g) in enumerate(zip(inputs, found)):
        if g is None:
            if not allow_unused:
                raise GradientError(
                    f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                    "allow_unused=True if this is the desired behavior.",
                    why=f"the outputs do not depend on the input of shape {tuple(t.shape)}",
                    fix="use `allow_unused=True` to get None for it, or compute the output from this very tensor",
                )
            g = t.new_zeros(t.shape) if materialize_grads else None
            if g is not None and create_graph:
                g.requires_grad_()
        result.append(g)
    return tuple(result)


def _stack(rows):
    """Tensors of equal shape as one tensor with a new first dimension."""
    return wrap(np.stack([r._array for r in rows]))


def _method_backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Pull the gradient of this tensor back to the leaves, adding to their `.grad`.

    gradient: needed unless the tensor has one element; same shape as the tensor.

    >>> import flambeau as torch
    >>> w = torch.ones(3, requires_grad=True)
    >>> (2 * w).sum().backward()
    >>> w.grad
    tensor([2., 2., 2.])
    """
    if inputs is None and isinstance(self, Tensor):  # as `backward` does for several tensors
        g = _seed(self, gradient)
        if not self.requires_grad:
            raise graphs.no_graph(0, self)
        _run((self,), (g,), create_graph if retain_graph is None else retain_graph, create_graph)
    else:
        backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def detach(self) -> Tensor:
    """The same memory without history; in-place changes of either are seen by autograd.

    >>> import flambeau as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> (x * 2).detach()
    tensor([2.])
    """
    t = wrap(self._array)
    if log.on:
        if self._rg:
            log.cut("detach", self)
        if self._tag is not None or self._rg or self._base is not None:
            pass_on(self, t)
    cell = self._cell
    if cell is None:
        cell = self._cell = [0]
    t._cell, t._aside = cell, ".detach()"
    return t


def detach_(self) -> Tensor:
    """Cut this tensor out of the graph, in place.

    >>> import flambeau as torch
    >>> (torch.ones(1, requires_grad=True) * 2).detach_()
    tensor([2.])
    """
    if self._base is not None:
        raise GradientError(
            "Can't detach views in-place. Use detach() instead.",
            why="its base would go on recording",
            fix="use `x = x.detach()`",
        )
    self._node, self._index, self._rg = None, 0, False
    return self


def requires_grad_(self, requires_grad: bool = True) -> Tensor:
    """Set `requires_grad` in place; returns self.

    Raises RuntimeError for integers, and for False on a tensor that is not a leaf.

    >>> import flambeau as torch
    >>> torch.ones(1).requires_grad_()
    tensor([1.], requires_grad=True)
    """
    if not requires_grad or self.grad_fn is None:
        self.requires_grad = requires_grad
    return self


def retain_grad(self) -> None:
    """Keep this non-leaf tensor's gradient in `.grad` during backward.

    >>> import flambeau as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> y = x * 2
    >>> y.retain_grad()
    >>> (y * 3).sum().backward()
    >>> y.grad
    tensor([3.])
    """
    if not self.requires_grad:
        raise GradientError(
            "can't retain_grad on Tensor that has requires_grad=False",
            why="no gradient will be computed for it",
            fix="use `x.requires_grad_()` before the forward pass",
        )
    if self._node is None or self._retains:
        return
    self._retains = True
    if self._node.retained is None:
        self._node.retained = {}
    self._node.retained[self._index] = weakref.ref(self)


def register_hook(self, hook):
    """Call `hook(grad)` when this tensor's gradient is computed; what it returns replaces the gradient.

    Returns a handle with `remove()`.

    >>> import flambeau as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> handle = x.register_hook(lambda grad: grad * 10)
    >>> (x * 2).sum().backward()
    >>> x.grad
    tensor([20.])
    """
    if not self.requires_grad:
        raise GradientError(
            "cannot register a hook on a tensor that doesn't require gradient",
            why="no gradient will be computed for it, so the hook would never run",
            fix="use `x.requires_grad_()` before the forward pass",
        )
    edge = edge_of(self)
    if edge[1] == LEAF:
        handle = _Handle.add(self, "_hooks", hook)
        if log.on:
            memory.hooked(self, self._hooks, handle.id, next_number())
        return handle
    index = self._index

    def pre_hook(grads):
        if grads[index] is None:
            return None
        new = hook(grads[index])
        if new is None:
            return None
        return (*grads[:index], checked_hook_result(new, grads[index], hook), *grads[index + 1 :])

    return _Handle.add(self._node, "pre_hooks", pre_hook)


def register_post_accumulate_grad_hook(self, hook):
    """Call `hook(param)` after `.grad` of this leaf has been accumulated. Returns a handle with `remove()`.

    >>> import flambeau as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> handle = x.register_post_accumulate_grad_hook(lambda p: print(p.grad))
    >>> (x * 2).sum().backward()
    tensor([2.])
    """
    if not self.requires_grad:
        raise GradientError(
            "cannot register a hook on a tensor that doesn't require gradient",
            why="no gradient will be computed for it, so the hook would never run",
            fix="use `x.requires_grad_()` before the forward pass",
        )
    if self.grad_fn is not None:
        raise GradientError(
            "post accumulate grad hooks cannot be registered on non-leaf tensors",
            why=f"this tensor was made by {self.grad_fn.name()}, and only leaves accumulate gradients",
            fix="use `register_hook`",
        )
    return _Handle.add(self, "_post_hooks", hook)


def is_inference(self) -> bool:
    """Whether it was made in inference mode.

    >>> import flambeau as torch
    >>> with torch.inference_mode():
    ...     x = torch.ones(1)
    >>> x.is_inference()
    True
    """
    return self._inference


for _name, _function in {
    "backward": _method_backward, "detach": detach, "detach_": detach_, "requires_grad_": requires_grad_,
    "retain_grad": retain_grad, "register_hook": register_hook, "is_inference": is_inference,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook,
    "retains_grad": property(lambda self: self._retains),
}.items():  # fmt: skip
    attach(_name, _function)
